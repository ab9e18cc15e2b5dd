"""The weights in a file, read for comparison: a checkpoint of agpt or of the reference."""

import dataclasses
import os
from typing import Any

import numpy as np

from agpt.checkpoint import Tensors, read_checkpoint
from agpt.model_formats.mgpt import is_mgpt, read_mgpt


@dataclasses.dataclass(frozen=True)
class ModelWeights:
    """All parameters of a model, and what says whether two models can be compared."""

    format: str
    """`agpt` or `mgpt`."""
    settings: dict[str, Any]
    """The architecture and, for agpt, the type of the numbers."""
    tensors: Tensors


def read_model_weights(path: str | os.PathLike[str]) -> ModelWeights:
    """Reads a model of either format; FormatError if it is damaged or none of the two."""
    if is_mgpt(path):
        return ModelWeights("mgpt", *read_mgpt(path))
    checkpoint = read_checkpoint(path)
    settings = checkpoint.model_config.to_dict() | {"dtype": checkpoint.dtype}
    return ModelWeights("agpt", settings, _with_attention_apart(checkpoint.parameters))


def _with_attention_apart(parameters: Tensors) -> Tensors:
    """Queries, keys and values as tensors of their own: one of them alone may be frozen."""
    apart: Tensors = {}
    for name, tensor in parameters.items():
        if ".qkv." in name:
            parts = np.split(tensor, 3, axis=-1)
            apart |= {f"{name}[{part}]": values for part, values in zip("qkv", parts, strict=True)}
        else:
            apart[name] = tensor
    return apart
