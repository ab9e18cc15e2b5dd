"""The memorisation report against a search for every stretch, and its figures."""

import agpt
import numpy as np
import pytest
from agpt import ArgumentError, Corpus, TrieIndex
from hypothesis import given
from hypothesis import strategies as st


@given(st.text("abc", min_size=1, max_size=40), st.text("abc", max_size=40))
def test_lengths_are_those_of_the_longest_copied_stretches(corpus: str, text: str) -> None:
    source = Corpus.from_text(corpus + "|abc")
    report = agpt.memorisation(text, source)
    expected = [
        max(n for n in range(end + 1) if text[end - n : end] in corpus + "|abc")
        for end in range(1, len(text) + 1)
    ]
    assert report.lengths.tolist() == expected
    assert report.longest == max(expected, default=0)
    begin, found = report.longest_at, report.longest_in_corpus
    stretch = text[begin : begin + report.longest]
    assert (corpus + "|abc").find(stretch) == found
    assert report.histogram.tolist() == [
        expected.count(n) for n in range(max(expected, default=0) + 1)
    ]
    assert report.mean == (pytest.approx(np.mean(expected)) if expected else 0)
    assert report.median == (np.median(expected) if expected else 0)


def test_the_histogram_by_doubling_covers_every_token_once() -> None:
    report = agpt.memorisation("abcabcabc", Corpus.from_text("xabcabcx"))
    assert report.lengths.tolist() == [1, 2, 3, 4, 5, 6, 4, 5, 6]
    assert report.histogram_by_doubling() == [(0, 0, 0), (1, 1, 1), (2, 3, 2), (4, 7, 6)]
    assert report.to_dict() == {
        "n_tokens": 9,
        "longest": 6,
        "longest_at": 0,
        "longest_in_corpus": 1,
        "mean": 4.0,
        "median": 4.0,
        "histogram": [[0, 0, 0], [1, 1, 1], [2, 3, 2], [4, 7, 6]],
    }


def test_an_index_is_compared_with_what_it_was_built_from() -> None:
    index = TrieIndex.build(Corpus.from_text("abcdefghij"), 3, val_fraction=0.5)
    assert agpt.memorisation("abcdefghij", index).longest == 5
    assert agpt.memorisation(index.tokens, index).lengths.tolist() == [1, 2, 3, 4, 5]


def test_ids_of_any_integer_type_are_compared_and_others_refused() -> None:
    corpus = Corpus.from_tokens([1, 70_000, 2])
    for dtype in (np.int64, np.uint32, np.int32, np.uint64):
        ids = np.array([70_000, 2, 80_000], dtype)
        assert agpt.memorisation(ids, corpus).lengths.tolist() == [1, 2, 0]
    assert agpt.memorisation([], corpus).mean == 0
    with pytest.raises(ArgumentError, match="one-dimensional array of token ids"):
        agpt.memorisation(np.zeros(3), corpus)
    with pytest.raises(ArgumentError, match="from 0 to 2\\^31 - 1"):
        agpt.memorisation([-1], corpus)
    with pytest.raises(ArgumentError, match="not in the vocabulary"):
        agpt.memorisation("abc", Corpus.from_text("xyz"))
