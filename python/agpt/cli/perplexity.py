"""agpt-perplexity: how well a model predicts a text, by default at the context it was made for."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from agpt import ArgumentError, Corpus, Model, TrieIndex, Vocabulary
from agpt.checkpoint import TrainingData, read_checkpoint
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import (
    INPUT_FILE,
    one_index,
    open_index,
    read_texts,
    text_field_option,
)
from agpt.evaluation import evaluate
from agpt.token_text import ALL, SPLITS, TokenText, require_same_vocabulary, text_of_split

DEPTH_FOR_SPLIT = 1  # only the split of the index is used
UNKNOWN_DATA = TrainingData("", val_fraction=0.1, split_seed=0, reverse=False)


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
    help="Most tokens that a prediction sees.",
)
@click.option(
    "--stride",
    type=int,
    show_default="the context",
    help="Tokens between neighbouring windows; smaller windows overlap more and cost more.",
)
@click.option(
    "--skip-unknown",
    is_flag=True,
    help="Leave out characters that the model does not know.",
)
@click.option("--backend", default="cpu", show_default=True, help="What computes.")
@click.option("--threads", type=int, default=0, show_default="0: all cores", help="Threads.")
@common_options
def command(
    model: Path,
    corpus: tuple[Path, ...],
    text_field: str,
    index: Path | None,
    split: str,
    val_fraction: float | None,
    context: int | None,
    stride: int | None,
    skip_unknown: bool,
    backend: str,
    threads: int,
    as_json: bool,
) -> None:
    """Score a text with the model file MODEL."""
    if (not corpus) == (index is None):
        raise click.UsageError("name the text with --corpus or with --index, one of the two")
    checkpoint = read_checkpoint(model)
    loaded = Model.from_checkpoint(checkpoint)
    skipped = 0
    if (index_file := index or one_index(corpus)) is not None:
        opened = open_index(index_file)
        require_same_vocabulary(loaded.vocabulary, opened.vocabulary, loaded.config.vocab_size)
        text = text_of_split(opened, split)
    else:
        trained_on = checkpoint.training.data if checkpoint.training else UNKNOWN_DATA
        if val_fraction is not None:
            trained_on = dataclasses.replace(trained_on, val_fraction=val_fraction)
        read = _read_like(loaded, corpus, text_field)
        text, skipped = _text_of_corpus(loaded, read, split, trained_on, skip_unknown)
    result = evaluate(
        loaded,
        text,
        split=split,
        context=context,
        stride=stride,
        backend=backend,
        threads=threads,
    )
    values: dict[str, Any] = {"model": str(model), **result.to_dict(), "skipped": skipped}
    note = f"\n{skipped} unknown characters left out" if skipped else ""
    emit(as_json, values, f"{result}{note}")


def _read_like(model: Model, paths: Sequence[Path], text_field: str) -> Corpus:
    """The corpus of texts, with the kind of tokens that the model knows."""
    vocabulary = model.vocabulary
    if vocabulary is None or vocabulary.kind == "tokens":
        raise ArgumentError("the model has no vocabulary for a text: name an index with --index")
    documents = vocabulary.boundary is not None
    return read_texts(paths, vocabulary.kind, documents=documents, text_field=text_field)


def _text_of_corpus(
    model: Model, corpus: Corpus, split: str, trained_on: TrainingData, skip_unknown: bool
) -> tuple[TokenText, int]:
    """The part of a corpus in the model's tokens, and how many characters were left out."""
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
    return (
        TokenText.from_tokens(translated, vocabulary.boundary),
        int(tokens.size - np.count_nonzero(known)),
    )


def _translation(
    own: Vocabulary, of_model: Vocabulary, skip_unknown: bool
) -> npt.NDArray[np.int64]:
    """Token of the model for each token of a text's own vocabulary; -1 where it is unknown."""
    if own.kind == "byte":
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
