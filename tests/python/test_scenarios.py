"""Scenarios: what their files may say, what they make of the commands, what these override."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import ArgumentError, FormatError, Model, ModelConfig, TrainConfig
from agpt.checkpoint import read_checkpoint
from agpt.cli.bench import command as bench
from agpt.cli.compare import command as compare
from agpt.cli.generate import command as generate
from agpt.cli.train import command as train
from agpt.data.chunks import Chunks
from agpt.scenarios import PRESET, Scenario, read_scenario, scenario_names
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from support import assert_fails, data_file

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]

GOLDEN_NAMES = (
    "kalia ameli aayme kanni mayein kanlian haria dadka danzea kanel donfel amamai donn suerme "
    "aman anuty aulie akanie jaylie karli"
)
SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"path": "texts/small.txt"},
    "model": {"n_embd": 8, "n_head": 2, "n_layer": 1, "block_size": 5},
    "training": {
        "learning_rate": 0.02,
        "beta1": 0.8,
        "beta2": 0.9,
        "eps_adam": 1e-7,
        "num_steps": 3,
    },
}


def changed(part: str, **changes: Any) -> dict[str, Any]:
    """SMALL with other settings; those that are None are left out."""
    settings = {key: value for key, value in (SMALL[part] | changes).items() if value is not None}
    return SMALL | {part: settings}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a scenario; the current folder, that of data too, is the one that it is in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGPT_DATA", raising=False)

    def write_scenario(values: object) -> Path:
        Path("small.json").write_text(json.dumps(values), encoding="utf-8")
        return Path("small.json")

    return write_scenario


@pytest.fixture
def small(write: Callable[..., Path]) -> Path:
    """A scenario with its text."""
    Path("texts").mkdir()
    text = "\n".join(["anna", "bob", "carla", "dora", "ed"] * 3)
    Path("texts/small.txt").write_text(text, encoding="utf-8")
    return write(SMALL)


@pytest.mark.parametrize(
    ("name", "n_parameters", "vocab_size", "steps", "chunks", "ends"),
    [
        ("names", 4064, 27, 500, None, True),
        ("alice", 33472, 75, 2000, Chunks(128, 64), True),
        ("alice_v2", 33472, 75, 5000, Chunks(128, 64), False),
    ],
)
def test_scenarios_of_the_package_have_the_known_sizes(
    name: str, n_parameters: int, vocab_size: int, steps: int, chunks: Chunks | None, ends: bool
) -> None:
    scenario = read_scenario(name)
    config = ModelConfig.preset(PRESET, vocab_size, **scenario.model_settings())
    assert config.n_parameters == n_parameters
    training = TrainConfig.preset(PRESET, **scenario.train_settings())
    assert (training.lr, training.beta1, training.beta2, training.eps) == (0.01, 0.9, 0.95, 1e-8)
    assert (training.steps, training.document_ends) == (steps, ends)
    assert (training.seed, training.schedule, training.min_lr_ratio) == (42, "cosine", 0)
    assert scenario.data.chunks == chunks
    assert scenario.name == name


def test_scenarios_of_the_package_are_listed() -> None:
    assert scenario_names() == ["alice", "alice_v2", "names"]
    with pytest.raises(ArgumentError, match="choose from alice, alice_v2, names, or name a file"):
        read_scenario("nix")


def test_defaults_of_the_schema(write: Callable[..., Path]) -> None:
    read = read_scenario(write(changed("data", format="chunked")))
    assert read.data.chunks == Chunks(128, None)
    assert read.data.chunks.step == 64
    assert (read.data.trailing_bos, read.data.download_url) == (True, None)
    assert (read.training.dtype, read.description) == ("float64", "")
    nameless = {key: value for key, value in SMALL.items() if key != "name"}
    assert read_scenario(write(nameless)).name == "custom"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "small.json is no JSON object"),
        ({"data": {}}, "small.json: data: ScenarioData needs the setting 'path'"),
        ({**SMALL, "model": 3}, "small.json: model is missing or no object"),
        ({**SMALL, "modle": {}}, "small.json: Scenario has no setting 'modle'"),
        ({**SMALL, "name": "../x"}, "name is '../x', but must do as the name of a file"),
        (changed("data", path=""), "data: path is empty"),
        (changed("data", path=5), "data: path is 5, but must be a text"),
        (changed("data", format="words"), "data: format 'words' is unknown: choose from lines"),
        (changed("data", chunk_size=0), "data: chunk_size is 0"),
        (changed("data", chunk_overlap="64"), "data: chunk_overlap is '64', but must be a whole"),
        (changed("data", trailing_bos="no"), "data: trailing_bos is 'no', but must be true or"),
        (changed("model", n_head=None), "model: ScenarioModel needs the setting 'n_head'"),
        (changed("model", n_head=3), "model: 3 equal heads do not divide d_model 8"),
        (changed("model", n_embd=8.5), "model: n_embd is 8.5, but must be a whole number"),
        (changed("model", block_size=0), "model: .*context"),
        (changed("training", learning_rate=0), "training: lr is 0.0, but must be above 0"),
        (changed("training", beta2=1), "training: beta2 is 1.0"),
        (changed("training", num_steps=0), "training: steps is 0"),
        (changed("training", dtype="float16"), "training: dtype 'float16' is unknown"),
    ],
)
def test_what_is_no_scenario_is_named(
    write: Callable[..., Path], values: object, message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        read_scenario(write(values))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@given(st.sampled_from(["data", "model", "training", None]), st.data())
def test_whatever_stands_in_a_file_is_a_scenario_or_refused(
    tmp_path_factory: pytest.TempPathFactory, part: str | None, data: st.DataObject
) -> None:
    values = json.loads(json.dumps(SMALL))
    spoiled = values if part is None else values[part]
    spoiled[data.draw(st.sampled_from(sorted(spoiled)))] = data.draw(JSON_VALUES)
    path = tmp_path_factory.getbasetemp() / "spoiled.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    with contextlib.suppress(FormatError):
        assert isinstance(read_scenario(path), Scenario)


def test_what_is_no_json_is_refused_by_the_command(
    write: Callable[..., Path], run_command: RunCommand
) -> None:
    path = write(SMALL)
    path.write_text(path.read_text()[:40])
    assert_fails(run_command(train, "--scenario", path), 1, "small.json is not JSON")
    assert_fails(run_command(train, "--scenario", "other.json"), 1, "other.json: no such file")
    assert_fails(run_command(generate, "--scenario", "nix"), 2, "scenario 'nix' is unknown")


def test_a_scenario_gives_names_settings_and_reading(
    small: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    values = run_json(train, "--scenario", small)
    assert (values["model"], values["step"]) == ("small.safetensors", 3)
    saved = read_checkpoint("small.safetensors")
    assert saved.training is not None
    assert saved.dtype == "float64"
    assert (saved.model_config.d_model, saved.model_config.context) == (8, 5)
    config = saved.training.config
    assert (config.lr, config.beta1, config.beta2, config.eps) == (0.02, 0.8, 0.9, 1e-7)
    assert (config.generator, config.windows_per_step) == ("python", 1)
    lines = run_command(generate, "--scenario", small).stdout.splitlines()
    assert len(lines) == 20
    assert max(map(len, lines)) <= 5


def test_the_command_line_overrides_a_scenario(small: Path, run_json: RunJson) -> None:
    options = ["--d-model", 4, "--lr", 0.5, "--dtype", "float32", "--out", "mine.safetensors"]
    values = run_json(train, "texts/small.txt", "--scenario", small, *options, "--epochs", 2)
    assert values["total_steps"] == 2 * 15
    saved = read_checkpoint("mine.safetensors")
    assert (saved.dtype, saved.model_config.d_model, saved.model_config.context) == (
        "float32",
        4,
        5,
    )
    assert saved.training is not None
    assert saved.training.config.lr == 0.5
    resumed = run_json(train, "--scenario", small, "--resume", "mine.safetensors")
    assert resumed["model"] == "mine.safetensors"
    sample = run_json(generate, "mine.safetensors", "-s", small, "-n", 1, "--max-tokens", 9)
    assert (len(sample["samples"]), sample["max_tokens"]) == (1, 9)


def test_a_scenario_can_be_measured_and_compared(small: Path, run_json: RunJson) -> None:
    measured = run_json(bench, "--scenario", small, "--measure", 0)
    assert (measured["total_steps"], measured["model"]["d_model"]) == (3, 8)
    compared = run_json(compare, "--scenario", small, "--specs", "d2x4n1,d4x4n2")
    trained = run_json(train, "--scenario", small)
    assert compared["models"][0]["runs"][0]["loss"] == trained["mean_loss"]


def test_a_scenario_can_train_on_the_trie(small: Path, run_json: RunJson) -> None:
    values = run_json(train, "--scenario", small, "--mode", "trie", "--generator", "engine")
    assert (values["mode"], values["step"]) == ("trie", 3)


@pytest.mark.parametrize("trailing_bos", [True, False])
def test_chunked_text_is_cut_by_the_scenario(
    write: Callable[..., Path], run_json: RunJson, trailing_bos: bool
) -> None:
    Path("texts").mkdir()
    Path("texts/small.txt").write_text("so  it goes\non and on", encoding="utf-8")  # 20 characters
    chunked = {"format": "chunked", "chunk_size": 4, "trailing_bos": trailing_bos}
    scenario = write(changed("data", **chunked))
    values = run_json(train, "--scenario", scenario, "--steps", 9)
    assert values["positions"] == 9 * (4 + trailing_bos)
    assert run_json(generate, "--scenario", scenario)["max_tokens"] == 5


def test_missing_texts_and_models_end_the_command_at_once(
    write: Callable[..., Path], run_command: RunCommand
) -> None:
    result = run_command(train, "--scenario", "alice_v2", "--data-folder", "far")
    assert_fails(result, 1, "far/data/alice/alice.txt", "agpt-download alice --to far")
    result = run_command(train, "--scenario", write(SMALL))
    assert_fails(result, 1, "texts/small.txt", "--data-folder")
    assert "agpt-download" not in result.stderr
    result = run_command(generate, "--scenario", "names")
    assert_fails(result, 1, "names.safetensors", "agpt-train --scenario names")
    assert_fails(run_command(train), 2, "Missing argument 'INDEX|CORPUS...'")
    assert_fails(run_command(generate), 2, "Missing argument 'MODEL'")


def test_the_folder_of_data_comes_from_the_environment(
    small: Path, run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("elsewhere").mkdir()
    Path("texts").rename("elsewhere/texts")
    monkeypatch.setenv("AGPT_DATA", "elsewhere")
    assert run_json(train, "--scenario", small)["step"] == 3


def test_the_scenario_names_gives_the_names_of_the_script(
    write: Callable[..., Path], run_command: RunCommand, run_json: RunJson
) -> None:
    result = run_command(train, data_file("names.txt"), "--scenario", "names")
    assert result.exit_code == 0, result.output
    events = map(json.loads, Path("names.log.jsonl").read_text().splitlines())
    losses = {event["step"]: event["loss"] for event in events if event["event"] == "step"}
    assert [f"{losses[step]:.6f}" for step in (1, 500)] == ["3.363009", "2.085912"]
    assert Model.load("names.safetensors").n_parameters == 4064
    assert run_command(generate, "--scenario", "names").stdout.split() == GOLDEN_NAMES.split()
    drawn = run_json(generate, "--scenario", "names", "-n", 1)
    assert (drawn["generator"], drawn["seed"]) == ("python", None)
    drawn = run_json(generate, "--scenario", "names", "-n", 1, "--seed", 4)
    assert (drawn["generator"], drawn["seed"]) == ("engine", 4)
    george = run_command(generate, "--scenario", "names", "-i", " George ", "-n", 3)
    assert "does not know 'G'" in george.stderr
    assert all(line.startswith("eorge") for line in george.stdout.splitlines())
    assert len(george.stdout.splitlines()) == 3


def test_scenarios_of_the_package_say_what_they_are() -> None:
    for name in scenario_names():
        scenario: Scenario = read_scenario(name)
        assert scenario.description
