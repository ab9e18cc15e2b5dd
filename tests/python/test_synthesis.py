"""Synthetic texts from Python: the published texts of the reference, documents, files, refusals."""

from pathlib import Path
from typing import Any

import agpt
import numpy as np
import pytest
from agpt import ArgumentError, Corpus, TrieIndex
from agpt._engine import text_hash
from agpt.synthesis import text_bytes
from support import data_file

BEGINNING = (
    b"ive me your hand,\nAnd let the subear:\nThe ruddiness upon her lip heartless hinds?\n"
    b"Turn thee, Benve blank charters;"
)
HEAD = {"prune_mass1_head": True}
SPACE = {"prune_mass1_space": True}
# depth, millions of tokens, options, wraps, cut wraps, hash
PUBLISHED: list[tuple[int, int, dict[str, bool], int, int, str | None]] = [
    (32, 10, {}, 312_499, 0, "58d06e9e7b37977f"),
    (32, 1, {}, 31_249, 0, "0151a638802db855"),
    (16, 1, {}, 62_499, 0, None),
    (32, 10, HEAD, 1_144_760, 1_142_476, "0765d57189b39b0f"),
    (32, 10, SPACE, 736_077, 732_629, None),
    (32, 10, {"space_cut": True}, 369_491, 363_109, None),
]


@pytest.fixture(scope="module")
def shakespeare() -> dict[int, TrieIndex]:
    corpus = Corpus.from_file(data_file("tinyshakespeare.txt"))
    return {d: TrieIndex.build(corpus, d, corpus_end="reference") for d in (16, 32)}


@pytest.mark.parametrize(("depth", "millions", "options", "wraps", "cut_wraps", "fnv"), PUBLISHED)
def test_texts_of_the_reference_come_out_bit_for_bit(
    shakespeare: dict[int, TrieIndex],
    depth: int,
    millions: int,
    options: dict[str, Any],
    wraps: int,
    cut_wraps: int,
    fnv: str | None,
) -> None:
    text = agpt.synthesize(shakespeare[depth], millions * 10**6, rng="reference", **options)
    assert (text.wraps, text.cut_wraps, text.restarts) == (wraps, cut_wraps, 0)
    content = text.to_bytes()
    assert len(content) == millions * 10**6
    assert fnv is None or f"{text_hash(content):016x}" == fnv
    if not options and depth == 32:
        assert content.startswith(BEGINNING)
        assert millions != 1 or content.count(b"  ") == 5


def test_characters_bytes_and_documents_become_text() -> None:
    for tokenizer in ("char", "byte"):
        corpus = Corpus.from_text("Grüße aus Köln — 😀\n" * 3, tokenizer)
        assert text_bytes(corpus.tokens, corpus.vocabulary).decode() == "Grüße aus Köln — 😀\n" * 3
        corpus = Corpus.from_documents(["añna", "bob"], tokenizer)
        assert text_bytes(corpus.tokens, corpus.vocabulary).decode() == "\nañna\n\nbob\n"


def test_tokens_of_a_tokenizer_become_its_text(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    words = tokenizers.models.WordLevel({"ann": 0, "and": 1, "bob": 2}, unk_token="bob")
    made = tokenizers.Tokenizer(words)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "words.json"))
    documents = Corpus.from_documents(["ann and bob", "bob and ann"], str(tmp_path / "words.json"))
    written = text_bytes(documents.tokens, documents.vocabulary)
    assert written == b"\nann and bob\n\nbob and ann\n"
    running = Corpus.from_text("ann and bob and ann", str(tmp_path / "words.json"))
    text = agpt.synthesize(TrieIndex.build(running, 2), 60)
    assert set(text.to_bytes().split()) == {b"ann", b"and", b"bob"}
    with pytest.raises(ArgumentError, match="has no token for it"):
        agpt.synthesize(TrieIndex.build(running, 2), space_cut=True)


def test_documents_are_lines_that_join_pieces_of_documents() -> None:
    names = ["anna", "hanna", "bob", "bobby"]
    index = TrieIndex.build(Corpus.from_documents(names), 3, starts="every")
    for walk in ("bridge", "suffix"):
        lines = agpt.synthesize(index, 4000, walk=walk).to_bytes().decode().split("\n")
        assert set(names) <= set(lines[:-1])
        assert "" not in lines[:-1]


def test_the_text_is_written_whole_and_ids_as_an_array(tmp_path: Path, index: TrieIndex) -> None:
    text = agpt.synthesize(index, 500)
    assert text.tokens.dtype == index.tokens.dtype
    text.save(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == text.to_bytes()
    assert text.to_bytes().decode() == index.decode(text.tokens)
    text.save(tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").tolist() == text.tokens.tolist()
    ids = agpt.synthesize(TrieIndex.build(Corpus.from_tokens([5, 7, 5, 9, 5, 7] * 9), 3), 40)
    assert set(ids.tokens.tolist()) == {5, 7, 9}
    with pytest.raises(ArgumentError, match="stand for no text"):
        ids.save(tmp_path / "b.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "a.txt"]


def test_figures_of_a_text(index: TrieIndex) -> None:
    text = agpt.synthesize(index, 601)
    assert (text.wraps, text.cut_wraps, text.restarts, text.backoffs) == (100, 0, 0, 0)
    assert text.tokens_per_wrap == 6.01
    assert agpt.synthesize(index, 0).tokens_per_wrap is None
    assert text.seconds > 0


def test_what_does_not_go_together_is_refused_in_a_sentence(index: TrieIndex) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"walk": "run"}, "the walk 'run' is unknown: choose from bridge, suffix"),
        ({"rng": "dice"}, "the generator 'dice' is unknown: choose from xoshiro, reference"),
        ({"rng": "reference"}, "an index with the corpus end 'reference'"),
        ({"walk": "suffix", "space_cut": True}, "for the walk 'bridge'"),
        ({"n_tokens": -1}, "the number of tokens is -1"),
        ({"seed": -1}, "the seed is -1"),
        ({"space_align_topk": 0}, "space_align_topk is 0"),
    ]
    for options, message in refused:
        with pytest.raises(ArgumentError, match=message):
            agpt.synthesize(index, **options)
    for corpus, build, options, message in (
        (Corpus.from_text("abab"), {"reverse": True}, {}, "backwards"),
        (Corpus.from_text("abab"), {}, {"space_cut": True}, "has no token for it"),
        (Corpus.from_documents(["ab"]), {"starts": "documents"}, {}, "beginnings of documents"),
    ):
        with pytest.raises(ArgumentError, match=message):
            agpt.synthesize(TrieIndex.build(corpus, 3, **build), **options)


def test_what_progress_raises_ends_the_synthesis(index: TrieIndex) -> None:
    def stop(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        agpt.synthesize(index, progress=stop)
