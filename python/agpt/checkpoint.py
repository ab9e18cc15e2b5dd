"""The checkpoint file: a model, and for a training run its whole state, in one safetensors file.

The tensors carry the names of the parameters; a JSON document in the metadata holds everything
else. One file is one rename: a run that is killed leaves either the old checkpoint or the new one.
"""

import dataclasses
import json
import math
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from agpt import _engine
from agpt._engine import ArgumentError, FormatError, Vocabulary
from agpt.files import write_atomically
from agpt.model_config import ModelConfig
from agpt.python_random import generator_from_json, state_to_json
from agpt.train_config import TrainConfig
from agpt.training_data import TrainingData
from agpt.validation import config_from_dict, require_field_types

Tensors = dict[str, npt.NDArray[Any]]

FORMAT_NAME = "agpt-checkpoint"
FORMAT_VERSION = 1
METADATA_KEY = "agpt"
DTYPES = ("float32", "float64")
MOMENT_PREFIX = "optimizer."
FINGERPRINT = "training.fingerprint"


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """Where a training run stands; the step number also says where in the pass over the data."""

    config: TrainConfig
    total_steps: int
    step: int
    data: TrainingData
    best_loss: float | None
    moments: Tensors
    """For each moment of the optimizer and each parameter: `m.<parameter>` and `v.<parameter>`."""
    base_lr: float
    """The rate that the schedule scales: the configured one unless the run was told another."""
    context: int
    """Most tokens that a trained prediction sees."""
    fingerprint: npt.NDArray[np.uint64]
    """Of the training text, see text_fingerprint."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds; `training` is None for a bare model."""

    model_config: ModelConfig
    dtype: str
    parameters: Tensors
    vocabulary: Vocabulary | None = None
    training: TrainingState | None = None
    generator: random.Random | None = None
    """Python's generator where it drew the parameters, see python_random."""


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Writes the file and renames it into place."""
    tensors = {name: np.ascontiguousarray(value) for name, value in checkpoint.parameters.items()}
    document: dict[str, Any] = {
        "format": FORMAT_NAME,
        "version": FORMAT_VERSION,
        "model": checkpoint.model_config.to_dict(),
        "dtype": checkpoint.dtype,
        "vocabulary": _vocabulary_to_dict(checkpoint.vocabulary),
        "training": None,
    }
    if checkpoint.generator is not None:
        document["generator"] = state_to_json(checkpoint.generator)
    state = checkpoint.training
    if state is not None:
        document["training"] = {
            "config": state.config.to_dict(),
            "total_steps": state.total_steps,
            "step": state.step,
            "data": dataclasses.asdict(state.data),
            "best_loss": state.best_loss,
            "base_lr": state.base_lr,
            "context": state.context,
        }
        tensors[FINGERPRINT] = state.fingerprint
        for name, value in state.moments.items():
            tensors[MOMENT_PREFIX + name] = np.ascontiguousarray(value)
    metadata = {METADATA_KEY: json.dumps(document, ensure_ascii=False)}
    write_atomically(path, safetensors.numpy.save(tensors, metadata))


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads and checks a file; FormatError says what is wrong with it and what to do."""
    document, tensors = _read_file(path)
    try:
        return _checkpoint_from(path, document, tensors)
    except (ArgumentError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"the entry {error} is missing" if isinstance(error, KeyError) else str(error)
        raise FormatError(f"checkpoint {path} is damaged: {reason}") from error


def _read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    with Path(path).open("rb"):  # a missing or unreadable file is an OSError that names it
        pass
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            document = json.loads(text) if text is not None else None
            if not isinstance(document, dict) or document.get("format") != FORMAT_NAME:
                raise FormatError(
                    f"{path} is a safetensors file, but no checkpoint of agpt: "
                    "name a file that agpt-train wrote"
                )
            if document.get("version") != FORMAT_VERSION:
                raise FormatError(
                    f"checkpoint {path} has format {document.get('version')}, this agpt reads "
                    f"{FORMAT_VERSION}: use the version of agpt that wrote it"
                )
            return document, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise FormatError(
            f"{path} is truncated or no checkpoint of agpt: name a file that agpt-train wrote, "
            "or import the model of another program with agpt-import-model"
        ) from error


def _checkpoint_from(
    path: str | os.PathLike[str], document: Mapping[str, Any], tensors: Tensors
) -> Checkpoint:
    config = ModelConfig.from_dict(document["model"])
    dtype = document["dtype"]
    if dtype not in DTYPES:
        raise ArgumentError(f"its numbers are of type {dtype!r}")
    shapes = parameter_shapes(config)
    parameters = {name: _tensor(tensors, name, shape, dtype) for name, shape in shapes.items()}
    training = None
    expected = set(shapes)
    if document["training"] is not None:
        training = _training_state_from(document["training"], tensors, shapes, dtype)
        expected |= {MOMENT_PREFIX + name for name in training.moments} | {FINGERPRINT}
    for name in tensors:
        if name not in expected:
            raise ArgumentError(f"its tensor {name!r} belongs to no parameter of the model")
    vocabulary = _vocabulary_from_dict(document["vocabulary"])
    if vocabulary is not None and vocabulary.size != config.vocab_size:
        raise ArgumentError(
            f"its vocabulary has {vocabulary.size} tokens, its model {config.vocab_size}"
        )
    state = document.get("generator")
    generator = None if state is None else generator_from_json(state)
    return Checkpoint(config, dtype, parameters, vocabulary, training, generator)


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, in the order of the flat buffer."""
    layout = _engine.parameter_layout(config.engine_config())
    return {name: tuple(shape) for name, _, shape in layout}


def _tensor(tensors: Tensors, name: str, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    if name not in tensors:
        raise ArgumentError(f"its tensor {name!r} is missing")
    tensor = tensors[name]
    if tensor.shape != shape or tensor.dtype != np.dtype(dtype):
        raise ArgumentError(
            f"its tensor {name!r} is {tensor.dtype} {tensor.shape}, but should be {dtype} {shape}"
        )
    return tensor


def _training_state_from(
    document: Mapping[str, Any], tensors: Tensors, shapes: dict[str, tuple[int, ...]], dtype: str
) -> TrainingState:
    config = TrainConfig.from_dict(document["config"])
    moments = {
        f"{moment}.{name}": _tensor(tensors, f"{MOMENT_PREFIX}{moment}.{name}", shape, dtype)
        for moment in moment_names(config)
        for name, shape in shapes.items()
    }
    step, total_steps = int(document["step"]), int(document["total_steps"])
    if step < 0 or total_steps < 1:
        raise ArgumentError(f"it stands at step {step} of {total_steps}")
    data = config_from_dict(TrainingData, document["data"])
    require_field_types(data)
    best_loss = document["best_loss"]
    if best_loss is not None and not math.isfinite(best_loss):
        raise ArgumentError(f"its best loss is {best_loss}")
    base_lr, context = float(document["base_lr"]), int(document["context"])
    if not 0 < base_lr < math.inf or context < 1:
        raise ArgumentError(f"its learning rate is {base_lr} and its trained context {context}")
    fingerprint = tensors.get(FINGERPRINT)
    if fingerprint is None or fingerprint.ndim != 1 or fingerprint.dtype != np.uint64:
        raise ArgumentError("the fingerprint of its training text is missing or of another type")
    return TrainingState(
        config, total_steps, step, data, best_loss, moments, base_lr, context, fingerprint
    )


def moment_names(config: TrainConfig) -> tuple[str, ...]:
    """The moments that the optimizer keeps, in the order of the engine's buffer."""
    if config.optimizer == "sgd":
        return ()
    if config.optimizer == "momentum":
        return ("m",)
    return ("m", "v") if config.optimizer in ("adam", "adamw") else ("v",)


def _vocabulary_to_dict(vocabulary: Vocabulary | None) -> dict[str, Any] | None:
    if vocabulary is None:
        return None
    return {
        "kind": vocabulary.kind,
        "definition": vocabulary.definition,
        "size": vocabulary.size,
        "boundary": vocabulary.boundary,
    }


def _vocabulary_from_dict(values: Mapping[str, Any] | None) -> Vocabulary | None:
    if values is None:
        return None
    return Vocabulary.from_parts(
        values["kind"], values["definition"], values["size"], values["boundary"]
    )
