"""Tokens as training and evaluation read them: a running text, or documents in a row."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import ArgumentError, Vocabulary

TrainingSource = _engine.TrieIndex | _engine.Corpus | _engine.SequenceTrie
"""What a model can be trained on."""

TRAIN = "train"
VALIDATION = "val"
ALL = "all"
SPLITS = (TRAIN, VALIDATION, ALL)


@dataclasses.dataclass(frozen=True)
class TokenText:
    """Tokens and where documents start among them; no starts means one running text."""

    tokens: npt.NDArray[Any]
    document_starts: npt.NDArray[np.int64]

    @classmethod
    def from_tokens(cls, tokens: npt.NDArray[Any], boundary: int | None) -> "TokenText":
        """A text; with a boundary token, each document stands between two of them."""
        if boundary is None:
            return cls(tokens, np.empty(0, np.int64))
        boundaries = np.flatnonzero(tokens == boundary).astype(np.int64)
        return cls(tokens, np.ascontiguousarray(boundaries[::2]))

    def with_ends(self, kept: bool) -> "TokenText":
        """This text where `kept`, else `without_ends()`."""
        return self if kept else self.without_ends()

    def without_ends(self) -> "TokenText":
        """A copy of which each document has no boundary at its end, so that none is predicted."""
        if self.document_starts.size == 0:
            return self
        ends = np.append(self.document_starts[1:], self.tokens.size) - 1
        n_before = np.arange(self.document_starts.size)  # ends that are gone before each document
        return TokenText(np.delete(self.tokens, ends), self.document_starts - n_before)

    def part(self, begin: int | None, end: int | None) -> "TokenText":
        """The tokens [begin, end), or the whole documents that begin there.

        None is the beginning or the end of the text, and negative numbers count from its end.
        ArgumentError where the text has no such part.
        """
        size = int(self.tokens.size)
        first, last = (
            default if place is None else place + size if place < 0 else place
            for place, default in ((begin, 0), (end, size))
        )
        if not 0 <= first < last <= size:
            raise ArgumentError(f"the range from {first} to {last} is no part of {size} tokens")
        if self.document_starts.size == 0:
            return TokenText(self.tokens[first:last], self.document_starts)
        ends = np.append(self.document_starts, size)
        inside = np.flatnonzero((self.document_starts >= first) & (self.document_starts < last))
        if inside.size == 0:
            raise ArgumentError(f"no document begins in the range from {first} to {last}")
        first, last = int(ends[inside[0]]), int(ends[inside[-1] + 1])
        return TokenText(self.tokens[first:last], self.document_starts[inside] - first)


def text_of_split(data: TrainingSource, split: str) -> TokenText:
    """The part of an index or of a corpus that `split` names; a corpus holds nothing out."""
    if isinstance(data, _engine.SequenceTrie):
        raise ArgumentError(
            "sequences are no text with held-out parts: use evaluate_sequences() with others"
        )
    boundary = data.vocabulary.boundary
    if split not in SPLITS:
        raise ArgumentError(f"split {split!r} is unknown: choose from {', '.join(SPLITS)}")
    if isinstance(data, _engine.Corpus):
        if split == VALIDATION:
            raise ArgumentError(
                "a corpus has no held-out part: build an index with val_fraction above 0"
            )
        return TokenText.from_tokens(data.tokens, boundary)
    data.require_text("reading it as a running text")
    if split == TRAIN:
        return TokenText.from_tokens(data.tokens, boundary)
    if data.held_out.size == 0 and split == VALIDATION:
        raise ArgumentError(
            "the index holds nothing out: build it with val_fraction above 0 (--val-fraction)"
        )
    if split == VALIDATION:
        return TokenText.from_tokens(data.held_out, boundary)
    return TokenText.from_tokens(np.concatenate([data.tokens, data.held_out]), boundary)


def continuation_text(
    vocabulary: Vocabulary, before: npt.NDArray[Any], tokens: npt.NDArray[Any]
) -> str:
    """The text of tokens that follow others, with a new line between documents.

    A tokenizer's decoder may drop a space at the beginning of what it decodes, so the tokens are
    decoded together with those before them.
    """
    if vocabulary.boundary is None:
        ends = np.empty(0, np.int64)
    else:
        ends = np.flatnonzero(tokens == vocabulary.boundary)
    first, *others = np.split(tokens, ends)
    begin, whole = vocabulary.decode(before), vocabulary.decode(np.concatenate([before, first]))
    text = whole[len(begin) :] if whole.startswith(begin) else vocabulary.decode(first)
    return "\n".join([text, *(vocabulary.decode(part) for part in others)])


def require_same_vocabulary(
    of_model: Vocabulary | None, of_data: Vocabulary, vocab_size: int
) -> None:
    """Refuses data whose token numbers mean something else to the model."""
    if of_data.size != vocab_size:
        raise ArgumentError(
            f"the data have a vocabulary of {of_data.size} tokens, but the model has {vocab_size}: "
            "use the text that the model was made for, or make a new model"
        )
    if of_model is not None and _identity(of_model) != _identity(of_data):
        raise ArgumentError(
            "the data and the model have different vocabularies of the same size: "
            "use the text that the model was made for, or make a new model"
        )


def _identity(vocabulary: Vocabulary) -> tuple[str, str, int | None]:
    return vocabulary.kind, vocabulary.definition, vocabulary.boundary
