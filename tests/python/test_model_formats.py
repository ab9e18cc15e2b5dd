"""agpt.model_formats: the .model of microgpt, model.json, the parity file, plain safetensors."""

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from agpt import ArgumentError, Corpus, FormatError, Model, ModelConfig
from agpt.cli.export import command as export
from agpt.cli.import_model import command as import_model
from agpt.model_formats.karpathy_json import load_karpathy_json, save_karpathy_json
from agpt.model_formats.mgpt import load_mgpt, save_mgpt
from agpt.model_formats.plain_safetensors import save_plain_safetensors
from agpt.model_formats.rust_parity import read_parity
from agpt.model_formats.saving import MODEL_FORMATS
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_fails, equal_parameters

NAMES = ["emma", "olivia", "ava"]
PARITY_LOSSES = {  # of the Rust port's file: input tokens -> mean loss, nats
    (0, 5, 13, 13, 1): 3.271862153334459,
    (0, 1): 3.1699473604822566,
    (0, 13, 1, 18, 9, 1): 3.22640126089374,
    (0, 1, 12, 5, 24, 1, 14, 4, 18, 9, 14, 1): 3.246828855561219,
}
PARITY_LOGITS = [0.5722284549477832, 0.19641420680607427, 0.42772234832136774, -0.65134683493626]
"""At position 0, of the first tokens."""


def numbered_model(**changes: Any) -> Model:
    """No two parameters are equal."""
    settings = {"context": 5, "d_model": 6, "n_layers": 2, "heads": 2, "d_ff": 7} | changes
    model = Model(ModelConfig.preset("microgpt", 9, **settings))
    model.flat_parameters[:] = np.arange(model.n_parameters) / 1000
    return model


def karpathy_model(preset: str = "karpathy-a", **changes: Any) -> Model:
    corpus = Corpus.from_documents(NAMES)
    config = ModelConfig.preset(preset, corpus.vocab_size, **changes)
    return Model(config, dtype="float64", vocabulary=corpus.vocabulary, generator=random.Random(3))


def test_the_default_model_has_the_size_and_header_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    save_mgpt(path, Model(ModelConfig(65, context=128)))
    content = path.read_bytes()
    assert len(content) == 434_248
    assert content[:4] == b"TPGM"
    assert struct.unpack_from("<6i", content, 4) == (64, 4, 2, 256, 65, 128)
    assert struct.unpack_from("<2i", content, 28) == (65, 64)


def test_matrices_stand_in_the_order_of_the_reference(tmp_path: Path) -> None:
    model = numbered_model()
    save_mgpt(tmp_path / "m.model", model)
    parameters = model.parameters()
    expected = [parameters["embedding.weight"]]
    for layer in range(2):
        block = {
            name.removeprefix(f"blocks.{layer}."): value
            for name, value in parameters.items()
            if name.startswith(f"blocks.{layer}.")
        }
        for weight, bias in zip(
            np.split(block["attention.qkv.weight"], 3, axis=1),
            np.split(block["attention.qkv.bias"], 3),
            strict=True,
        ):
            expected += [weight, bias]
        for name in ("attention.output.weight", "attention.output.bias", "norm1.gain"):
            expected.append(block[name])
        for name in ("norm1.bias", "mlp.up.weight", "mlp.up.bias", "mlp.down.weight"):
            expected.append(block[name])
        expected += [block["mlp.down.bias"], block["norm2.gain"], block["norm2.bias"]]
    for name in ("final_norm.gain", "final_norm.bias", "head.weight", "head.bias"):
        expected.append(parameters[name])
    content, at = (tmp_path / "m.model").read_bytes(), 28
    for matrix in expected:
        rows, columns = struct.unpack_from("<2i", content, at)
        assert (rows, columns) == np.atleast_2d(matrix).shape
        values = np.frombuffer(content, "<f4", rows * columns, at + 8)
        np.testing.assert_array_equal(values, matrix.ravel())
        at += 8 + 4 * rows * columns
    assert at == len(content)


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_a_model_read_back_is_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    heads: list[int],
    n_layers: int,
    d_ff: int,
    context: int,
) -> None:
    path = tmp_path_factory.mktemp("mgpt") / "m.model"
    changes = {"heads": heads, "d_model": sum(heads), "n_layers": n_layers, "d_ff": d_ff}
    model = numbered_model(context=context, **changes)
    save_mgpt(path, model)
    again = load_mgpt(path, heads=heads)
    assert again.config == model.config
    assert equal_parameters(again, model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm": "rmsnorm"}, "norm rmsnorm"),
        ({"activation": "gelu"}, "activation gelu"),
        ({"bias": False}, "bias False"),
        ({"rope_base": 500.0}, "rope_base 500.0"),
        ({"n_layers": 0}, "no layers"),
    ],
)
def test_models_that_a_model_file_cannot_hold_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        save_mgpt(tmp_path / "m.model", numbered_model(**changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("preset", ["karpathy-a", "karpathy-b"])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_a_model_json_holds_the_matrices_of_a_plain_script(
    tmp_path: Path, preset: str, n_layers: int
) -> None:
    model = karpathy_model(preset, n_layers=n_layers)
    path = tmp_path / "model.json"
    save_karpathy_json(path, model)
    script = random.Random(3)
    names = ["wte", "wpe", "lm_head"]
    for layer in range(n_layers):
        names += [f"layer{layer}.attn_{part}" for part in ("wq", "wk", "wv", "wo")]
        names += [f"layer{layer}.mlp_fc1", f"layer{layer}.mlp_fc2"]
    document = json.loads(path.read_text())
    assert list(document["state_dict"]) == names
    for name in names:
        deviation = 0.08 if preset == "karpathy-b" else 0.02
        if preset == "karpathy-a" and name.endswith(("attn_wo", "mlp_fc2")):
            deviation = 0
        for row in document["state_dict"][name]:
            assert row == [script.gauss(0, deviation) for _ in row], name
    assert document["uchars"] == sorted(set("".join(NAMES)))
    again = load_karpathy_json(path, model.config.activation)
    assert again.config == model.config
    assert again.vocabulary == model.vocabulary
    assert equal_parameters(again, model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("n_head"), "has no 'n_head'"),
        (lambda d: d.update(n_layer=2), "has 9 tensors, but should have 15"),
        (lambda d: d.update(n_layer=10**12), "n_layers is 1000000000000"),
        (lambda d: d.update(block_size=2**20), "wpe is no"),
        (lambda d: d.update(n_embd=-1), "n_embd is -1"),
        (lambda d: d.update(n_head=3), "3 equal heads do not divide"),
        (lambda d: d.update(vocab_size=3), "but a vocab_size of 3"),
        (lambda d: d.update(uchars="abc"), "no list of characters"),
        (lambda d: d.update(uchars=["a"] * len(d["uchars"])), "no model.json"),
        (lambda d: d.update(state_dict=[]), "state_dict is no object"),
        (lambda d: d["state_dict"].update(wte=[["x"]]), "wte is no table of numbers"),
        (lambda d: d["state_dict"].pop("lm_head"), "tensors, but should have"),
        (lambda d: d["state_dict"]["layer0.attn_wq"].pop(), "attn_wq is no 16 x 16"),
        (lambda d: d["state_dict"]["lm_head"][0].__setitem__(0, float("nan")), "finite numbers"),
    ],
)
def test_a_damaged_model_json_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = tmp_path / "model.json"
    save_karpathy_json(path, karpathy_model())
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=message):
        load_karpathy_json(path)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


def small_model_json(path: Path) -> dict[str, Any]:
    save_karpathy_json(path, karpathy_model(d_model=2, heads=1, context=2))
    return dict(json.loads(path.read_text()))


@settings(max_examples=40)
@given(st.data())
def test_a_model_json_with_anything_anywhere_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("json") / "model.json"
    document = small_model_json(path)
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON_VALUES)
    path.write_text(json.dumps(document))
    try:
        model = load_karpathy_json(path)
    except FormatError:
        return
    assert np.isfinite(model.logits([0])).all()


@pytest.mark.parametrize("characters", [["\ud800"], ["a", "a"], [""], [1], None, "ab"])
def test_what_are_no_characters_is_refused(tmp_path: Path, characters: object) -> None:
    path = tmp_path / "model.json"
    document = small_model_json(path)
    n_characters = len(document["uchars"])
    if isinstance(characters, list):
        kept = document["uchars"][: n_characters - len(characters)]
        characters = [*kept, *characters]
    document["uchars"] = characters
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError):
        load_karpathy_json(path)


def test_every_truncation_of_a_model_file_is_refused(tmp_path: Path) -> None:
    model, path = numbered_model(n_layers=1), tmp_path / "m.model"
    save_mgpt(path, model)
    content = path.read_bytes()
    for length in (*range(0, 40), len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError):
            load_mgpt(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"uchars": []}', b"\0" * 99])
def test_foreign_files_are_refused_with_a_sentence(
    tmp_path: Path, content: bytes, run_command: Callable[..., Result]
) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    result = run_command(import_model, path, "--out", tmp_path / "out.safetensors")
    assert_fails(result, 1, "foreign")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_file_that_is_no_model_of_another_program_is_told_what_is_read(
    tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    path, out = tmp_path / "m", tmp_path / "out.safetensors"
    karpathy_model().save(path)
    assert_fails(run_command(import_model, path, "--out", out), 1, "m is of another kind", ".model")
    path.write_bytes(b"")
    assert_fails(run_command(import_model, path, "--out", out), 1, "m is empty", "model.json")
    assert_fails(run_command(export, path, "--out", tmp_path / "x"), 1, "agpt-import-model")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_neither_read_nor_written(
    tmp_path: Path, value: float, run_command: Callable[..., Result]
) -> None:
    model, path = numbered_model(n_layers=1), tmp_path / "m.model"
    model.parameters()["blocks.0.mlp.up.bias"][3] = value
    save_mgpt(path, model)
    with pytest.raises(FormatError, match=r"its layers\.0\.l1\.bias is not finite"):
        load_mgpt(path)
    model.save(tmp_path / "m.safetensors")
    for file_format in MODEL_FORMATS:
        options = ["--format", file_format, "--out", tmp_path / "out"]
        result = run_command(export, tmp_path / "m.safetensors", *options)
        assert_fails(result, 1, "blocks.0.mlp.up.bias is not finite")
    assert not (tmp_path / "out").exists()


def test_models_that_a_model_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    for model, message in (
        (numbered_model(), "norm layernorm"),
        (karpathy_model(d_ff=10), "d_ff is 10"),
        (karpathy_model(heads=[8, 4, 4]), "heads of the widths 8, 4, 4"),
        (karpathy_model(activation="gelu"), "activation gelu"),
        (Model(ModelConfig.preset("karpathy-a", 5)), "needs a vocabulary of characters"),
    ):
        with pytest.raises(ArgumentError, match=message):
            save_karpathy_json(path, model)


def parity_document() -> dict[str, Any]:
    """The file as the Rust port's script writes it, from the seed 42."""
    script = random.Random(42)

    def matrix(n_out: int, n_in: int) -> np.ndarray:
        return np.array([[script.gauss(0, 0.08) for _ in range(n_in)] for _ in range(n_out)])

    wte, wpe, lm_head = matrix(27, 16), matrix(16, 16), matrix(27, 16)
    wq, wk, wv, wo = (matrix(16, 16) for _ in range(4))
    fc1, fc2 = matrix(64, 16), matrix(16, 64)

    def of_heads(weight: np.ndarray) -> list[Any]:
        return [weight[4 * head : 4 * head + 4].T.tolist() for head in range(4)]

    weights = {"wte": wte.tolist(), "wpe": wpe.tolist()}
    weights |= {"wq": of_heads(wq), "wk": of_heads(wk), "wv": of_heads(wv)}
    weights["wo"] = [wo[:, 4 * head : 4 * head + 4].T.tolist() for head in range(4)]
    weights |= {"w_fc1": fc1.T.tolist(), "w_fc2": fc2.T.tolist(), "w_lm": lm_head.T.tolist()}
    sizes = {"vocab_size": 27, "n_embd": 16, "n_head": 4, "head_dim": 4}
    return {
        "seed": 42,
        "hyperparams": sizes | {"block_size": 16, "ff_dim": 64},
        "rust_weights": weights,
        "test_cases": [
            {
                "name": "some",
                "input_tokens": list(tokens),
                "target_tokens": [*tokens[1:], 0],
                "logits": np.zeros((len(tokens), 27)).tolist(),
                "per_position_loss": [loss] * len(tokens),
            }
            for tokens, loss in PARITY_LOSSES.items()
        ],
    }


def test_logits_and_losses_are_those_of_the_parity_file(tmp_path: Path) -> None:
    path = tmp_path / "parity_reference.json"
    path.write_text(json.dumps(parity_document()))
    model, cases = read_parity(path)
    assert model.n_parameters == 4192
    assert len(cases) == 4
    for case in cases:
        logits = model.logits(case.input_tokens)
        np.testing.assert_allclose(logits[0, :4], PARITY_LOGITS, rtol=0, atol=1e-15)
        share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        losses = -np.log(share[np.arange(len(share)), case.target_tokens])
        assert losses.mean() == pytest.approx(case.losses.mean(), abs=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("rust_weights"), "it has no 'rust_weights'"),
        (lambda d: d["rust_weights"].pop("w_lm"), "it has no 16 x 27 matrix"),
        (lambda d: d["rust_weights"]["wq"].pop(), "wq is no 4 x 16 x 4 table"),
        (lambda d: d["hyperparams"].update(n_embd=None), "damaged or no parity file"),
        (lambda d: d["test_cases"][0]["input_tokens"].pop(), "logits is no"),
    ],
)
def test_a_damaged_parity_file_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    document = parity_document()
    change(document)
    path = tmp_path / "parity_reference.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=message):
        read_parity(path)


def test_plain_safetensors_are_the_weights_as_modules_have_them(tmp_path: Path) -> None:
    model, path = numbered_model(), tmp_path / "plain.safetensors"
    save_plain_safetensors(path, model)
    parameters = model.parameters()
    with safetensors.safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    assert ModelConfig.from_dict(json.loads(metadata["config"])) == model.config
    assert sum(tensor.size for tensor in tensors.values()) == model.n_parameters
    key = parameters["blocks.1.attention.qkv.weight"][:, 6:12]
    np.testing.assert_array_equal(tensors["blocks.1.attention.key.weight"], key.T)
    np.testing.assert_array_equal(tensors["embedding.weight"], parameters["embedding.weight"])
    np.testing.assert_array_equal(tensors["head.weight"], parameters["head.weight"].T)
    gain = parameters["blocks.0.norm1.gain"]
    np.testing.assert_array_equal(tensors["blocks.0.norm1.weight"], gain)


def test_commands_carry_a_model_there_and_back(
    tmp_path: Path,
    text: str,
    corpus_file: Path,
    make_model: Callable[..., Model],
    run_command: Callable[..., Result],
    run_json: Callable[..., dict[str, Any]],
) -> None:
    model = make_model(heads=[1, 15])
    model.save(tmp_path / "m.safetensors")
    arguments = [tmp_path / "m.safetensors", "--format", "mgpt", "--out", tmp_path / "m.model"]
    assert run_json(export, *arguments)["n_parameters"] == model.n_parameters
    assert_fails(run_command(export, *arguments), 1, "m.model exists")
    back = tmp_path / "back.safetensors"
    options = ["--vocabulary", corpus_file, "--heads", "1,15", "--out", back]
    assert run_json(import_model, tmp_path / "m.model", *options)["spec"] == model.config.spec
    again = Model.load(back)
    assert again.config == model.config
    assert equal_parameters(again, model)
    assert again.encode(text[:9]).tolist() == model.encode(text[:9]).tolist()
    assert_fails(
        run_command(import_model, tmp_path / "m.model", *options, "--heads", "x"), 2, "'x'"
    )
    assert_fails(
        run_command(import_model, tmp_path / "m.model", "--activation", "relu", "--out", back),
        2,
        "--activation has no effect",
    )


def test_indexes_and_models_have_formats_of_their_own(
    tmp_path: Path,
    index: Any,
    make_model: Callable[..., Model],
    run_command: Callable[..., Result],
) -> None:
    make_model().save(tmp_path / "m.safetensors")
    index.save(tmp_path / "i.agpt")
    for name, file_format in (("m.safetensors", "radix"), ("i.agpt", "mgpt")):
        result = run_command(
            export, tmp_path / name, "--format", file_format, "--out", tmp_path / "out"
        )
        assert_fails(result, 2, "choose --format")
