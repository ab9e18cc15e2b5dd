"""Texts of files in every form: the same corpus, whatever holds it and however it is cut."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, Error, FormatError
from agpt.data import decompression, texts
from agpt.data.decompression import read_chunks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHARACTERS = st.sampled_from("ab \r\n\x00é€😀\u2028\u0085\ufeff")
TEXTS = st.lists(st.text(CHARACTERS, max_size=12), min_size=1, max_size=5)
ROUNDS = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)


def zstd(content: bytes) -> bytes:
    module = pytest.importorskip("zstandard", reason="zstandard is not installed")
    return bytes(module.compress(content))


COMPRESSIONS = [("", bytes), (".gz", gzip.compress), (".zst", zstd)]


def json_lines(texts: list[str], **others: object) -> bytes:
    return b"".join(json.dumps({**others, "text": text}).encode() + b"\n" for text in texts)


def text_of(corpus: Corpus) -> str:
    return corpus.decode(corpus.tokens)


def documents_of(corpus: Corpus) -> list[str]:
    begins = np.flatnonzero(corpus.tokens == corpus.vocabulary.boundary)
    pairs = zip(begins[::2], begins[1::2], strict=True)
    return [corpus.decode(corpus.tokens[begin:end]) for begin, end in pairs]


@pytest.fixture
def tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks so small that characters and lines are cut everywhere."""
    monkeypatch.setattr(decompression, "CHUNK_BYTES", 3)
    monkeypatch.setattr(decompression, "COMPRESSED_CHUNK_BYTES", 5)


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS)
@ROUNDS
@given(TEXTS)
def test_json_lines_are_joined_by_newlines_or_are_documents(
    suffix: str, compress: Callable[[bytes], bytes], tmp_path: Path, texts: list[str]
) -> None:
    path = tmp_path / f"texts.jsonl{suffix}"
    path.write_bytes(compress(json_lines(texts, id=1)))
    joined, kept = "\n".join(texts), [text for text in texts if text]
    for tokenizer in ("char", "byte"):
        if joined:
            assert text_of(Corpus.from_file(path, tokenizer)) == joined
        if kept:
            assert documents_of(Corpus.from_file(path, tokenizer, documents=True)) == kept


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS[1:])
@ROUNDS
@given(text=st.text(CHARACTERS, min_size=1), documents=st.booleans())
def test_a_compressed_text_is_the_corpus_of_the_text(
    suffix: str,
    compress: Callable[[bytes], bytes],
    tmp_path: Path,
    text: str,
    documents: bool,
) -> None:
    """The plain file goes through the engine's own reader: two implementations, one result."""
    plain, packed = tmp_path / "text.txt", tmp_path / f"text.txt{suffix}"
    plain.write_bytes(text.encode())
    packed.write_bytes(compress(text.encode()))
    for tokenizer in ("char", "byte"):
        try:
            expected = Corpus.from_file(plain, tokenizer, documents)
        except FormatError:
            with pytest.raises(FormatError, match="there is no text in"):
                Corpus.from_file(packed, tokenizer, documents)
            continue
        corpus = Corpus.from_file(packed, tokenizer, documents)
        assert corpus.vocabulary == expected.vocabulary
        assert corpus.tokens.tolist() == expected.tokens.tolist()


@pytest.mark.usefixtures("tiny_chunks")
@given(st.binary(min_size=1, max_size=30))
@ROUNDS
def test_bytes_of_any_file_come_through_unchanged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.bin.gz"
    path.write_bytes(gzip.compress(content))
    assert bytes(Corpus.from_file(path, "byte").tokens.tolist()) == content


def test_several_files_are_one_text_as_cat_joins_them(tmp_path: Path) -> None:
    a, b, c, d = (tmp_path / name for name in ("a.txt", "b.txt", "c.jsonl", "d.txt"))
    a.write_text("one\ntw")
    b.write_text("o\nthree")
    c.write_bytes(json_lines(["x\ny", "z"]))
    d.write_text("end")
    assert text_of(Corpus.from_files([a, b, c, d])) == "one\ntwo\nthree\nx\ny\nz\nend"
    assert text_of(Corpus.from_files([d, str(a)])) == "endone\ntw"
    documents = Corpus.from_files([a, b, c, d], documents=True)
    assert documents_of(documents) == ["one", "tw", "o", "three", "x\ny", "z", "end"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_byte_order_mark_is_no_character_but_three_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"windows.txt{suffix}"
    content = b"\xef\xbb\xbfab\r\nc\x00\xef\xbb\xbf"
    path.write_bytes(gzip.compress(content) if suffix else content)
    assert text_of(Corpus.from_file(path)) == "ab\r\nc\x00\ufeff"
    assert text_of(Corpus.from_file(path, "byte")).encode() == content
    assert documents_of(Corpus.from_file(path, documents=True)) == ["ab", "c\x00\ufeff"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_offset_counts_from_the_beginning_of_its_file(tmp_path: Path, suffix: str) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / f"bad.txt{suffix}"
    good.write_text("fine")
    content = b"\xef\xbb\xbf" + b"x" * 3000000 + b"\xe2\x82"
    bad.write_bytes(gzip.compress(content) if suffix else content)
    for paths in ([bad], [good, bad]):
        with pytest.raises(FormatError, match=r"bad.*byte 0xE2 at offset 3000003 begins"):
            Corpus.from_files(paths)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "a"', "line 3 is not JSON"),
        (b"[" * 100000, "line 3 is not JSON"),
        (b'{"n": ' + b"9" * 5000 + b"}", "line 3 is not JSON"),
        (b'["a"]', "line 3 is no JSON object"),
        (b'{"body": "a", "id": 1}', "line 3 has no field 'text', but 'body', 'id': .*--text-field"),
        (b"{}", "line 3 has no field 'text', but no fields"),
        (b'{"text": null}', "line 3: the field 'text' is no text, but of type NoneType"),
        (b'{"text": "\\ud800"}', "line 3: the field 'text' has half a character"),
        (b'{"text": "\xff"}', "is not UTF-8: byte 0xFF at offset 28"),
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"text": "good"}\n\n' + line + b'\n{"text": "good"}\n')
    for tokenizer in ("char", "byte"):
        with pytest.raises(FormatError, match=rf"lines\.jsonl.*{message}"):
            Corpus.from_file(path, tokenizer)


def test_no_files_are_no_corpus() -> None:
    with pytest.raises(ArgumentError, match="the list of files is empty"):
        Corpus.from_files([])


def test_another_field_may_hold_the_text(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"body": "abc", "text": 1}\n   \n{"body": "d"}')
    assert text_of(Corpus.from_file(path, text_field="body")) == "abc\nd"


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS[1:])
def test_every_truncation_of_a_compressed_file_is_refused(
    suffix: str, compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    content = np.random.default_rng(0).bytes(40) + b"a" * 200
    packed = compress(content) + compress(b"second part")
    first = len(compress(content))
    path = tmp_path / f"data{suffix}"
    for size in range(1, len(packed)):
        path.write_bytes(packed[:size])
        if size == first:  # a whole file of its own
            assert b"".join(read_chunks(str(path))) == content
            continue
        with pytest.raises(FormatError, match=r"is (truncated|damaged)"):
            list(read_chunks(str(path)))
    path.write_bytes(packed)
    assert b"".join(read_chunks(str(path))) == content + b"second part"


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS[1:])
def test_a_file_that_is_not_compressed_as_its_name_says(
    suffix: str, compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"data.txt{suffix}"
    for content in (b"plain text", compress(b"text") + b"garbage", compress(b"te" * 99)[:-9] * 2):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"data\.txt\.\w+ is (damaged|truncated)"):
            Corpus.from_file(path)


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    path = tmp_path / "text.zst"
    path.write_bytes(b"x")
    with pytest.raises(ArgumentError, match=r"needs zstandard: .*'agpt-engine\[zstd\]'"):
        Corpus.from_file(path)


def test_standard_input_is_read_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, expected in ((b"a\nb\xc3\xa9", "a\nbé"), (b"\xff", None), (b"", None)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        if expected is not None:
            assert text_of(Corpus.from_file("-")) == expected
            continue
        with pytest.raises(FormatError, match="standard input"):
            Corpus.from_file("-")


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt.gz", "a.jsonl.zst", "a.txt"])
def test_missing_files_folders_and_empty_files(tmp_path: Path, name: str) -> None:
    pytest.importorskip("zstandard", reason="zstandard is not installed")
    path = tmp_path / name
    with pytest.raises((OSError, Error), match="No such file"):
        Corpus.from_files([path])
    path.mkdir()
    with pytest.raises((OSError, Error), match=r"is a directory|not a regular file"):
        Corpus.from_files([path])
    path.rmdir()
    path.touch()
    with pytest.raises(FormatError, match=r"no text in|is empty"):
        Corpus.from_files([path])
    with pytest.raises(FormatError, match=r"no text in .* and "):
        Corpus.from_files([path, path], documents=True)


def test_progress_goes_from_nothing_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agpt.data.reading import read_corpus

    monkeypatch.setattr(decompression, "CHUNK_BYTES", 100)
    paths = [tmp_path / "a.txt", tmp_path / "b.jsonl.gz"]
    paths[0].write_text("x" * 1000)
    paths[1].write_bytes(gzip.compress(json_lines(["y" * 50])))
    shares: list[float] = []
    read_corpus(paths, progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 10
    assert shares[-1] == 1.0


def test_documents_as_bytes_must_end_in_order_and_inside() -> None:
    corpus = Corpus.from_bytes(b"abcd", "char", np.array([1, 1, 4]))
    assert documents_of(corpus) == ["a", "", "bcd"]
    for ends in ([2, 1], [5], [-1]):
        with pytest.raises(ArgumentError, match="does not fit between"):
            Corpus.from_bytes(b"abcd", "char", np.array(ends))


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("a/b.jsonl.gz", "a/b"),
        ("b.txt", "b"),
        ("b.v2.txt.zst", "b.v2"),
        ("b.gz", "b"),
        ("b", "b"),
    ],
)
def test_the_stem_of_a_name_has_no_ending_that_says_how_to_read(path: str, stem: str) -> None:
    assert texts.stem_of(path) == stem
