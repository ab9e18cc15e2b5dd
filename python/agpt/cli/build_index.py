"""agpt-build-index: the reference's command of this name, over the functions of agpt-export."""

import time
from pathlib import Path

import click

from agpt import TrieIndex
from agpt.cli.conventions import Command, common_options
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.export import emit_export
from agpt.data.reading import read_corpus
from agpt.interchange import export_index


@click.command("agpt-build-index", cls=Command)
@click.option("--corpus", type=INPUT_FILE, required=True, help="The text.")
@click.option("--max-depth", type=click.IntRange(min=1), required=True, help="Longest path.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    show_default="agpt_STEM_dDEPTH",
    help="The folder to write.",
)
@common_options
def command(corpus: Path, max_depth: int, out: Path | None, as_json: bool) -> None:
    """Write the leveled directory of a text, as the reference's agpt_build_index does."""
    out = Path(f"agpt_{corpus.stem}_d{max_depth}") if out is None else out
    start = time.perf_counter()
    index = TrieIndex.build(read_corpus([corpus], "char"), max_depth)
    figures = export_index(index, out, "leveled")
    emit_export(as_json, out, figures, time.perf_counter() - start)
