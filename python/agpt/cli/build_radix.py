"""agpt-build-radix: the reference's command of this name, over the functions of agpt-export."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt.cli.conventions import Command, common_options
from agpt.cli.export import emit_export
from agpt.interchange import export_index, import_index

Function = TypeVar("Function", bound=Callable[..., Any])


def radix_options(function: Function) -> Function:
    """Adds what both radix builders of the reference have."""
    for option in (
        click.option(
            "--prune-min-depth",
            type=click.IntRange(min=1),
            default=4,
            show_default=True,
            help="Drop only edges that begin at this depth or below.",
        ),
        click.option(
            "--prune-min-mass",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Drop edges that occur less often.",
        ),
        click.option("--per-subtree", is_flag=True, help="Write a file for each subtree, too."),
    ):
        function = option(function)
    return function


@click.command("agpt-build-radix", cls=Command)
@click.option(
    "--leveled",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder that agpt-build-index wrote.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    show_default="NAME_radix, of the folder's name",
    help="The folder to write.",
)
@radix_options
@click.option(
    "--subtree-level",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="With --per-subtree: a subtree for each first token, or for each first two.",
)
@click.option("--max-cached", type=int, default=128, help="Ignored: nothing is cached.")
@common_options
def command(
    leveled: Path,
    out: Path | None,
    per_subtree: bool,
    subtree_level: int,
    max_cached: int,
    as_json: bool,
    **pruning: Any,
) -> None:
    """Write the radix directory of a leveled one, as the reference's agpt_build_radix does."""
    out = Path(f"{leveled.resolve().name}_radix") if out is None else out
    start = time.perf_counter()
    level = subtree_level if per_subtree else 0
    figures = export_index(import_index(leveled), out, subtree_level=level, **pruning)
    emit_export(as_json, out, figures, time.perf_counter() - start)
