"""The options of agpt-train that say what a run evaluates, keeps and draws on its way."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt import SequenceTrie
from agpt.training_run import EVERY_MINUTE, RunOptions, SaveEvery

Function = TypeVar("Function", bound=Callable[..., Any])

PREFIX = "run_"


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


def results_option(function: Function) -> Function:
    """Adds --results; the function takes `run_results`."""
    return click.option(
        "--results",
        f"{PREFIX}results",
        type=click.Path(path_type=Path),
        metavar="FILE.tsv",
        show_default="off",
        help="Add a line about each run to this table.",
    )(function)


def run_options(function: Function) -> Function:
    """Adds the options; the function takes them with the prefix `run_`."""
    for option in reversed(
        (
            click.option(
                "--eval-every",
                f"{PREFIX}eval_every",
                type=click.IntRange(min=0),
                show_default="a tenth of the run",
                help="Steps between held-out evaluations; 0 evaluates at the end only.",
            ),
            click.option(
                "--val-interval",
                f"{PREFIX}eval_seconds",
                type=click.FloatRange(min=0),
                metavar="SECONDS",
                show_default="off",
                help="Evaluate at the beginning, and whenever so many seconds have passed since "
                "the last evaluation; 0 evaluates at the end only.",
            ),
            click.option(
                "--eval-context",
                f"{PREFIX}eval_context",
                type=click.IntRange(min=1),
                show_default="the trained one",
                help="Context of evaluations.",
            ),
            click.option(
                "--sample-every",
                f"{PREFIX}sample_every",
                type=click.IntRange(min=0),
                show_default="as often as evaluations",
                help="Steps between texts that the model writes into the log; 0 writes none.",
            ),
            click.option(
                "--save-every",
                f"{PREFIX}save_every",
                callback=_read_save_every,
                metavar="STEPS|SECONDSs",
                show_default="60s",
                help="Steps, or seconds such as 90s, between checkpoints; 0 writes one at the end "
                "or when stopped.",
            ),
            click.option(
                "--keep",
                f"{PREFIX}keep",
                type=click.IntRange(min=0),
                default=0,
                show_default=True,
                help="Newest checkpoints that also keep the number of their step in their name.",
            ),
            click.option(
                "--plot",
                f"{PREFIX}plot",
                type=click.Path(path_type=Path),
                show_default="off",
                help="Draw the losses into this file: .png, .svg or .pdf.",
            ),
            results_option,
        )
    ):
        function = option(function)
    return function


def run_options_of(
    options: dict[str, Any],
    out: Path,
    has_held_out: bool,
    held_out_sequences: SequenceTrie | None = None,
) -> RunOptions:
    """What the user chose, for a run that writes to `out`."""
    every, seconds = options[f"{PREFIX}eval_every"], options[f"{PREFIX}eval_seconds"]
    if every is not None and seconds is not None:
        raise click.UsageError("--eval-every and --val-interval say the same: give one of the two")
    return RunOptions(
        out,
        0 if seconds == 0 else every,
        options[f"{PREFIX}eval_context"],
        has_held_out,
        held_out_sequences,
        options[f"{PREFIX}save_every"],
        options[f"{PREFIX}keep"],
        options[f"{PREFIX}sample_every"],
        seconds or None,
    )
