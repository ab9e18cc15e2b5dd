"""The command agpt-synth-wrap: what it writes, what it says, what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import agpt
import numpy as np
import pytest
from agpt import Corpus, TrieIndex
from agpt._engine import text_hash
from agpt.cli.synth_wrap import command as synth_wrap
from click.testing import Result
from support import assert_fails

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
DATA, USAGE = 1, 2


@pytest.fixture
def index_file(tmp_path: Path, index: TrieIndex) -> Path:
    path = tmp_path / "text.agpt"
    index.save(path)
    return path


def test_a_text_is_indexed_and_written_beside_it(
    corpus_file: Path, run_json: RunJson, text: str
) -> None:
    values = run_json(synth_wrap, "--corpus", corpus_file, "--depth", "5", "--tokens", "300")
    out = corpus_file.with_name("text.synth.txt")
    expected = agpt.synthesize(TrieIndex.build(Corpus.from_text(text), 5), 300)
    assert out.read_bytes() == expected.to_bytes()
    assert values["fnv"] == f"{text_hash(expected.to_bytes()):016x}"
    assert (values["path"], values["bytes"], values["n_tokens"]) == (str(out), 300, 300)
    assert (values["depth"], values["seed"], values["walk"], values["rng"]) == (
        *(5, 42, "bridge"),
        "xoshiro",
    )
    for name in ("wraps", "cut_wraps", "restarts", "backoffs", "tokens_per_wrap"):
        assert values[name] == getattr(expected, name)


def test_an_index_is_read_with_all_options(
    index_file: Path, index: TrieIndex, run_json: RunJson, tmp_path: Path
) -> None:
    flags = ["--space-align", "--space-align-topk", "2", "--space-cut", "--prune-mass1-space"]
    out = tmp_path / "out.txt"
    values = run_json(
        *(synth_wrap, "--index", index_file, "--tokens", 500, "--seed", 3, *flags, "--out", out)
    )
    options: dict[str, Any] = {"space_cut": True, "prune_mass1_space": True, "space_align_topk": 2}
    expected = agpt.synthesize(index, 500, 3, space_align=True, **options)
    assert out.read_bytes() == expected.to_bytes()
    assert values["cut_wraps"] == expected.cut_wraps > 0
    run_json(synth_wrap, "--index", index_file, "--walk", "suffix", "--out", out, "--tokens", 99)
    assert out.read_bytes() == agpt.synthesize(index, 99, walk="suffix").to_bytes()


def test_the_reference_builds_what_it_needs(corpus_file: Path, run_json: RunJson) -> None:
    run_json(synth_wrap, "--corpus", corpus_file, "--rng", "reference", "--depth", "4")
    corpus = Corpus.from_file(corpus_file)
    index = TrieIndex.build(corpus, 4, corpus_end="reference")
    written = corpus_file.with_name("text.synth.txt").read_bytes()
    assert written == agpt.synthesize(index, rng="reference").to_bytes()


def test_bytes_and_ids_go_to_files_as_they_are(
    index_file: Path, index: TrieIndex, run_json: RunJson, tmp_path: Path
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)) * 4)
    run_json(synth_wrap, "--corpus", binary, "--tokenizer", "byte", "--tokens", 600)
    assert set((tmp_path / "binary.synth.txt").read_bytes()) == set(range(256))
    values = run_json(synth_wrap, "--index", index_file, "--out", tmp_path / "ids.npy")
    assert values["fnv"] is None
    assert np.load(tmp_path / "ids.npy").tolist() == agpt.synthesize(index).tokens.tolist()


def test_standard_output_gets_the_text_alone(
    index_file: Path, index: TrieIndex, run_command: RunCommand
) -> None:
    result = run_command(synth_wrap, "--index", index_file, "--tokens", 50, "--out", "-")
    assert result.stdout_bytes == agpt.synthesize(index, 50).to_bytes()
    assert "50 tokens from depth 6" in result.stderr


def test_the_report_says_what_is_copied(
    index_file: Path, index: TrieIndex, run_command: RunCommand, run_json: RunJson
) -> None:
    overlap = agpt.memorisation(agpt.synthesize(index, 5000).tokens, index)
    arguments = (synth_wrap, "--index", index_file, "--tokens", 5000, "--report")
    assert run_json(*arguments)["memorisation"] == overlap.to_dict()
    lines = run_command(*arguments).stdout.splitlines()
    assert f"longest stretch of the corpus: {overlap.longest} tokens" in lines[1]
    shares = [float(line.split()[-1].rstrip("%")) for line in lines[5:]]
    assert len(shares) == len(overlap.histogram_by_doubling())
    assert abs(sum(shares) - 100) < 0.5


def test_what_the_command_refuses(
    run_command: RunCommand, corpus_file: Path, index_file: Path, tmp_path: Path
) -> None:
    refused: list[tuple[int, list[object], str]] = [
        (USAGE, [], "either a text with --corpus or an index with --index"),
        (USAGE, ["--corpus", corpus_file, "--index", index_file], "either a text"),
        (USAGE, ["--index", index_file, "--depth", "5"], "--depth is for --corpus"),
        (USAGE, ["--index", index_file, "--out", "-", "--json"], "both want standard output"),
        (DATA, ["--index", corpus_file], "is not an agpt index"),
        (DATA, ["--index", tmp_path / "absent.agpt"], "absent.agpt: no such file"),
        (DATA, ["--corpus", tmp_path / "absent.txt"], "absent.txt: no such file"),
        (DATA, ["--index", index_file, "--rng", "reference"], "corpus end 'reference'"),
        (DATA, ["--index", index_file, "--tokens", "-5"], "the number of tokens is -5"),
        (DATA, ["--index", index_file, "--out", tmp_path / "no" / "x"], "does not exist"),
    ]
    before = sorted(tmp_path.iterdir())
    for code, arguments, message in refused:
        assert_fails(run_command(synth_wrap, *arguments), code, "agpt-synth-wrap: ", message)
    ids = tmp_path / "ids.agpt"
    TrieIndex.build(Corpus.from_tokens([1, 2, 1, 2]), 2).save(ids)
    assert_fails(run_command(synth_wrap, "--index", ids), DATA, "stand for no text", ".npy")
    assert sorted(path for path in tmp_path.iterdir() if path != ids) == before
