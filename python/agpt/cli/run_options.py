"""The options of agpt-train that say what a run evaluates, keeps and draws on its way."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt.cli.conventions import refuse_given, with_options
from agpt.cli.output_options import output_option, plot_option
from agpt.cli.train_inputs import TrainingInput
from agpt.results_table import require_results
from agpt.training_run import EVERY_MINUTE, RunOptions, SaveEvery

Function = TypeVar("Function", bound=Callable[..., Any])


def _read_save_every(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> SaveEvery:
    """Reads a number of steps, '500', or of seconds, '90s'; 0 is neither."""
    if value is None:
        return EVERY_MINUTE
    if re.fullmatch(r"\d+", value):
        return SaveEvery(steps=int(value) or None)
    seconds = _seconds(value)
    if seconds is None:
        raise click.BadParameter(
            f"{value!r} is neither a number of steps nor of seconds, such as 90s"
        )
    return SaveEvery(seconds=seconds)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        return None
    return seconds if text.endswith("s") and 0 < seconds < math.inf else None


def evaluation_options(function: Function) -> Function:
    """Adds --eval-every and --eval-context; the function takes `eval_every`, `eval_context`."""
    return with_options(
        function,
        click.option(
            "--eval-every",
            type=click.IntRange(min=0),
            show_default="a tenth of the run",
            help="Steps between held-out evaluations; 0 evaluates at the end only.",
        ),
        click.option(
            "--eval-context",
            type=click.IntRange(min=1),
            show_default="the trained one",
            help="Context of evaluations.",
        ),
    )


def run_options(function: Function) -> Function:
    """Adds the options; `run_options_of` reads them, the function has `plot` and `results`."""
    return with_options(
        function,
        evaluation_options,
        click.option(
            "--val-interval",
            "eval_seconds",
            type=click.FloatRange(min=0),
            metavar="SECONDS",
            show_default="off",
            help="Evaluate at the beginning, and whenever so many seconds have passed since "
            "the last evaluation; 0 evaluates at the end only.",
        ),
        click.option(
            "--sample-every",
            type=click.IntRange(min=0),
            show_default="as often as evaluations",
            help="Steps between texts that the model writes into the log; 0 writes none.",
        ),
        click.option(
            "--save-every",
            callback=_read_save_every,
            metavar="STEPS|SECONDSs",
            show_default="60s",
            help="Steps, or seconds such as 90s, between checkpoints; 0 writes one at the end "
            "or when stopped.",
        ),
        click.option(
            "--keep",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Newest checkpoints that also keep the number of their step in their name.",
        ),
        plot_option("the losses"),
        output_option(
            "--results",
            check=require_results,
            metavar="FILE.tsv",
            show_default="off",
            help="Add a line about each run to this table.",
        ),
    )


def check_run_options(context: click.Context, options: dict[str, Any]) -> None:
    """Refuses what does not go together."""
    if options["eval_seconds"] is not None:
        refuse_given(context, ("eval_every",), "and --val-interval say the same: give one of them")


def run_options_of(options: dict[str, Any], out: Path, given_input: TrainingInput) -> RunOptions:
    """What the user chose, for a run on `given_input` that writes to `out`."""
    seconds: float | None = options["eval_seconds"]
    return RunOptions(
        out,
        eval_every=0 if seconds == 0 else options["eval_every"],
        eval_context=options["eval_context"],
        has_held_out=given_input.has_held_out,
        held_out_sequences=given_input.held_out_sequences,
        save_every=options["save_every"],
        keep=options["keep"],
        sample_every=options["sample_every"],
        eval_seconds=seconds or None,
    )
