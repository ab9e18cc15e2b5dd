"""Small texts, indexes and models that many tests use, and ways to run commands."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from agpt import Corpus, Model, ModelConfig, TrainConfig, TrieIndex
from click.testing import CliRunner, Result
from hypothesis import settings

settings.register_profile("agpt", deadline=None)  # no test is about time
settings.load_profile("agpt")

WORDS = ["the", "cat", "dog", "bird", "sat", "ran", "flew", "on", "over", "mat", "and", "happy"]


def make_text(n_characters: int = 2000, seed: int = 0) -> str:
    """Sentences of few words, so that there is something to learn; every letter of WORDS occurs."""
    chooser = random.Random(seed)
    text = " ".join(WORDS) + ".\n"
    while len(text) < n_characters:
        text += " ".join(chooser.choice(WORDS) for _ in range(chooser.randint(3, 8))) + ".\n"
    return text[:n_characters]


@pytest.fixture(scope="session", autouse=True)
def every_index_is_verified() -> Iterator[None]:
    """Every index that a test builds in this process is proved right."""

    def verified(build: Callable[..., TrieIndex]) -> Callable[..., TrieIndex]:
        def build_and_verify(*arguments: Any, **options: Any) -> TrieIndex:
            index = build(*arguments, **options)
            assert index.verify() == []
            return index

        return build_and_verify

    with pytest.MonkeyPatch.context() as patch:
        for name in ("build", "build_to"):
            patch.setattr(TrieIndex, name, staticmethod(verified(getattr(TrieIndex, name))))
        yield


@pytest.fixture(scope="session")
def text() -> str:
    return make_text()


@pytest.fixture
def corpus_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def index(text: str) -> TrieIndex:
    return TrieIndex.build(Corpus.from_text(text), depth=6, val_fraction=0.1)


@pytest.fixture(scope="session")
def documents_index() -> TrieIndex:
    names = ["anna", "ann", "bob", "bobby", "carla", "carl", "dora", "ed", "eda", "fred"]
    return TrieIndex.build(
        Corpus.from_documents(names), depth=8, val_fraction=0.2, starts="documents"
    )


@pytest.fixture
def make_model(index: TrieIndex) -> Callable[..., Model]:
    def make(seed: int = 0, dtype: str = "float32", **changes: Any) -> Model:
        settings = {"context": 6, "d_model": 16, "n_layers": 1, "heads": 2} | changes
        config = ModelConfig.preset("microgpt", index.vocab_size, **settings)
        return Model(config, seed, dtype, vocabulary=index.vocabulary)

    return make


@pytest.fixture
def quick() -> TrainConfig:
    return TrainConfig(positions_per_step=200, steps=6, threads=1)


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in this process; the result has stdout, stderr and exit_code."""
    monkeypatch.delenv("AGPT_MEM_CAP_GIB", raising=False)

    def run(command: click.Command, *arguments: object) -> Result:
        name = command.name
        return CliRunner().invoke(command, [str(a) for a in arguments], prog_name=name)

    return run


@pytest.fixture
def run_json(run_command: Callable[..., Result]) -> Callable[..., dict[str, Any]]:
    """Runs a command with --json and returns its object."""

    def run(command: click.Command, *arguments: object) -> dict[str, Any]:
        result = run_command(command, *arguments, "--json")
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    return run
