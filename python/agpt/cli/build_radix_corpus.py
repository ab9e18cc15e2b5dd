"""agpt-build-radix-corpus: the reference's command of this name, over the same functions."""

import time
from pathlib import Path
from typing import Any

import click

from agpt import TrieIndex
from agpt.cli.build_radix import radix_options
from agpt.cli.conventions import Command, common_options
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.export import emit_export
from agpt.data.reading import read_corpus
from agpt.interchange import export_index


@click.command("agpt-build-radix-corpus", cls=Command)
@click.option("--corpus", type=INPUT_FILE, required=True, help="The text.")
@click.option("--max-depth", type=click.IntRange(min=1), required=True, help="Longest path.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    show_default="agpt_STEM_dDEPTH_radix, or _suffix_radix with --reverse",
    help="The folder to write.",
)
@radix_options
@click.option("--reverse", is_flag=True, help="Read the text backwards.")
@common_options
def command(
    corpus: Path,
    max_depth: int,
    out: Path | None,
    per_subtree: bool,
    reverse: bool,
    as_json: bool,
    **pruning: Any,
) -> None:
    """Write the radix directory of a text, as the reference's agpt_build_radix_corpus does."""
    if out is None:
        out = Path(f"agpt_{corpus.stem}_d{max_depth}{'_suffix' if reverse else ''}_radix")
    start = time.perf_counter()
    index = TrieIndex.build(read_corpus([corpus], "char"), max_depth, reverse=reverse)
    level = 1 if per_subtree else 0
    figures = export_index(index, out, order="b", subtree_level=level, **pruning)
    emit_export(as_json, out, figures, time.perf_counter() - start)
