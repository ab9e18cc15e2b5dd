"""agpt-perplexity: how well a model predicts a text, by default at the context it was made for."""

import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from agpt import ArgumentError, Corpus, Model, TrieIndex, Vocabulary
from agpt.checkpoint import TrainingState, read_checkpoint
from agpt.cli.conventions import Command, common_options, emit, refuse_given
from agpt.cli.data_options import INPUT_FILE, one_index, open_index, text_field_option
from agpt.cli.index_inputs import read_texts
from agpt.data.sequences import read_sequences
from agpt.data.tokenizer import KIND as TOKENIZER_KIND
from agpt.data.tokenizer import TextTokenizer
from agpt.evaluation import Evaluation, evaluate
from agpt.seen_text import refuse_seen, refuse_seen_sequences, seen_in_training
from agpt.sequence_evaluation import evaluate_sequences
from agpt.token_text import ALL, SPLITS, TokenText, require_same_vocabulary, text_of_split
from agpt.training_data import TrainingData

DEPTH_FOR_SPLIT = 1  # only the split of the index is used
OF_TEXTS = ("val_fraction", "context", "stride", "token_range", "by_depth", "skip_unknown")
UNKNOWN_DATA = TrainingData("", val_fraction=0.1, split_seed=0, reverse=False)


def _read_range(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int | None, int | None]:
    """Reads 'BEGIN:END', either of which may be empty."""
    match = re.fullmatch(r"(-?\d+)?:(-?\d+)?", value or ":")
    if match is None:
        raise click.BadParameter(f"{value!r} is no range of tokens such as 0:4096 or -4096:")
    begin, end = (None if text is None else int(text) for text in match.groups())
    return begin, end


@click.command("agpt-perplexity", cls=Command)
@click.argument("model", type=INPUT_FILE)
@click.option(
    "--corpus",
    type=INPUT_FILE,
    multiple=True,
    help="A text as agpt-build reads it (or an index); again for more files.",
)
@text_field_option
@click.option("--index", type=INPUT_FILE, help="An index of agpt-build, which knows its split.")
@click.option(
    "--sequences",
    type=INPUT_FILE,
    multiple=True,
    help="JSON lines of sequences as agpt-train --sequences reads them, each scored whole; again "
    "for more files.",
)
@click.option(
    "--train-prompts",
    is_flag=True,
    help="With --sequences: score the tokens of prompts too; they are context alone otherwise.",
)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="val",
    show_default=True,
    help="Which part of the text: held out, trained on, or all of it.",
)
@click.option(
    "--val-fraction",
    type=float,
    show_default="as in training, else 0.1",
    help="Which part of --corpus is held out; an index knows its own.",
)
@click.option(
    "--context",
    type=int,
    show_default="the trained one",
    help="Most tokens that a prediction sees; there is a warning above the trained one.",
)
@click.option(
    "--stride",
    type=int,
    show_default="the context",
    help="Tokens between neighbouring windows; smaller windows overlap more and cost more.",
)
@click.option(
    "--range",
    "token_range",
    callback=_read_range,
    metavar="BEGIN:END",
    help="Only these tokens of the split, from 0; either may be left out or count from the end as "
    "a negative number. Of documents, those that begin there.",
)
@click.option(
    "--by-depth",
    is_flag=True,
    help="Also the loss for each number of tokens that the predictions saw.",
)
@click.option(
    "--skip-unknown",
    is_flag=True,
    help="Leave out characters that the model does not know.",
)
@click.option("--backend", default="cpu", show_default=True, help="What computes.")
@click.option("--threads", type=int, default=0, show_default="0: all cores", help="Threads.")
@common_options
@click.pass_context
def command(
    click_context: click.Context,
    model: Path,
    corpus: tuple[Path, ...],
    text_field: str,
    index: Path | None,
    sequences: tuple[Path, ...],
    train_prompts: bool,
    split: str,
    val_fraction: float | None,
    context: int | None,
    stride: int | None,
    token_range: tuple[int | None, int | None],
    by_depth: bool,
    skip_unknown: bool,
    backend: str,
    threads: int,
    as_json: bool,
) -> None:
    """Score a text with the model file MODEL."""
    if bool(corpus) + (index is not None) + bool(sequences) != 1:
        raise click.UsageError(
            "name what to score with --corpus, --index or --sequences, one of the three"
        )
    checkpoint = read_checkpoint(model)
    loaded, state = Model.from_checkpoint(checkpoint), checkpoint.training
    if sequences:
        refuse_given(click_context, OF_TEXTS, "is for texts: sequences are scored whole")
        tree = read_sequences(sequences, vocabulary=loaded.vocabulary, train_prompts=train_prompts)
        refuse_seen_sequences(tree, split, state)
        scored = evaluate_sequences(loaded, tree, backend=backend, threads=threads)
        emit(as_json, {"model": str(model), **scored.to_dict()}, str(scored))
        return
    refuse_given(click_context, ("train_prompts",), "is for sequences: name them with --sequences")
    if (index_file := index or one_index(corpus)) is not None:
        part = _part_of_index(loaded, index_file, split)
    else:
        trained_on = state.data if state else UNKNOWN_DATA
        if val_fraction is not None:
            trained_on = dataclasses.replace(trained_on, val_fraction=val_fraction)
        read = _read_like(loaded, corpus, text_field)
        part = _part_of_corpus(loaded, read, split, trained_on, skip_unknown)
    text = part.text.part(*token_range)
    seen = seen_in_training(text, state)
    refuse_seen(seen, split, state, part.training_hash)
    if state is not None:
        text = text.with_ends(state.config.document_ends)
    result = evaluate(
        loaded,
        text,
        split=split,
        context=_context(loaded, state, context),
        stride=stride,
        by_depth=by_depth,
        backend=backend,
        threads=threads,
    )
    share = None if seen is None else seen.share
    values: dict[str, Any] = {
        "model": str(model),
        **result.to_dict(),
        "skipped": part.skipped,
        "seen_in_training": share,
    }
    emit(as_json, values, _text(result, share, part.skipped))


def _context(model: Model, state: TrainingState | None, context: int | None) -> int | None:
    """The context of the evaluation; warns on standard error where it is longer than trained."""
    if context is None or state is None:
        return context if state is None else state.context
    if state.context < context <= model.config.context:
        click.echo(
            f"warning: the context is {context}, but training used at most {state.context}: "
            "the model never learned what to do with more",
            err=True,
        )
    return context


def _text(result: Evaluation, seen: float | None, skipped: int) -> str:
    lines = [f"{result} seen_in_training={'unknown' if seen is None else f'{seen:.4f}'}"]
    if result.by_depth is not None:
        lines.append(f"{'context':>7} {'positions':>10} {'nats':>9} {'perplexity':>11}")
        for entry in result.by_depth:
            loss = "-" if entry.loss is None else f"{entry.loss:.4f}"
            perplexity = "-" if entry.loss is None else f"{math.exp(min(entry.loss, 700)):.4f}"
            lines.append(f"{entry.context:7} {entry.positions:10} {loss:>9} {perplexity:>11}")
    if skipped:
        lines.append(f"{skipped} unknown characters left out")
    return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class _Part:
    """A part of some data in the model's tokens."""

    text: TokenText
    skipped: int
    """Characters left out, which the model does not know."""
    training_hash: str | None
    """Of the rest that the split keeps for training; None where nothing was split."""


def _part_of_index(model: Model, path: Path, split: str) -> _Part:
    index = open_index(path)
    require_same_vocabulary(model.vocabulary, index.vocabulary, model.config.vocab_size)
    return _Part(text_of_split(index, split), 0, index.hash)


def _read_like(model: Model, paths: Sequence[Path], text_field: str) -> Corpus:
    """The corpus of texts, with the kind of tokens that the model knows."""
    vocabulary = model.vocabulary
    if vocabulary is None or vocabulary.kind == "tokens":
        raise ArgumentError("the model has no vocabulary for a text: name an index with --index")
    tokenizer: str | TextTokenizer = vocabulary.kind
    if vocabulary.kind == TOKENIZER_KIND:
        tokenizer = TextTokenizer(vocabulary.definition, "the tokenizer of the model")
    documents = vocabulary.boundary is not None
    return read_texts(paths, tokenizer, documents=documents, text_field=text_field)


def _part_of_corpus(
    model: Model, corpus: Corpus, split: str, trained_on: TrainingData, skip_unknown: bool
) -> _Part:
    """The part of a corpus that `split` names, split as the training data were."""
    vocabulary = model.vocabulary
    assert vocabulary is not None
    own = corpus.vocabulary
    data: Corpus | TrieIndex = corpus
    if split != ALL:
        data = TrieIndex.build(
            corpus,
            depth=DEPTH_FOR_SPLIT,
            val_fraction=trained_on.val_fraction,
            split_seed=trained_on.split_seed,
            reverse=trained_on.reverse,
        )
    text = text_of_split(data, split)
    if trained_on.reverse and split == ALL:
        text = TokenText.from_tokens(text.tokens[::-1].copy(), own.boundary)
    tokens = _translation(own, vocabulary, skip_unknown)[text.tokens]
    known = tokens >= 0
    translated = np.ascontiguousarray(tokens[known], np.uint32)
    return _Part(
        TokenText.from_tokens(translated, vocabulary.boundary),
        int(tokens.size - np.count_nonzero(known)),
        data.hash if isinstance(data, TrieIndex) else None,
    )


def _translation(
    own: Vocabulary, of_model: Vocabulary, skip_unknown: bool
) -> npt.NDArray[np.int64]:
    """Token of the model for each token of a text's own vocabulary; -1 where it is unknown."""
    if own.kind != "char":
        return np.arange(own.size, dtype=np.int64)
    table = np.full(own.size, -1, np.int64)
    known = {character: token for token, character in enumerate(of_model.characters)}
    for token, character in enumerate(own.characters):
        if character in known:
            table[token] = known[character]
        elif not skip_unknown:
            raise ArgumentError(
                f"the text has the character {character!r}, which the model does not know: "
                "leave such characters out with --skip-unknown"
            )
    if own.boundary is not None and of_model.boundary is not None:
        table[own.boundary] = of_model.boundary
    return table
