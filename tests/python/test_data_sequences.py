"""Sequences in JSON lines: each form is the tokens and weights that it says."""

import gzip
import io
import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, FormatError, SequenceTrie, TrieIndex, Vocabulary, read_sequences
from agpt.data.sequence_lines import WeightedTexts, WeightedTokens, read_sequence_lines
from agpt.data.sequences import split_lines
from hypothesis import given, settings
from hypothesis import strategies as st

A, B, C = 0, 1, 2
BOUNDARY = 3  # after the characters a, b and c


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def assert_same(trie: SequenceTrie, pairs: list[tuple[list[int], list[float]]]) -> None:
    """That a tree is the one of these tokens and weights, in this order."""
    expected = TrieIndex.from_sequences(
        [tokens for tokens, _ in pairs],
        token_weights=[weights for _, weights in pairs],
        vocabulary=trie.vocabulary,
    )
    assert trie.hash == expected.hash
    assert trie.total_weight == pytest.approx(expected.total_weight)


def test_each_form_is_the_tokens_and_weights_that_it_says(tmp_path: Path) -> None:
    path = write(
        tmp_path / "lines.jsonl",
        {"prompt": "ab", "completions": ["c", ""], "weights": [2, 0.5], "id": "others are unread"},
        {"prompt": "", "completion": "ca", "weight": 3},
        {"text": "b"},
    )
    forms = [
        ([BOUNDARY, A, B, C, BOUNDARY], [0, 0, 0, 2, 2]),
        ([BOUNDARY, A, B, BOUNDARY], [0, 0, 0, 0.5]),
        ([BOUNDARY, C, A, BOUNDARY], [0, 3, 3, 3]),
        ([BOUNDARY, B, BOUNDARY], [0, 1, 1]),
    ]
    trie = read_sequences([path])
    assert trie.vocabulary == Vocabulary.from_parts("char", "abc", 4, BOUNDARY)
    assert_same(trie, forms)
    trained = read_sequences([path], train_prompts=True)
    assert_same(trained, [(tokens, [weights[-1]] * len(tokens)) for tokens, weights in forms])


def test_tokens_are_taken_as_they_are(tmp_path: Path) -> None:
    path = write(
        tmp_path / "lines.jsonl",
        {"tokens": [5, 1, 7], "mask": [0, 1, True]},
        {"tokens": [5, 2], "token_weights": [0, 0.25], "weight": 2},
        {"tokens": [4, 4]},
    )
    trie = read_sequences([path])
    assert trie.vocabulary == Vocabulary.from_parts("tokens", "", 8, None)
    assert_same(trie, [([5, 1, 7], [0, 1, 1]), ([5, 2], [0, 0.5]), ([4, 4], [1, 1])])
    beside_texts = write(tmp_path / "both.jsonl", {"tokens": [97, 256]}, {"text": "b"})
    trie = read_sequences([beside_texts], "byte")
    assert_same(trie, [([97, 256], [1, 1]), ([256, 98, 256], [0, 1, 1])])


def test_files_may_be_compressed_several_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ({"text": text} for text in ("ab", "ac"))
    whole = read_sequences([write(tmp_path / "whole.jsonl", first, second)])
    zipped = tmp_path / "first.jsonl.gz"
    zipped.write_bytes(gzip.compress(json.dumps(first).encode()))
    monkeypatch.setattr(
        "sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(json.dumps(second).encode() + b"\n\n"))
    )
    assert read_sequences([zipped, "-"]).hash == whole.hash


def test_a_given_vocabulary_is_used_as_it_is(tmp_path: Path) -> None:
    vocabulary = read_sequences([write(tmp_path / "a.jsonl", {"text": "abc"})]).vocabulary
    others = write(tmp_path / "b.jsonl", {"prompt": "c", "completion": "b"}, {"tokens": [3, 0, 3]})
    trie = read_sequences([others], vocabulary=vocabulary)
    assert trie.vocabulary == vocabulary
    assert_same(trie, [([BOUNDARY, C, B, BOUNDARY], [0, 0, 1, 1]), ([3, 0, 3], [1, 1, 1])])
    unknown = write(tmp_path / "c.jsonl", {"text": "b"}, {"text": "abcd"})
    with pytest.raises(FormatError, match=r"c\.jsonl, line 2: .*'d'"):
        read_sequences([unknown], vocabulary=vocabulary)
    outside = write(tmp_path / "d.jsonl", {"tokens": [4]})
    with pytest.raises(FormatError, match="line 1: token 4 is outside the vocabulary of 4 ids"):
        read_sequences([outside], vocabulary=vocabulary)
    of_tokens = Vocabulary.from_parts("tokens", "", 9, None)
    with pytest.raises(FormatError, match="line 1 has a text, but the vocabulary is one of tokens"):
        read_sequences([unknown], vocabulary=of_tokens)


def test_prompts_and_completions_are_encoded_by_a_tokenizer_each_by_itself(tmp_path: Path) -> None:
    library = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    merges = library.models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")])
    library.Tokenizer(merges).save(str(tmp_path / "tokenizer.json"))
    path = write(tmp_path / "x.jsonl", {"prompt": "aba", "completion": "bab"}, {"tokens": [3, 2]})
    trie = read_sequences([path], tmp_path / "tokenizer.json")
    assert trie.vocabulary.kind == "tokenizer"
    assert_same(trie, [([3, 2, 0, 1, 2, 3], [0, 0, 0, 1, 1, 1]), ([3, 2], [1, 1])])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "is no JSON object"),
        ({"prompt": "a"}, "has none of them: a line needs one of the fields 'completions'"),
        ({"text": "a", "tokens": [1]}, "has 'text' and 'tokens'"),
        ({"completion": "a"}, "lacks 'prompt'"),
        ({"prompt": "a", "text": "b"}, "has 'text' and 'prompt'"),
        ({"prompt": 1, "completion": "b"}, "the field 'prompt' is no text, but of type int"),
        ({"prompt": "a", "completions": "b"}, "the field 'completions' is no list, but str"),
        ({"prompt": "a", "completions": []}, "has no completions"),
        ({"prompt": "a", "completions": [None]}, "one of the completions is no text"),
        ({"prompt": "a", "completions": ["b"], "weights": [1, 2]}, "has 2 numbers in 'weights'"),
        ({"text": "a", "weight": -1}, "-1 in 'weight' is no weight"),
        ({"text": "a", "weight": "1"}, "'1' in 'weight' is no weight"),
        ('{"text": "a", "weight": NaN}', "nan in 'weight' is no weight"),
        ({"tokens": []}, "has no tokens"),
        ({"tokens": [1, 2.5]}, "2.5 in 'tokens' is no token id"),
        ({"tokens": [-1]}, "-1 in 'tokens' is no token id"),
        ({"tokens": [1, 2], "mask": [1]}, "has 1 numbers in 'mask', but needs 2"),
        ({"tokens": [1], "mask": [1], "token_weights": [1]}, "give one of the two"),
        ('{"text": "\\ud800"}', "the field 'text' has half a character"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, line: object, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    bad = line if isinstance(line, str) else json.dumps(line)
    path.write_text(f'{{"text": "fine"}}\n\n{bad}\n', encoding="utf-8")
    with pytest.raises(FormatError) as error:
        read_sequences([path])
    assert f"{path}, line 3" in str(error.value)
    assert message in str(error.value)


def test_files_that_hold_no_sequences_together_are_refused(tmp_path: Path) -> None:
    both = write(tmp_path / "both.jsonl", {"text": "a"}, {"tokens": [1, 2]})
    with pytest.raises(FormatError, match="line 2 has tokens, but other lines have texts"):
        read_sequences([both])
    empty = write(tmp_path / "empty.jsonl")
    with pytest.raises(ArgumentError, match="no sequences"):
        read_sequences([empty], "byte")
    weightless = write(tmp_path / "zero.jsonl", {"text": "a", "weight": 0})
    with pytest.raises(ArgumentError, match="nothing to predict"):
        read_sequences([weightless])


LINES = st.lists(
    st.one_of(
        st.sampled_from(["", "p", "q", "r"]).map(lambda p: WeightedTexts("", p, ("x",), (1.0,))),
        st.just(WeightedTokens("", (1, 2), (1.0, 1.0), 1.0)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(LINES, st.floats(0, 0.99), st.integers(0, 5))
def test_a_split_parts_the_lines_and_no_prompt_is_in_both_parts(
    lines: list[Any], fraction: float, seed: int
) -> None:
    groups = {getattr(line, "prompt", "") or number for number, line in enumerate(lines)}
    expected = max(1, int(len(groups) * fraction)) if fraction > 0 else 0
    if expected >= len(groups):
        with pytest.raises(ArgumentError, match="leaves nothing to train on"):
            split_lines(lines, fraction, seed)
        return
    train, held_out = split_lines(lines, fraction, seed)
    assert sorted(map(repr, [*train, *held_out])) == sorted(map(repr, lines))
    prompts = [{getattr(line, "prompt", "") for line in part} - {""} for part in (train, held_out)]
    assert not prompts[0] & prompts[1]
    assert (train, held_out) == split_lines(lines, fraction, seed)
    n_single = sum(1 for line in held_out if not getattr(line, "prompt", ""))
    assert n_single + len(prompts[1]) == expected


def test_the_place_of_a_line_is_its_file_and_number(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"text": "a"}, {"tokens": [1]})
    assert [line.place for line in read_sequence_lines([path])] == [
        f"{path}, line 1",
        f"{path}, line 2",
    ]


def test_weights_of_tokens_stand_where_their_tokens_do(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"tokens": [1, 2, 3], "mask": np.eye(3)[2].tolist()})
    trie = read_sequences([path])
    assert (trie.n_rows, trie.n_positions, trie.total_weight) == (2, 1, 1.0)
