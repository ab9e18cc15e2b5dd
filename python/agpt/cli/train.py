"""agpt-train: a model is trained on an index or on a text, or a run is resumed."""

from pathlib import Path

import click

from agpt import NonFiniteError, Trainer
from agpt.cli.conventions import Command, CommandFailure, common_options, emit, has_given
from agpt.cli.data_options import default_output
from agpt.cli.progress import StepProgress
from agpt.cli.run_options import check_run_options, run_options, run_options_of
from agpt.cli.scenario_options import MODEL_SUFFIX, training_data
from agpt.cli.train_inputs import TrainingInput
from agpt.cli.train_report import (
    first_line,
    result_record,
    result_text,
    result_values,
    stop_message,
)
from agpt.cli.training_options import training_options
from agpt.cli.training_request import TrainingRequest
from agpt.files import require_writable
from agpt.results_table import append_result
from agpt.run_files import last_path_of, log_path_of, resumable_checkpoint
from agpt.training_curves import plot_training
from agpt.training_run import RunOptions, RunResult, TrainingRun

EXIT_BY_SIGNAL = 128


@click.command("agpt-train", cls=Command)
@training_data
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    show_default="DATA with the ending .safetensors (corpus.safetensors for several files or -); "
    "with --resume its file",
    help="The last checkpoint; the best is beside it.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),  # may be the file that is written
    help="Continue the run of this checkpoint; where it is missing, of its newest numbered one.",
)
@run_options
@training_options
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    out: Path | None,
    resume: Path | None,
    plot: Path | None,
    results: Path | None,
    as_json: bool,
    **_of_request_and_run: object,
) -> None:
    """Train a model on INDEX (of agpt-build) or on the texts CORPUS... that it would read.

    With --sequences DATA are JSON lines instead: prompts with completions, texts, tokens. With
    --scenario DATA may be left out.
    """
    request = TrainingRequest.of(context)
    check_run_options(context, request.options)
    out = _place_of_checkpoints(request, out, resume)
    trainer, given_input = _fresh(request) if resume is None else _resumed(request, resume)
    run = run_options_of(request.options, out, given_input)
    result = _run(context, trainer, run)
    if plot is not None and result.loss is not None:
        plot_training(log_path_of(out), plot)
    if results is not None and result.stopped_by is None:
        name = None if request.scenario is None else request.scenario.name
        append_result(results, result_record(name, trainer, run, result))
    emit(as_json, result_values(trainer, run, result), result_text(trainer, run, result))
    if result.stopped_by is not None:
        raise CommandFailure(
            context,
            stop_message(run, result),
            EXIT_BY_SIGNAL + int(result.stopped_by),
        )


def _place_of_checkpoints(request: TrainingRequest, out: Path | None, resume: Path | None) -> Path:
    if resume is not None and not has_given(request.context, "out"):
        out = last_path_of(resume)
    elif out is None:
        out = default_output(request.data, MODEL_SUFFIX)
    require_writable(out)
    return out


def _fresh(request: TrainingRequest) -> tuple[Trainer, TrainingInput]:
    training = request.read()
    return training.fresh_trainer(), training.given_input


def _resumed(request: TrainingRequest, named: Path) -> tuple[Trainer, TrainingInput]:
    if (found := resumable_checkpoint(named)) != named:
        click.echo(f"{named} does not exist: resuming {found}", err=True)
    return request.resume(found)


def _run(context: click.Context, trainer: Trainer, options: RunOptions) -> RunResult:
    with StepProgress("training", trainer.total_steps, trainer.step_count) as progress:
        run = TrainingRun(trainer, options, on_step=progress.step, on_evaluation=progress.say)
        progress.say(first_line(trainer))
        try:
            return run.run()
        except NonFiniteError as error:
            kept = "the last good checkpoint stays" if run.has_written else "nothing was written"
            raise CommandFailure(context, f"{error} ({kept})") from error
