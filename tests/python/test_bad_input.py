"""The commands on bad input: one clear sentence, the right exit code, nothing lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import Model
from agpt.cli import main
from agpt.cli.build import command as build
from agpt.cli.demo import command as demo
from agpt.cli.generate import command as generate
from agpt.cli.import_model import command as import_model
from agpt.cli.info import command as info
from agpt.cli.inspect import command as inspect
from agpt.cli.perplexity import command as perplexity
from agpt.cli.report import command as report
from agpt.cli.train import command as train
from click.testing import Result
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
    return Path(run_json(train, index_file, *SMALL)["model"])


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write_file(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


def test_a_missing_file(run_command: RunCommand, tmp_path: Path) -> None:
    missing = tmp_path / "missing.txt"
    for command, *options in (
        (build, missing),
        (train, missing),
        (generate, missing),
        (perplexity, missing, "--corpus", missing),
    ):
        assert_fails(run_command(command, *options), DATA, "missing.txt: no such file")


def test_a_folder_instead_of_a_file(run_command: RunCommand, tmp_path: Path) -> None:
    for command in (build, train, generate):
        result = run_command(
            command, tmp_path, *(["--out", "x"] if command is not generate else [])
        )
        assert_fails(result, DATA, str(tmp_path), "directory")


def test_an_empty_file(run_command: RunCommand, write: Any, model_file: Path) -> None:
    empty = write("empty.txt", b"")
    assert_fails(run_command(build, empty), DATA, "empty.txt")
    assert_fails(run_command(train, empty), DATA, "empty.txt")
    assert_fails(run_command(perplexity, model_file, "--corpus", empty), DATA, "empty.txt")
    assert_fails(run_command(generate, empty), DATA, "empty.txt")
    assert not empty.with_suffix(".agpt").exists()


def test_one_character(run_command: RunCommand, write: Any) -> None:
    one = write("one.txt", b"a")
    assert_fails(run_command(build, one), DATA, "agpt-build: ")
    assert_fails(run_command(train, one, *SMALL), DATA, "agpt-train: ")
    assert not one.with_suffix(".agpt").exists()
    assert not one.with_suffix(".safetensors").exists()


def test_a_text_shorter_than_the_context(
    run_command: RunCommand, run_json: RunJson, write: Any, model_file: Path
) -> None:
    short = write("short.txt", b"the cat.")
    trained = run_json(train, short, *SMALL, "--val-fraction", "0", "--context", "32")
    assert trained["step"] == 3  # a trie needs no whole window
    result = run_command(train, short, *SMALL, "--mode", "window", "--context", "32")
    assert_fails(result, DATA, "a window needs 33", "smaller --context")
    score = run_json(perplexity, model_file, "--corpus", short, "--split", "all")
    assert score["positions"] == 7


def test_not_utf8(run_command: RunCommand, write: Any) -> None:
    latin = write("latin.txt", "Grüße aus Köln\n".encode("latin-1") * 20)
    assert_fails(run_command(build, latin), DATA, "latin.txt", "UTF-8", "--tokenizer byte")
    assert_fails(run_command(train, latin, *SMALL), DATA, "UTF-8", "--tokenizer byte")
    assert run_command(build, latin, "--tokenizer", "byte").exit_code == 0


def test_an_unknown_character_in_a_prompt_or_a_text(
    run_command: RunCommand, write: Any, model_file: Path
) -> None:
    assert_fails(run_command(generate, model_file, "--prompt", "the €"), DATA, "€")
    text = write("euro.txt", ("the cat € sat. " * 20).encode())
    result = run_command(perplexity, model_file, "--corpus", text, "--split", "all")
    assert_fails(result, DATA, "€", "--skip-unknown")


def test_an_index_deeper_than_the_context(run_command: RunCommand, index_file: Path) -> None:
    result = run_command(train, index_file, *SMALL, "--context", "5")
    assert_fails(result, DATA, "6 deep", "context is 5")


def test_a_context_beyond_the_models(
    run_command: RunCommand, index_file: Path, model_file: Path
) -> None:
    result = run_command(perplexity, model_file, "--index", index_file, "--context", "7")
    assert_fails(result, DATA, "context is 7", "at most 6")


def test_an_index_of_another_vocabulary(
    run_command: RunCommand, run_json: RunJson, write: Any, model_file: Path
) -> None:
    other = run_json(build, write("other.txt", b"xyzzy " * 50), "--depth", "6")["path"]
    assert_fails(run_command(perplexity, model_file, "--index", other), DATA, "vocabulary")
    assert_fails(run_command(train, other, "--resume", model_file), DATA, "vocabulary")


def test_another_text_of_the_same_vocabulary_is_not_resumed_on(
    run_command: RunCommand, run_json: RunJson, write: Any, text: str, model_file: Path
) -> None:
    other = run_json(build, write("other.txt", text[::-1].encode()), "--depth", "6")["path"]
    before = model_file.read_bytes()
    assert_fails(run_command(train, other, "--resume", model_file), DATA, "other data")
    assert model_file.read_bytes() == before


def test_a_truncated_or_foreign_index(
    run_command: RunCommand, write: Any, index_file: Path, model_file: Path
) -> None:
    content = index_file.read_bytes()
    for size in (0, 1, 8, 100, len(content) // 2, len(content) - 1):
        broken = write("broken.agpt", content[:size])
        assert_fails(run_command(train, broken, *SMALL), DATA, "broken.agpt")
    foreign = write("foreign.agpt", b"To be, or not to be, that is the question." * 100)
    assert_fails(run_command(train, foreign, *SMALL), DATA, "foreign.agpt")
    result = run_command(perplexity, model_file, "--index", foreign)
    assert_fails(result, DATA, "foreign.agpt")


def test_a_truncated_or_foreign_checkpoint(
    run_command: RunCommand, write: Any, index_file: Path, model_file: Path
) -> None:
    half = model_file.read_bytes()[: model_file.stat().st_size // 2]
    broken = write("broken.safetensors", half)
    assert_fails(run_command(generate, broken), DATA, "broken.safetensors", "truncated")
    result = run_command(perplexity, broken, "--index", index_file)
    assert_fails(result, DATA, "broken.safetensors")
    result = run_command(train, index_file, "--resume", broken)
    assert_fails(result, DATA, "broken.safetensors")
    assert broken.read_bytes() == half
    assert_fails(run_command(generate, index_file), DATA, "text.agpt", "agpt-train")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    run_command: RunCommand, corpus_file: Path, index_file: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "no" / "folder" / "file"
    assert_fails(run_command(build, corpus_file, "--out", nowhere), DATA, "does not exist")
    assert_fails(run_command(train, index_file, *SMALL, "--out", nowhere), DATA, "does not exist")
    assert_fails(run_command(build, corpus_file, "--out", tmp_path), DATA, "is a folder")


def test_a_folder_that_nobody_can_write_in(run_command: RunCommand, corpus_file: Path) -> None:
    assert_fails(run_command(build, corpus_file, "--out", "/proc/x"), DATA, "cannot write in /proc")


@pytest.mark.parametrize("command", [build, demo, generate, info, perplexity, train])
def test_an_unknown_option(run_command: RunCommand, command: Any) -> None:
    result = run_command(command, "--colour", "blue")
    assert_fails(result, USAGE, f"{command.name}: ", "--colour", f"(see {command.name} --help)")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["build"], "Missing argument"),
        (["build", "x.txt", "--depth", "deep"], "'deep' is not a valid integer"),
        (["train", "x.txt", "--optimizer", "adagrad"], "'adagrad' is not one of"),
        (["train", "x.txt", "--heads", "many"], "neither a number of heads nor a list"),
        (["perplexity", "m.safetensors"], "one of the three"),
        (["perplexity", "m.safetensors", "--corpus", "a", "--index", "b"], "one of the three"),
        (["dance"], "No such command 'dance'"),
    ],
)
def test_wrong_usage(run_command: RunCommand, arguments: list[str], part: str) -> None:
    assert_fails(run_command(main, *arguments), USAGE, part, "--help)")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--lr", "-1"], "lr is -1.0"),
        (["--epochs", "2"], "steps and epochs"),
        (["--heads", "3"], "3 equal heads do not divide d_model 16"),
        (["--optimizer", "adam", "--weight-decay", "0.1"], "choose optimizer adamw"),
        (["--seed", "-1"], "seed is -1"),
        (["--backend", "abacus"], "abacus"),
        (["--eval-context", "9"], "context is 9"),
    ],
)
def test_settings_that_do_not_fit(
    run_command: RunCommand, index_file: Path, options: list[str], part: str
) -> None:
    assert_fails(run_command(train, index_file, *SMALL, *options), DATA, part)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--depth", "0"], "depth"),
        (["--val-fraction", "1.5"], "1.5"),
        (["--starts", "sometimes"], "sometimes"),
        (["--threads", "-1"], "threads"),
    ],
)
def test_options_of_an_index_that_do_not_fit(
    run_command: RunCommand, corpus_file: Path, options: list[str], part: str
) -> None:
    assert_fails(run_command(build, corpus_file, *options), DATA, part)


def test_options_that_would_be_ignored_are_refused(
    run_command: RunCommand, index_file: Path, model_file: Path
) -> None:
    result = run_command(train, index_file, "--depth", "5")
    assert_fails(result, USAGE, "--depth", "is an index")
    result = run_command(train, index_file, "--resume", model_file, "--lr", "1")
    assert_fails(result, USAGE, "--lr", "--resume")


def test_a_loss_that_is_not_finite_ends_the_command_and_keeps_the_checkpoint(
    run_command: RunCommand, index_file: Path, model_file: Path
) -> None:
    before = model_file.read_bytes()
    result = run_command(
        train, index_file, "--lr", "1e30", "--clip-norm", "0", "--optimizer", "sgd",
        "--schedule", "constant", "--steps", "50",
    )  # fmt: skip
    assert result.exit_code == DATA
    assert "finite" in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert model_file.read_bytes() == before


def test_what_is_read_is_not_written_over(
    run_command: RunCommand, corpus_file: Path, index_file: Path, model_file: Path
) -> None:
    before = {path: path.read_bytes() for path in (corpus_file, index_file, model_file)}
    for command, path, *options in (
        (build, corpus_file, "--out", corpus_file),
        (train, corpus_file, "--out", corpus_file, *SMALL),
        (train, index_file, "--out", index_file, *SMALL),
        (train, corpus_file, "--plot", corpus_file, *SMALL),
        (inspect, model_file, "--html", model_file),
        (import_model, model_file, "--out", model_file),
    ):
        refused = run_command(command, path, *options)
        assert refused.exit_code != 0
        assert_fails(refused, refused.exit_code, path.name)
    log = model_file.with_name(f"{model_file.stem}.log.jsonl")
    assert_fails(run_command(report, model_file, "--out", log), USAGE, "is the log of a run")
    model_as_text = run_command(train, model_file, *SMALL)
    assert_fails(model_as_text, USAGE, "name the file to write with --out")
    assert {path: path.read_bytes() for path in before} == before


def test_a_model_that_diverged_neither_writes_nor_scores(
    run_command: RunCommand, model_file: Path, corpus_file: Path
) -> None:
    model = Model.load(model_file)
    model.flat_parameters[:] = np.nan
    model.save(model_file)
    for options in ([], ["--temperature", 0], ["--top-k", 2]):
        assert_fails(run_command(generate, model_file, *options), DATA, "the model diverged")
    scored = run_command(perplexity, model_file, "--corpus", corpus_file, "--split", "all")
    assert_fails(scored, DATA, "not finite: the model diverged")


def test_a_memory_cap_says_what_was_wanted_and_what_is_allowed(
    run_command: RunCommand, corpus_file: Path
) -> None:
    result = run_command(build, corpus_file, "--mem-cap", "0.00001")
    assert_fails(result, DATA, "agpt-build: ", "memory")
    assert not corpus_file.with_suffix(".agpt").exists()
    assert run_command(build, corpus_file, "--mem-cap", "4").exit_code == 0


def test_the_memory_cap_comes_from_the_environment_too(
    run_command: RunCommand, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGPT_MEM_CAP_GIB", "0.00001")
    assert_fails(run_command(build, corpus_file), DATA, "memory")


def test_ctrl_c_is_one_line_and_130(
    run_command: RunCommand, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agpt.cli.build.build_index_file", interrupted)
    assert_fails(run_command(build, corpus_file), 130, "agpt-build: interrupted")


def test_debug_shows_the_traceback(run_command: RunCommand, tmp_path: Path) -> None:
    result = run_command(build, tmp_path / "missing.txt", "--debug")
    assert result.exit_code == DATA
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("value", ["often", "-3", "0s", "infs", "3 s x"])
def test_a_period_of_saving_that_is_none(
    run_command: RunCommand, index_file: Path, value: str
) -> None:
    result = run_command(train, index_file, *SMALL, "--save-every", value)
    assert_fails(result, USAGE, "neither a number of steps nor of seconds")


def test_a_picture_of_an_unknown_kind_is_refused_before_the_training(
    run_command: RunCommand, index_file: Path
) -> None:
    result = run_command(train, index_file, *SMALL, "--plot", index_file.with_suffix(".docx"))
    assert_fails(result, DATA, ".docx", ".png")
    assert not index_file.with_suffix(".safetensors").exists()
