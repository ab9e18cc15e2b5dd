"""The parity file of the Rust port: karpathy-b weights of one layer, and what a forward must give.

One JSON object with hyperparams (vocab_size, n_embd, n_head, head_dim, block_size, ff_dim),
rust_weights as (inputs, outputs), for attention one matrix a head, and test_cases. Its boundary is
token 0, and its letters are the tokens from 1.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt._engine import FormatError
from agpt.model import Model
from agpt.model_config import ModelConfig
from agpt.model_formats.karpathy_json import matrix_of, read_json_object
from agpt.model_formats.mgpt import PathLike

_SIZES = ("vocab_size", "n_embd", "n_head", "head_dim", "block_size", "ff_dim")


@dataclasses.dataclass(frozen=True)
class ParityCase:
    """One text, and what the model says about it."""

    name: str
    input_tokens: list[int]
    target_tokens: list[int]
    logits: npt.NDArray[np.float64]
    """(tokens, vocabulary)"""
    losses: npt.NDArray[np.float64]
    """nats of each token"""


def read_parity(path: PathLike) -> tuple[Model, list[ParityCase]]:
    """The float64 model of a file and its cases; FormatError where something does not fit."""
    document = read_json_object(path)
    try:
        sizes = {name: int(document["hyperparams"][name]) for name in _SIZES}
        model = _model_of(document["rust_weights"], sizes)
        cases = [_case_of(case, sizes["vocab_size"]) for case in document["test_cases"]]
    except KeyError as error:
        raise FormatError(f"{path} is no parity file: it has no {error}") from error
    except (FormatError, TypeError, ValueError) as error:
        raise FormatError(f"{path} is damaged or no parity file: {error}") from error
    return model, cases


def _model_of(weights: dict[str, Any], sizes: dict[str, int]) -> Model:
    vocab_size, d, n_heads, width, context, d_ff = (sizes[name] for name in _SIZES)
    outer = {
        "embedding.weight": matrix_of(weights["wte"], "wte", (vocab_size, d)),
        "position_embedding.weight": matrix_of(weights["wpe"], "wpe", (context, d)),
    }
    qkv = [
        np.concatenate(matrix_of(weights[name], name, (n_heads, d, width)), axis=1)
        for name in ("wq", "wk", "wv")
    ]
    output = matrix_of(weights["wo"], "wo", (n_heads, width, d)).reshape(n_heads * width, d)
    config = ModelConfig.preset(
        "karpathy-b", vocab_size, context=context, d_model=d, heads=n_heads, d_ff=d_ff
    )
    model = Model(config, dtype="float64")
    values = outer | {
        "blocks.0.attention.qkv.weight": np.hstack(qkv),
        "blocks.0.attention.output.weight": output,
        "blocks.0.mlp.up.weight": _of_shape(weights, (d, d_ff)),
        "blocks.0.mlp.down.weight": _of_shape(weights, (d_ff, d)),
        "head.weight": _of_shape(weights, (d, vocab_size)),
    }
    for name, view in model.parameters().items():
        view[...] = values[name]
    return model


def _of_shape(weights: dict[str, Any], shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The matrix outside of attention that has this shape: each of them has another."""
    for name, values in weights.items():
        is_table = isinstance(values, list) and values and isinstance(values[0], list)
        if name not in ("wte", "wpe") and is_table and (len(values), len(values[0])) == shape:
            return matrix_of(values, name, shape)
    raise FormatError(f"it has no {shape[0]} x {shape[1]} matrix")


def _case_of(case: dict[str, Any], vocab_size: int) -> ParityCase:
    tokens = [int(token) for token in case["input_tokens"]]
    return ParityCase(
        str(case["name"]),
        tokens,
        [int(token) for token in case["target_tokens"]],
        matrix_of(case["logits"], "logits", (len(tokens), vocab_size)),
        matrix_of(case["per_position_loss"], "per_position_loss", (len(tokens),)),
    )
