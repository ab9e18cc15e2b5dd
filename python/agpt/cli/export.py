"""agpt-export: an index as the files of the reference builders."""

import time
from pathlib import Path

import click

from agpt._engine import export_radix
from agpt.cli.conventions import Command, common_options, emit, refuse_given
from agpt.cli.data_options import INPUT_FILE, open_index


@click.command("agpt-export", cls=Command)
@click.argument("index", type=INPUT_FILE)
@click.option(
    "--order",
    type=click.Choice(["a", "b"]),
    default="a",
    show_default=True,
    help="Whose ids: a breadth first by token, b by first token and then the latest seen first.",
)
@click.option("--per-subtree", is_flag=True, help="Write a file for each subtree, too.")
@click.option(
    "--subtree-level",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="With --per-subtree: a subtree for each first token, or for each first two.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="What to write; must not exist."
)
@common_options
@click.pass_context
def command(
    context: click.Context,
    index: Path,
    out: Path,
    as_json: bool,
    order: str,
    per_subtree: bool,
    subtree_level: int,
) -> None:
    """Write the index file INDEX in a format of the reference builders, byte for byte."""
    if not per_subtree:
        refuse_given(context, {"subtree_level"}, "needs --per-subtree")
    start = time.perf_counter()
    figures = export_radix(
        open_index(index), out, order=order, subtree_level=subtree_level if per_subtree else 0
    )
    seconds = time.perf_counter() - start
    n_bytes = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    values = {"path": str(out), "bytes": n_bytes, **figures, "seconds": seconds}
    emit(
        as_json,
        values,
        f"{out}: {figures['n_records']:,} records, {figures['edge_tokens']:,} edge tokens, "
        f"{n_bytes:,} bytes, {seconds:.1f} s",
    )
