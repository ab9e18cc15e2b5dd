"""agpt-report: one page that shows a training run, to be kept or passed on."""

from pathlib import Path

import click

from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.files import require_writable
from agpt.run_files import last_path_of
from agpt.training_report import LOG_SUFFIX, read_run, report_page

PAGE_SUFFIX = ".html"


@click.command("agpt-report", cls=Command)
@click.argument("run", type=INPUT_FILE)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    show_default="RUN with the ending .html",
    help="Where the page goes.",
)
@common_options
def command(run: Path, out: Path | None, as_json: bool) -> None:
    """Write the page of a training run, named by its log or any of its checkpoints RUN.

    It is one file without a reference to another: it opens offline, in any browser.
    """
    if out is None:
        stem = run.name.removesuffix(LOG_SUFFIX)
        out = run.with_name(stem if stem != run.name else last_path_of(run).stem)
        out = out.with_name(out.name + PAGE_SUFFIX)
    require_writable(out)
    record = read_run(run)
    report_page(record).write(out)
    values = {
        "page": str(out),
        "steps": len(record.steps),
        "evaluations": len(record.evaluations),
        "samples": len(record.samples),
        "best_loss": None if record.best is None else record.best["loss"],
    }
    best = "" if record.best is None else f", best held-out loss {record.best['loss']:.4f}"
    emit(as_json, values, f"{out}: {len(record.steps):,} steps{best}")
