"""The model.json of the Python experiments: one JSON object with a karpathy model in it.

uchars (the characters), n_embd, n_head, n_layer, block_size, vocab_size and state_dict with wte,
wpe, lm_head and for each layer attn_wq, attn_wk, attn_wv, attn_wo, mlp_fc1, mlp_fc2; a row is an
output unit. The activation is not in it: of those programs it is relu squared, as in karpathy-a.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt._engine import ArgumentError, FormatError, Vocabulary
from agpt.files import write_atomically
from agpt.model import Model
from agpt.model_config import ModelConfig
from agpt.model_formats.architecture import require_architecture, require_equal_heads
from agpt.model_formats.mgpt import PathLike
from agpt.python_random import matrices_by_output_unit
from agpt.validation import require_choice

PRESETS_WITH_ACTIVATION = {"relu2": "karpathy-a", "relu": "karpathy-b"}
_SIZES = ("n_embd", "n_head", "n_layer", "block_size", "vocab_size")
_OUTER = ("wte", "wpe", "lm_head")
_INNER = ("attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2")


def load_karpathy_json(path: PathLike, activation: str = "relu2") -> Model:
    """The model of a file, float64, with its characters and a boundary behind them."""
    require_choice("activation", activation, tuple(PRESETS_WITH_ACTIVATION))
    document = read_json_object(path)
    try:
        sizes = {name: _size_of(document, name) for name in _SIZES}
        characters = document["uchars"]
        if not isinstance(characters, list) or not all(
            isinstance(character, str) and len(character) == 1 for character in characters
        ):
            raise FormatError("its uchars are no list of characters")
        boundary = len(characters)
        if sizes["vocab_size"] != boundary + 1:
            raise FormatError(
                f"it has {boundary} characters, but a vocab_size of {sizes['vocab_size']}"
            )
        vocabulary = Vocabulary.from_parts("char", "".join(characters), boundary + 1, boundary)
        config = ModelConfig.preset(
            PRESETS_WITH_ACTIVATION[activation],
            sizes["vocab_size"],
            context=sizes["block_size"],
            d_model=sizes["n_embd"],
            n_layers=sizes["n_layer"],
            heads=sizes["n_head"],
        )
        state = document["state_dict"]
        _require_every_size_fits(state, sizes)
        model = Model(config, dtype="float64", vocabulary=vocabulary)
        _fill(model, state)
    except KeyError as error:
        raise FormatError(f"{path} is no model.json: it has no {error}") from error
    except (ArgumentError, FormatError) as error:
        raise FormatError(f"{path} is damaged or no model.json: {error}") from error
    return model


def save_karpathy_json(path: PathLike, model: Model) -> None:
    """Writes a model, one number a line as those programs do.

    ArgumentError unless its architecture is that of the presets karpathy-a and karpathy-b, its
    heads are equal, and its vocabulary is of characters and a boundary.
    """
    config, vocabulary = model.config, model.vocabulary
    require_architecture(config, "karpathy-a", "a model.json", free={"activation"})
    if config.activation not in PRESETS_WITH_ACTIVATION:
        raise ArgumentError(f"the model has activation {config.activation}, a model.json has none")
    if config.d_ff != 4 * config.d_model:
        raise ArgumentError(f"d_ff is {config.d_ff}, but in a model.json it is 4 times d_model")
    if vocabulary is None or vocabulary.kind != "char" or vocabulary.boundary is None:
        raise ArgumentError("a model.json needs a vocabulary of characters and a boundary")
    arrays = [matrix for _, matrix in matrices_by_output_unit(config.n_layers, model.parameters())]
    document: dict[str, Any] = {
        "uchars": list(vocabulary.characters),
        "n_embd": config.d_model,
        "n_head": require_equal_heads(config, "a model.json"),
        "n_layer": config.n_layers,
        "block_size": config.context,
        "vocab_size": config.vocab_size,
        "state_dict": {
            name: matrix.astype(np.float64).tolist()
            for name, matrix in zip(tensor_names(config.n_layers), arrays, strict=True)
        },
    }
    write_atomically(path, json.dumps(document, indent=0).encode())


def tensor_names(n_layers: int) -> list[str]:
    """The names in a state_dict, in the order in which such scripts draw them."""
    layers = (f"layer{layer}.{name}" for layer in range(n_layers) for name in _INNER)
    return [*_OUTER, *layers]


def read_json_object(path: PathLike) -> dict[str, Any]:
    """The object of a JSON file; FormatError for anything else."""
    try:
        document = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is truncated or no JSON: {error}") from error
    if not isinstance(document, dict):
        raise FormatError(f"{path} is no JSON object")
    return document


def matrix_of(values: object, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """An array of JSON numbers; FormatError unless it has the shape and is finite."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"its {name} is no table of numbers") from error
    if array.shape != shape or not np.isfinite(array).all():
        sizes = " x ".join(map(str, shape))
        raise FormatError(f"its {name} is no {sizes} table of finite numbers")
    return array


def _fill(model: Model, state: dict[str, Any]) -> None:
    views = matrices_by_output_unit(model.config.n_layers, model.parameters())
    for name, (_, view) in zip(tensor_names(model.config.n_layers), views, strict=True):
        view[...] = matrix_of(state[name], name, view.shape)


def _require_every_size_fits(state: object, sizes: dict[str, int]) -> None:
    """Checks what the file says against what it has, before arrays of those sizes are made."""
    if not isinstance(state, dict):
        raise FormatError("its state_dict is no object")
    n_tensors = len(_OUTER) + len(_INNER) * sizes["n_layer"]
    if len(state) != n_tensors:
        raise FormatError(f"it has {len(state)} tensors, but should have {n_tensors}")
    matrix_of(state["wte"], "wte", (sizes["vocab_size"], sizes["n_embd"]))
    matrix_of(state["wpe"], "wpe", (sizes["block_size"], sizes["n_embd"]))


def _size_of(document: dict[str, Any], name: str) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise FormatError(f"its {name} is {value!r}")
    return value
