"""agpt.diagnostics on weights, and agpt-check-weights: what moved, froze or cannot be read."""

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from agpt import ArgumentError, FormatError, Model, TrainConfig, Trainer, TrieIndex
from agpt.cli.check_weights import command as check_weights
from agpt.diagnostics import ModelWeights, TensorChange, compare_weights, read_model_weights
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from support import assert_fails

MOVED, FROZEN, INCOMPARABLE = 0, 1, 2
D, HEADS, LAYERS, F, V, T = 4, 2, 2, 6, 5, 8
BLOCK = [(D, D), (1, D)] * 4 + [(1, D)] * 2 + [(D, F), (1, F), (F, D), (1, D)] + [(1, D)] * 2
SHAPES = [(V, D), *(BLOCK * LAYERS), (1, D), (1, D), (D, V), (1, V)]
LAST_QUERY_BIAS = 1 + len(BLOCK) + 1


def mgpt_file(path: Path, matrices: list[npt.NDArray[np.float32]]) -> Path:
    content = struct.pack("<I6i", 0x4D475054, D, HEADS, LAYERS, F, V, T)
    for matrix in matrices:
        content += struct.pack("<2i", *matrix.shape) + matrix.astype("<f4").tobytes()
    path.write_bytes(content)
    return path


def random_matrices(seed: int) -> list[npt.NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float32) for shape in SHAPES]


@pytest.fixture
def before(tmp_path: Path, make_model: Callable[..., Model]) -> Path:
    make_model().save(tmp_path / "before.safetensors")
    return tmp_path / "before.safetensors"


@pytest.fixture
def trained(tmp_path: Path, make_model: Callable[..., Model], index: TrieIndex) -> Path:
    trainer = Trainer(make_model(), index, TrainConfig(steps=2, positions_per_step=400))
    trainer.step()
    trainer.save_checkpoint(tmp_path / "trained.safetensors")
    return tmp_path / "trained.safetensors"


@pytest.fixture
def edited(tmp_path: Path, trained: Path) -> Callable[..., Path]:
    """Saves the trained model after a change to its parameters."""

    def edit(change: Callable[[dict[str, Any]], None]) -> Path:
        model = Model.load(trained)
        change(model.parameters())
        model.save(tmp_path / "edited.safetensors")
        return tmp_path / "edited.safetensors"

    return edit


def test_every_tensor_of_a_trained_model_moved(
    before: Path, trained: Path, run_json: Callable[..., dict[str, Any]], make_model: Any
) -> None:
    values = run_json(check_weights, before, trained)
    assert values["all_moved"]
    assert all(t["n_changed"] > 0 for t in values["tensors"])
    assert sum(t["n_elements"] for t in values["tensors"]) == make_model().n_parameters


def test_a_frozen_tensor_is_named(
    before: Path, edited: Callable[..., Path], run_command: Callable[..., Result]
) -> None:
    initial = Model.load(before).parameters()["blocks.0.mlp.up.weight"]

    def freeze(parameters: dict[str, Any]) -> None:
        parameters["blocks.0.mlp.up.weight"][...] = initial

    result = run_command(check_weights, before, edited(freeze))
    assert result.exit_code == FROZEN
    assert "blocks.0.mlp.up.weight is frozen (1 of " in result.stderr
    assert result.stdout.count("FROZEN") == 1


@pytest.mark.parametrize("part", ["q", "k", "v"])
def test_frozen_queries_keys_or_values_are_found_inside_their_common_tensor(
    before: Path, edited: Callable[..., Path], run_command: Callable[..., Result], part: str
) -> None:
    name = "blocks.0.attention.qkv.weight"
    initial = Model.load(before).parameters()[name]
    width = initial.shape[0]
    columns = slice("qkv".index(part) * width, ("qkv".index(part) + 1) * width)

    def freeze(parameters: dict[str, Any]) -> None:
        parameters[name][:, columns] = initial[:, columns]

    result = run_command(check_weights, before, edited(freeze), "--quiet")
    assert_fails(result, FROZEN, f"{name}[{part}] is frozen (1 of ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_failure(
    before: Path, edited: Callable[..., Path], run_command: Callable[..., Result], value: float
) -> None:
    def spoil(parameters: dict[str, Any]) -> None:
        parameters["head.weight"][3, 1] = value

    result = run_command(check_weights, before, edited(spoil), "--quiet")
    assert_fails(result, FROZEN, "head.weight has 1 numbers that are NaN or infinite")


def test_quiet_says_nothing_of_good_models(
    before: Path, trained: Path, run_command: Callable[..., Result]
) -> None:
    result = run_command(check_weights, before, trained, "--quiet")
    assert (result.exit_code, result.output) == (MOVED, "")


def test_changes_are_counted_and_measured() -> None:
    old = {"w": np.array([[3.0, 4.0], [0.0, 0.0]]), "b": np.zeros(2), "c": np.zeros(1)}
    new = {"w": np.array([[3.0, 4.5], [0.0, -1.2]]), "b": np.array([0.0, 2.0]), "c": np.zeros(1)}
    w, b, c = compare_weights(ModelWeights("agpt", {}, old), ModelWeights("agpt", {}, new))
    assert w == TensorChange("w", 4, 2, 1.2, pytest.approx(1.3 / 5), 0)  # type: ignore[arg-type]
    assert b == TensorChange("b", 2, 1, 2.0, math.inf, 0)
    assert c == TensorChange("c", 1, 0, 0.0, 0.0, 0)
    assert [w.is_frozen, b.is_frozen, c.is_frozen] == [False, False, True]


def test_models_of_other_settings_cannot_be_compared(
    before: Path,
    tmp_path: Path,
    make_model: Callable[..., Model],
    run_command: Callable[..., Result],
) -> None:
    for changes in ({"heads": 4}, {"n_layers": 2}, {"dtype": "float64"}):
        other = tmp_path / "other.safetensors"
        make_model(**changes).save(other)
        result = run_command(check_weights, before, other)
        assert_fails(result, INCOMPARABLE, f"do not match: {next(iter(changes))} is")


def test_what_cannot_be_read_is_exit_code_2(
    before: Path, corpus_file: Path, tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    assert_fails(run_command(check_weights, before), INCOMPARABLE, "Missing argument")
    assert_fails(run_command(check_weights, before, "missing"), INCOMPARABLE, "missing: no such")
    assert_fails(run_command(check_weights, before, corpus_file), INCOMPARABLE, "text.txt is trunc")
    mgpt = mgpt_file(tmp_path / "a.model", random_matrices(1))
    assert_fails(run_command(check_weights, before, mgpt), INCOMPARABLE, "mgpt")


def test_every_matrix_of_an_mgpt_checkpoint_is_read(tmp_path: Path) -> None:
    matrices = random_matrices(1)
    weights = read_model_weights(mgpt_file(tmp_path / "a.model", matrices))
    assert weights.format == "mgpt"
    assert weights.settings["d_ff"] == F
    assert len(weights.tensors) == 1 + 16 * LAYERS + 4
    for found, matrix in zip(weights.tensors.values(), matrices, strict=True):
        assert np.array_equal(found, matrix)


def test_a_frozen_bias_of_an_mgpt_checkpoint_is_named(
    tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    first, second = random_matrices(1), random_matrices(2)
    a = mgpt_file(tmp_path / "a.model", first)
    b = mgpt_file(tmp_path / "b.model", second)
    assert run_command(check_weights, a, b).exit_code == MOVED
    second[LAST_QUERY_BIAS] = first[LAST_QUERY_BIAS]
    mgpt_file(b, second)
    assert_fails(run_command(check_weights, a, b, "--quiet"), FROZEN, "layers.1.wq.bias is frozen")


def test_an_mgpt_checkpoint_of_other_settings_cannot_be_compared(
    tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    a = mgpt_file(tmp_path / "a.model", random_matrices(1))
    b = mgpt_file(tmp_path / "b.model", random_matrices(2))
    content = bytearray(b.read_bytes())
    content[8] = 4  # heads
    b.write_bytes(content)
    assert_fails(run_command(check_weights, a, b), INCOMPARABLE, "heads is 2 in one and 4 in")


def test_every_truncation_of_an_mgpt_checkpoint_is_refused(tmp_path: Path) -> None:
    path = mgpt_file(tmp_path / "a.model", random_matrices(1))
    content = path.read_bytes()
    for size in (4, 10, 27, 28, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(FormatError, match=r"a\.model is truncated"):
            read_model_weights(path)
    path.write_bytes(content + b"x")
    with pytest.raises(FormatError, match="its header stands for"):
        read_model_weights(path)


@given(st.integers(0, 6), st.integers(-(2**31), 2**31 - 1))
def test_no_header_of_an_mgpt_checkpoint_makes_the_reader_crash_or_reserve_memory(
    tmp_path_factory: Any, word: int, value: int
) -> None:
    path = mgpt_file(tmp_path_factory.mktemp("mgpt") / "a.model", random_matrices(1))
    content = bytearray(path.read_bytes())
    content[4 * word : 4 * word + 4] = struct.pack("<i", value)
    path.write_bytes(content)
    header_fits = word in (2, 6) and value > 0  # heads and length change no size
    original = struct.unpack("<7i", struct.pack("<I6i", 0x4D475054, D, HEADS, LAYERS, F, V, T))
    if header_fits or value == original[word]:
        read_model_weights(path)
    else:
        with pytest.raises(FormatError):
            read_model_weights(path)


def test_a_matrix_of_another_shape_is_refused(tmp_path: Path) -> None:
    matrices = random_matrices(1)
    matrices[0] = matrices[0].T
    with pytest.raises(FormatError, match="its matrix token_emb is not 5 x 4"):
        read_model_weights(mgpt_file(tmp_path / "a.model", matrices))


def test_formats_are_not_mixed() -> None:
    with pytest.raises(ArgumentError, match="agpt checkpoint, the other an mgpt one"):
        compare_weights(ModelWeights("agpt", {}, {}), ModelWeights("mgpt", {}, {}))
