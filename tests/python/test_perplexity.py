"""agpt-perplexity: parts of a text, losses by depth, and texts that were trained on."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Model
from agpt.cli.build import command as build
from agpt.cli.perplexity import command as perplexity
from agpt.cli.train import command as train
from click.testing import Result
from conftest import make_text
from support import assert_fails

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
SMALL = ["--d-model", "16", "--n-layers", "1", "--heads", "2", "--steps", "3"]
DATA, USAGE = 1, 2


@pytest.fixture
def index_file(corpus_file: Path, run_json: RunJson) -> Path:
    return Path(run_json(build, corpus_file, "--depth", "6")["path"])


@pytest.fixture
def model_file(index_file: Path, run_json: RunJson) -> Path:
    """A model with a context of 9 that was trained with contexts up to 6."""
    return Path(run_json(train, index_file, *SMALL, "--context", "9")["model"])


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def test_ranges_are_parts_of_the_split(
    model_file: Path, index_file: Path, run_json: RunJson
) -> None:
    def score(*options: str) -> dict[str, Any]:
        return run_json(perplexity, model_file, "--index", index_file, *options)

    whole = score()
    assert whole["positions"] == 199
    assert score("--range", "0:200")["loss"] == whole["loss"]
    assert score("--range=-200:")["loss"] == whole["loss"]
    first, second = (
        score("--range", ":101", "--stride", "1"),
        score("--range", "95:", "--stride", "1"),
    )
    assert (first["positions"], second["positions"]) == (100, 104)
    for text, positions in (("10:20", 9), ("-20:-10", 9), (":12", 11), ("190:", 9)):
        assert score(f"--range={text}")["positions"] == positions


def test_the_range_of_documents_has_the_documents_that_begin_in_it(
    write: Any, run_json: RunJson
) -> None:
    names = write("names.txt", "\n".join(["anna", "bob", "carla", "ed"] * 8))
    model = run_json(train, names, *SMALL, "--starts", "documents", "--depth", "8",
                     "--val-fraction", "0")["model"]  # fmt: skip
    # Tokens with two boundaries: anna 0..5, bob 6..10, carla 11..17, ed 18..21.
    for text, positions in ((":", 8 * (5 + 4 + 6 + 3)), ("1:7", 4), ("0:1", 5), ("6:12", 4 + 6)):
        score = run_json(
            perplexity, model, "--corpus", names, "--split", "train", "--range", text,
            "--val-fraction", "0",
        )  # fmt: skip
        assert score["positions"] == positions


@pytest.mark.parametrize(
    ("tokens", "code", "part"),
    [
        ("1-2", USAGE, "'1-2' is no range of tokens such as 0:4096"),
        ("200:300", DATA, "from 200 to 300 is no part of 200 tokens"),
        ("20:10", DATA, "from 20 to 10 is no part"),
        ("7:8", DATA, "has 1 tokens: at least 2"),
    ],
)
def test_a_range_that_is_none_is_refused(
    model_file: Path, index_file: Path, run_command: RunCommand, tokens: str, code: int, part: str
) -> None:
    result = run_command(perplexity, model_file, "--index", index_file, "--range", tokens)
    assert_fails(result, code, part)


def test_losses_by_depth_are_a_table_that_adds_up(
    model_file: Path, index_file: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    options = [model_file, "--index", index_file, "--by-depth"]
    values = run_json(perplexity, *options)
    table = values["by_depth"]
    assert [entry["context"] for entry in table] == [1, 2, 3, 4, 5, 6]
    assert sum(entry["positions"] for entry in table) == values["positions"]
    total = sum(entry["loss"] * entry["positions"] for entry in table)
    assert total / values["positions"] == pytest.approx(values["loss"], rel=1e-9)
    header, *lines = run_command(perplexity, *options).stdout.splitlines()[1:]
    assert header.split() == ["context", "positions", "nats", "perplexity"]
    for line, entry in zip(lines, table, strict=True):
        context, positions, nats, value = line.split()
        assert (int(context), int(positions)) == (entry["context"], entry["positions"])
        assert float(nats) == pytest.approx(entry["loss"], abs=1e-4)
        assert float(value) == pytest.approx(math.exp(entry["loss"]), rel=1e-3)
    narrow = run_command(perplexity, *options, "--stride", "1", "--range", "0:50").stdout
    assert [line.split()[1] for line in narrow.splitlines()[2:]] == ["1"] * 5 + ["44"]


def test_the_trained_context_is_the_default_and_a_longer_one_gets_a_warning(
    model_file: Path, index_file: Path, run_command: RunCommand
) -> None:
    options = [model_file, "--index", index_file, "--json"]
    plain = run_command(perplexity, *options)
    assert json.loads(plain.stdout)["context"] == 6
    assert plain.stderr == ""
    longer = run_command(perplexity, *options, "--context", "9")
    assert longer.exit_code == 0
    assert json.loads(longer.stdout)["context"] == 9
    assert "warning: the context is 9, but training used at most 6" in longer.stderr
    too_long = run_command(perplexity, model_file, "--index", index_file, "--context", "10")
    assert_fails(too_long, DATA, "the context is 10", "at most 9")


def test_a_text_that_was_trained_on_is_scored_as_training_text_only(
    model_file: Path,
    corpus_file: Path,
    index_file: Path,
    run_command: RunCommand,
    run_json: RunJson,
) -> None:
    refusal = ["90% of this text", "trained on", "--split train"]
    for source in (["--corpus", corpus_file], ["--index", index_file]):
        result = run_command(perplexity, model_file, *source, "--split", "all")
        assert_fails(result, DATA, *refusal)
    trained = run_json(perplexity, model_file, "--corpus", corpus_file, "--split", "train")
    assert trained["seen_in_training"] == 1.0
    # This split holds out 800 tokens: 737 windows, of which 537 end in what was trained on.
    other = run_command(perplexity, model_file, "--corpus", corpus_file, "--val-fraction", "0.4")
    assert_fails(other, DATA, "73% of this text")


def test_a_new_text_and_the_held_out_part_are_scored(
    model_file: Path, corpus_file: Path, write: Any, run_json: RunJson
) -> None:
    held_out = run_json(perplexity, model_file, "--corpus", corpus_file)
    assert held_out["seen_in_training"] == 0.0
    new = write("new.txt", make_text(1000, seed=5))
    score = run_json(perplexity, model_file, "--corpus", new, "--split", "all")
    assert score["seen_in_training"] < 0.1


def test_a_held_out_part_that_repeats_the_training_text_is_scored_and_says_so(
    write: Any, run_json: RunJson
) -> None:
    repeated = write("repeated.txt", make_text(400, seed=1) * 10)
    model = run_json(train, repeated, *SMALL, "--depth", "6")["model"]
    assert run_json(perplexity, model, "--corpus", repeated)["seen_in_training"] == 1.0


def test_a_model_without_a_training_state_says_that_it_cannot_tell(
    model_file: Path, corpus_file: Path, run_command: RunCommand
) -> None:
    bare = model_file.with_name("bare.safetensors")
    Model.load(model_file).save(bare)
    result = run_command(perplexity, bare, "--corpus", corpus_file, "--split", "all")
    assert result.exit_code == 0
    assert "context=9" in result.stdout
    assert "seen_in_training=unknown" in result.stdout
