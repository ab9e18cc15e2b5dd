"""Window runs as microgpt has them: held-out tokens by number, evaluations by time, a table."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import Corpus, FormatError, Model, TrieIndex
from agpt.cli.build import command as build
from agpt.cli.index_inputs import fraction_of
from agpt.cli.train import command as train
from agpt.results_table import COLUMNS, append_result, require_results
from agpt.training_log import read_log
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_fails

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
WINDOWS = ["--mode", "window", "--window-order", "sequential", "--d-model", 16, "--n-layers", 1]
SHORT = [*WINDOWS, "--windows-per-step", 1, "--context", 8, "--steps", 4]


@pytest.mark.parametrize("n", [0, 1, 2, 7, 333, 1998])
def test_val_tokens_holds_out_the_last_tokens(
    corpus_file: Path, text: str, run_json: RunJson, n: int
) -> None:
    values = run_json(build, corpus_file, "--depth", 1, "--val-tokens", n)
    index = TrieIndex.open(values["path"])
    everything = Corpus.from_text(text).tokens
    assert values["held_out_tokens"] == n
    assert np.array_equal(index.held_out, everything[len(text) - n :])
    assert np.array_equal(index.tokens, everything[: len(text) - n])
    assert index.verify() == []


@settings(max_examples=300)
@given(st.data(), st.integers(3, 2**40))
def test_any_number_of_tokens_is_a_fraction(data: st.DataObject, total: int) -> None:
    n = data.draw(st.integers(1, total - 2))
    assert int(total * fraction_of(n, total)) == n  # as the engine rounds
    assert fraction_of(n, total) < 1


def test_held_out_tokens_that_cannot_be_are_refused(
    corpus_file: Path, run_command: RunCommand
) -> None:
    refused = run_command(train, corpus_file, *SHORT, "--val-tokens", 1999)
    assert_fails(refused, 2, "--val-tokens is 1999, but the text has 2000 tokens")
    refused = run_command(train, corpus_file, *SHORT, "--val-tokens", 9, "--val-fraction", 0.1)
    assert_fails(refused, 2, "--val-fraction and --val-tokens say the same")
    refused = run_command(build, corpus_file, "--val-tokens", 9, "--starts", "documents")
    assert_fails(refused, 2, "--val-tokens counts the tokens of a running text")


@pytest.mark.parametrize("stride", [0, 1, 3, 8, 11])
def test_windows_begin_every_stride(corpus_file: Path, run_json: RunJson, stride: int) -> None:
    values = run_json(train, corpus_file, *SHORT, "--stride", stride, "--val-tokens", 500)
    n_windows = (1500 - 1 - 8) // (stride or 8) + 1
    assert values["positions"] == 4 * 8
    again = run_json(
        train, corpus_file, *SHORT[:-2], "--stride", stride, "--val-tokens", 500, "--epochs", 1,
        "--eval-every", 0,
    )  # fmt: skip
    assert again["step"] == n_windows


def test_evaluations_by_time_begin_and_end_the_run(
    corpus_file: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    def evaluated_steps(interval: float) -> list[int]:
        run_json(train, corpus_file, *SHORT, "--steps", 6, "--val-interval", interval)
        events = read_log(corpus_file.with_suffix(".log.jsonl"))
        return [event["step"] for event in events if event["event"] == "evaluation"]

    assert evaluated_steps(1e-9) == [0, 1, 2, 3, 4, 5, 6]
    assert evaluated_steps(1e6) == [0, 6]
    assert evaluated_steps(0) == [6]
    refused = run_command(train, corpus_file, *SHORT, "--val-interval", 5, "--eval-every", 2)
    assert_fails(refused, 2, "--eval-every and --val-interval say the same")


def test_every_run_adds_a_line_to_the_table(
    corpus_file: Path, tmp_path: Path, run_json: RunJson
) -> None:
    table = tmp_path / "results.tsv"
    first = run_json(train, corpus_file, *SHORT, "--results", table, "--seed", 3)
    second = run_json(
        train, corpus_file, *SHORT, "--results", table, "--val-fraction", 0, "--out",
        tmp_path / "a\tb.safetensors",
    )  # fmt: skip
    header, *lines = (line.split("\t") for line in table.read_text().splitlines())
    assert tuple(header) == COLUMNS
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [row["seed"] for row in rows] == ["3", "0"]
    assert rows[0]["id"] == Model.load(first["model"]).config.spec == "d16n1"
    assert int(rows[0]["params"]) == first["n_parameters"]
    assert float(rows[0]["final_loss"]) == pytest.approx(first["mean_loss"], rel=1e-5)
    assert float(rows[0]["held_out_loss"]) == pytest.approx(first["evaluation"]["loss"], rel=1e-5)
    assert rows[1]["held_out_loss"] == ""
    assert rows[1]["model"] == second["model"].replace("\t", " ")
    assert [row["steps"] for row in rows] == ["4", "4"]


def test_the_mean_loss_is_that_of_the_last_hundred_steps(
    corpus_file: Path, run_json: RunJson
) -> None:
    values = run_json(train, corpus_file, *SHORT, "--steps", 130, "--eval-every", 0)
    events = read_log(corpus_file.with_suffix(".log.jsonl"))
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert values["mean_loss"] == pytest.approx(sum(losses[30:]) / 100)
    assert values["loss"] == losses[-1]


def test_another_table_is_refused_before_the_run(
    corpus_file: Path, tmp_path: Path, run_command: RunCommand
) -> None:
    table = tmp_path / "other.tsv"
    table.write_text("a\tb\n1\t2\n", encoding="utf-8")
    result = run_command(train, corpus_file, *SHORT, "--results", table)
    assert_fails(result, 1, "other.tsv is no table of results")
    assert not corpus_file.with_suffix(".safetensors").exists()
    assert table.read_text() == "a\tb\n1\t2\n"
    table.write_bytes(b"\xff\x00")
    with pytest.raises(FormatError, match="no table of results"):
        require_results(table)


def test_an_empty_file_becomes_a_table_with_a_line_a_run(tmp_path: Path) -> None:
    table = tmp_path / "results.tsv"
    table.touch()
    for number in range(5):
        append_result(table, dict(zip(COLUMNS[1:], itertools.repeat(number), strict=False)))
    lines = table.read_text().splitlines()
    assert len(lines) == 6
    assert [line.split("\t")[1:] for line in lines[1:]] == [
        [str(number)] * (len(COLUMNS) - 1) for number in range(5)
    ]
