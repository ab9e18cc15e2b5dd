"""The README keeps its word: its Python example and its tour of the commands run as written."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TEXT = "The cat sat on the mat, and the dog sat on the log.\nThe rest is silence.\n" * 40


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def tour() -> list[list[str]]:
    lines = [line for block in blocks("sh")[1:] for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def run(folder: Path, command: list[str]) -> str:
    result = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def script_path(name: str) -> str:
    """The installed command, also where the environment is not activated."""
    here = str(Path(sys.executable).parent)
    path = shutil.which(name, path=os.pathsep.join([here, os.environ.get("PATH", "")]))
    assert path is not None, f"{name} is not installed"
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "input.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_the_two_commands_stand_first() -> None:
    assert blocks("sh")[0] == "pip install . && agpt-demo\npip install '.[test]' && pytest\n"


def test_the_python_example_runs(folder: Path) -> None:
    (example,) = blocks("python")
    assert "200" in example
    (folder / "example.py").write_text(example.replace("200", "3"), encoding="utf-8")
    output = run(folder, [sys.executable, "example.py"])
    assert "split=val" in output
    assert (folder / "model.safetensors").exists()


def test_the_tour_of_the_commands_runs(folder: Path) -> None:
    commands = tour()
    assert len(commands) == 7
    for command in commands:
        few = ["--steps", "3"] if command[0] == "agpt-train" else []
        run(folder, [script_path(command[0]), *command[1:], *few])
