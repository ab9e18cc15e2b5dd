"""Scenarios: JSON files that name a text, a model and a training, and those of the package."""

import dataclasses
import importlib.resources
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from agpt._engine import ArgumentError, FormatError
from agpt.data.chunks import Chunks
from agpt.model_config import ModelConfig
from agpt.train_config import TrainConfig
from agpt.validation import config_from_dict, require_field_types

Kind = TypeVar("Kind")

SUFFIX = ".json"
PRESET = "karpathy-a"
"""What the models and trainings of scenarios are, apart from their sizes."""


@dataclasses.dataclass(frozen=True)
class ScenarioData:
    """Where the text is, and how it becomes documents."""

    path: str
    """Relative to the folder of the user's data."""
    format: Literal["lines", "chunked"] = "lines"
    """A document is a line that is not empty, or a piece of the text."""
    download_url: str | None = None
    """Where the text can be had; nothing is fetched by training."""
    chunk_size: int = 128
    chunk_overlap: int | None = None
    trailing_bos: bool = True
    """Whether the end of a document is predicted."""

    def __post_init__(self) -> None:
        """Raises ArgumentError for what does not fit."""
        require_field_types(self)
        if not self.path:
            raise ArgumentError("path is empty, but must name a file")
        Chunks(self.chunk_size, self.chunk_overlap)

    @property
    def chunks(self) -> Chunks | None:
        """How the text is cut; None where documents are lines."""
        return Chunks(self.chunk_size, self.chunk_overlap) if self.format == "chunked" else None


@dataclasses.dataclass(frozen=True)
class ScenarioModel:
    """The sizes of the model."""

    n_embd: int
    n_head: int
    n_layer: int
    block_size: int

    def __post_init__(self) -> None:
        """Raises ArgumentError for what is no model."""
        require_field_types(self)
        ModelConfig.preset(PRESET, vocab_size=2, **self.settings())

    def settings(self) -> dict[str, Any]:
        """The same by the names of ModelConfig."""
        return {
            "d_model": self.n_embd,
            "heads": self.n_head,
            "n_layers": self.n_layer,
            "context": self.block_size,
        }


@dataclasses.dataclass(frozen=True)
class ScenarioTraining:
    """Adam with a rate that falls along a cosine; a step is one document."""

    learning_rate: float
    beta1: float
    beta2: float
    eps_adam: float
    num_steps: int
    backend: str = "python"
    """Read and not used: it names programs of the reference."""
    dtype: Literal["float32", "float64"] = "float64"

    def __post_init__(self) -> None:
        """Raises ArgumentError for what is no training."""
        require_field_types(self)
        TrainConfig.preset(PRESET, **self.settings())

    def settings(self) -> dict[str, Any]:
        """The same by the names of TrainConfig."""
        return {
            "lr": self.learning_rate,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps_adam,
            "steps": self.num_steps,
        }


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A text, a model and a training under one name."""

    data: ScenarioData
    model: ScenarioModel
    training: ScenarioTraining
    name: str = "custom"
    description: str = ""

    def __post_init__(self) -> None:
        """Raises ArgumentError for a name that is no file name."""
        require_field_types(self)
        if not self.name or self.name != Path(self.name).name:
            raise ArgumentError(f"name is {self.name!r}, but must do as the name of a file")

    def model_settings(self) -> dict[str, Any]:
        """Changes to the preset karpathy-a of ModelConfig."""
        return self.model.settings()

    def train_settings(self) -> dict[str, Any]:
        """Changes to the preset karpathy-a of TrainConfig."""
        return self.training.settings() | {"document_ends": self.data.trailing_bos}


_PARTS: dict[str, Any] = {
    "data": ScenarioData,
    "model": ScenarioModel,
    "training": ScenarioTraining,
}


def scenario_names() -> list[str]:
    """The scenarios of the package."""
    files = importlib.resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(SUFFIX) for file in files if file.name.endswith(SUFFIX))


def read_scenario(named: str | os.PathLike[str]) -> Scenario:
    """The scenario of a name, such as "names", or of a file NAME.json.

    OSError for a file that cannot be read, FormatError for one that is no scenario, ArgumentError
    for a name that the package does not have.
    """
    named = os.fspath(named)
    if named.endswith(SUFFIX):
        return _scenario_of(Path(named).read_bytes(), named)
    if named not in scenario_names():
        known = ", ".join(scenario_names())
        raise ArgumentError(
            f"scenario {named!r} is unknown: choose from {known}, or name a file that ends in .json"
        )
    content = importlib.resources.files(__name__).joinpath(named + SUFFIX).read_bytes()
    return _scenario_of(content, named)


def _scenario_of(content: bytes, place: str) -> Scenario:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{place} is not JSON: {error}") from error
    if not isinstance(values, Mapping):
        raise FormatError(f"{place} is no JSON object with data, model and training")
    parts = {key: _part(values, key, f"{place}: {key}") for key in _PARTS}
    return _made(Scenario, {**values, **parts}, place)


def _part(values: Mapping[str, Any], key: str, place: str) -> Any:
    if not isinstance(values.get(key), Mapping):
        raise FormatError(f"{place} is missing or no object: a scenario has {', '.join(_PARTS)}")
    return _made(_PARTS[key], values[key], place)


def _made(kind: type[Kind], values: Mapping[str, Any], place: str) -> Kind:
    try:
        return config_from_dict(kind, values)
    except ArgumentError as error:
        raise FormatError(f"{place}: {error}") from error
