"""agpt-bench: how fast a configuration trains on this machine, and how long it would take."""

import dataclasses

import click

from agpt import NonFiniteError
from agpt.cli.conventions import Command, CommandFailure, common_options, emit
from agpt.cli.progress import FractionProgress
from agpt.cli.scenario_options import training_data
from agpt.cli.training_options import training_options
from agpt.cli.training_request import TrainingRequest
from agpt.step_report import StepReport
from agpt.training_bench import TrainingSpeed, measure_training


@click.command("agpt-bench", cls=Command)
@training_data
@click.option(
    "--measure",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to make steps; at least three are made.",
)
@training_options
@common_options
@click.pass_context
def command(
    context: click.Context, /, measure: float, as_json: bool, **_of_the_request: object
) -> None:
    """Measure the training that agpt-train would do with the same arguments.

    A fresh model makes some steps and is thrown away: no checkpoint is read or written.
    """
    training = TrainingRequest.of(context).read()
    trainer, given_input = training.fresh_trainer(), training.given_input
    with FractionProgress("measuring") as progress:
        passed = 0.0

        def show(report: StepReport) -> None:
            nonlocal passed
            passed += report.seconds
            progress.update(min(1.0, passed / max(measure, 1e-9)))

        try:
            speed = measure_training(
                trainer,
                measure,
                has_held_out=given_input.has_held_out,
                held_out_sequences=given_input.held_out_sequences,
                on_step=show,
            )
        except NonFiniteError as error:
            raise CommandFailure(context, str(error)) from error
    values = dataclasses.asdict(speed) | {
        "steps_per_second": speed.steps_per_second,
        "positions_per_second": speed.positions_per_second,
        "tokens_per_second": speed.positions_per_second,
        "eta_seconds": speed.eta_seconds,
        "dtype": trainer.model.dtype,
        "model": trainer.model.config.to_dict(),
        "training": trainer.config.to_dict(),
    }
    emit(as_json, values, _text(speed))


def _text(speed: TrainingSpeed) -> str:
    whole = speed.seconds / speed.steps
    parts = ", ".join(
        f"{name} {seconds / whole:.1%}"
        for name, seconds in dataclasses.asdict(speed.step_seconds).items()
    )
    lines = [
        f"{speed.n_parameters:,} parameters, {speed.backend}, {speed.threads} threads: "
        f"{speed.steps_per_second:,.2f} steps/s, {speed.positions_per_second:,.0f} tokens/s "
        f"({speed.steps} steps in {speed.seconds:.1f} s, {speed.cpu_seconds:.1f} CPU s)",
        f"a step takes {whole * 1000:,.2f} ms: {parts}",
    ]
    if speed.evaluation_seconds is not None:
        lines.append(f"an evaluation takes {speed.evaluation_seconds:.2f} s")
    lines.append(
        f"all {speed.total_steps:,} steps, {speed.total_positions:,} positions, and "
        f"{speed.evaluations} evaluations: {_duration(speed.eta_seconds)}"
    )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    """0.012 s, or 12.3 s, or 4 min 56 s, or 7 h 08 min."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
