"""The reference builders' files: published sizes, commands, refusals."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Corpus, TrieIndex
from agpt.cli.export import command as export
from click.testing import Result
from support import assert_fails
from test_trie_index import data_file

RunJson = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def shakespeare_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = TrieIndex.build(Corpus.from_file(data_file("tinyshakespeare.txt")), 8)
    path = tmp_path_factory.mktemp("index") / "shakespeare.agpt"
    index.save(path)
    return path


@pytest.fixture
def index_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.agpt"
    TrieIndex.build(Corpus.from_text("abacacb" * 3 + "a"), 4).save(path)
    return path


def manifest_of(folder: Path) -> list[tuple[int, int, int, int]]:
    rows = struct.iter_unpack("<IIqI", (folder / "manifest.bin").read_bytes()[12:])
    return [(key, records, tokens, depth) for key, records, tokens, depth in rows]


def depth_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("radix_depth_*.bin"))


def test_exported_shakespeare_has_the_published_sizes(
    shakespeare_file: Path, tmp_path: Path, run_json: RunJson
) -> None:
    folder = tmp_path / "bigrams"
    level_2 = ("--per-subtree", "--subtree-level", 2)
    figures = run_json(export, shakespeare_file, *level_2, "--out", folder)
    assert figures["n_records"] == 845_539
    assert figures["edge_tokens"] == 1_545_081
    assert depth_bytes(folder) == 39_240_912
    assert len(list(folder.glob("subtrees/radix_subtree_*.bin"))) == 1_465
    rows = manifest_of(folder)
    assert sum(row[1] for row in rows) == 845_539
    assert round(max(row[2] for row in rows) * 1024 / 1e6, 1) == 27.1


@pytest.mark.parametrize("order", ["a", "b"])
def test_subtrees_of_first_characters_have_the_published_sizes(
    shakespeare_file: Path, tmp_path: Path, run_json: RunJson, order: str
) -> None:
    folder = tmp_path / "unigrams"
    run_json(export, shakespeare_file, "--order", order, "--per-subtree", "--out", folder)
    assert depth_bytes(folder) == 39_240_912
    sizes = [row[1:3] for row in manifest_of(folder)]
    assert len(sizes) == 65
    # Newline, space, `e`, `z`: ids 0, 1, 43, 64.
    assert [sizes[i] for i in (0, 1, 43, 64)] == [
        (18_719, 35_664),
        (89_208, 137_495),
        (78_039, 139_265),
        (429, 1_048),
    ]


def test_what_cannot_be_exported_is_one_sentence(
    index_file: Path, tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    def run(*arguments: object) -> Result:
        return run_command(export, *arguments)

    assert_fails(run(index_file, "--out", tmp_path), 1, "exists already")
    missing = tmp_path / "no" / "out"
    assert_fails(run(index_file, "--out", missing), 1, str(missing))
    assert_fails(run(index_file, "--subtree-level", 2, "--out", "x"), 2, "needs --per-subtree")
    level_2 = ("--per-subtree", "--subtree-level", 2, "--out", tmp_path / "x")
    assert_fails(run(index_file, "--order", "b", *level_2), 1, "builder A only")
    for starts in ("stride=2", "max=5"):
        strided = tmp_path / "strided.agpt"
        TrieIndex.build(Corpus.from_text("abacacb"), 4, starts=starts).save(strided)
        assert_fails(run(strided, "--out", tmp_path / "x"), 1, starts, "--starts every")
    documents = tmp_path / "documents.agpt"
    TrieIndex.build(Corpus.from_documents(["anna", "bob"]), 4).save(documents)
    assert_fails(run(documents, "--out", tmp_path / "x"), 1, "documents")
    bytes_file = tmp_path / "bytes.agpt"
    TrieIndex.build(Corpus.from_text("abacacb", tokenizer="byte"), 4).save(bytes_file)
    assert_fails(run(bytes_file, *level_2), 1, "255", "256")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bytes.agpt",
        "documents.agpt",
        "small.agpt",
        "strided.agpt",
    ]
