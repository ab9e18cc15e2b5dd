"""The reference builders' files: published sizes, commands, refusals."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import (
    ArgumentError,
    Corpus,
    FormatError,
    Model,
    ModelConfig,
    TrainConfig,
    Trainer,
    TrieIndex,
)
from agpt.cli.build import command as build
from agpt.cli.build_index import command as build_index
from agpt.cli.build_radix import command as build_radix
from agpt.cli.build_radix_corpus import command as build_radix_corpus
from agpt.cli.export import command as export
from agpt.cli.radix_verify import command as radix_verify
from agpt.interchange import export_index, import_index
from click.testing import Result
from support import assert_fails
from test_trie_index import data_file

RunCommand = Callable[..., Result]
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
    index_file: Path, tmp_path: Path, run_command: RunCommand
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


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_leveled_shakespeare_has_as_many_nodes_as_published(
    shakespeare_file: Path, tmp_path: Path, run_json: RunJson
) -> None:
    folder = tmp_path / "leveled"
    figures = run_json(export, shakespeare_file, "--format", "leveled", "--out", folder)
    assert figures["n_nodes"] == 1_545_083
    # 28 bytes a node, 8 an entry: the entries of depth L are the distinct paths of depth L + 1, the
    # last of them the entries at the cap.
    entries = 1_545_082 - 65 + 750_468
    headers = 9 * 12
    levels = sum(file.stat().st_size for file in folder.glob("depth_*.bin"))
    assert levels == 28 * 1_545_083 + 8 * entries + headers
    assert run_json(radix_verify, folder)["n_records"] == 1_545_083


def test_subsampled_single_file_has_as_many_nodes_as_published(tmp_path: Path) -> None:
    text = Corpus.from_file(data_file("tinyshakespeare.txt"))
    for count, depth, nodes in ((5_000, 8, 24_527), (20_000, 16, 236_604)):
        index = TrieIndex.build(text, depth, starts=f"max={count}")
        assert export_index(index, tmp_path / f"{count}", "single")["n_nodes"] == nodes + 1


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("leveled", ()), ("radix", ()), ("radix", ("--per-subtree", "--subtree-level", 2))],
)
def test_export_import_export_gives_the_same_bytes(
    index_file: Path,
    tmp_path: Path,
    run_json: RunJson,
    file_format: str,
    options: tuple[object, ...],
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run_json(export, index_file, "--format", file_format, *options, "--out", first)
    imported = run_json(build, "--import", first)["path"]
    assert imported == str(tmp_path / "first.agpt")
    assert run_json(radix_verify, imported)["valid"]
    run_json(export, imported, "--format", file_format, *options, "--out", second)
    assert contents(first) == contents(second)


def test_an_import_with_its_text_is_the_index_of_the_text(
    corpus_file: Path, tmp_path: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    folder = tmp_path / "folder"
    reverse = ("--reverse", "--prune-min-mass", 2, "--prune-min-depth", 3, "--per-subtree")
    figures = run_json(
        build_radix_corpus, "--corpus", corpus_file, "--max-depth", 6, *reverse, "--out", folder
    )
    values = run_json(build, corpus_file, "--import", folder, "--out", tmp_path / "in.agpt")
    index = TrieIndex.open(values["path"])
    assert (index.starts, index.reverse, index.prune_min_mass) == ("every", True, 2)
    assert figures["n_records"] >= index.n_nodes  # a mass at the end of the text may differ by one
    assert values["vocab_size"] == Corpus.from_file(corpus_file).vocab_size
    other = tmp_path / "other.txt"
    other.write_text(corpus_file.read_text()[::-1].replace("a", "b", 1))
    assert_fails(run_command(build, other, "--import", folder), 1, "another text")
    file = folder / "radix_depth_002.bin"
    content = bytearray(file.read_bytes())
    content[-4] ^= 64  # of a count
    file.write_bytes(content)
    assert_fails(run_command(build, corpus_file, "--import", folder), 1, "differs", "at byte")


def test_the_commands_of_the_reference_agree(
    corpus_file: Path, tmp_path: Path, run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    leveled = Path(run_json(build_index, "--corpus", corpus_file, "--max-depth", 5)["path"])
    assert str(leveled) == "agpt_text_d5"
    radix = Path(run_json(build_radix, "--leveled", leveled, "--per-subtree")["path"])
    assert str(radix) == "agpt_text_d5_radix"
    index = TrieIndex.build(Corpus.from_file(corpus_file), 5)
    export_index(index, tmp_path / "a", subtree_level=1)
    assert contents(radix) == contents(tmp_path / "a")
    pruned = ("--prune-min-mass", 3, "--prune-min-depth", 2)
    run_json(build_radix, "--leveled", leveled, *pruned, "--out", "pruned")
    index = TrieIndex.build(Corpus.from_file(corpus_file), 5, prune_min_mass=3, prune_min_depth=2)
    export_index(index, tmp_path / "pruned_a")
    assert contents(tmp_path / "pruned") == contents(tmp_path / "pruned_a")


def test_verify_names_the_violations_of_a_reference_directory(
    index_file: Path, tmp_path: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    folder = tmp_path / "folder"
    run_json(export, index_file, "--out", folder)
    assert run_json(radix_verify, folder)["format"] == "radix"
    meta = folder / "meta.bin"
    content = bytearray(meta.read_bytes())
    content[16] ^= 1  # the number of edge tokens
    meta.write_bytes(content)
    result = run_command(radix_verify, folder)
    assert result.exit_code == 1
    assert "meta.bin says" in result.stdout
    meta.write_bytes(content[:40])
    assert_fails(run_command(radix_verify, folder), 1, "meta.bin", "ends in the middle")
    assert_fails(run_command(build, "--import", folder), 1, "meta.bin")


def test_what_needs_the_text_refuses_an_imported_index(
    index_file: Path, tmp_path: Path, run_command: RunCommand
) -> None:
    export_index(TrieIndex.open(index_file), tmp_path / "folder", "leveled")
    index = import_index(tmp_path / "folder")
    assert not index.has_text
    assert index.starts == "imported"
    with pytest.raises(ArgumentError, match="imported without its text"):
        export_index(index, tmp_path / "x", "single")
    with pytest.raises(FormatError, match="no such file"):
        import_index(tmp_path)
    assert_fails(run_command(build), 2, "CORPUS")
    assert_fails(run_command(build, "--import", tmp_path, "--depth", 3), 2, "--depth")


def model_of(index: TrieIndex) -> Model:
    config = ModelConfig.preset(
        "microgpt", index.vocab_size, context=6, d_model=16, n_layers=1, heads=2
    )
    return Model(config, dtype="float64", vocabulary=index.vocabulary)


def test_an_imported_trie_trains_and_its_windows_are_refused(
    index: TrieIndex, tmp_path: Path
) -> None:
    export_index(index, tmp_path / "folder", "leveled")
    imported = import_index(tmp_path / "folder")
    losses = []
    for data in (index, imported):
        losses.append(Trainer(model_of(data), data, TrainConfig(unit="pass")).step().loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    with pytest.raises(ArgumentError, match="imported without its text"):
        Trainer(model_of(imported), imported, TrainConfig(mode="window")).step()
