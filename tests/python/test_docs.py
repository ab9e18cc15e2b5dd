"""The pages of docs/: what they tell the reader to type exists."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from agpt import Model
from agpt.cli import main
from agpt.cli.bench import command as bench
from agpt.cli.build import command as build
from agpt.cli.compare import command as compare
from agpt.cli.download import command as download
from agpt.cli.export import command as export
from agpt.cli.generate import command as generate
from agpt.cli.perplexity import command as perplexity
from agpt.cli.trace import command as trace
from agpt.cli.train import command as train
from click import Command
from click.testing import Result

DOCS = Path(__file__).parents[2] / "docs"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")


def options_of(*commands: Command) -> set[str]:
    return {
        name
        for command in commands
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def code_lines(page: str, program: str) -> list[str]:
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0] for line in lines if line.startswith(program)]


def test_the_table_for_the_reference_names_options_that_exist() -> None:
    text = (DOCS / "from_reference_trainer.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    known = options_of(train, build)
    for _, here, *_ in rows:
        assert set(OPTION.findall(here)) <= known, here


@pytest.mark.parametrize(
    ("page", "program", "command"),
    [
        ("from_reference_trainer.md", "agpt-train", train),
        ("training.md", "agpt-train", train),
        ("training.md", "agpt-build", build),
        ("training.md", "agpt-compare", compare),
        ("evaluation.md", "agpt-perplexity", perplexity),
        ("scenarios.md", "agpt-train", train),
        ("scenarios.md", "agpt-generate", generate),
        ("scenarios.md", "agpt-download", download),
        ("generation.md", "agpt-generate", generate),
    ],
)
def test_commands_on_the_pages_use_options_that_exist(
    page: str, program: str, command: Command
) -> None:
    lines = code_lines(page, program)
    assert lines
    for line in lines:
        assert set(OPTION.findall(line)) <= options_of(command), line


def test_the_python_of_the_training_page_runs(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (DOCS / "training.md").read_text(encoding="utf-8")
    section = page.split("## From Python\n")[1]
    code = section.split("```python\n")[1].split("```")[0]
    assert "steps=2000" in code
    (tmp_path / "input.txt").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(code.replace("steps=2000", "steps=20").replace("% 100", "% 10"), {})


def test_the_commands_of_the_looking_glass_run_as_they_stand(
    tmp_path: Path, text: str, run_command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    page = (DOCS / "looking_glass.md").read_text(encoding="utf-8")
    lines = [line.removeprefix("$ agpt-") for line in page.splitlines() if line.startswith("$ ")]
    assert {line.split()[0] for line in lines} >= {"report", "inspect", "trace", "explain", "bench"}
    (tmp_path / "input.txt").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        result = run_command(main, *shlex.split(line))
        assert result.exit_code == 0, (line, result.output)
    for name in (
        "model.html",
        "comparison.html",
        "inspect.html",
        "trace.html",
        "explain.html",
        "explain.svg",
    ):
        assert (tmp_path / name).stat().st_size > 0
    python = page.split("```python\n")[1].split("```")[0]
    names = {"model": Model.load(tmp_path / "model.safetensors")}
    exec(python, names)


COMING_FROM = sorted(page.name for page in DOCS.glob("coming_from_*.md"))
SHORT = {"--steps": "3", "--specs": "d16n1,d2x8n1", "--measure": "0.05"}


def shortened(line: str) -> list[str]:
    """The words of a command, with fewer steps and smaller models: what it does is as it stands."""
    words = shlex.split(line)
    if words[0] == "agpt-train" and "--preset" in line and "--steps" not in words:
        words += ["--steps", "3"]
    for option, value in SHORT.items():
        if option in words:
            words[words.index(option) + 1] = value
    return words


@pytest.mark.parametrize("page", COMING_FROM)
def test_the_commands_for_those_who_come_from_elsewhere_run(
    page: str,
    tmp_path: Path,
    text: str,
    run_command: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [line for line in (DOCS / page).read_text(encoding="utf-8").splitlines()
             if line.startswith("agpt-")]  # fmt: skip
    assert len(lines) >= 5
    names = "\n".join(["emma", "george", "marilyn", "alexandrina", "zoe"] * 4)
    (tmp_path / "data/names").mkdir(parents=True)
    for name, content in {
        "input.txt": text, "names.txt": names, "data/names/input.txt": names
    }.items():  # fmt: skip
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        program, *arguments = shortened(line)
        result = run_command(main, program.removeprefix("agpt-"), *arguments)
        assert result.exit_code == 0, (line, result.output)


@pytest.mark.parametrize("page", COMING_FROM)
def test_the_tables_for_those_who_come_from_elsewhere_name_options_that_exist(page: str) -> None:
    rows = [line.split(" | ") for line in (DOCS / page).read_text(encoding="utf-8").splitlines()
            if line.startswith("| ") and "|" in line[2:]]  # fmt: skip
    assert len(rows) > 4
    commands = (train, build, compare, generate, download, export, bench, trace)
    for _, *here in rows:
        assert set(OPTION.findall(" ".join(here))) <= options_of(*commands), here
