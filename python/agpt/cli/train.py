"""agpt-train: a model is trained on an index or on a text, or a run is resumed."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agpt import Model, ModelConfig, NonFiniteError, TrainConfig, Trainer, TrieIndex
from agpt.checkpoint import DTYPES, read_checkpoint
from agpt.cli.config_options import config_options, given
from agpt.cli.conventions import Command, CommandFailure, common_options, emit, refuse_given
from agpt.cli.data_options import (
    INPUT_FILE,
    build_index,
    default_output,
    index_options,
    one_index,
    open_index,
)
from agpt.cli.progress import StepProgress
from agpt.cli.run_options import PREFIX as RUN_PREFIX
from agpt.cli.run_options import run_options, run_options_of
from agpt.files import require_writable
from agpt.model_config import PRESETS
from agpt.plots import require_plotting
from agpt.run_files import last_path_of, log_path_of, resumable_checkpoint
from agpt.training_curves import plot_training
from agpt.training_run import RunOptions, RunResult, TrainingRun

MODEL_SUFFIX = ".safetensors"
DEPTH_FOR_WINDOWS = 1  # windows read the tokens only, so the smallest index serves
MODEL_PREFIX, TRAIN_PREFIX = "model_", "train_"
EXIT_BY_SIGNAL = 128


@click.command("agpt-train", cls=Command)
@click.argument("data", type=INPUT_FILE, nargs=-1, required=True, metavar="INDEX|CORPUS...")
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
@click.option("--backend", default="cpu", show_default=True, help="What computes.")
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default="float32",
    show_default=True,
    help="Type of the numbers.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="microgpt",
    show_default=True,
    help="The architecture that the options of the model change.",
)
@config_options(
    ModelConfig,
    MODEL_PREFIX,
    skip={"vocab_size"},
    defaults={"context": "the depth of the index; for windows --window-context, or 32"},
)
@config_options(TrainConfig, TRAIN_PREFIX, flags={"context": "window-context"})
@click.option(
    "--depth",
    type=int,
    show_default="--context, or 32",
    help="Depth of the index, where DATA is a text.",
)
@index_options
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    data: tuple[Path, ...],
    out: Path | None,
    resume: Path | None,
    backend: str,
    dtype: str,
    preset: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on INDEX (of agpt-build) or on the texts CORPUS... that it would read."""
    model_settings = given(options, MODEL_PREFIX)
    train_settings = given(options, TRAIN_PREFIX)
    data_options = {
        name: value
        for name, value in options.items()
        if not name.startswith((MODEL_PREFIX, TRAIN_PREFIX, RUN_PREFIX))
    }
    if (index_file := one_index(data)) is not None:
        refuse_given(context, data_options, f"has no effect: {index_file} is an index already")
    if out is None:
        out = default_output(data, MODEL_SUFFIX) if resume is None else last_path_of(resume)
    require_writable(out)
    picture: Path | None = options[f"{RUN_PREFIX}plot"]
    if picture is not None:
        require_plotting(picture)
    if resume is None:
        config = TrainConfig.from_dict(train_settings)
        index = _index_of(data, config, model_settings.get("context"), data_options)
        model = _new_model(index, config, preset, model_settings, dtype)
        trainer = Trainer(model, index, config, backend)
    else:
        names = [name for name in options if name.startswith((MODEL_PREFIX, TRAIN_PREFIX))]
        reason = "cannot be changed with --resume: the checkpoint has it"
        refuse_given(context, [*names, "preset", "dtype"], reason)
        if (found := resumable_checkpoint(resume)) != resume:
            click.echo(f"{resume} does not exist: resuming {found}", err=True)
        saved = read_checkpoint(found)
        config = TrainConfig() if saved.training is None else saved.training.config
        index = _index_of(data, config, saved.model_config.context, data_options)
        trainer = Trainer.resume(found, index, backend)
    run = run_options_of(options, out, index.held_out.size > 0)
    result = _run(context, trainer, run)
    if picture is not None and result.loss is not None:
        plot_training(log_path_of(out), picture)
    emit(as_json, _values(trainer, run, result), _text(trainer, run, result))
    if result.stopped_by is not None:
        raise CommandFailure(
            context,
            _stop_message(run, result),
            EXIT_BY_SIGNAL + int(result.stopped_by),
        )


def _index_of(
    data: Sequence[Path], config: TrainConfig, context: int | None, data_options: dict[str, Any]
) -> TrieIndex:
    """The index to train on: opened, or built in memory where `data` are texts."""
    if (index_file := one_index(data)) is not None:
        return open_index(index_file)
    depth = data_options.pop("depth")
    if config.mode == "window" and config.window_targets == "text":
        depth = DEPTH_FOR_WINDOWS
    elif depth is None:
        depth = 32 if context is None else context
    return build_index(data, depth=depth, threads=config.threads, **data_options)


def _new_model(
    index: TrieIndex,
    config: TrainConfig,
    preset: str,
    model_settings: dict[str, Any],
    dtype: str,
) -> Model:
    settings = dict(model_settings)
    if "context" not in settings and config.mode != "trie" and config.context is not None:
        settings["context"] = config.context
    elif "context" not in settings and config.mode != "window":
        settings["context"] = index.depth
    model_config = ModelConfig.preset(preset, index.vocab_size, **settings)
    return Model(model_config, config.seed, dtype, vocabulary=index.vocabulary)


def _run(context: click.Context, trainer: Trainer, options: RunOptions) -> RunResult:
    with StepProgress("training", trainer.total_steps, trainer.step_count) as progress:
        run = TrainingRun(trainer, options, on_step=progress.step, on_evaluation=progress.say)
        progress.say(
            f"{trainer.model.n_parameters:,} parameters, {trainer.backend_description}, "
            f"{trainer.pass_positions:,} positions a pass, {trainer.total_steps} steps, "
            f"mode {trainer.config.mode}"
        )
        try:
            return run.run()
        except NonFiniteError as error:
            kept = "the last good checkpoint stays" if run.has_written else "nothing was written"
            raise CommandFailure(context, f"{error} ({kept})") from error


def _stop_message(options: RunOptions, result: RunResult) -> str:
    assert result.stopped_by is not None
    stopped = f"stopped by {result.stopped_by.name} after step {result.step}"
    if not result.written:
        return f"{stopped}: no step was done, nothing was written"
    return f"{stopped}: continue with --resume {options.out}"


def _values(trainer: Trainer, options: RunOptions, result: RunResult) -> dict[str, Any]:
    evaluation = result.evaluation
    return {
        "model": str(options.out),
        "best_model": str(options.best) if result.best_loss is not None else None,
        "log": str(log_path_of(options.out)),
        "mode": trainer.config.mode,
        "backend": trainer.backend_description,
        "n_parameters": trainer.model.n_parameters,
        "context": trainer.model.config.context,
        "step": result.step,
        "total_steps": trainer.total_steps,
        "positions": result.positions,
        "loss": result.loss,
        "evaluation": None if evaluation is None else evaluation.to_dict(),
        "best_loss": result.best_loss,
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds,
        "training_seconds": result.training_seconds,
        "positions_per_second": result.positions_per_second,
        "stopped_by": None if result.stopped_by is None else result.stopped_by.name,
        "config": dataclasses.asdict(trainer.config),
    }


def _text(trainer: Trainer, options: RunOptions, result: RunResult) -> str:
    lines = [
        f"{options.out}: step {result.step} of {trainer.total_steps}, {result.positions:,} "
        f"positions in {result.seconds:.1f} s ({result.cpu_seconds:.1f} CPU s, "
        f"{result.positions_per_second:,.0f} positions/s)"
    ]
    if result.evaluation is not None:
        lines.append(str(result.evaluation))
    if result.best_loss is not None:
        lines.append(f"{options.best}: best held-out loss {result.best_loss:.4f}")
    return "\n".join(lines)
