"""The pages of docs/: what they tell the reader to type exists."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from agpt import Model
from agpt.cli import main
from agpt.cli.build import command as build
from agpt.cli.compare import command as compare
from agpt.cli.download import command as download
from agpt.cli.generate import command as generate
from agpt.cli.perplexity import command as perplexity
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
