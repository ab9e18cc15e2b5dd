"""The options that say what is trained, on what and how: of agpt-train, -compare and -bench."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agpt import ModelConfig, TrainConfig
from agpt.checkpoint import DTYPES
from agpt.cli.config_options import config_options
from agpt.cli.conventions import with_options
from agpt.cli.data_options import index_options
from agpt.cli.preset_options import MODEL_PREFIX, preset_options
from agpt.cli.sequence_options import sequence_options

Function = TypeVar("Function", bound=Callable[..., Any])

TRAIN_PREFIX = "train_"


def training_options(function: Function) -> Function:
    """Adds the options; TrainingRequest reads them."""
    return with_options(
        function,
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
