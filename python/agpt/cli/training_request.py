"""What the user asks to train: data and settings of a command line, and the trainer they make."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agpt import TrainConfig, Trainer
from agpt.checkpoint import read_checkpoint
from agpt.cli.config_options import given
from agpt.cli.conventions import refuse_given
from agpt.cli.preset_options import MODEL_PREFIX, apply_preset, model_settings_of, new_model
from agpt.cli.scenario_options import data_to_train_on
from agpt.cli.train_inputs import TrainingInput, check_input_options, read_input
from agpt.cli.training_options import TRAIN_PREFIX
from agpt.scenarios import Scenario


@dataclasses.dataclass(frozen=True)
class TrainingRequest:
    """The command line of a training; nothing was read yet."""

    context: click.Context
    data: tuple[Path, ...]
    scenario: Scenario | None
    options: dict[str, Any]
    """All of the command's, with what the preset says in the place of defaults."""

    @classmethod
    def of(cls, context: click.Context) -> "TrainingRequest":
        """That of a command with `training_data` and `training_options`.

        Refuses, as wrong usage, what does not go together.
        """
        options = dict(context.params)
        scenario: Scenario | None = options["scenario"]
        data = data_to_train_on(context, options["data"], scenario, options["data_folder"])
        apply_preset(context, options)
        check_input_options(context, data, options)
        return cls(context, data, scenario, options)

    def read(self) -> "Training":
        """Reads the data for a new model."""
        model_settings = model_settings_of(self.context, self.options)
        config = TrainConfig.preset(self.options["preset"], **self._train_settings())
        given_input = read_input(
            self.data,
            config,
            self.options,
            model_context=model_settings.get("context"),
            vocabulary=None,
        )
        return Training(given_input, config, model_settings, self.options)

    def resume(self, checkpoint: Path) -> tuple[Trainer, TrainingInput]:
        """Reads the data for the run of a checkpoint; refuses options that it has decided."""
        decided = [name for name in self.options if name.startswith((MODEL_PREFIX, TRAIN_PREFIX))]
        reason = "cannot be changed with --resume: the checkpoint has it"
        refuse_given(self.context, [*decided, "preset", "spec", "dtype"], reason)
        saved = read_checkpoint(checkpoint)
        given_input = read_input(
            self.data,
            TrainConfig() if saved.training is None else saved.training.config,
            self.options,
            model_context=saved.model_config.context,
            vocabulary=saved.vocabulary,
        )
        return Trainer.resume(checkpoint, given_input.data, self.options["backend"]), given_input

    def _train_settings(self) -> dict[str, Any]:
        """What the user or a scenario says of the training; the user's epochs outdo its steps."""
        settings = given(self.options, TRAIN_PREFIX)
        source = self.context.get_parameter_source(f"{TRAIN_PREFIX}steps")
        if "epochs" in settings and source is click.core.ParameterSource.DEFAULT_MAP:
            del settings["steps"]
        return settings


@dataclasses.dataclass(frozen=True)
class Training:
    """A request with the data that were read for it."""

    given_input: TrainingInput
    config: TrainConfig
    model_settings: dict[str, Any]
    options: dict[str, Any]

    def fresh_trainer(
        self, model_changes: Mapping[str, Any] | None = None, seed: int | None = None
    ) -> Trainer:
        """A trainer of a new model, of other sizes or from another seed where these are given."""
        config = self.config if seed is None else dataclasses.replace(self.config, seed=seed)
        settings = {**self.model_settings, **(model_changes or {})}
        model = new_model(self.given_input, config, self.options, settings)
        return Trainer(model, self.given_input.data, config, self.options["backend"])
