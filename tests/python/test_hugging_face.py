"""The folders for transformers: names, shapes, and the forward pass that those models make.

The forward passes here are written from the documented architectures of transformers, in NumPy.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy
from agpt import ArgumentError, Corpus, Model, ModelConfig
from agpt.cli.export import command as export
from agpt.model_formats.hugging_face import hugging_face_model, save_hugging_face
from agpt.model_formats.tokenizer_files import tokenizer_files
from click.testing import Result
from support import assert_fails

Array = npt.NDArray[np.float64]
RMS = {"norm": "rmsnorm", "norm_bias": False}
CASES: dict[str, dict[str, Any]] = {
    "nanogpt": {"preset": "nanogpt"},
    "learned, biases, relu2": {"position": "learned", "activation": "relu2"},
    "no positions, no gains": {"preset": "nanogpt", "position": "none", "norm_gain": False},
    "microgpt": {},
    "rope, tied, gelu": {"preset": "nanogpt", "position": "rope", "rope_base": 500.0},
    "rms, relu": RMS,
    "rms, relu2, no biases": {**RMS, "activation": "relu2", "bias": False},
    "rms, gelu, tied": {**RMS, "activation": "gelu", "tied_head": True},
}
ARCHITECTURES = {"gpt2": "GPT2LMHeadModel", "gpt_neox": "GPTNeoXForCausalLM"}
ARCHITECTURES["llama"] = "LlamaForCausalLM"
SETTINGS = {"context": 12, "d_model": 24, "heads": 3, "n_layers": 2, "d_ff": 40}
CORPUS = Corpus.from_documents(["anna\nx", "bob y", "carla"])


def random_model(preset: str = "microgpt", **changes: Any) -> Model:
    config = ModelConfig.preset(
        preset, CORPUS.vocab_size, **(SETTINGS | {"head_bias": False} | changes)
    )
    model = Model(config, dtype="float64", vocabulary=CORPUS.vocabulary)
    values = np.random.default_rng(3).normal(0, 0.3, model.n_parameters)
    model.flat_parameters[:] = values
    return model


def gelu(x: Array) -> Array:
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu2": lambda x: np.maximum(x, 0) ** 2,
    "gelu": gelu,
}


def layer_norm(x: Array, tensors: dict[str, Array], name: str, epsilon: float) -> Array:
    centred = x - x.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def rms_norm(x: Array, tensors: dict[str, Array], name: str, epsilon: float) -> Array:
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon) * tensors[f"{name}.weight"]


def linear(x: Array, tensors: dict[str, Array], name: str) -> Array:
    return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def conv1d(x: Array, tensors: dict[str, Array], name: str) -> Array:
    return x @ tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def rotated(x: Array, base: float) -> Array:
    """(heads, tokens, width): the halves of a head are the two sides of its pairs."""
    _, n_tokens, width = x.shape
    angles = np.arange(n_tokens)[:, None] / base ** (np.arange(0, width, 2) / width)
    cos, sin = (np.tile(function(angles), 2) for function in (np.cos, np.sin))
    turned = np.concatenate([-x[..., width // 2 :], x[..., : width // 2]], axis=-1)
    return x * cos + turned * sin


def attended(q: Array, k: Array, v: Array) -> Array:
    """(heads, tokens, width) -> (tokens, heads * width)"""
    n_tokens = q.shape[1]
    scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[2])
    scores[:, np.triu(np.ones((n_tokens, n_tokens), bool), 1)] = -np.inf
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    return (shares @ v).transpose(1, 0, 2).reshape(n_tokens, -1)


def by_head(x: Array, n_heads: int) -> Array:
    return x.reshape(len(x), n_heads, -1).transpose(1, 0, 2)


def gpt2(config: dict[str, Any], t: dict[str, Array], tokens: list[int]) -> Array:
    epsilon, n_heads = config["layer_norm_epsilon"], config["n_head"]
    x = t["transformer.wte.weight"][tokens] + t["transformer.wpe.weight"][: len(tokens)]
    for layer in range(config["n_layer"]):
        h = f"transformer.h.{layer}."
        qkv = conv1d(layer_norm(x, t, f"{h}ln_1", epsilon), t, f"{h}attn.c_attn")
        q, k, v = (by_head(part, n_heads) for part in np.split(qkv, 3, axis=1))
        x = x + conv1d(attended(q, k, v), t, f"{h}attn.c_proj")
        up = conv1d(layer_norm(x, t, f"{h}ln_2", epsilon), t, f"{h}mlp.c_fc")
        x = x + conv1d(ACTIVATIONS[config["activation_function"]](up), t, f"{h}mlp.c_proj")
    return layer_norm(x, t, "transformer.ln_f", epsilon)


def gpt_neox(config: dict[str, Any], t: dict[str, Array], tokens: list[int]) -> Array:
    assert config["use_parallel_residual"] is False
    assert config["rotary_pct"] == 1
    epsilon, base = config["layer_norm_eps"], config["rotary_emb_base"]
    x = t["gpt_neox.embed_in.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        h = f"gpt_neox.layers.{layer}."
        normed = layer_norm(x, t, f"{h}input_layernorm", epsilon)
        qkv = by_head(
            linear(normed, t, f"{h}attention.query_key_value"), config["num_attention_heads"]
        )
        q, k, v = np.split(qkv, 3, axis=2)
        heads = attended(rotated(q, base), rotated(k, base), v)
        x = x + linear(heads, t, f"{h}attention.dense")
        normed = layer_norm(x, t, f"{h}post_attention_layernorm", epsilon)
        up = ACTIVATIONS[config["hidden_act"]](linear(normed, t, f"{h}mlp.dense_h_to_4h"))
        x = x + linear(up, t, f"{h}mlp.dense_4h_to_h")
    return layer_norm(x, t, "gpt_neox.final_layer_norm", epsilon)


def llama(config: dict[str, Any], t: dict[str, Array], tokens: list[int]) -> Array:
    assert config["attention_bias"]
    assert config["mlp_bias"]
    assert config["num_key_value_heads"] == config["num_attention_heads"]
    epsilon, base = config["rms_norm_eps"], config["rope_theta"]
    x = t["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        h = f"model.layers.{layer}."
        normed = rms_norm(x, t, f"{h}input_layernorm", epsilon)
        q, k, v = (
            by_head(linear(normed, t, f"{h}self_attn.{n}_proj"), config["num_attention_heads"])
            for n in "qkv"
        )
        heads = attended(rotated(q, base), rotated(k, base), v)
        x = x + linear(heads, t, f"{h}self_attn.o_proj")
        normed = rms_norm(x, t, f"{h}post_attention_layernorm", epsilon)
        gate = ACTIVATIONS[config["hidden_act"]](linear(normed, t, f"{h}mlp.gate_proj"))
        x = x + linear(gate * linear(normed, t, f"{h}mlp.up_proj"), t, f"{h}mlp.down_proj")
    return rms_norm(x, t, "model.norm", epsilon)


FORWARDS = {"gpt2": gpt2, "gpt_neox": gpt_neox, "llama": llama}
EMBEDDINGS = {
    "gpt2": "transformer.wte.weight",
    "gpt_neox": "gpt_neox.embed_in.weight",
    "llama": "model.embed_tokens.weight",
}
HEADS = {"gpt2": "lm_head.weight", "gpt_neox": "embed_out.weight", "llama": "lm_head.weight"}


@pytest.mark.parametrize("case", CASES)
def test_the_architecture_of_transformers_makes_the_same_logits(case: str, tmp_path: Path) -> None:
    model = random_model(**CASES[case])
    name = save_hugging_face(tmp_path / "model", model)
    config = json.loads((tmp_path / "model/config.json").read_text())
    tensors = safetensors.numpy.load_file(tmp_path / "model/model.safetensors")
    kind = config["model_type"]
    assert config["architectures"] == [name] == [ARCHITECTURES[kind]]
    tokens = np.random.default_rng(1).integers(0, CORPUS.vocab_size, 12).tolist()
    head = tensors[EMBEDDINGS[kind] if config["tie_word_embeddings"] else HEADS[kind]]
    logits = FORWARDS[kind](config, tensors, tokens) @ head.T
    np.testing.assert_allclose(logits, model.logits(tokens), rtol=0, atol=1e-12)
    assert (HEADS[kind] in tensors) != config["tie_word_embeddings"]


@pytest.mark.parametrize("case", CASES)
def test_transformers_load_the_folder(case: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = random_model(**CASES[case])
    save_hugging_face(tmp_path / "model", model)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", dtype=torch.float64
    )
    tokens = list(range(CORPUS.vocab_size))
    logits = loaded.eval()(torch.tensor([tokens])).logits[0].detach().numpy()
    np.testing.assert_allclose(logits, model.logits(tokens), rtol=0, atol=1e-6)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert tokenizer("anna\nbob").input_ids == model.encode("anna\nbob").tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "karpathy-a"}, "position learned with rmsnorm"),
        ({"heads": [8, 8, 4, 4]}, "equal heads"),
        ({"head_bias": True}, "a bias in the head"),
        ({"norm": "rmsnorm"}, "a bias behind"),
        ({"final_norm": False}, "final_norm is False"),
        ({"embedding_norm": True}, "embedding_norm is True"),
        ({"heads": 8}, "heads are 3 wide"),
    ],
)
def test_what_no_architecture_holds_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        hugging_face_model(random_model(**changes))


def test_characters_become_a_tokenizer_with_the_boundary_as_its_ends() -> None:
    files = tokenizer_files(CORPUS.vocabulary, 12)
    vocabulary = files["tokenizer.json"]["model"]["vocab"]
    assert list(vocabulary) == list(CORPUS.vocabulary.characters)
    assert list(vocabulary.values()) == list(range(CORPUS.vocab_size - 1))
    (special,) = files["tokenizer.json"]["added_tokens"]
    assert special["id"] == CORPUS.vocabulary.boundary
    assert files["tokenizer_config.json"]["bos_token"] == special["content"]


def test_the_tokenizer_file_says_what_the_vocabulary_says() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    document = tokenizer_files(CORPUS.vocabulary, 12)["tokenizer.json"]
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(document))
    ids = tokenizer.encode("anna\nbob y").ids
    assert ids == CORPUS.vocabulary.encode("anna\nbob y").tolist()
    assert tokenizer.decode(ids) == "anna\nbob y"


def test_bytes_and_plain_tokens_have_no_tokenizer_file() -> None:
    for corpus in (Corpus.from_text("abc", tokenizer="byte"), Corpus.from_tokens([1, 2])):
        assert tokenizer_files(corpus.vocabulary, 4) == {}
    assert tokenizer_files(None, 4) == {}


def test_the_command_writes_a_folder_once(
    tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    random_model().save(tmp_path / "m.safetensors")
    arguments = [tmp_path / "m.safetensors", "--format", "transformers", "--out", tmp_path / "hf"]
    assert run_command(export, *arguments).exit_code == 0
    names = {path.name for path in (tmp_path / "hf").iterdir()}
    assert names == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip
    assert_fails(run_command(export, *arguments), 1, "hf exists")
