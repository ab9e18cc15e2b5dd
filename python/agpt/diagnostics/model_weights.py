"""The weights in a file, read for comparison: a checkpoint of agpt or of the reference.

The reference writes a header of seven 32-bit words (magic, d_model, heads, layers, d_ff, vocabulary
size, sequence length), then each matrix as rows, columns and row-major float32, all little-endian.
It has no checksum, so the sizes of the file and of every matrix are held against the header.
"""

import dataclasses
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from agpt._engine import FormatError
from agpt.checkpoint import Tensors, read_checkpoint

MGPT_MAGIC = struct.pack("<I", 0x4D475054)
MGPT_HEADER = struct.Struct("<I6i")
MGPT_SETTINGS = ("d_model", "heads", "layers", "d_ff", "vocab_size", "seq_len")
MATRIX_HEADER = struct.Struct("<2i")
FLOAT = np.dtype("<f4")


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
    with Path(path).open("rb") as file:
        is_mgpt = file.read(len(MGPT_MAGIC)) == MGPT_MAGIC
    if is_mgpt:
        return _read_mgpt(Path(path))
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


def _read_mgpt(path: Path) -> ModelWeights:
    content = path.read_bytes()
    if len(content) < MGPT_HEADER.size:
        raise FormatError(f"{path} is truncated: it ends in the header of an MGPT checkpoint")
    settings = dict(zip(MGPT_SETTINGS, MGPT_HEADER.unpack_from(content)[1:], strict=True))
    if min(settings.values()) < 1:
        name = min(settings, key=lambda key: settings[key])
        raise FormatError(f"{path} is damaged: its {name} is {settings[name]}")
    if len(content) != _mgpt_size(settings):  # this also bounds the number of layers
        raise FormatError(
            f"{path} is truncated or damaged: it has {len(content)} bytes, "
            f"but its header stands for {_mgpt_size(settings)}"
        )
    tensors: Tensors = {}
    at = MGPT_HEADER.size
    for name, shape in _mgpt_shapes(settings).items():
        if MATRIX_HEADER.unpack_from(content, at) != shape:
            raise FormatError(
                f"{path} is damaged: its matrix {name} is not {shape[0]} x {shape[1]}"
            )
        at += MATRIX_HEADER.size
        n = shape[0] * shape[1]
        tensors[name] = np.frombuffer(content, FLOAT, n, at).reshape(shape)
        at += n * FLOAT.itemsize
    return ModelWeights("mgpt", settings, tensors)


def _block_shapes(settings: dict[str, int]) -> dict[str, tuple[int, int]]:
    d, f = settings["d_model"], settings["d_ff"]
    vector = (1, d)
    shapes: dict[str, tuple[int, int]] = {}
    for name in ("wq", "wk", "wv", "wo"):
        shapes |= {f"{name}.weight": (d, d), f"{name}.bias": vector}
    return shapes | {
        "ln1.gamma": vector, "ln1.beta": vector,
        "l1.weight": (d, f), "l1.bias": (1, f),
        "l2.weight": (f, d), "l2.bias": vector,
        "ln2.gamma": vector, "ln2.beta": vector,
    }  # fmt: skip


def _outer_shapes(settings: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Before the blocks the first, behind them the others."""
    d, v = settings["d_model"], settings["vocab_size"]
    return {
        "token_emb": (v, d),
        "final.gamma": (1, d), "final.beta": (1, d),
        "out.weight": (d, v), "out.bias": (1, v),
    }  # fmt: skip


def _mgpt_shapes(settings: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Names and shapes in the order of the file."""
    (first, embedding), *last = _outer_shapes(settings).items()
    blocks = {
        f"layers.{layer}.{name}": shape
        for layer in range(settings["layers"])
        for name, shape in _block_shapes(settings).items()
    }
    return {first: embedding, **blocks, **dict(last)}


def _mgpt_size(settings: dict[str, int]) -> int:
    """Bytes of the file, without listing the layers: their number is not to be trusted yet."""

    def size(shapes: dict[str, tuple[int, int]]) -> int:
        return sum(MATRIX_HEADER.size + FLOAT.itemsize * m * n for m, n in shapes.values())

    blocks = settings["layers"] * size(_block_shapes(settings))
    return MGPT_HEADER.size + size(_outer_shapes(settings)) + blocks
