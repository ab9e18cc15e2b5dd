"""Reading texts and building their index, with progress, as the options of indexes say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agpt import Corpus, TrieIndex
from agpt.cli.conventions import refuse_given
from agpt.cli.data_options import is_pipe
from agpt.cli.progress import FractionProgress
from agpt.data.chunks import Chunks
from agpt.data.reading import read_corpus
from agpt.data.tokenizer import TextTokenizer

DOCUMENTS = "documents"


def require_readable(paths: Sequence[Path]) -> None:
    """Refuses missing files before the first is read, by an OSError that names one."""
    for path in paths:
        if not is_pipe(path):
            with path.open("rb"):
                pass


def read_texts(
    paths: Sequence[Path],
    tokenizer: str | TextTokenizer,
    *,
    documents: bool,
    text_field: str,
    chunks: Chunks | None = None,
) -> Corpus:
    """Reads texts with a progress bar; a missing file is an OSError that names it."""
    require_readable(paths)
    with FractionProgress("reading") as progress:
        return read_corpus(paths, tokenizer, documents, text_field, progress.update, chunks)


def build_index(
    paths: Sequence[Path], *, depth: int, threads: int = 0, **options: Any
) -> TrieIndex:
    """Builds the index of texts in memory, with a progress bar; `options` are of the index."""
    corpus, build_options = _read_for_index(paths, **options)
    with FractionProgress("indexing") as progress:
        return TrieIndex.build(
            corpus, depth=depth, threads=threads, progress=progress.update, **build_options
        )


def build_index_file(out: Path, paths: Sequence[Path], **options: Any) -> TrieIndex:
    """Builds the index of texts straight into a file, with a progress bar, and opens it."""
    corpus, build_options = _read_for_index(paths, **options)
    with FractionProgress("indexing") as progress:
        return TrieIndex.build_to(
            out, corpus, progress=progress.update, remark=progress.say, **build_options
        )


def plan_index(paths: Sequence[Path], **options: Any) -> dict[str, Any]:
    """What the build of the index of texts would cost."""
    corpus, build_options = _read_for_index(paths, **options)
    plan: dict[str, Any] = TrieIndex.plan(corpus, **build_options)
    return plan


def _read_for_index(
    paths: Sequence[Path],
    *,
    tokenizer: str,
    text_field: str,
    starts: str,
    val_fraction: float,
    chunk_size: int | None = None,
    chunk_overlap: int | None = None,
    val_tokens: int | None = None,
    **others: Any,
) -> tuple[Corpus, dict[str, Any]]:
    """The texts, and the options that are left for building their index."""
    documents = starts == DOCUMENTS
    chunks = _chunks_of(chunk_size, chunk_overlap, documents)
    if val_tokens is not None:
        _check_val_tokens(documents)
    corpus = read_texts(paths, tokenizer, documents=documents, text_field=text_field, chunks=chunks)
    if val_tokens is not None:
        val_fraction = fraction_of(val_tokens, corpus.n_tokens)
    return corpus, {"starts": starts, "val_fraction": val_fraction, **others}


def _chunks_of(size: int | None, overlap: int | None, documents: bool) -> Chunks | None:
    if size is None and overlap is not None:
        raise click.UsageError("--chunk-overlap needs --chunk-size")
    if size is not None and not documents:
        raise click.UsageError("--chunk-size makes documents: add --starts documents")
    return None if size is None else Chunks(size, overlap)


def _check_val_tokens(documents: bool) -> None:
    if documents:
        raise click.UsageError(
            "--val-tokens counts the tokens of a running text, but documents are held out whole: "
            "use --val-fraction"
        )
    refuse_given(
        click.get_current_context(), ("val_fraction",), "and --val-tokens say the same: give one"
    )


def fraction_of(val_tokens: int, n_tokens: int) -> float:
    """The fraction of which the engine, which rounds down, makes just so many tokens."""
    if val_tokens > n_tokens - 2:
        raise click.UsageError(
            f"--val-tokens is {val_tokens}, but the text has {n_tokens} tokens, of which two must "
            "be left to train on"
        )
    return (val_tokens + 0.5) / n_tokens if val_tokens > 0 else 0.0
