"""Queries from Python: many at once as one by one, occurrences, continuations, the tree."""

import re
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, TrieIndex
from hypothesis import given
from hypothesis import strategies as st
from support import data_file

TEXT = "the cat sat on the mat and the cat ran"


@pytest.fixture(scope="module")
def cats() -> TrieIndex:
    return TrieIndex.build(Corpus.from_text(TEXT), 6, threads=1)


def test_an_array_with_lengths_and_a_list_of_paths_are_asked_alike(cats: TrieIndex) -> None:
    words = ["the ", "cat", "dog", "a", "", "the cat", "t on"]
    paths = [cats.encode(word.replace("d", "t").replace("g", "t")) for word in words]
    longest = max(len(path) for path in paths)
    matrix = np.zeros((len(paths), longest), np.int16)
    for i, path in enumerate(paths):
        matrix[i, : len(path)] = path
    lengths = [len(path) for path in paths]
    expected = [cats.count(path) for path in paths]
    assert expected[:2] == [3, 2]
    for batch in ((paths,), ([path.tolist() for path in paths],), (matrix, lengths)):
        assert cats.count_batch(*batch).tolist() == expected
        matches = [cats.longest_match(path) for path in paths]
        assert cats.longest_match_batch(*batch).tolist() == matches
        row_begin, tokens, counts = cats.next_counts_batch(*batch)
        dense = cats.next_distribution_batch(*batch)
        assert dense.shape == (len(paths), cats.vocab_size)
        for i, path in enumerate(paths):
            row = slice(row_begin[i], row_begin[i + 1])
            following = cats.next_counts(path)
            assert dict(zip(tokens[row].tolist(), counts[row].tolist(), strict=True)) == following
            total = sum(following.values()) or 1
            shares = [following.get(token, 0) / total for token in range(cats.vocab_size)]
            np.testing.assert_allclose(dense[i], shares, rtol=1e-6)


def test_an_array_without_lengths_is_paths_of_its_width(cats: TrieIndex) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(cats.tokens, 3)
    expected = [len(re.findall(f"(?={TEXT[i : i + 3]})", TEXT)) for i in range(len(windows))]
    expected[-1] -= 1  # the end of the text is followed by nothing
    assert cats.count_batch(windows).tolist() == expected
    assert cats.count_batch(np.zeros((0, 3), int)).tolist() == []
    assert cats.count_batch([]).tolist() == []


@given(st.text("ab", min_size=2, max_size=80), st.integers(1, 6), st.data())
def test_occurrences_are_those_of_the_text_that_are_followed(
    text: str, depth: int, data: st.DataObject
) -> None:
    index = TrieIndex.build(Corpus.from_text(text), depth, threads=1)
    begin = data.draw(st.integers(0, len(text) - 1))
    path = text[begin : begin + data.draw(st.integers(1, depth))]
    expected = [i for i in range(len(text) - len(path)) if text.startswith(path, i)]
    assert index.occurrences(index.encode(path)).tolist() == expected
    assert index.occurrences(index.encode(path), limit=2).tolist() == expected[:2]


def test_occurrences_in_a_real_text_are_those_of_a_regular_expression() -> None:
    corpus = Corpus.from_file(data_file("tinyshakespeare.txt"))
    index = TrieIndex.build(corpus, 32)
    text = corpus.decode(corpus.tokens)
    for path in ("e", "the", "KING RICHARD III:\n", "\n\nKING RICHARD III:\nI will not "):
        expected = [match.start() for match in re.finditer(f"(?={re.escape(path)})", text)]
        assert index.occurrences(index.encode(path)).tolist() == expected
        assert index.occurrences(index.encode(path), limit=3).tolist() == expected[:3]


def test_continuations_repeat_by_seed_and_follow_the_counts(cats: TrieIndex) -> None:
    contexts: list[Any] = [cats.encode("the "), cats.encode("zzz".replace("z", "t")), []]
    drawn = cats.sample_batch(contexts, 50, seed=3)
    assert drawn.shape == (3, 50)
    assert (drawn == cats.sample_batch(contexts, 50, seed=3)).all()
    assert (drawn != cats.sample_batch(contexts, 50, seed=4)).any()
    assert cats.sample(contexts[0], 50, seed=3).tolist() == drawn[0].tolist()
    for context, tokens in zip(contexts, drawn.tolist(), strict=True):
        text = [*context, *tokens]
        assert all(
            cats.count(text[i - 1 : i + 1]) > 0 for i in range(len(context) + 1, len(text) - 1)
        )


def test_an_exact_continuation_ends_where_its_path_does(cats: TrieIndex) -> None:
    context = cats.encode("the ")
    tokens = cats.sample(context, 50, exact=True)
    assert len(tokens) == cats.depth - len(context) + 1  # the deepest row has targets too
    assert cats.count([*context, *tokens[:-1]]) > 0
    assert cats.sample(cats.encode("catcat"), 50, exact=True).size == 0
    assert cats.sample_batch([context], 5, exact=True)[0].tolist() == [*tokens, -1, -1]


def test_the_tree_is_walked_from_the_root_and_back(cats: TrieIndex) -> None:
    seen = []

    def visit(node: Any) -> None:
        for child in node.children:
            seen.append(child.id)
            assert child.parent == node
            assert child.path.tolist() == [*node.path, *child.edge]
            assert child.parent_depth == node.depth
            assert child.mass == cats.count(child.path)
            assert child.next_counts() == cats.next_counts(child.path)
            visit(child)

    assert cats.root.parent is None
    assert cats.root.is_root
    assert cats.root.mass == cats.n_starts
    assert cats.root.next_counts() == cats.next_counts([])
    visit(cats.root)
    assert seen == list(range(cats.n_nodes))


def test_nodes_are_found_by_path_and_outlive_the_name_of_their_index(cats: TrieIndex) -> None:
    node = TrieIndex.build(Corpus.from_text(TEXT), 6).find(cats.encode("an"))
    assert node is not None
    assert cats.decode(node.path) == "and th"  # "an" lies on its edge
    assert cats.find(cats.encode("tt")) is None
    assert cats.find([]) == cats.root
    assert cats.node(node.id) != node  # of another index
    assert hash(cats.node(3)) == hash(cats.node(3))


def test_all_nodes_as_arrays_are_the_nodes(cats: TrieIndex) -> None:
    table = cats.node_table()
    for name in ("depth", "parent_depth", "mass"):
        expected = [getattr(cats.node(i), name) for i in range(cats.n_nodes)]
        assert table[name].tolist() == expected
        assert cats.node_table(2, 5)[name].tolist() == expected[2:5]
    for i in range(cats.n_nodes):
        begin = table["text"][i]
        assert cats.tokens[begin : begin + table["depth"][i]].tolist() == cats.node(i).path.tolist()
        children = [child.id for child in cats.node(i).children]
        expected_end = cats.node_table()["subtree_end"][children[-1]] if children else i + 1
        assert table["subtree_end"][i] == expected_end
    rows = np.append(table["first_row"], cats.n_positions)
    assert np.diff(rows).tolist() == (table["depth"] - table["parent_depth"]).tolist()


def test_what_is_no_batch_of_paths_is_refused(cats: TrieIndex) -> None:
    matrix = np.zeros((2, 3), int)
    refused: list[tuple[tuple[Any, ...], str]] = [
        ((np.zeros(3, int),), "two dimensions, or a list of paths, not an array of 1"),
        ((matrix, [1]), "1 lengths for 2 paths"),
        ((matrix, [1, 4]), "length 4 of a path is out of range: the array has 3 columns"),
        ((matrix, [1, -1]), "length -1"),
        ((np.zeros((2, 3)),), "integers"),
        ((-np.ones((2, 3), int),), "token id -1 is out of range"),
        (([[1], [2]], [1, 1]), "paths in a list have their own"),
    ]
    for arguments, message in refused:
        with pytest.raises(ArgumentError, match=message):
            cats.count_batch(*arguments)
    with pytest.raises(ArgumentError, match="limit is -1"):
        cats.occurrences([0], limit=-1)
    with pytest.raises(ArgumentError, match="there is no node"):
        cats.node(cats.n_nodes)
    with pytest.raises(ArgumentError, match="no range of this index"):
        cats.node_table(3, 2)
    with pytest.raises(ArgumentError, match="length of a continuation is -1"):
        cats.sample([0], -1)
