"""agpt-export: an index as the files of the reference builders, a model as those of others."""

import time
from pathlib import Path

import click

from agpt import Model
from agpt.cli.conventions import Command, common_options, emit, refuse_given
from agpt.cli.data_options import INPUT_FILE, is_index, open_index
from agpt.interchange import FORMATS, export_index
from agpt.model_formats.saving import MODEL_FORMATS, save_model
from agpt.number_texts import counted


@click.command("agpt-export", cls=Command)
@click.argument("file", type=INPUT_FILE, metavar="INDEX|MODEL")
@click.option(
    "--format",
    "file_format",
    type=click.Choice([*FORMATS, *MODEL_FORMATS]),
    show_default=f"{FORMATS[0]} of an index, {MODEL_FORMATS[0]} of a model",
    help="Of an index: a folder of edges by depth, a folder of paths by depth, or one file of "
    "paths in the order of insertion. Of a model: weights alone, a folder for transformers, the "
    ".model of microgpt, or the model.json of Karpathy's family.",
)
@click.option(
    "--order",
    type=click.Choice(["a", "b"]),
    default="a",
    show_default=True,
    help="Of radix: a breadth first by token, b by first token and then the latest seen first.",
)
@click.option("--per-subtree", is_flag=True, help="Of radix: write a file for each subtree, too.")
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
    file: Path,
    out: Path,
    as_json: bool,
    file_format: str | None,
    order: str,
    per_subtree: bool,
    subtree_level: int,
) -> None:
    """Write an index in a format of the reference builders, byte for byte, or a model in another.

    docs/model_formats.md says which models a format can hold.
    """
    formats = FORMATS if is_index(file) else MODEL_FORMATS
    file_format = formats[0] if file_format is None else file_format
    if file_format not in formats:
        what = "an index" if formats is FORMATS else "a model"
        raise click.UsageError(f"{file} is {what}: choose --format {', '.join(formats)}", context)
    if file_format != "radix":
        radix_only = {"order", "per_subtree", "subtree_level"}
        refuse_given(context, radix_only, "is about --format radix")
    if not per_subtree:
        refuse_given(context, {"subtree_level"}, "needs --per-subtree")
    level = subtree_level if per_subtree else 0
    start = time.perf_counter()
    if file_format in MODEL_FORMATS:
        figures = save_model(Model.load(file), out, file_format)
    else:
        index = open_index(file)
        figures = export_index(index, out, file_format, order=order, subtree_level=level)
    emit_export(as_json, out, figures, time.perf_counter() - start)


def emit_export(as_json: bool, out: Path, figures: dict[str, int], seconds: float) -> None:
    """Prints what was written."""
    files = [out] if out.is_file() else [path for path in out.rglob("*") if path.is_file()]
    n_bytes = sum(file.stat().st_size for file in files)
    values = {"path": str(out), "files": len(files), "bytes": n_bytes, **figures}
    counts = ", ".join(
        f"{n:,} {name.removeprefix('n_').replace('_', ' ')}" for name, n in figures.items()
    )
    emit(
        as_json,
        {**values, "seconds": seconds},
        f"{out}: {counts}, {n_bytes:,} bytes in {counted(len(files), 'file')}, {seconds:.1f} s",
    )
