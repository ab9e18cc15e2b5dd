"""The weights of a model alone, in one safetensors file, as PyTorch modules have them.

Matrices of linear layers are (outputs, inputs); query, key and value are apart; norms have weight
and bias. The metadata hold the configuration and the characters as JSON.
"""

import json

import numpy as np
import safetensors.numpy

from agpt.checkpoint import Tensors
from agpt.files import write_atomically
from agpt.model import Model
from agpt.model_formats.mgpt import PathLike


def save_plain_safetensors(path: PathLike, model: Model) -> None:
    """Writes the file; nothing of a training run is in it."""
    vocabulary = model.vocabulary
    metadata = {"format": "pt", "config": json.dumps(model.config.to_dict())}
    if vocabulary is not None and vocabulary.kind == "char":
        characters = {"characters": vocabulary.characters, "boundary": vocabulary.boundary}
        metadata["vocabulary"] = json.dumps(characters, ensure_ascii=False)
    tensors = {name: np.ascontiguousarray(value) for name, value in plain_tensors(model).items()}
    write_atomically(path, safetensors.numpy.save(tensors, metadata))


def plain_tensors(model: Model) -> Tensors:
    """Name -> array in the layout of the file."""
    tensors: Tensors = {}
    for name, value in model.parameters().items():
        stem, _, kind = name.rpartition(".")
        is_linear_weight = value.ndim == 2 and not stem.endswith("embedding")
        turned = value.T if is_linear_weight else value
        if stem.endswith("attention.qkv"):
            parts = zip(("query", "key", "value"), np.split(turned, 3), strict=True)
            tensors |= {f"{stem.removesuffix('qkv')}{part}.{kind}": rows for part, rows in parts}
        else:
            tensors[f"{stem}.{'weight' if kind == 'gain' else kind}"] = turned
    return tensors
