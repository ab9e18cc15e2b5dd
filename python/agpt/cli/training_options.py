"""The options that say what is trained, on what and how; and the fresh trainer that they make."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt import ModelConfig, TrainConfig, Trainer
from agpt.checkpoint import DTYPES
from agpt.cli.config_options import config_options, given
from agpt.cli.data_options import index_options
from agpt.cli.preset_options import MODEL_PREFIX, model_settings_of, new_model, preset_options
from agpt.cli.sequence_options import sequence_options
from agpt.cli.train_inputs import TrainingInput, read_input

Function = TypeVar("Function", bound=Callable[..., Any])

TRAIN_PREFIX = "train_"


def training_options(function: Function) -> Function:
    """Adds the options; the function takes `backend`, and the others for `fresh_trainer`."""
    for option in reversed(
        (
            click.option("--backend", default="cpu", show_default=True, help="What computes."),
            click.option(
                "--dtype",
                type=click.Choice(DTYPES),
                default="float32",
                show_default=True,
                help="Type of the numbers.",
            ),
            preset_options,
            config_options(
                ModelConfig,
                MODEL_PREFIX,
                skip={"vocab_size"},
                defaults={"context": "the depth of the index; for windows --window-context, or 32"},
            ),
            config_options(TrainConfig, TRAIN_PREFIX, flags={"context": "window-context"}),
            click.option(
                "--depth",
                type=int,
                show_default="--context, or 32",
                help="Depth of the index, where DATA is a text.",
            ),
            index_options,
            sequence_options,
        )
    ):
        function = option(function)
    return function


@dataclasses.dataclass(frozen=True)
class Training:
    """What the options say, with the data that were read for it."""

    given_input: TrainingInput
    config: TrainConfig
    model_settings: dict[str, Any]
    options: dict[str, Any]
    backend: str

    def fresh_trainer(
        self, model_changes: Mapping[str, Any] | None = None, seed: int | None = None
    ) -> Trainer:
        """A trainer of a new model, of other sizes or from another seed where these are given."""
        config = self.config if seed is None else dataclasses.replace(self.config, seed=seed)
        settings = {**self.model_settings, **(model_changes or {})}
        model = new_model(self.given_input, config, self.options, settings)
        return Trainer(model, self.given_input.data, config, self.backend)


def read_training(
    context: click.Context, data: Sequence[Path], backend: str, options: dict[str, Any]
) -> Training:
    """Reads the data; `options` are all of the command's."""
    model_settings = model_settings_of(context, options)
    config = TrainConfig.preset(options["preset"], **_train_settings_of(context, options))
    given_input = read_input(
        data, config, options, model_context=model_settings.get("context"), vocabulary=None
    )
    return Training(given_input, config, model_settings, options, backend)


def fresh_trainer(
    context: click.Context, data: Sequence[Path], backend: str, options: dict[str, Any]
) -> tuple[Trainer, TrainingInput]:
    """A trainer of a new model, and what it reads."""
    training = read_training(context, data, backend, options)
    return training.fresh_trainer(), training.given_input


def _train_settings_of(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """What the user or a scenario says of the training; the user's epochs outdo its steps."""
    settings = given(options, TRAIN_PREFIX)
    source = context.get_parameter_source(f"{TRAIN_PREFIX}steps")
    if "epochs" in settings and source is click.core.ParameterSource.DEFAULT_MAP:
        del settings["steps"]
    return settings
