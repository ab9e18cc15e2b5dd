"""The options that say how a text becomes an index, and reading either of the two."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt import Corpus, TrieIndex
from agpt.cli.progress import FractionProgress

Function = TypeVar("Function", bound=Callable[..., Any])

INDEX_SUFFIX = ".agpt"
INDEX_BEGINNINGS = (b"AGPTIDX\n", b"AGPTPART")
INPUT_FILE = click.Path(exists=False, dir_okay=True, path_type=Path)


def index_options(function: Function) -> Function:
    """Adds what decides how an index is built, apart from its depth."""
    for option in reversed(
        (
            click.option(
                "--tokenizer",
                type=click.Choice(["char", "byte"]),
                default="char",
                show_default=True,
                help="What a token is; byte reads any file.",
            ),
            click.option(
                "--starts",
                default="every",
                show_default=True,
                metavar="RULE",
                help="Where paths begin: every, stride=K, max=N[+OFFSET], or documents "
                "(each line is one).",
            ),
            click.option(
                "--val-fraction",
                type=float,
                default=0.1,
                show_default=True,
                help="Part of the text that is held out for evaluation.",
            ),
            click.option(
                "--prune-min-mass",
                type=int,
                default=1,
                show_default=True,
                help="Drop paths that occur less often.",
            ),
            click.option(
                "--prune-min-depth",
                type=int,
                default=4,
                show_default=True,
                help="Drop only paths that begin at this depth or below.",
            ),
            click.option(
                "--reverse/--no-reverse",
                default=False,
                show_default=True,
                help="Read the text backwards.",
            ),
            click.option(
                "--corpus-end",
                type=click.Choice(["exact", "reference"]),
                default="exact",
                show_default=True,
                help="Keep every observed context, or drop edges at the end as older builders do.",
            ),
        )
    ):
        function = option(function)
    return function


def is_index(path: Path) -> bool:
    """Whether a file is an index rather than a text, by its name or its first bytes."""
    if path.suffix == INDEX_SUFFIX:
        return True
    with path.open("rb") as file:
        return file.read(len(INDEX_BEGINNINGS[0])) in INDEX_BEGINNINGS


def open_index(path: Path) -> TrieIndex:
    """Opens an index; a missing file is an OSError that names it."""
    with path.open("rb"):
        pass
    return TrieIndex.open(str(path))


def read_corpus(path: Path, tokenizer: str, documents: bool) -> Corpus:
    """Reads a text; a missing file is an OSError that names it."""
    with path.open("rb"):
        pass
    return Corpus.from_file(str(path), tokenizer=tokenizer, documents=documents)


def build_index(
    path: Path,
    *,
    depth: int,
    tokenizer: str,
    starts: str,
    threads: int = 0,
    **options: Any,
) -> TrieIndex:
    """Builds the index of a text in memory, with a progress bar."""
    corpus = read_corpus(path, tokenizer, documents=starts == "documents")
    with FractionProgress("indexing") as progress:
        return TrieIndex.build(
            corpus,
            depth=depth,
            starts=starts,
            threads=threads,
            progress=progress.update,
            **options,
        )
