"""agpt-report: one page that shows a training run, or several side by side, to be passed on."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.files import require_writable
from agpt.number_texts import counted
from agpt.run_comparison import comparison_page
from agpt.run_files import last_path_of
from agpt.training_report import LOG_SUFFIX, RunRecord, log_of, read_run, report_page

PAGE_SUFFIX = ".html"
COMPARISON = "comparison"


@click.command("agpt-report", cls=Command)
@click.argument("runs", type=INPUT_FILE, nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    show_default="RUN with the ending .html; comparison.html beside the first of several",
    help="Where the page goes.",
)
@common_options
def command(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Write the page of a training run, named by its log or any of its checkpoints RUN.

    Several runs are laid side by side. The page is one file without a reference to another: it
    opens offline, in any browser.
    """
    if out is None:
        stem = _run_name(runs[0]) if len(runs) == 1 else COMPARISON
        out = runs[0].with_name(stem + PAGE_SUFFIX)
    require_writable(out)
    logs = [log_of(run).absolute() for run in runs]
    if out.absolute() in logs:
        raise click.UsageError(f"--out {out} is the log of a run: name another file")
    if len(set(logs)) < len(logs):
        twice = next(log for log in logs if logs.count(log) > 1)
        raise click.UsageError(f"the run of {twice.name} is named twice")
    records = _told_apart(runs, [read_run(run) for run in runs])
    page = report_page(records[0]) if len(records) == 1 else comparison_page(records)
    page.write(out)
    values: dict[str, Any] = {"page": str(out), "runs": [_values(record) for record in records]}
    emit(as_json, values, "\n".join([*(_line(record) for record in records), str(out)]))


def _run_name(run: Path) -> str:
    stem = run.name.removesuffix(LOG_SUFFIX)
    return stem if stem != run.name else last_path_of(run).stem


def _told_apart(runs: Sequence[Path], records: Sequence[RunRecord]) -> list[RunRecord]:
    """Runs of one name carry the names of their folders too."""
    names = [record.name for record in records]
    return [
        dataclasses.replace(record, name=f"{run.absolute().parent.name}/{record.name}")
        if names.count(record.name) > 1
        else record
        for run, record in zip(runs, records, strict=True)
    ]


def _values(record: RunRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "steps": len(record.steps),
        "evaluations": len(record.evaluations),
        "samples": len(record.samples),
        "best_loss": None if record.best is None else record.best["loss"],
    }


def _line(record: RunRecord) -> str:
    best = "" if record.best is None else f", best held-out loss {record.best['loss']:.4f}"
    return f"{record.name}: {counted(len(record.steps), 'step')}{best}"
