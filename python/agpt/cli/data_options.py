"""The options that say how a text becomes an index, and reading either of the two."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt import TrieIndex
from agpt.cli.conventions import InputFile, with_options
from agpt.data.decompression import STANDARD_INPUT
from agpt.data.texts import DEFAULT_TEXT_FIELD, stem_of
from agpt.data.tokenizer import TOKENIZER_SUFFIX

Function = TypeVar("Function", bound=Callable[..., Any])

INDEX_SUFFIX = ".agpt"
INDEX_BEGINNINGS = (b"AGPTIDX\n", b"AGPTPART")
INDEX_OPTIONS = (
    "tokenizer",
    "text_field",
    "starts",
    "chunk_size",
    "chunk_overlap",
    "val_fraction",
    "val_tokens",
    "prune_min_mass",
    "prune_min_depth",
    "reverse",
    "corpus_end",
)
OWN_TOKENIZERS = ("char", "byte")
STEM_WITHOUT_NAME = "corpus"
INPUT_FILE = InputFile(path_type=Path)


def _require_tokenizer(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if value not in OWN_TOKENIZERS and not value.endswith(TOKENIZER_SUFFIX):
        raise click.BadParameter(f"{value!r} is none of char, byte and FILE.json")
    return value


def tokenizer_option(function: Function) -> Function:
    """Adds what a token is."""
    return click.option(
        "--tokenizer",
        default="char",
        show_default=True,
        metavar="char|byte|FILE.json",
        callback=_require_tokenizer,
        help="What a token is: a character, a byte (of any file), or what a tokenizer.json of "
        "Hugging Face says.",
    )(function)


def text_field_option(function: Function) -> Function:
    """Adds which field of JSON lines is the text."""
    return click.option(
        "--text-field",
        default=DEFAULT_TEXT_FIELD,
        show_default=True,
        metavar="NAME",
        help="The field of .jsonl files (also .jsonl.gz, .jsonl.zst) that holds the text.",
    )(function)


def index_options(function: Function) -> Function:
    """Adds INDEX_OPTIONS: what decides how an index is built, apart from its depth."""
    return with_options(
        function,
        tokenizer_option,
        text_field_option,
        click.option(
            "--starts",
            default="every",
            show_default=True,
            metavar="RULE",
            help="Where paths begin. every: at each token; stride=K: at every K-th; "
            "max=N[+OFFSET]: at N tokens, evenly spread, moved on by OFFSET; documents: at "
            "each document, which is a line of a text or an object of a .jsonl file.",
        ),
        click.option(
            "--chunk-size",
            type=click.IntRange(min=1),
            show_default="off",
            help="Documents are pieces of so many characters of the running text, with white "
            "space collapsed; for --starts documents.",
        ),
        click.option(
            "--chunk-overlap",
            type=click.IntRange(min=0),
            show_default="half of the chunk size",
            help="Characters that neighbouring chunks share.",
        ),
        click.option(
            "--val-fraction",
            type=float,
            default=0.1,
            show_default=True,
            help="Part of the text that is held out for evaluation.",
        ),
        click.option(
            "--val-tokens",
            type=click.IntRange(min=0),
            show_default="as --val-fraction says",
            help="Hold out so many tokens at the end of a running text instead.",
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


def is_pipe(path: Path) -> bool:
    """Whether reading a file takes it away: standard input, or a named pipe."""
    return str(path) == STANDARD_INPUT or path.is_fifo()


def is_index(path: Path) -> bool:
    """Whether a file is an index rather than a text, by its name or its first bytes."""
    if path.suffix == INDEX_SUFFIX:
        return True
    if is_pipe(path):  # what was read of it would be lost
        return False
    with path.open("rb") as file:
        return file.read(len(INDEX_BEGINNINGS[0])) in INDEX_BEGINNINGS


def one_index(paths: Sequence[Path]) -> Path | None:
    """The index among inputs, which are an index or texts; None where they are texts."""
    indexes = [path for path in paths if is_index(path)]
    if indexes and len(paths) > 1:
        raise click.UsageError(f"{indexes[0]} is an index: it cannot be read with other files")
    return indexes[0] if indexes else None


def default_output(inputs: Sequence[Path], suffix: str) -> Path:
    """Where a result goes by default: beside its one input, or "corpus" in the current folder."""
    stem = STEM_WITHOUT_NAME
    if len(inputs) == 1 and not is_pipe(inputs[0]):
        stem = stem_of(str(inputs[0]))
    output = Path(stem + suffix)
    if output in inputs:
        raise click.UsageError(f"{output} is read: name the file to write with --out")
    return output


def open_index(path: Path) -> TrieIndex:
    """Opens an index; a missing file is an OSError that names it."""
    with path.open("rb"):
        pass
    return TrieIndex.open(str(path))
