"""A folder that Hugging Face transformers load: for models that one of its architectures can hold.

| position | norm | architecture |
|---|---|---|
| learned, none | layernorm | GPT-2 |
| rope | layernorm | GPT-NeoX |
| rope | rmsnorm | Llama |

None of them has a bias in the head, unequal heads or a norm behind the embedding. What a model
lacks is written as what has no effect: gains of 1, biases of 0. Rotary pairs lie side by side here
and half a head apart there, so queries and keys are sorted.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from agpt._engine import ArgumentError
from agpt.checkpoint import Tensors
from agpt.files import write_atomically
from agpt.model import Model
from agpt.model_config import ModelConfig
from agpt.model_formats.architecture import require_equal_heads
from agpt.model_formats.mgpt import PathLike
from agpt.model_formats.tokenizer_files import tokenizer_files

Array = npt.NDArray[Any]
WHAT = "an architecture of transformers"


def save_hugging_face(folder: PathLike, model: Model) -> str:
    """Writes config.json, model.safetensors and the tokenizer; returns the architecture's name.

    ArgumentError where no architecture of transformers is that of the model, or `folder` exists.
    """
    config, tensors = hugging_face_model(model)
    folder = Path(folder)
    if folder.exists():
        raise ArgumentError(f"{folder} exists: name a folder that does not")
    tokenizer = tokenizer_files(model.vocabulary, model.config.context)
    folder.mkdir()
    for name, document in ({"config.json": config} | tokenizer).items():
        text = json.dumps(document, indent=2, ensure_ascii=False)
        write_atomically(folder / name, text.encode())
    contiguous = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    content = safetensors.numpy.save(contiguous, {"format": "pt"})
    write_atomically(folder / "model.safetensors", content)
    return str(config["architectures"][0])


def hugging_face_model(model: Model) -> tuple[dict[str, Any], Tensors]:
    """The config.json and the tensors of a model; ArgumentError where nothing is its like."""
    config = model.config
    n_heads = require_equal_heads(config, WHAT)
    kinds: dict[tuple[str, str], Callable[[Model, int], tuple[dict[str, Any], Tensors]]] = {
        ("learned", "layernorm"): _gpt2,
        ("none", "layernorm"): _gpt2,
        ("rope", "layernorm"): _gpt_neox,
        ("rope", "rmsnorm"): _llama,
    }
    kind = kinds.get((config.position, config.norm))
    if kind is None:
        raise ArgumentError(
            f"no architecture of transformers has position {config.position} with {config.norm}"
        )
    if config.embedding_norm or not config.final_norm:
        raise ArgumentError(
            f"{WHAT} has no norm behind the embedding and one before the head: embedding_norm is "
            f"{config.embedding_norm}, final_norm is {config.final_norm}"
        )
    if config.position == "rope" and config.head_widths[0] % 2:
        raise ArgumentError(
            f"heads are {config.head_widths[0]} wide, but {WHAT} rotates pairs of columns"
        )
    _require_zero(model, "head.bias", "in the head")
    values, tensors = kind(model, n_heads)
    if not config.tied_head:
        head = "embed_out.weight" if values["model_type"] == "gpt_neox" else "lm_head.weight"
        tensors[head] = model.parameters()["head.weight"].T
    boundary = None if model.vocabulary is None else model.vocabulary.boundary
    common = {
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tied_head,
        "torch_dtype": model.dtype,
        "bos_token_id": boundary,
        "eos_token_id": boundary,
    }
    return values | common, tensors


def _require_zero(model: Model, name: str, where: str) -> None:
    bias = model.parameters().get(name)
    if bias is not None and bias.any():
        raise ArgumentError(
            f"the model has a bias {where}, which {WHAT} has not: train one without "
            "(--no-head-bias, or --no-norm-bias for norms of rmsnorm)"
        )


def _norm(model: Model, name: str) -> Tensors:
    """Gain and bias, where missing 1 and 0."""
    parameters, width = model.parameters(), model.config.d_model
    return {
        "weight": parameters.get(f"{name}.gain", np.ones(width, model.dtype)),
        "bias": parameters.get(f"{name}.bias", np.zeros(width, model.dtype)),
    }


def _linear(model: Model, name: str) -> Tensors:
    """Weight (inputs, outputs) and bias, where missing 0."""
    weight = model.parameters()[f"{name}.weight"]
    zeros = np.zeros(weight.shape[1], model.dtype)
    return {"weight": weight, "bias": model.parameters().get(f"{name}.bias", zeros)}


def _named(prefix: str, tensors: Tensors, *, transposed: bool = False) -> Tensors:
    return {f"{prefix}.{name}": value.T if transposed else value for name, value in tensors.items()}


def _gpt2(model: Model, n_heads: int) -> tuple[dict[str, Any], Tensors]:
    config, parameters = model.config, model.parameters()
    positions = parameters.get(
        "position_embedding.weight", np.zeros((config.context, config.d_model), model.dtype)
    )
    tensors: Tensors = {
        "transformer.wte.weight": parameters["embedding.weight"],
        "transformer.wpe.weight": positions,
        **_named("transformer.ln_f", _norm(model, "final_norm")),
    }
    for layer in range(config.n_layers):
        here, there = f"blocks.{layer}.", f"transformer.h.{layer}."
        tensors |= _named(f"{there}ln_1", _norm(model, f"{here}norm1"))
        tensors |= _named(f"{there}attn.c_attn", _linear(model, f"{here}attention.qkv"))
        tensors |= _named(f"{there}attn.c_proj", _linear(model, f"{here}attention.output"))
        tensors |= _named(f"{there}ln_2", _norm(model, f"{here}norm2"))
        tensors |= _named(f"{there}mlp.c_fc", _linear(model, f"{here}mlp.up"))
        tensors |= _named(f"{there}mlp.c_proj", _linear(model, f"{here}mlp.down"))
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_positions": config.context,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": n_heads,
        "n_inner": config.d_ff,
        "activation_function": config.activation,
        "layer_norm_epsilon": config.norm_epsilon,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "resid_pdrop": 0.0,
    }, tensors


def _rotary_values(config: ModelConfig, n_heads: int) -> dict[str, Any]:
    return {
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": n_heads,
        "max_position_embeddings": config.context,
        "rope_theta": config.rope_base,
        "attention_bias": True,
        "attention_dropout": 0.0,
    }


def _query_key_value(model: Model, layer: int, n_heads: int) -> tuple[list[Array], list[Array]]:
    """Weights (inputs, heads, width) and biases (heads, width) of each, with the pairs sorted."""
    linear = _linear(model, f"blocks.{layer}.attention.qkv")
    width = model.config.d_model // n_heads
    halves = np.concatenate([np.arange(0, width, 2), np.arange(1, width, 2)])
    weights = [part.reshape(-1, n_heads, width) for part in np.split(linear["weight"], 3, axis=1)]
    biases = [part.reshape(n_heads, width) for part in np.split(linear["bias"], 3)]
    for parts in (weights, biases):
        parts[:2] = [part[..., halves] for part in parts[:2]]
    return weights, biases


def _gpt_neox(model: Model, n_heads: int) -> tuple[dict[str, Any], Tensors]:
    config, parameters = model.config, model.parameters()
    tensors: Tensors = {
        "gpt_neox.embed_in.weight": parameters["embedding.weight"],
        **_named("gpt_neox.final_layer_norm", _norm(model, "final_norm")),
    }
    for layer in range(config.n_layers):
        here, there = f"blocks.{layer}.", f"gpt_neox.layers.{layer}."
        weights, biases = _query_key_value(model, layer, n_heads)
        qkv = {
            "weight": np.concatenate(weights, axis=2).reshape(config.d_model, -1),
            "bias": np.concatenate(biases, axis=1).reshape(-1),
        }
        output = _linear(model, f"{here}attention.output")
        up, down = _linear(model, f"{here}mlp.up"), _linear(model, f"{here}mlp.down")
        tensors |= _named(f"{there}input_layernorm", _norm(model, f"{here}norm1"))
        tensors |= _named(f"{there}post_attention_layernorm", _norm(model, f"{here}norm2"))
        tensors |= _named(f"{there}attention.query_key_value", qkv, transposed=True)
        tensors |= _named(f"{there}attention.dense", output, transposed=True)
        tensors |= _named(f"{there}mlp.dense_h_to_4h", up, transposed=True)
        tensors |= _named(f"{there}mlp.dense_4h_to_h", down, transposed=True)
    return _rotary_values(config, n_heads) | {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "hidden_act": config.activation,
        "layer_norm_eps": config.norm_epsilon,
        "rotary_pct": 1.0,
        "rotary_emb_base": config.rope_base,
        "use_parallel_residual": False,
        "hidden_dropout": 0.0,
    }, tensors


def _llama(model: Model, n_heads: int) -> tuple[dict[str, Any], Tensors]:
    """Its MLP is down(act(gate) * up): with up = 1 that is down(act(gate)).

    relu squared is relu(gate) * gate.
    """
    config, parameters = model.config, model.parameters()
    tensors: Tensors = {
        "model.embed_tokens.weight": parameters["embedding.weight"],
        "model.norm.weight": _rms_norm(model, "final_norm"),
    }
    for layer in range(config.n_layers):
        here, there = f"blocks.{layer}.", f"model.layers.{layer}."
        weights, biases = _query_key_value(model, layer, n_heads)
        for name, weight, bias in zip("qkv", weights, biases, strict=True):
            flat = {"weight": weight.reshape(config.d_model, -1), "bias": bias.reshape(-1)}
            tensors |= _named(f"{there}self_attn.{name}_proj", flat, transposed=True)
        output, gate = _linear(model, f"{here}attention.output"), _linear(model, f"{here}mlp.up")
        ones = {"weight": np.zeros_like(gate["weight"]), "bias": np.ones_like(gate["bias"])}
        up = gate if config.activation == "relu2" else ones
        tensors |= _named(f"{there}self_attn.o_proj", output, transposed=True)
        tensors |= _named(f"{there}mlp.gate_proj", gate, transposed=True)
        tensors |= _named(f"{there}mlp.up_proj", up, transposed=True)
        down = _linear(model, f"{here}mlp.down")
        tensors |= _named(f"{there}mlp.down_proj", down, transposed=True)
        tensors[f"{there}input_layernorm.weight"] = _rms_norm(model, f"{here}norm1")
        tensors[f"{there}post_attention_layernorm.weight"] = _rms_norm(model, f"{here}norm2")
    return _rotary_values(config, n_heads) | {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "relu" if config.activation == "relu2" else config.activation,
        "rms_norm_eps": config.norm_epsilon,
        "num_key_value_heads": n_heads,
        "mlp_bias": True,
    }, tensors


def _rms_norm(model: Model, name: str) -> Array:
    _require_zero(model, f"{name}.bias", f"behind {name}")
    return _norm(model, name)["weight"]
