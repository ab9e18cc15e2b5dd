"""agpt-train: a model is trained on an index or on a text, or a run is resumed."""

from pathlib import Path
from typing import Any

import click

from agpt import NonFiniteError, TrainConfig, Trainer
from agpt.checkpoint import read_checkpoint
from agpt.cli.conventions import (
    Command,
    CommandFailure,
    common_options,
    emit,
    has_given,
    refuse_given,
)
from agpt.cli.data_options import INPUT_FILE, default_output
from agpt.cli.preset_options import MODEL_PREFIX, apply_preset
from agpt.cli.progress import StepProgress
from agpt.cli.run_options import PREFIX as RUN_PREFIX
from agpt.cli.run_options import run_options, run_options_of
from agpt.cli.scenario_options import data_to_train_on, training_data
from agpt.cli.train_inputs import check_input_options, read_input
from agpt.cli.train_report import (
    first_line,
    result_record,
    result_text,
    result_values,
    stop_message,
)
from agpt.cli.training_options import TRAIN_PREFIX, fresh_trainer, training_options
from agpt.files import require_writable
from agpt.plots import require_plotting
from agpt.results_table import append_result, require_results
from agpt.run_files import last_path_of, log_path_of, resumable_checkpoint
from agpt.scenarios import Scenario
from agpt.training_curves import plot_training
from agpt.training_run import RunOptions, RunResult, TrainingRun

MODEL_SUFFIX = ".safetensors"
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
    type=INPUT_FILE,
    help="Continue the run of this checkpoint; where it is missing, of its newest numbered one.",
)
@run_options
@training_options
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    data: tuple[Path, ...],
    scenario: Scenario | None,
    data_folder: Path,
    out: Path | None,
    resume: Path | None,
    backend: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on INDEX (of agpt-build) or on the texts CORPUS... that it would read.

    With --sequences DATA are JSON lines instead: prompts with completions, texts, tokens. With
    --scenario DATA may be left out.
    """
    data = data_to_train_on(context, data, scenario, data_folder)
    apply_preset(context, options)
    check_input_options(context, data, options)
    if resume is not None and not has_given(context, "out"):
        out = last_path_of(resume)
    if out is None:
        out = default_output(data, MODEL_SUFFIX)
    require_writable(out)
    picture: Path | None = options[f"{RUN_PREFIX}plot"]
    if picture is not None:
        require_plotting(picture)
    results: Path | None = options[f"{RUN_PREFIX}results"]
    if results is not None:
        require_results(results)
    if resume is None:
        trainer, given_input = fresh_trainer(context, data, backend, options)
    else:
        names = [name for name in options if name.startswith((MODEL_PREFIX, TRAIN_PREFIX))]
        reason = "cannot be changed with --resume: the checkpoint has it"
        refuse_given(context, [*names, "preset", "spec", "dtype"], reason)
        if (found := resumable_checkpoint(resume)) != resume:
            click.echo(f"{resume} does not exist: resuming {found}", err=True)
        saved = read_checkpoint(found)
        config = TrainConfig() if saved.training is None else saved.training.config
        given_input = read_input(
            data,
            config,
            options,
            model_context=saved.model_config.context,
            vocabulary=saved.vocabulary,
        )
        trainer = Trainer.resume(found, given_input.data, backend)
    run = run_options_of(options, out, given_input.has_held_out, given_input.held_out_sequences)
    result = _run(context, trainer, run)
    if picture is not None and result.loss is not None:
        plot_training(log_path_of(out), picture)
    if results is not None and result.stopped_by is None:
        name = None if scenario is None else scenario.name
        append_result(results, result_record(name, trainer, run, result))
    emit(as_json, result_values(trainer, run, result), result_text(trainer, run, result))
    if result.stopped_by is not None:
        raise CommandFailure(
            context,
            stop_message(run, result),
            EXIT_BY_SIGNAL + int(result.stopped_by),
        )


def _run(context: click.Context, trainer: Trainer, options: RunOptions) -> RunResult:
    with StepProgress("training", trainer.total_steps, trainer.step_count) as progress:
        run = TrainingRun(trainer, options, on_step=progress.step, on_evaluation=progress.say)
        progress.say(first_line(trainer))
        try:
            return run.run()
        except NonFiniteError as error:
            kept = "the last good checkpoint stays" if run.has_written else "nothing was written"
            raise CommandFailure(context, f"{error} ({kept})") from error
