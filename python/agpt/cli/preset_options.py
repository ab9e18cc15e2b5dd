"""The options of agpt-train that name a known system or a short spec, and what follows."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agpt import ArgumentError, Model, ModelConfig, TrainConfig
from agpt.cli.config_options import given
from agpt.cli.conventions import refuse_given, with_options
from agpt.cli.train_inputs import TrainingInput
from agpt.head_widths import settings_of_spec
from agpt.model_config import PRESETS
from agpt.python_random import generator_behind_shuffle
from agpt.token_text import TRAIN, text_of_split

Function = TypeVar("Function", bound=Callable[..., Any])

MODEL_PREFIX = "model_"
SETTINGS_OF_SPECS = ("d_model", "heads", "n_layers", "d_ff")

_LINES_AS_DOUBLES: dict[str, Any] = {"dtype": "float64", "starts": "documents", "val_fraction": 0.0}
INPUT_PRESETS: dict[str, dict[str, Any]] = {
    "karpathy-a": _LINES_AS_DOUBLES,
    "karpathy-b": _LINES_AS_DOUBLES,
}
"""How known systems read their data and compute, by the names of options."""


def preset_options(function: Function) -> Function:
    """Adds --preset and --spec."""
    return with_options(
        function,
        click.option(
            "--preset",
            type=click.Choice(list(PRESETS)),
            default="agpt",
            show_default=True,
            help="The architecture that the options of the model change; karpathy-a and karpathy-b "
            "also train, by default, as those scripts do: on lines, with float64.",
        ),
        click.option(
            "--spec",
            show_default="as --preset says",
            help="Width, heads, layers and MLP in short: d64n2, d4x16n2ff256, d1+2+4+8n3.",
        ),
    )


def apply_preset(context: click.Context, options: dict[str, Any]) -> None:
    """Puts what the preset says in the place of defaults of options; `options` are changed."""
    for name, value in INPUT_PRESETS.get(options["preset"], {}).items():
        if context.get_parameter_source(name) is click.core.ParameterSource.DEFAULT:
            options[name] = value


def model_settings_of(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """The settings of the model that the user gave, one by one or by --spec."""
    settings = given(options, MODEL_PREFIX)
    spec = options["spec"]
    if spec is None:
        return settings
    own = {f"{MODEL_PREFIX}{name}" for name in SETTINGS_OF_SPECS}
    refuse_given(context, own, f"is in the --spec {spec} already: give one of the two")
    try:
        return settings | settings_of_spec(spec)
    except ArgumentError as error:
        raise click.BadParameter(str(error), context, param_hint="--spec") from None


def new_model(
    given_input: TrainingInput,
    config: TrainConfig,
    options: dict[str, Any],
    settings: dict[str, Any],
) -> Model:
    """A fresh model for the data, with the preset of `options` and the user's `settings`."""
    settings = dict(settings)
    if "context" not in settings and config.mode != "trie" and config.context is not None:
        settings["context"] = config.context
    elif "context" not in settings and config.mode != "window":
        settings["context"] = given_input.depth
    vocabulary = given_input.data.vocabulary
    model_config = ModelConfig.preset(options["preset"], vocabulary.size, **settings)
    generator = None
    if config.generator == "python":
        shuffled = config.window_order == "shuffled"
        text = text_of_split(given_input.data, TRAIN) if shuffled else None
        n_shuffled = 0 if text is None else int(text.document_starts.size)
        generator = generator_behind_shuffle(config.seed, n_shuffled)
    return Model(
        model_config, config.seed, options["dtype"], vocabulary=vocabulary, generator=generator
    )
