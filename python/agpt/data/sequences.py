"""Trees of sequences from JSON lines: vocabulary, tokens with weights, held-out lines."""

import dataclasses
import itertools
import os
import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from agpt._engine import ArgumentError, FormatError, SequenceTrie, TrieIndex, Vocabulary
from agpt.data.sequence_lines import (
    SequenceLine,
    WeightedTexts,
    WeightedTokens,
    read_sequence_lines,
)
from agpt.data.tokenizer import TextTokenizer

CHARACTERS, BYTES, TOKENS = "char", "byte", "tokens"
N_BYTES = 256

TokenIds = npt.NDArray[np.uint32]
Paths = Sequence[str | os.PathLike[str]]


def read_sequences(
    paths: Paths,
    tokenizer: str | os.PathLike[str] = "char",
    vocabulary: Vocabulary | None = None,
    train_prompts: bool = False,
) -> SequenceTrie:
    """The prefix tree of the sequences in files of JSON lines; "-" is standard input.

    Lines have the forms `{"prompt": str, "completions": [str, ...], "weights": [float, ...]}`,
    `{"prompt": str, "completion": str, "weight": float}`, `{"text": str, "weight": float}` and
    `{"tokens": [int, ...], "token_weights": [float, ...], "weight": float}` (`mask` says the same
    as `token_weights`); weights are 1 where they are left out. The tokens of a prompt are
    context alone unless `train_prompts`.

    Texts begin and end with the boundary, so that their first token is predicted, and their end.
    `tokenizer` is "char", "byte" or the path of a tokenizer's JSON; prompt and completions are
    encoded each by itself. Tokens are taken as they are. `vocabulary`, where given, is that of
    a model or another tree, and `tokenizer` is not looked at. FormatError names file and line of
    what is no sequence; ArgumentError where there is nothing to predict.
    """
    lines = list(read_sequence_lines(paths))
    if vocabulary is None:
        vocabulary = vocabulary_of(lines, tokenizer)
    return sequence_tree(lines, vocabulary, train_prompts)


def vocabulary_of(lines: Iterable[SequenceLine], tokenizer: str | os.PathLike[str]) -> Vocabulary:
    """The vocabulary of lines, with a boundary unless all of them are tokens of unknown meaning.

    FormatError for tokens beside texts whose vocabulary is the characters that occur.
    """
    tokenizer = os.fspath(tokenizer)
    if tokenizer == BYTES:
        return Vocabulary.from_parts(BYTES, "", N_BYTES + 1, N_BYTES)
    if tokenizer != CHARACTERS:
        return TextTokenizer.from_file(tokenizer).vocabulary(documents=True)
    characters: set[str] = set()
    tokens_line: WeightedTokens | None = None
    largest, has_text = 0, False
    for line in lines:
        if isinstance(line, WeightedTokens):
            tokens_line, largest = line, max(largest, *line.tokens)
        else:
            has_text = True
            characters.update(line.prompt, *line.completions)
    if tokens_line is None:
        definition = "".join(sorted(characters))
        return Vocabulary.from_parts(CHARACTERS, definition, len(characters) + 1, len(characters))
    if has_text:
        raise FormatError(
            f"{tokens_line.place} has tokens, but other lines have texts, whose characters get "
            "ids of their own: give tokens and texts apart, or use a tokenizer.json or bytes"
        )
    return Vocabulary.from_parts(TOKENS, "", largest + 1, None)


def sequence_tree(
    lines: Iterable[SequenceLine], vocabulary: Vocabulary, train_prompts: bool = False
) -> SequenceTrie:
    """The prefix tree of lines whose texts have `vocabulary`."""
    encoder = _Encoder(vocabulary, train_prompts)
    sequences: list[TokenIds] = []
    token_weights: list[npt.NDArray[np.float64]] = []
    for tokens, weights in itertools.chain.from_iterable(map(encoder.sequences, lines)):
        sequences.append(tokens)
        token_weights.append(weights)
    if not sequences:
        raise ArgumentError("there are no sequences: the files have no lines")
    return TrieIndex.from_sequences(sequences, token_weights=token_weights, vocabulary=vocabulary)


def split_lines(
    lines: Sequence[SequenceLine], fraction: float, seed: int = 0
) -> tuple[list[SequenceLine], list[SequenceLine]]:
    """The lines to train on, and those to hold out: a `fraction` of all, drawn by `seed`.

    Lines of the same prompt stay together, so that no prompt is in both parts. At least one
    line or prompt is held out where the fraction is above 0; ArgumentError where none is left.
    """
    if not 0 <= fraction < 1:
        raise ArgumentError(f"val_fraction is {fraction}, but must be at least 0 and below 1")
    groups: dict[object, list[int]] = {}
    for number, line in enumerate(lines):
        prompt = line.prompt if isinstance(line, WeightedTexts) else ""
        groups.setdefault(prompt or number, []).append(number)
    n_held_out = max(int(len(groups) * fraction), 1) if fraction > 0 else 0
    if n_held_out >= len(groups):
        raise ArgumentError(
            f"holding out {fraction:g} of {len(groups)} prompts or texts leaves nothing to train "
            "on: hold out nothing (val_fraction 0), or name a file of held-out sequences"
        )
    drawn = random.Random(seed).sample(list(groups.values()), n_held_out)
    held_out = set(itertools.chain.from_iterable(drawn))
    train = [line for number, line in enumerate(lines) if number not in held_out]
    return train, [lines[number] for number in sorted(held_out)]


@dataclasses.dataclass(frozen=True)
class _Encoder:
    """Turns lines into token ids with the weight of predicting each."""

    vocabulary: Vocabulary
    train_prompts: bool

    def sequences(self, line: SequenceLine) -> Iterator[tuple[TokenIds, npt.NDArray[np.float64]]]:
        if isinstance(line, WeightedTokens):
            yield self._checked_tokens(line), np.array(line.token_weights) * line.weight
            return
        boundary = self.vocabulary.boundary
        if boundary is None:
            raise FormatError(f"{line.place} has a text, but the vocabulary is one of tokens alone")
        edge = np.array([boundary], np.uint32)
        context = np.concatenate([edge, self._encoded(line.prompt, line.place)])
        for completion, weight in zip(line.completions, line.weights, strict=True):
            tokens = np.concatenate([context, self._encoded(completion, line.place), edge])
            weights = np.full(tokens.size, weight)
            if not self.train_prompts:
                weights[: context.size] = 0
            yield tokens, weights

    def _encoded(self, text: str, place: str) -> TokenIds:
        try:
            return self.vocabulary.encode(text)
        except (ArgumentError, FormatError) as error:
            raise FormatError(f"{place}: {error}") from error

    def _checked_tokens(self, line: WeightedTokens) -> TokenIds:
        size = self.vocabulary.size
        if (largest := max(line.tokens)) >= size:
            raise FormatError(
                f"{line.place}: token {largest} is outside the vocabulary of {size} ids"
            )
        return np.array(line.tokens, np.uint32)
