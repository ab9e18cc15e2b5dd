"""agpt-train --sequences: from JSON lines to a model that is evaluated, resumed and generates."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Model, Trainer, read_sequences
from agpt.cli.generate import command as generate
from agpt.cli.perplexity import command as perplexity
from agpt.cli.train import command as train
from agpt.run_files import log_path_of, numbered_checkpoints
from click.testing import Result
from support import assert_fails, equal_parameters

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
TINY = ["--d-model", "16", "--n-layers", "1", "--heads", "2", "--positions-per-step", "50"]
DATA, USAGE = 1, 2


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    sums = [
        {"prompt": f"{a}+{b}=", "completions": [str(a + b), str(a + b + 1)], "weights": [3, 1]}
        for a in range(6)
        for b in range(6)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in sums))
    return path


def test_a_model_is_trained_evaluated_on_held_out_prompts_and_generates(
    lines: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    arguments = [lines, "--sequences", "--val-fraction", "0.25", "--steps", "60", *TINY]
    result = run_json(train, *arguments, "--eval-every", "20")
    out = lines.with_suffix(".safetensors")
    assert result["model"] == str(out)
    assert result["context"] == len("|5+5=10")
    assert result["evaluation"]["n_sequences"] == 2 * 36 // 4
    assert result["evaluation"]["loss"] < 2
    log = [json.loads(line) for line in log_path_of(out).read_text().splitlines()]
    evaluated = {e["step"]: e["loss"] for e in log if e["event"] == "evaluation"}
    assert list(evaluated)[:2] == [0, 20]
    assert result["best_loss"] == min(evaluated.values()) < evaluated[0]
    model = Model.load(out)
    assert model.vocabulary == read_sequences([lines]).vocabulary
    generated = run_command(generate, out, "--prompt", "1+2=", "--max-tokens", "4")
    assert generated.exit_code == 0, generated.output


def test_a_file_of_held_out_sequences_is_what_the_trainer_evaluates(
    lines: Path, tmp_path: Path, run_json: RunJson
) -> None:
    held_out = tmp_path / "held_out.jsonl"
    held_out.write_text('{"prompt": "5+5+5+5=", "completion": "20"}\n')
    options = ["--sequences", "--val", held_out, "--train-prompts", "--steps", "3"]
    result = run_json(train, lines, *options, *TINY)
    assert result["context"] == len("|5+5+5+5=20")  # deeper than what is trained on
    model = Model.load(result["model"])
    tree = read_sequences([lines], vocabulary=model.vocabulary, train_prompts=True)
    others = read_sequences([held_out], vocabulary=model.vocabulary, train_prompts=True)
    loss = Trainer(model, tree).evaluate_sequences(others)
    assert result["evaluation"]["loss"] == pytest.approx(loss, rel=1e-6)
    assert result["evaluation"]["weight"] == others.total_weight


def test_a_saved_model_scores_sequences_as_its_training_run_did(
    lines: Path, tmp_path: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    held_out = tmp_path / "held_out.jsonl"
    held_out.write_text('{"prompt": "5+1=", "completions": ["6", "7"], "weights": [1, 0.5]}\n')
    trained = run_json(train, lines, "--sequences", "--val", held_out, "--steps", "3", *TINY)
    options = [trained["model"], "--sequences", held_out]
    scored = run_json(perplexity, *options)
    assert scored["loss"] == pytest.approx(trained["evaluation"]["loss"], rel=1e-6)
    assert scored["weight"] == trained["evaluation"]["weight"] == 2 * 1.5
    assert scored["perplexity"] == pytest.approx(math.exp(scored["loss"]))
    assert run_json(perplexity, *options, "--train-prompts")["weight"] == 6 * 1.5
    twice = run_json(perplexity, *options, "--sequences", held_out)
    assert twice["n_sequences"] == 2 * scored["n_sequences"]
    assert twice["loss"] == pytest.approx(scored["loss"], rel=1e-6)


def test_sequences_are_scored_whole_and_not_those_that_were_trained_on(
    lines: Path, tmp_path: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    run = [lines, "--sequences", "--val-fraction", "0", "--steps", "2"]
    model = run_json(train, *run, *TINY)["model"]
    result = run_command(perplexity, model, "--sequences", lines)
    assert_fails(result, DATA, "trained on these very sequences", "--split train")
    scored = run_json(perplexity, model, "--sequences", lines, "--split", "train")
    assert scored["n_sequences"] == 2 * 36
    for option in (["--stride", "1"], ["--by-depth"], ["--val-fraction", "0.1"]):
        result = run_command(perplexity, model, "--sequences", lines, *option)
        assert_fails(result, USAGE, f"{option[0]} is for texts: sequences are scored whole")
    result = run_command(perplexity, model, "--sequences", lines, "--index", lines)
    assert_fails(result, USAGE, "one of the three")
    result = run_command(perplexity, model, "--corpus", lines, "--train-prompts")
    assert_fails(result, USAGE, "--train-prompts is for sequences")
    long = tmp_path / "long.jsonl"
    long.write_text('{"prompt": "1+2+3+4+5+1=", "completion": "16"}\n')
    assert_fails(run_command(perplexity, model, "--sequences", long), DATA, "context")


def test_a_run_is_resumed_on_the_same_sequences_only(
    lines: Path, tmp_path: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    whole, part = tmp_path / "whole.safetensors", tmp_path / "part.safetensors"
    arguments = [lines, "--sequences", "--steps", "6", *TINY]
    run_json(train, *arguments, "--out", whole, "--save-every", "3", "--keep", "2")
    _, first = numbered_checkpoints(whole)[0]
    first.rename(part)
    resumed = run_json(train, lines, "--sequences", "--resume", part)
    assert resumed["step"] == 6
    assert equal_parameters(Model.load(whole), Model.load(part))
    result = run_command(train, lines, "--sequences", "--train-prompts", "--resume", part)
    assert_fails(result, DATA, "other data")


def test_nothing_is_evaluated_where_nothing_is_held_out(lines: Path, run_json: RunJson) -> None:
    result = run_json(train, lines, "--sequences", "--val-fraction", "0", "--steps", "2", *TINY)
    assert (result["evaluation"], result["best_model"]) == (None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sequences", "--windows-per-step", "4"], "--windows-per-step is for windows"),
        (["--sequences", "--window-context", "4"], "--window-context is for windows"),
        (["--sequences", "--eval-context", "4"], "--eval-context is for windows"),
        (["--sequences", "--depth", "4"], "--depth has no effect on sequences"),
        (["--sequences", "--starts", "every"], "--starts has no effect on sequences"),
        (["--train-prompts"], "--train-prompts is for sequences: add --sequences"),
        (["--val", "x.jsonl"], "--val is for sequences: add --sequences"),
        (["--sequences", "--val", "x", "--val-fraction", "0.5"], "cannot be given with --val"),
    ],
)
def test_options_of_other_data_are_refused(
    lines: Path, run_command: RunCommand, options: list[str], message: str
) -> None:
    assert_fails(run_command(train, lines, *options), USAGE, message)


def test_what_cannot_be_trained_on_is_one_sentence(
    lines: Path, tmp_path: Path, run_command: RunCommand
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "a"}\n{"txt": "b"}\n')
    assert_fails(run_command(train, bad, "--sequences"), DATA, "bad.jsonl, line 2 has none")
    one = tmp_path / "one.jsonl"
    one.write_text('{"text": "abc"}\n')
    assert_fails(run_command(train, one, "--sequences"), DATA, "leaves nothing to train on")
    unknown = tmp_path / "unknown.jsonl"
    unknown.write_text('{"text": "z"}\n')
    result = run_command(train, lines, "--sequences", "--val", unknown)
    assert_fails(result, DATA, "unknown.jsonl, line 1")
    missing = run_command(train, lines, "--sequences", "--val", tmp_path / "missing.jsonl")
    assert_fails(missing, DATA, "missing.jsonl: no such file")
    windows = run_command(train, lines, "--sequences", "--mode", "window")
    assert_fails(windows, DATA, "is not for sequences")
    index = tmp_path / "x.agpt"
    index.write_bytes(b"")
    assert_fails(run_command(train, index, "--sequences"), USAGE, "x.agpt is an index")
