"""Builds under a memory cap, killed and started again; what a plan promises."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from agpt import Corpus, MemoryCapError, TrieIndex
from agpt.cli.build import command
from click.testing import CliRunner, Result


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    rng = np.random.default_rng(1)
    return Corpus.from_tokens((90 * rng.random(1_000_000) * rng.random(1_000_000)).astype(np.uint8))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.bin"
    path.write_bytes(bytes(corpus.tokens))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def least_memory(corpus: Corpus, path: Path) -> int:
    with pytest.raises(MemoryCapError, match="needs at least") as error:
        TrieIndex.build_to(path, corpus, threads=1, memory=1_000_000)
    least = str(error.value).split("needs at least ")[1].split(" MiB")[0]
    return int((float(least) + 0.1) * 2**20)


def test_a_capped_build_writes_the_bytes_of_the_build_in_memory(
    corpus: Corpus, tmp_path: Path
) -> None:
    capped, whole = tmp_path / "capped.agpt", tmp_path / "whole.agpt"
    TrieIndex.build(corpus).save(whole)
    stages: set[str] = set()
    index = TrieIndex.build_to(
        capped,
        corpus,
        threads=1,
        memory=least_memory(corpus, capped),
        progress=lambda fraction, stage: stages.add(stage),
    )
    assert index.verify() == []
    assert capped.read_bytes() == whole.read_bytes()
    assert stages == {"packing", "sorting", "writing"}
    assert sorted(tmp_path.iterdir()) == [capped, whole]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_was_killed_goes_on_to_the_same_bytes(
    corpus: Corpus, text: Path, tmp_path: Path, how: signal.Signals
) -> None:
    out, folder = tmp_path / "killed.agpt", tmp_path / "killed.agpt.build"
    memory = least_memory(corpus, out)
    options = [text, "--tokenizer", "byte", "--out", out, "--threads", 1, "--memory", memory]
    code = "import sys; from agpt.cli.build import command; command(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, options)], stderr=subprocess.PIPE, env=os.environ
    )
    deadline = time.monotonic() + 60
    while process.poll() is None and not list(folder.glob("*.parts")):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(how)
    _, errors = process.communicate()
    if process.returncode == 0:
        pytest.skip("the build ended before it could be stopped")
    assert not out.exists()
    finished = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parts")}
    assert finished
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert errors.decode().endswith(": interrupted\n")
        assert not [path for path in folder.iterdir() if path.suffix != ".parts"]
    result = run(*options)
    assert result.exit_code == 0, result.stderr
    assert list(tmp_path.iterdir()) == [out]
    TrieIndex.build(Corpus.from_file(text, "byte"), val_fraction=0.1).save(tmp_path / "whole")
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_cap_too_small_for_any_build_is_one_sentence(text: Path, tmp_path: Path) -> None:
    result = run(text, "--tokenizer", "byte", "--out", tmp_path / "out.agpt", "--memory", "2MB")
    assert result.exit_code == 1
    assert "needs at least" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", ["0", "much", "-1", "3 parsecs", "2KiBB"])
def test_a_size_that_is_none_is_wrong_usage(text: Path, size: str) -> None:
    result = run(text, f"--memory={size}")
    assert result.exit_code == 2
    assert "is no size" in result.stderr


def test_the_plan_of_a_small_corpus_is_exact_and_builds_nothing(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be, that is the question\n" * 3 + "whether 'tis nobler")
    plan = json.loads(run(text, "--plan", "--json").stdout)
    assert list(tmp_path.iterdir()) == [text]
    built = json.loads(run(text, "--json").stdout)
    assert plan["n_positions"] == built["n_positions"]
    assert plan["n_nodes"] == built["n_nodes"]
    assert plan["n_tokens"] == built["n_tokens"]
    assert plan["index_bytes"] == pytest.approx(built["bytes"], abs=64 * 40)  # gaps and totals
    assert not plan["uses_folder"]


def test_a_plan_samples_a_larger_corpus_to_within_a_few_percent(corpus: Corpus) -> None:
    index, plan = TrieIndex.build(corpus), TrieIndex.plan(corpus)
    assert plan["n_starts"] == index.n_starts
    assert plan["n_positions"] == pytest.approx(index.n_positions, rel=0.05)
    assert plan["n_nodes"] == pytest.approx(index.n_nodes, rel=0.05)
    capped = TrieIndex.plan(corpus, threads=1, memory=int(0.7 * plan["peak_memory_bytes"]))
    assert capped["uses_folder"]
    assert capped["n_groups"] > plan["n_groups"]
