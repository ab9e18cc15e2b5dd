"""Every form of input and every rule for starts through the commands: build, train, score."""

import gzip
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import TrieIndex
from agpt.cli.build import command as build
from agpt.cli.perplexity import command as perplexity
from agpt.cli.train import command as train
from click.testing import CliRunner, Result
from support import assert_fails, data_file

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
TINY = ["--d-model", "16", "--n-layers", "1", "--heads", "2", "--steps", "3"]
DATA, USAGE = 1, 2


@pytest.fixture
def json_lines(tmp_path: Path, text: str) -> Path:
    """The sentences of the text, one object each."""
    path = tmp_path / "texts.jsonl.gz"
    lines = "".join(json.dumps({"body": line}) + "\n" for line in text.splitlines())
    path.write_bytes(gzip.compress(lines.encode()))
    return path


def test_the_same_text_in_any_form_makes_the_same_index(
    run_json: RunJson, json_lines: Path, text: str, tmp_path: Path
) -> None:
    text = text.removesuffix("\n")  # what the sentences give when newlines join them
    whole, *halves = (tmp_path / name for name in ("text.txt", "a.txt", "b.txt.gz"))
    whole.write_text(text)
    halves[0].write_text(text[:777])
    halves[1].write_bytes(gzip.compress(text[777:].encode()))
    indexes = []
    for number, form in enumerate(([whole], [json_lines, "--text-field", "body"], halves)):
        out = tmp_path / f"{number}.agpt"
        run_json(build, *form, "--depth", "5", "--out", out)
        indexes.append(out.read_bytes())
    assert indexes[0] == indexes[1] == indexes[2]


def test_an_index_goes_beside_its_text_or_is_named_corpus(
    run_json: RunJson,
    corpus_file: Path,
    json_lines: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    values = run_json(build, json_lines, "--text-field", "body")
    assert values["path"] == str(tmp_path / "texts.agpt")
    assert run_json(build, corpus_file, corpus_file)["path"] == "corpus.agpt"


def test_standard_input_becomes_an_index(tmp_path: Path, text: str, corpus_file: Path) -> None:
    out = tmp_path / "piped.agpt"
    result = CliRunner().invoke(build, ["-", "--out", str(out), "--json"], input=text)
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(build, [str(corpus_file)]).exit_code == 0
    assert out.read_bytes() == corpus_file.with_suffix(".agpt").read_bytes()


def test_a_named_pipe_is_read_once(
    run_json: RunJson, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(text))
    writer.start()
    values = run_json(build, pipe, "--val-fraction", "0")
    writer.join()
    assert (values["path"], values["n_tokens"]) == ("corpus.agpt", len(text))


def test_an_index_is_not_read_as_a_text(run_command: RunCommand, corpus_file: Path) -> None:
    assert run_command(build, corpus_file).exit_code == 0
    index = corpus_file.with_suffix(".agpt")
    assert_fails(run_command(build, index), USAGE, "is an index already")
    assert_fails(run_command(train, index, corpus_file), USAGE, "cannot be read with other files")
    assert TrieIndex.open(str(index)).n_positions > 0  # it is still there


def test_documents_of_json_lines_are_trained_on_and_scored(
    run_json: RunJson, run_command: RunCommand, json_lines: Path, text: str
) -> None:
    read = ["--text-field", "body"]
    trained = run_json(train, json_lines, *read, "--starts", "documents", *TINY, "--depth", "6")
    model = json_lines.with_name("texts.safetensors")
    assert trained["model"] == str(model)
    everything = ["--split", "train", "--val-fraction", "0"]
    parts = {"train": ["--split", "train"], "val": [], "all": everything}
    scores = {
        name: run_json(perplexity, model, "--corpus", json_lines, *read, *options)
        for name, options in parts.items()
    }
    predictions = sum(min(6, len(line) + 1) for line in text.splitlines())
    assert scores["all"]["positions"] == predictions
    assert scores["train"]["positions"] + scores["val"]["positions"] == predictions
    assert scores["val"]["loss"] == pytest.approx(trained["evaluation"]["loss"])
    twice = ["--corpus", json_lines, "--corpus", json_lines, *read, *everything]
    doubled = run_json(perplexity, model, *twice)
    assert doubled["positions"] == 2 * scores["all"]["positions"]
    assert doubled["loss"] == pytest.approx(scores["all"]["loss"])
    assert_fails(run_command(perplexity, model, "--corpus", json_lines), DATA, "--text-field")


def test_bad_inputs_are_one_sentence(
    run_command: RunCommand, tmp_path: Path, corpus_file: Path
) -> None:
    lines, cut, missing = (tmp_path / name for name in ("a.jsonl", "b.txt.gz", "c.txt"))
    lines.write_text('{"text": "a"}\n{"text": 1}\n')
    cut.write_bytes(gzip.compress(b"some text")[:-3])
    for command, *options in ((build,), (train, *TINY)):
        assert_fails(run_command(command, lines, *options), DATA, "a.jsonl, line 2")
        assert_fails(run_command(command, cut, *options), DATA, "b.txt.gz is truncated")
        failed = run_command(command, corpus_file, missing, *options)
        assert_fails(failed, DATA, "c.txt: no such file")
        assert_fails(run_command(command, corpus_file, tmp_path, *options), DATA, "is a directory")
        assert_fails(run_command(command, *options), USAGE, "Missing argument")
    assert not list(tmp_path.glob("*.agpt"))
    empty = CliRunner().invoke(build, ["-"], input="")
    assert_fails(empty, DATA, "there is no text in standard input")


@pytest.mark.parametrize("rule", ["stride=0", "max=", "max=5-1", "lines", "stride=x", "max=0"])
def test_a_rule_for_starts_that_is_none(
    run_command: RunCommand, corpus_file: Path, rule: str
) -> None:
    assert_fails(run_command(build, corpus_file, "--starts", rule), DATA, "starts", "stride=K")


def brute_positions(text: str, starts: list[int], depth: int) -> int:
    """How many distinct paths of 1 to `depth` characters from the starts have a next character."""
    ends = [(i, min(i + depth, len(text) - 1)) for i in starts]
    return len({text[i:j] for i, end in ends for j in range(i + 1, end + 1)})


@pytest.mark.parametrize("rule", ["every", "stride=7", "max=100", "max=100+13", "max=100000"])
def test_starts_are_where_the_rule_says(
    run_json: RunJson, corpus_file: Path, text: str, rule: str
) -> None:
    total = len(text) - 1
    starts = list(range(total))
    if rule.startswith("stride="):
        starts = starts[:: int(rule.removeprefix("stride="))]
    elif rule != "every" and rule != "max=100000":  # which is more than there are
        count, offset = (int(n) for n in (rule.removeprefix("max=") + "+0").split("+")[:2])
        starts = [(i * total // count + offset) % total for i in range(count)]
    values = run_json(build, corpus_file, "--depth", "9", "--val-fraction", "0", "--starts", rule)
    assert values["n_positions"] == brute_positions(text, starts, 9)
    assert values["total_mass"] == sum(min(9, total - i) for i in starts)


def test_each_line_is_a_start_with_documents(
    run_json: RunJson, corpus_file: Path, text: str
) -> None:
    options = ["--depth", "9", "--val-fraction", "0", "--starts", "documents"]
    values = run_json(build, corpus_file, *options)
    documents = ["|" + line + "|" for line in text.splitlines() if line]
    prefixes = {line[:k] for line in documents for k in range(1, min(9, len(line) - 1) + 1)}
    assert values["n_positions"] == len(prefixes)


@pytest.mark.parametrize(
    ("options", "figures"),
    [
        (["--depth", 16, "--starts", "max=20000"], {"n_positions": 236604, "n_nodes": 29144}),
        (["--depth", 8, "--starts", "max=5000"], {"n_positions": 24527}),
        (
            ["--depth", 16, "--prune-min-mass", 2, "--corpus-end", "reference"],
            {"n_positions": 1063129, "n_nodes": 547331},
        ),
        (
            ["--depth", 8, "--prune-min-mass", 2, "--prune-min-depth", 4, "--corpus-end=reference"],
            {"n_positions": 546433, "n_nodes": 383371},
        ),
        (["--depth", 4, "--reverse"], {"hash": f"{7980393441037317521:016x}"}),
    ],
)
def test_published_figures_of_tinyshakespeare(
    run_json: RunJson, tmp_path: Path, options: list[Any], figures: dict[str, Any]
) -> None:
    corpus = data_file("tinyshakespeare.txt")
    out = tmp_path / "index.agpt"
    values = run_json(build, corpus, "--val-fraction", "0", "--out", out, *options)
    assert {name: values[name] for name in figures} == figures
