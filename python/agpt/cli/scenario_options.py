"""--scenario: a scenario gives the defaults of other options, which the command line overrides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt._engine import ArgumentError, FormatError
from agpt.cli.conventions import CommandFailure, failure_of, with_options
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.preset_options import MODEL_PREFIX
from agpt.cli.training_options import TRAIN_PREFIX
from agpt.data_sets import data_set_at
from agpt.scenarios import PRESET, Scenario, read_scenario, scenario_names

Function = TypeVar("Function", bound=Callable[..., Any])
DefaultsOf = Callable[[Scenario], dict[str, Any]]

DATA = "INDEX|CORPUS..."
MODEL_SUFFIX = ".safetensors"
FOLDER_VARIABLE = "AGPT_DATA"
SAMPLES_BY_DEFAULT, TEMPERATURE_BY_DEFAULT, SEED = 20, 0.5, 42


def scenario_option(defaults_of: DefaultsOf) -> Callable[[Function], Function]:
    """Adds --scenario; the function takes `scenario`, a Scenario or None.

    `defaults_of` gives what the scenario puts in the place of the defaults of other parameters.
    """

    def read(
        context: click.Context, parameter: click.Parameter, value: str | None
    ) -> Scenario | None:
        if value is None or context.resilient_parsing:
            return None
        try:
            scenario = read_scenario(value)
        except ArgumentError as error:
            raise click.BadParameter(str(error), context, parameter) from error
        except (OSError, FormatError) as error:
            raise failure_of(context, error) from error
        context.default_map = {**(context.default_map or {}), **defaults_of(scenario)}
        return scenario

    return click.option(
        "--scenario",
        "-s",
        is_eager=True,
        callback=read,
        metavar=f"{'|'.join(scenario_names())}|FILE.json",
        help="Take what is not given here from a scenario: data, model, training, names of files.",
    )


def training_data(function: Function) -> Function:
    """Adds DATA, --scenario and --data-folder: what `data_to_train_on` makes of them is `data`.

    The function takes `data`, `scenario` and `data_folder`.
    """
    return with_options(
        function,
        click.argument("data", type=INPUT_FILE, nargs=-1, metavar=DATA),
        scenario_option(training_defaults),
        click.option(
            "--data-folder",
            type=click.Path(path_type=Path),
            default=Path(),
            envvar=FOLDER_VARIABLE,
            show_envvar=True,
            show_default="the current one",
            help="The folder below which --scenario looks for its data.",
        ),
    )


def data_to_train_on(
    context: click.Context, data: tuple[Path, ...], scenario: Scenario | None, folder: Path
) -> tuple[Path, ...]:
    """The files that the user named, or that of the scenario below the folder of data."""
    if data:
        return data
    if scenario is None:
        raise click.UsageError(f"Missing argument '{DATA}'.", context)
    return (_data_of_scenario(context, scenario, folder),)


def model_file_of(scenario: Scenario) -> Path:
    """Where the model of a scenario is written and read by default."""
    return Path(scenario.name + MODEL_SUFFIX)


def training_defaults(scenario: Scenario) -> dict[str, Any]:
    """What a scenario says to agpt-train, by the names of parameters."""
    model, training, data = scenario.model_settings(), scenario.train_settings(), scenario.data
    defaults = {
        "out": model_file_of(scenario),
        "preset": PRESET,
        "dtype": scenario.training.dtype,
        **{f"{MODEL_PREFIX}{name}": value for name, value in model.items()},
        **{f"{TRAIN_PREFIX}{name}": value for name, value in training.items()},
    }
    if data.chunks is not None:
        defaults |= {"chunk_size": data.chunks.size, "chunk_overlap": data.chunks.overlap}
    return defaults


def generation_defaults(scenario: Scenario) -> dict[str, Any]:
    """What a scenario says to agpt-generate, by the names of parameters."""
    return {
        "model": model_file_of(scenario),
        "n_samples": SAMPLES_BY_DEFAULT,
        "temperature": TEMPERATURE_BY_DEFAULT,
        "seed": SEED,
    }


def _data_of_scenario(context: click.Context, scenario: Scenario, folder: Path) -> Path:
    """The file that a scenario trains on, below the folder of data."""
    path = folder / scenario.data.path
    if path.exists():
        return path
    name = data_set_at(scenario.data.path)
    fetch = "" if name is None else f", or fetch it with agpt-download {name} --to {folder}"
    raise CommandFailure(
        context,
        f"{path}, the text of the scenario {scenario.name}, does not exist: name a text before "
        f"--scenario, or the folder of data with --data-folder{fetch}",
    )


def require_model_of(context: click.Context, scenario: Scenario, model: Path) -> None:
    """Ends the command where the model of a scenario was not trained yet."""
    if not model.exists():
        raise CommandFailure(
            context,
            f"{model}, the model of the scenario {scenario.name}, does not exist: train it with "
            f"agpt-train --scenario {scenario.name}, or name a model file",
        )
