"""Documents of pieces of running text: where they are cut, and who reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
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
from agpt.cli.perplexity import command as perplexity
from agpt.cli.train import command as train
from agpt.data.chunks import Chunks
from agpt.data.reading import read_corpus
from agpt.token_text import TRAIN, TokenText, text_of_split
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from support import assert_fails, data_file


@given(
    st.text(st.sampled_from("ab \n\t\u00a0é"), max_size=60),
    st.integers(1, 12),
    st.none() | st.integers(0, 15),
)
def test_chunks_are_all_whole_pieces_at_every_step(
    text: str, size: int, overlap: int | None
) -> None:
    chunks = Chunks(size, overlap)
    assert chunks.step == max(1, size - (size // 2 if overlap is None else overlap))
    collapsed = " ".join(text.split())
    starts = [at for at in range(0, len(text), chunks.step) if at + size <= len(collapsed)]
    if not starts:
        with pytest.raises(FormatError, match="fewer than one chunk"):
            list(chunks.of([text]))
        return
    assert list(chunks.of([text])) == [collapsed[at : at + size] for at in starts]
    assert list(chunks.of(text)) == list(chunks.of([text]))  # however the text is delivered


def test_sizes_of_chunks_that_cut_nothing_are_refused() -> None:
    with pytest.raises(ArgumentError, match="chunk_size is 0"):
        Chunks(0)
    with pytest.raises(ArgumentError, match="chunk_overlap is -1"):
        Chunks(4, -1)


def test_chunks_of_files_are_documents_of_their_joined_text(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("one\n two", encoding="utf-8")
    second.write_text("three\n", encoding="utf-8")
    corpus = read_corpus([first, second], chunks=Chunks(6, 2))
    expected = Corpus.from_documents(["one tw", "twothr"])
    assert np.array_equal(corpus.tokens, expected.tokens)
    assert corpus.vocabulary == expected.vocabulary


def test_shakespeare_has_as_many_chunks_as_its_length_says(
    run_json: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    text = data_file("tinyshakespeare.txt")
    collapsed = len(" ".join(text.read_text(encoding="utf-8").split()))
    options = ["--starts", "documents", "--chunk-size", 128, "--depth", 1, "--val-fraction", 0]
    values = run_json(build, text, *options, "--out", tmp_path / "x.agpt")
    assert values["n_tokens"] == ((collapsed - 128) // 64 + 1) * (128 + 2)


def test_options_of_chunks_that_do_nothing_are_refused(
    corpus_file: Path, run_command: Callable[..., Result]
) -> None:
    refused = run_command(build, corpus_file, "--chunk-size", 5)
    assert_fails(refused, 2, "--starts documents")
    refused = run_command(train, corpus_file, "--chunk-overlap", 5, "--steps", 1)
    assert_fails(refused, 2, "--chunk-overlap needs --chunk-size")


@given(st.lists(st.integers(1, 5), max_size=8))
def test_a_text_without_ends_has_the_same_documents(lengths: list[int]) -> None:
    documents = [[9, *range(length)] for length in lengths]
    whole = TokenText.from_tokens(
        np.array([token for document in documents for token in [*document, 9]], np.uint32), 9
    )
    cut = whole.without_ends()
    assert [list(part) for part in np.split(cut.tokens, cut.document_starts)[1:]] == documents


def test_a_running_text_has_no_ends_to_leave_out() -> None:
    text = text_of_split(Corpus.from_text("abc"), TRAIN)
    assert text.without_ends() is text


def test_without_ends_the_boundary_is_never_a_target() -> None:
    corpus = Corpus.from_documents(["ab", "a", "bca", "cc"])
    boundary = corpus.vocabulary.boundary
    assert boundary is not None

    def head_gradient(document_ends: bool) -> tuple[int, np.ndarray]:
        config = TrainConfig(mode="window", document_ends=document_ends)
        model = Model(ModelConfig.preset("karpathy-b", corpus.vocab_size), dtype="float64")
        model.parameters()["head.weight"][:, boundary] = 0
        model.parameters()["head.weight"][0, boundary] = -1e4  # as good as impossible ...
        model.parameters()["embedding.weight"][:, 0] = 100  # ... since rows are positive there
        model.parameters()["position_embedding.weight"][:, 0] = 0
        trainer = Trainer(model, corpus, config)
        return trainer.pass_positions, trainer.gradients()[1]["head.weight"][:, boundary]

    n_with, with_ends = head_gradient(True)
    n_without, without_ends = head_gradient(False)
    assert n_with == n_without + 4
    assert np.abs(with_ends).max() > 0.1
    assert np.abs(without_ends).max() == 0


def test_ends_that_are_not_learned_are_not_scored(
    tmp_path: Path, run_json: Callable[..., dict[str, Any]]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(["ab", "bca", "c", "aacb", "bb", "cab"]), encoding="utf-8")
    reading = ["--starts", "documents", "--val-fraction", 0.4]
    index = run_json(build, text, *reading, "--depth", 1, "--out", tmp_path / "text.agpt")["path"]
    n_characters = TrieIndex.open(index).held_out.size - 2 * 2  # of two documents
    options = ["--mode", "window", "--context", 8, "--d-model", 16, "--steps", 2]
    for ends, expected in (
        ("--no-document-ends", n_characters),
        ("--document-ends", n_characters + 2),
    ):
        values = run_json(train, text, *reading, *options, ends)
        assert values["evaluation"]["positions"] == expected
        score = run_json(perplexity, values["model"], "--index", index)
        assert score["positions"] == expected
        assert score["loss"] == pytest.approx(values["evaluation"]["loss"], rel=1e-6)


def test_ends_can_be_left_out_of_windows_of_the_text_alone() -> None:
    with pytest.raises(ArgumentError, match="document_ends is off"):
        TrainConfig(document_ends=False)
    with pytest.raises(ArgumentError, match="document_ends is off"):
        TrainConfig(mode="window", window_targets="trie", document_ends=False)
