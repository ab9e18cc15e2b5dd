"""The index from Python: figures of known texts, queries against a dictionary, files, refusals."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, FormatError, TrieIndex
from hypothesis import given
from hypothesis import strategies as st
from support import data_file

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests/golden/tinyshakespeare_trie.json").read_text())

FIGURES = ("depth", "n_nodes", "n_positions", "n_entries", "n_starts", "total_mass", "n_tokens")
OPTIONS = ("starts", "corpus_end", "reverse", "val_fraction", "split_seed", "prune_min_mass")
SAVED_ATTRIBUTES = (*FIGURES, *OPTIONS, "prune_min_depth", "vocab_size", "documents", "hash")


@pytest.fixture(scope="module")
def shakespeare() -> Corpus:
    return Corpus.from_file(data_file("tinyshakespeare.txt"))


def column(table: str, name: str) -> list[Any]:
    return [row[GOLDEN[f"{table}_columns"].index(name)] for row in GOLDEN[table]]


@pytest.mark.parametrize(
    ("depth", "nodes", "positions", "entries", "exact", "dropped"), GOLDEN["totals"]
)
def test_totals_of_tinyshakespeare(
    shakespeare: Corpus,
    depth: int,
    nodes: int,
    positions: int,
    entries: int,
    exact: int,
    dropped: int,
) -> None:
    reference = TrieIndex.build(shakespeare, depth, corpus_end="reference")
    assert reference.n_nodes == nodes
    assert reference.n_positions == positions
    assert reference.n_entries == entries
    index = TrieIndex.build(shakespeare, depth)
    assert index.hash == GOLDEN["token_hash"]
    assert index.n_positions == exact
    n = shakespeare.n_tokens
    assert index.total_mass == sum(n - k for k in range(1, depth + 1))
    profile = index.profile()
    assert profile["mass"].tolist() == [n - k for k in range(1, depth + 1)]
    distinct = [count - unique for count, unique in GOLDEN["distinct"]]
    assert profile["positions"].tolist() == distinct[:depth]


@pytest.mark.parametrize("depth", [8, 16, 32])
def test_endpoints_of_tinyshakespeare_by_depth(shakespeare: Corpus, depth: int) -> None:
    profile = TrieIndex.build(shakespeare, depth, corpus_end="reference").profile()
    for name in ("nodes", "node_mass", "median_node_mass", "largest_node_mass"):
        assert profile[name][: depth - 1].tolist() == column("endpoints", name)[: depth - 1]
    nodes = profile["nodes"]
    absorbed = profile["edge_tokens"] - nodes
    assert absorbed[: depth - 1].tolist() == column("endpoints", "absorbed")[: depth - 1]
    means = {
        "mean": profile["node_mass"] / nodes,
        "avg_branch": profile["entries"] / nodes,
        "avg_edge": profile["edge_tokens"] / nodes,
    }
    for name, values in means.items():
        printed = np.array(column("endpoints", name))[: depth - 1]
        assert np.abs(values[: depth - 1] - printed).max() <= 0.00501
    cap = dict(zip(GOLDEN["caps_columns"], GOLDEN["caps"][str(depth)], strict=True))
    for name in ("nodes", "node_mass", "largest_node_mass"):
        assert profile[name][-1] == cap[name]
    assert absorbed[-1] == cap["absorbed"]
    single = 100 * profile["single_target_nodes"][-1] / nodes[-1]
    assert abs(single - cap["percent with one target"]) <= 0.00501
    for name, values in means.items():
        assert abs(values[-1] - cap[name]) <= 0.00501


@pytest.mark.parametrize("depth", [8, 16, 32])
def test_subtrees_of_tinyshakespeare_by_first_character(shakespeare: Corpus, depth: int) -> None:
    profile = TrieIndex.build(shakespeare, depth, corpus_end="reference").profile()
    assert profile["root_token"].tolist() == column("roots", "token")
    assert profile["root_nodes"].tolist() == column("roots", f"nodes at depth {depth}")
    assert profile["root_positions"].tolist() == column("roots", f"positions at {depth}")
    occurrences = np.array(column("roots", "occurrences"))
    occurrences[shakespeare.tokens[-1]] -= 1  # the last character is followed by nothing
    assert profile["root_mass"].tolist() == occurrences.tolist()


@pytest.mark.parametrize("depth", [8, 16, 32])
def test_positions_that_occur_more_than_once(shakespeare: Corpus, depth: int) -> None:
    profile = TrieIndex.build(shakespeare, depth, corpus_end="reference").profile()
    assert profile["shared_positions"].sum() == GOLDEN["shared_positions"][str(depth)]


def test_contexts_of_tinyshakespeare_are_unique_at_the_published_depths(
    shakespeare: Corpus,
) -> None:
    leaves = TrieIndex.build(shakespeare, 32, corpus_end="reference").profile()["unique_leaves"]
    assert leaves.tolist() == GOLDEN["unique_leaves"]


@given(st.text("ab", min_size=2, max_size=60), st.integers(1, 9))
def test_leaves_are_unique_where_the_token_behind_their_last_branch_is(
    text: str, depth: int
) -> None:
    index = TrieIndex.build(Corpus.from_text(text), depth, threads=1)

    def followers(path: str) -> set[str]:
        ends = [i + len(path) for i in range(len(text)) if text.startswith(path, i)]
        return {text[end] for end in ends if end < len(text)}

    unique = set()
    for start in range(len(text) - 1):
        branch = depth - 1
        while branch > 0 and len(followers(text[start : start + branch])) < 2:
            branch -= 1
        path = text[start : start + branch + 1]
        if start + len(path) < len(text) and text.find(path) == text.rfind(path):
            unique.add(path)
    expected = [sum(len(path) == k for path in unique) for k in range(1, depth + 1)]
    assert index.profile()["unique_leaves"].tolist() == expected


@pytest.mark.parametrize(("depth", "nodes", "positions"), GOLDEN["pruned"])
def test_pruning_of_tinyshakespeare(
    shakespeare: Corpus, depth: int, nodes: int, positions: int
) -> None:
    index = TrieIndex.build(shakespeare, depth, corpus_end="reference", prune_min_mass=2)
    assert (index.n_nodes, index.n_positions) == (nodes, positions)


def test_tinyshakespeare_backwards(shakespeare: Corpus) -> None:
    index = TrieIndex.build(shakespeare, 8, reverse=True)
    assert index.hash == GOLDEN["reversed_token_hash"]
    text = shakespeare.decode(shakespeare.tokens)
    assert index.count(index.encode("the"[::-1])) == text.count("the")
    assert index.verify() == []


def test_names_as_documents() -> None:
    corpus = Corpus.from_file(data_file("names.txt"), documents=True)
    index = TrieIndex.build(corpus)
    assert index.starts == "documents"
    assert index.n_positions == 59184
    assert index.total_mass == 228146
    assert index.n_starts == 32033
    assert index.verify() == []


@given(st.text("ab c", min_size=2, max_size=60), st.integers(1, 9))
def test_counts_are_those_of_a_dictionary(text: str, depth: int) -> None:
    index = TrieIndex.build(Corpus.from_text(text), depth, threads=1)
    followers: dict[str, Counter[str]] = {}
    for start in range(len(text)):
        for end in range(start + 1, min(start + depth, len(text) - 1) + 1):
            followers.setdefault(text[start:end], Counter())[text[end]] += 1
    assert index.n_positions == len(followers)
    for path, counts in followers.items():
        tokens = index.encode(path)
        assert index.count(tokens) == counts.total()
        expected = {int(index.encode(c)[0]): n for c, n in counts.items()}
        assert index.next_counts(tokens) == expected
        assert index.longest_match(tokens) == len(path)
    assert index.count([]) == len(text) - 1
    assert index.count([99]) == 0
    assert index.next_counts([99]) == {}
    assert index.verify() == []


def test_the_held_out_part_is_the_end_of_a_text_and_not_in_the_trie() -> None:
    index = TrieIndex.build(Corpus.from_text("abcabcabcz"), 3, val_fraction=0.1)
    assert index.decode(index.tokens) == "abcabcabc"
    assert index.decode(index.held_out) == "z"
    assert index.vocab_size == 4
    assert index.count(index.encode("z")) == 0
    assert index.val_fraction == 0.1


def test_held_out_documents_are_whole_and_chosen_by_the_seed() -> None:
    names = [f"name{i}" for i in range(40)]
    corpus = Corpus.from_documents(names)
    chosen = set()
    for seed in range(3):
        index = TrieIndex.build(corpus, 12, val_fraction=0.25, split_seed=seed)
        boundary = index.vocabulary.boundary
        assert boundary is not None
        parts = []
        for tokens in (index.tokens, index.held_out):
            begins = np.flatnonzero(tokens == boundary)[::2]
            parts.append([index.decode(part) for part in np.split(tokens, begins)[1:]])
        assert sorted(parts[0] + parts[1]) == sorted(names)
        assert parts[0] == [name for name in names if name in parts[0]]
        assert len(parts[1]) == 10
        chosen.add(tuple(parts[1]))
    assert len(chosen) == 3


def test_the_same_bytes_are_saved_for_any_number_of_threads(tmp_path: Path) -> None:
    corpus = Corpus.from_tokens(np.random.default_rng(0).integers(0, 300, 20000))
    saved = []
    for threads in (1, 2, 5):
        path = tmp_path / f"{threads}.agpt"
        TrieIndex.build(corpus, 12, threads=threads).save(path)
        saved.append(path.read_bytes())
    assert saved[0] == saved[1] == saved[2]


def test_a_saved_index_opens_as_it_was(tmp_path: Path) -> None:
    corpus = Corpus.from_documents(["anna", "bob", "ann"])
    index = TrieIndex.build(corpus, 5, val_fraction=0.3, split_seed=3, prune_min_mass=2)
    path = tmp_path / "names.agpt"
    index.save(str(path))
    opened = TrieIndex.open(path)
    for name in SAVED_ATTRIBUTES:
        assert getattr(opened, name) == getattr(index, name)
    assert opened.vocabulary == index.vocabulary
    assert opened.tokens.tolist() == index.tokens.tolist()
    assert opened.held_out.tolist() == index.held_out.tolist()
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_of_an_index_outlive_its_name() -> None:
    tokens = TrieIndex.build(Corpus.from_text("abracadabra"), 4).tokens
    assert tokens.tolist() == [0, 1, 4, 0, 2, 0, 3, 0, 1, 4, 0]


def test_files_that_are_no_index_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.agpt"
    with pytest.raises(FormatError, match="No such file"):
        TrieIndex.open(path)
    path.write_text("This is not an index at all.")
    with pytest.raises(FormatError, match="is not an agpt index"):
        TrieIndex.open(path)
    index = TrieIndex.build(Corpus.from_text("abracadabra"), 4)
    index.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(FormatError, match="is truncated"):
        TrieIndex.open(path)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(FormatError, match="is damaged"):
        TrieIndex.open(path)
    with pytest.raises(FormatError, match="cannot write"):
        index.save(tmp_path / "absent" / "x.agpt")


def test_options_out_of_range_are_one_sentence_each() -> None:
    text, documents = Corpus.from_text("abracadabra"), Corpus.from_documents(["ab"])
    refused: list[tuple[Corpus, dict[str, Any], str]] = [
        (text, {"depth": 0}, "the depth of an index is 0, but must be from 1 to 253"),
        (text, {"depth": 254}, "is 254"),
        (text, {"val_fraction": 1.0}, "held-out fraction"),
        (text, {"val_fraction": 0.95}, "the corpus is too short: 1 tokens"),
        (text, {"starts": "some"}, "'some' is no rule for starts"),
        (text, {"starts": "documents"}, "need a corpus of documents"),
        (documents, {"starts": "stride=2"}, "are for a running text"),
        (documents, {"corpus_end": "reference"}, "about the end of a running text"),
        (text, {"corpus_end": "wrap"}, "choose exact or reference"),
        (text, {"prune_min_mass": 0}, "prune_min_mass is 0"),
        (text, {"threads": -1}, "number of threads is -1"),
        (Corpus.from_text("a"), {}, "the corpus is too short: 1 tokens"),
    ]
    for corpus, options, message in refused:
        with pytest.raises(ArgumentError, match=message):
            TrieIndex.build(corpus, **options)


def test_progress_ends_at_1_and_its_exception_ends_the_build() -> None:
    corpus = Corpus.from_text("to be or not to be")
    seen: list[float] = []
    stages: list[str] = []

    def note(fraction: float, stage: str) -> None:
        seen.append(fraction)
        stages.append(stage)

    TrieIndex.build(corpus, progress=note)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert list(dict.fromkeys(stages)) == ["packing", "sorting", "writing"]

    def stop(fraction: float, stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TrieIndex.build(corpus, progress=stop)
