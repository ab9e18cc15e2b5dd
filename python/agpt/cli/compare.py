"""agpt-compare: models of several sizes are trained side by side on the same data."""

from pathlib import Path
from typing import Any

import click

from agpt import ArgumentError, ModelConfig, NonFiniteError
from agpt.cli.conventions import (
    Command,
    CommandFailure,
    common_options,
    emit,
    refuse_given,
)
from agpt.cli.output_options import plot_option
from agpt.cli.preset_options import MODEL_PREFIX, SETTINGS_OF_SPECS
from agpt.cli.progress import FractionProgress
from agpt.cli.run_options import evaluation_options
from agpt.cli.scenario_options import training_data
from agpt.cli.sequence_options import SEQUENCES
from agpt.cli.training_options import TRAIN_PREFIX, training_options
from agpt.cli.training_request import Training, TrainingRequest
from agpt.comparison import (
    Contestant,
    compared_models,
    plot_comparison,
    table_of,
    train_side_by_side,
)
from agpt.head_widths import settings_of_spec
from agpt.training_run import default_eval_every

SEED = f"{TRAIN_PREFIX}seed"


def _read_specs(
    context: click.Context, parameter: click.Parameter, value: str
) -> dict[str, dict[str, Any]]:
    """Settings of the model by spec."""
    models: dict[str, dict[str, Any]] = {}
    for spec in value.split(","):
        try:
            settings = settings_of_spec(spec.strip())
        except ArgumentError as error:
            raise click.BadParameter(str(error)) from None
        if settings in models.values():
            raise click.BadParameter(f"{value!r} names the model {spec.strip()} twice")
        models[spec.strip()] = settings
    return models


def _read_seeds(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> list[int] | None:
    if value is None:
        return None
    try:
        seeds = [int(seed) for seed in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of seeds such as 0,1,2") from None
    if len(set(seeds)) < len(seeds):
        raise click.BadParameter(f"{value!r} names a seed twice")
    return seeds


@click.command("agpt-compare", cls=Command)
@training_data
@click.option(
    "--specs",
    required=True,
    callback=_read_specs,
    metavar="SPEC,SPEC,...",
    help="The models: width, heads, layers and MLP in short, as for --spec of agpt-train.",
)
@click.option(
    "--seeds",
    callback=_read_seeds,
    show_default="that of --seed",
    metavar="SEED,SEED,...",
    help="Train each model with each of these seeds.",
)
@evaluation_options
@plot_option("the losses")
@training_options
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    specs: dict[str, dict[str, Any]],
    seeds: list[int] | None,
    eval_every: int | None,
    eval_context: int | None,
    plot: Path | None,
    as_json: bool,
    **_of_the_request: object,
) -> None:
    """Train models of several sizes with everything else alike, and print one table.

    All see the same windows or parts of the trie in the same order, a step of each in turn, and
    are scored on the same held-out text. Nothing is saved.
    """
    _refuse_what_specs_and_seeds_say(context, seeds)
    training = TrainingRequest.of(context).read()
    contestants = _contestants(training, specs, seeds)
    total_steps = contestants[0].trainer.total_steps
    if eval_every is None:
        eval_every = default_eval_every(total_steps)
    with FractionProgress("comparing") as progress:
        try:
            runs = train_side_by_side(
                contestants,
                eval_every=eval_every,
                eval_context=eval_context,
                has_held_out=training.given_input.has_held_out,
                progress=progress.update,
            )
        except NonFiniteError as error:
            raise CommandFailure(context, str(error)) from error
    models = compared_models(runs)
    if plot is not None:
        plot_comparison(models, plot)
    values = {
        "steps": total_steps,
        "context": contestants[0].trainer.context,
        "seeds": [training.config.seed] if seeds is None else seeds,
        "backend": contestants[0].trainer.backend_description,
        "models": [model.to_dict() for model in models],
        "config": training.config.to_dict(),
    }
    emit(as_json, values, f"{table_of(models)}\n{_footnote(values)}")


def _refuse_what_specs_and_seeds_say(context: click.Context, seeds: list[int] | None) -> None:
    own = {"spec", *(f"{MODEL_PREFIX}{name}" for name in SETTINGS_OF_SPECS)}
    refuse_given(context, own, "is what --specs say: leave it out")
    refuse_given(context, (SEQUENCES,), "cannot be compared yet: compare texts")
    if seeds is not None:
        refuse_given(context, (SEED,), "and --seeds say the same: give one of the two")


def _contestants(
    training: Training, specs: dict[str, dict[str, Any]], seeds: list[int] | None
) -> list[Contestant]:
    contestants = []
    for settings in specs.values():
        for seed in [training.config.seed] if seeds is None else seeds:
            trainer = training.fresh_trainer(settings, seed)
            config: ModelConfig = trainer.model.config
            contestants.append(Contestant(config.spec, seed, trainer))
    return contestants


def _footnote(values: dict[str, Any]) -> str:
    n_seeds = len(values["seeds"])
    spread = f", means and standard deviations over {n_seeds} seeds" if n_seeds > 1 else ""
    return (
        f"{values['steps']:,} steps, context {values['context']}, {values['backend']}; losses in "
        f"nats, training over the last 100 steps, seconds of the steps alone{spread}"
    )
