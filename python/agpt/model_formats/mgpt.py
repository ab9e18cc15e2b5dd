"""The checkpoint of the microgpt program, a `.model` file that begins with "MGPT".

It has a header of seven 32-bit words (magic, d_model, heads, layers, d_ff, vocabulary size,
sequence length), then each matrix as rows, columns and row-major float32, all little-endian. There
is no checksum, so the sizes of the file and of every matrix are held against the header. The
vocabulary and the widths of heads are not in it.
"""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from agpt._engine import ArgumentError, FormatError, Vocabulary
from agpt.checkpoint import Tensors
from agpt.files import write_atomically
from agpt.head_widths import Heads
from agpt.model import Model
from agpt.model_config import ModelConfig
from agpt.model_formats.architecture import require_architecture

PathLike = str | os.PathLike[str]

MGPT_MAGIC = struct.pack("<I", 0x4D475054)
MGPT_HEADER = struct.Struct("<I6i")
MGPT_SETTINGS = ("d_model", "heads", "layers", "d_ff", "vocab_size", "seq_len")
MATRIX_HEADER = struct.Struct("<2i")
FLOAT = np.dtype("<f4")
QKV = ("wq", "wk", "wv")
_OWN_NAMES = {
    "ln1.gamma": "norm1.gain",
    "ln1.beta": "norm1.bias",
    "ln2.gamma": "norm2.gain",
    "ln2.beta": "norm2.bias",
    "wo": "attention.output",
    "l1": "mlp.up",
    "l2": "mlp.down",
}
_OUTER_NAMES = {
    "token_emb": "embedding.weight",
    "final.gamma": "final_norm.gain",
    "final.beta": "final_norm.bias",
    "out.weight": "head.weight",
    "out.bias": "head.bias",
}


def is_mgpt(path: PathLike) -> bool:
    """Whether a file begins as this format does."""
    with Path(path).open("rb") as file:
        return file.read(len(MGPT_MAGIC)) == MGPT_MAGIC


def load_mgpt(
    path: PathLike, vocabulary: Vocabulary | None = None, heads: Heads | None = None
) -> Model:
    """The model of a file, float32.

    `heads` are needed where they are not equal: the file has their number alone, and a wrong one
    for other families than uniform. FormatError if the file is damaged or has a number that is not
    finite.
    """
    settings, tensors = read_mgpt(path)
    for name, matrix in tensors.items():
        if not np.isfinite(matrix).all():
            raise FormatError(f"{path} is damaged or diverged: its {name} is not finite")
    config = ModelConfig.preset(
        "microgpt",
        settings["vocab_size"],
        context=settings["seq_len"],
        d_model=settings["d_model"],
        n_layers=settings["layers"],
        heads=settings["heads"] if heads is None else heads,
        d_ff=settings["d_ff"],
    )
    model = Model(config, vocabulary=vocabulary)
    parameters = model.parameters()
    for name, part, matrix in _by_own_name(tensors):
        view = parameters[name]
        target = view if part is None else np.split(view, 3, axis=-1)[part]
        target[...] = matrix.reshape(target.shape)
    return model


def save_mgpt(path: PathLike, model: Model) -> None:
    """Writes a model; numbers of float64 are rounded to float32.

    ArgumentError unless its architecture is that of the preset microgpt, with any heads.
    """
    config = model.config
    require_architecture(config, "microgpt", "an MGPT checkpoint")
    assert config.d_ff is not None
    words = (config.d_model, len(config.head_widths), config.n_layers, config.d_ff)
    settings = dict(zip(MGPT_SETTINGS, (*words, config.vocab_size, config.context), strict=True))
    if config.n_layers < 1:
        raise ArgumentError("the model has no layers, but an MGPT checkpoint has at least one")
    parameters = model.parameters()
    shapes = _mgpt_shapes(settings)
    matrices: Tensors = {name: np.empty(shape, FLOAT) for name, shape in shapes.items()}
    for name, part, matrix in _by_own_name(matrices):
        whole = parameters[name]
        source = whole if part is None else np.split(whole, 3, axis=-1)[part]
        matrix[...] = source.reshape(matrix.shape)
    content = [MGPT_MAGIC, MGPT_HEADER.pack(0, *settings.values())[len(MGPT_MAGIC) :]]
    for matrix in matrices.values():
        content += [MATRIX_HEADER.pack(*matrix.shape), matrix.tobytes()]
    write_atomically(path, b"".join(content))


def _by_own_name(tensors: Tensors) -> list[tuple[str, int | None, Any]]:
    """Each matrix with the name of its parameter here, and which third of that it is, if any."""
    named: list[tuple[str, int | None, Any]] = []
    for name, matrix in tensors.items():
        if name in _OUTER_NAMES:
            named.append((_OUTER_NAMES[name], None, matrix))
            continue
        _, layer, part = name.split(".", 2)
        block = f"blocks.{layer}."
        stem, _, kind = part.rpartition(".")
        if stem in QKV:
            named.append((f"{block}attention.qkv.{kind}", QKV.index(stem), matrix))
        elif part in _OWN_NAMES:
            named.append((block + _OWN_NAMES[part], None, matrix))
        else:
            named.append((f"{block}{_OWN_NAMES[stem]}.{kind}", None, matrix))
    return named


def read_mgpt(path: PathLike) -> tuple[dict[str, int], Tensors]:
    """Header and matrices of a file by name; FormatError if it is damaged."""
    content = Path(path).read_bytes()
    if not content.startswith(MGPT_MAGIC):
        raise FormatError(f"{path} is no MGPT checkpoint: it does not begin with its magic number")
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
    return settings, tensors


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
