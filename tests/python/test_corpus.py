"""Corpora and vocabularies: what becomes which id, what is refused and how it is said."""

from pathlib import Path

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, FormatError, Vocabulary
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(TEXTS)
def test_characters_are_numbered_by_rank_and_come_back(text: str) -> None:
    corpus = Corpus.from_text(text)
    alphabet = sorted(set(text))
    assert corpus.vocabulary.characters == "".join(alphabet)
    assert corpus.vocab_size == len(alphabet)
    assert corpus.tokens.tolist() == [alphabet.index(character) for character in text]
    assert corpus.decode(corpus.tokens) == text
    assert corpus.encode(text).tolist() == corpus.tokens.tolist()


@given(TEXTS)
def test_bytes_are_those_of_utf8_and_come_back(text: str) -> None:
    corpus = Corpus.from_text(text, tokenizer="byte")
    assert corpus.vocab_size == 256
    assert bytes(corpus.tokens.tolist()) == text.encode()
    assert corpus.decode(corpus.tokens) == text


@given(st.lists(st.text("abc", max_size=5), min_size=1, max_size=6))
def test_each_document_stands_between_two_boundaries_of_its_own(documents: list[str]) -> None:
    corpus = Corpus.from_documents(documents, tokenizer="byte")
    expected: list[int] = []
    for document in documents:
        expected += [256, *document.encode(), 256]
    assert corpus.documents
    assert corpus.vocabulary.boundary == 256
    assert corpus.vocab_size == 257
    assert corpus.tokens.tolist() == expected


def test_documents_of_a_file_are_its_lines_without_ends_and_empty_ones(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(b"anna\r\n\nbob\n\r\ncy")
    corpus = Corpus.from_file(path, documents=True)
    assert corpus.vocabulary.characters == "abcnoy"
    assert corpus.decode(corpus.tokens) == "annabobcy"
    assert np.count_nonzero(corpus.tokens == corpus.vocabulary.boundary) == 6


def test_a_running_text_keeps_every_byte_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a\r\n\nb")
    assert Corpus.from_file(str(path)).decode(Corpus.from_file(path).tokens) == "a\r\n\nb"


def test_an_empty_document_in_a_list_is_kept() -> None:
    assert Corpus.from_documents(["", "a"]).tokens.tolist() == [1, 1, 1, 0, 1]


def test_tokens_are_as_narrow_as_the_vocabulary_allows() -> None:
    for vocab_size, dtype in ((256, np.uint8), (257, np.uint16), (65536, np.uint16)):
        assert Corpus.from_tokens([0, 1], vocab_size).tokens.dtype == dtype
    assert Corpus.from_tokens([0, 1], 65537).tokens.dtype == np.uint32
    assert Corpus.from_tokens([2**31 - 1, 1]).vocab_size == 2**31


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_ids_of_any_integer_type_are_taken(dtype: str) -> None:
    ids = np.array([3, 0, 100], dtype=dtype)[::-1]  # not contiguous either
    assert Corpus.from_tokens(ids).tokens.tolist() == [100, 0, 3]


def test_token_documents_get_one_more_id_as_their_boundary() -> None:
    corpus = Corpus.from_documents([np.array([1, 2]), [0]], vocab_size=10)
    assert corpus.tokens.tolist() == [10, 1, 2, 10, 10, 0, 10]
    assert corpus.vocabulary.kind == "tokens"


def test_the_array_of_tokens_is_a_view_that_keeps_the_corpus_alive() -> None:
    tokens = Corpus.from_text("abab").tokens
    assert tokens.tolist() == [0, 1, 0, 1]
    assert not tokens.flags.writeable
    assert not tokens.flags.owndata


def test_a_vocabulary_is_rebuilt_from_its_parts() -> None:
    corpora = (
        Corpus.from_text("grüße €"),
        Corpus.from_text("x", tokenizer="byte"),
        Corpus.from_documents(["ab", "c"]),
        Corpus.from_tokens([7]),
        Corpus.from_documents([[7]]),
    )
    for corpus in corpora:
        own = corpus.vocabulary
        again = Vocabulary.from_parts(own.kind, own.characters, own.size, own.boundary)
        assert again == own
        assert repr(again) == repr(own)


@pytest.mark.parametrize(
    ("kind", "characters", "size", "boundary"),
    [
        ("char", "ba", 2, None),
        ("char", "aa", 2, None),
        ("char", "ab", 3, None),
        ("char", "ab", 3, 0),
        ("byte", "", 255, None),
        ("byte", "a", 256, None),
        ("tokens", "", 0, None),
        ("tokens", "", 2**31 + 1, None),
        ("words", "", 1, None),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    kind: str, characters: str, size: int, boundary: int | None
) -> None:
    with pytest.raises(ArgumentError):
        Vocabulary.from_parts(kind, characters, size, boundary)


def test_an_unknown_character_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"the character 'é' \(U\+00E9\) is not in the voc"):
        Corpus.from_text("abc").encode("aé")


def test_ids_without_text_are_not_decoded() -> None:
    with pytest.raises(ArgumentError, match="token ids without a tokenizer"):
        Corpus.from_tokens([1, 2]).decode([1])
    with pytest.raises(ArgumentError, match="the id 9 is not in the vocabulary of 2"):
        Corpus.from_text("ab").decode([9])


def test_bytes_that_are_no_utf8_decode_to_replacement_characters() -> None:
    assert Corpus.from_text("a", tokenizer="byte").decode([97, 0xFF, 98]) == "a\ufffdb"


@pytest.mark.parametrize(
    ("content", "offset"),
    [
        (b"ab\xe9cd", 2),
        (b"\x80", 0),
        (b"abc\xc3", 3),
        (b"\xc0\xaf", 0),
        (b"a\xed\xa0\x80", 1),
        (b"\xf4\x90\x80\x80", 0),
        (b"\xf8\x88\x80\x80\x80", 0),
        (b"x\xe2\x82", 1),
    ],
)
def test_a_file_that_is_not_utf8_says_where_and_offers_bytes(
    tmp_path: Path, content: bytes, offset: int
) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(content)
    for documents in (False, True):
        with pytest.raises(FormatError, match=rf"at offset {offset} .*--tokenizer byte"):
            Corpus.from_file(path, documents=documents)
    assert Corpus.from_file(path, tokenizer="byte").n_tokens == len(content)


def test_nothing_to_build_on_is_an_error(tmp_path: Path) -> None:
    empty, blank = tmp_path / "empty.txt", tmp_path / "blank.txt"
    empty.touch()
    blank.write_text("\n\r\n\n")
    with pytest.raises(FormatError, match="is empty"):
        Corpus.from_file(empty)
    with pytest.raises(FormatError, match="only empty lines"):
        Corpus.from_file(blank, documents=True)
    with pytest.raises(FormatError, match="No such file"):
        Corpus.from_file(tmp_path / "absent.txt")
    with pytest.raises(FormatError, match="not a regular file"):
        Corpus.from_file(tmp_path)
    with pytest.raises(ArgumentError, match="the text is empty"):
        Corpus.from_text("")
    with pytest.raises(ArgumentError, match="the list of documents is empty"):
        Corpus.from_documents([])
    with pytest.raises(ArgumentError, match="the array of tokens is empty"):
        Corpus.from_tokens([])


def test_arrays_that_are_no_ids_are_refused() -> None:
    with pytest.raises(ArgumentError, match="the token id -1 is negative"):
        Corpus.from_tokens([0, -1])
    with pytest.raises(ArgumentError, match="less than 2\\^31"):
        Corpus.from_tokens([2**31])
    with pytest.raises(ArgumentError, match="outside the vocabulary of 5 ids"):
        Corpus.from_tokens([5], vocab_size=5)
    with pytest.raises(ArgumentError, match="not of float64"):
        Corpus.from_tokens([0.5])
    with pytest.raises(ArgumentError, match="2 dimensions"):
        Corpus.from_tokens(np.zeros((2, 2), np.int64))
    with pytest.raises(ArgumentError, match="all text or all tokens"):
        Corpus.from_documents(["a", [1]])
    with pytest.raises(ArgumentError, match="there is no tokenizer 'word'"):
        Corpus.from_text("a", tokenizer="word")
