"""The pages for those who come from other programs: their commands run, their options exist."""

import random
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from agpt.cli import main
from click.testing import Result
from conftest import make_text

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("from_microgpt.md", "from_karpathy.md", "from_python_experiments.md")
PROGRAMS_THAT_TRAIN = ("train", "compare")


def commands_of(page: str) -> list[list[str]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.S)
    return [
        shlex.split(line.removeprefix("agpt-")) for block in blocks for line in block.split("\n")
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages take for granted in the current folder."""
    letters = random.Random(2)
    names = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(40)]
    (tmp_path / "names.txt").write_text("\n".join(["emma", *names]), encoding="utf-8")
    (tmp_path / "data/names").mkdir(parents=True)
    (tmp_path / "data/names/input.txt").write_text("\n".join(names), encoding="utf-8")
    (tmp_path / "input.txt").write_text(make_text(3000), encoding="utf-8")
    (tmp_path / "prompts.txt").write_text("the cat\nthe dog\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGPT_DATA", raising=False)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_run_in_their_order(
    page: str, folder: Path, run_command: Callable[..., Result]
) -> None:
    commands = [words for words in commands_of(page) if words]
    assert len(commands) >= 7
    for words in commands:
        few = (
            ["--steps", "3"] if words[0] in PROGRAMS_THAT_TRAIN and "--epochs" not in words else []
        )
        result = run_command(main, *words, *few)
        assert result.exit_code == 0, (words, result.output)


@pytest.mark.parametrize("page", PAGES)
def test_options_and_files_that_the_page_names_exist(
    page: str, run_command: Callable[..., Result]
) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([\w./]+\.md)\)", text):
        assert (DOCS / link).exists(), link
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    ours = {option for row in rows for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", row[1])}
    verbs = ("train", "generate", "perplexity", "bench", "compare", "inspect", "export", "download")
    known = "".join(run_command(main, verb, "--help").output for verb in verbs)
    assert {option for option in ours if not re.search(rf"{option}\b", known)} == set()
