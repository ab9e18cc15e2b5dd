"""Partitions of tinyshakespeare against the published figures, and the rules from Python."""

import json
from pathlib import Path

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, TrieIndex
from support import data_file

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden/tinyshakespeare_trie.json").read_text(encoding="utf-8")
)
BYTES_PER_POSITION = 64 * 2 * 2 * 4  # keys and values, 64 wide, of 2 layers in float32


@pytest.fixture(scope="module", params=[8, 16, 32])
def shakespeare(request: pytest.FixtureRequest) -> TrieIndex:
    corpus = Corpus.from_file(data_file("tinyshakespeare.txt"))
    return TrieIndex.build(corpus, request.param, corpus_end="reference")


def test_units_of_unigrams_are_the_published_subtrees(shakespeare: TrieIndex) -> None:
    units = shakespeare.partition("unigram")
    names = GOLDEN["roots_columns"]
    for name, figure in (("nodes", "nodes at depth"), ("positions", "positions at")):
        column = names.index(f"{figure} {shakespeare.depth}")
        assert units[name].tolist() == [row[column] for row in GOLDEN["roots"]]
    assert units["ancestors"].max() == 0
    assert units["mass"].sum() == shakespeare.total_mass


def test_the_largest_units_need_the_published_memory(shakespeare: TrieIndex) -> None:
    published = {8: (142.6, 27.1), 16: (1295.7, 226.1), 32: (4065.2, 677.4)}
    for rule, megabytes in zip(("unigram", "bigram"), published[shakespeare.depth], strict=True):
        largest = int(shakespeare.partition(rule)["positions"].max())
        assert abs(largest * BYTES_PER_POSITION / 1e6 - megabytes) <= 0.0501


def test_bigram_units_are_the_published_files_without_those_of_root_children(
    shakespeare: TrieIndex,
) -> None:
    units = shakespeare.partition("bigram")
    published = 1465
    root_children_alone = int(shakespeare.profile()["nodes"][0])
    assert units["positions"].size == published - root_children_alone == 1403
    assert units["positions"].sum() == shakespeare.n_positions


def test_balanced_units_cut_the_units_of_first_tokens_and_keep_to_their_size(
    shakespeare: TrieIndex,
) -> None:
    units = shakespeare.partition("balanced=10000")
    assert units["positions"].max() <= 10000
    assert np.isin(shakespeare.partition("unigram")["first_node"], units["first_node"]).all()
    assert np.diff(units["first_row"]).tolist() == units["positions"].tolist()
    assert units["ancestors"].max() < shakespeare.depth


def test_a_rule_that_is_none_is_refused() -> None:
    index = TrieIndex.build(Corpus.from_text("abracadabra"), 3)
    with pytest.raises(ArgumentError, match="'trigram' is no partition: choose unigram, bigram"):
        index.partition("trigram")
    with pytest.raises(ArgumentError, match="must be at least the depth of the index, 3"):
        index.partition("balanced=2")
