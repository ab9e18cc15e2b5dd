"""The texts in files: running text or lines of text files, and fields of JSON lines."""

import codecs
import dataclasses
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from agpt._engine import FormatError
from agpt.data.chunks import Chunks
from agpt.data.decompression import (
    COMPRESSED_SUFFIXES,
    STANDARD_INPUT,
    CountBytes,
    display_name,
    read_chunks,
)

JSON_LINES_SUFFIX = ".jsonl"
DEFAULT_TEXT_FIELD = "text"
BYTE_ORDER_MARK = "\ufeff"


@dataclasses.dataclass(frozen=True)
class TextFiles:
    """Files in the order in which they are read, and how.

    With `any_bytes` bytes that are not UTF-8 become the lone surrogates of "surrogateescape",
    and nothing is dropped; otherwise they are errors, and a byte order mark at the beginning of a
    file is dropped. With `chunks` documents are pieces of the running text of all files.
    """

    paths: tuple[str, ...]
    text_field: str = DEFAULT_TEXT_FIELD
    any_bytes: bool = False
    count: CountBytes | None = None
    chunks: Chunks | None = None

    @property
    def errors(self) -> str:
        """How decoding treats what is not UTF-8, in Python's terms."""
        return "surrogateescape" if self.any_bytes else "strict"

    def running_text(self) -> Iterator[str]:
        """All files as one text, in pieces.

        Text files are joined as `cat` joins them. A newline stands between two texts of JSON
        lines, and between a file of JSON lines and its neighbours.
        """
        was_json_lines = False
        for number, path in enumerate(self.paths):
            is_json_lines = _is_json_lines(path)
            if number > 0 and (was_json_lines or is_json_lines):
                yield "\n"
            pieces = _joined(self._fields(path)) if is_json_lines else self._decoded(path)
            yield from pieces
            was_json_lines = is_json_lines

    def documents(self) -> Iterator[str]:
        """The documents of all files: lines of text files, texts of JSON lines.

        Empty ones are left out; the end of a line, "\\n" or "\\r\\n", is no part of it.
        """
        if self.chunks is not None:
            yield from self.chunks.of(self.running_text())
            return
        for path in self.paths:
            if _is_json_lines(path):
                yield from filter(None, self._fields(path))
            else:
                lines = (line.removesuffix("\r") for line in _lines(self._decoded(path)))
                yield from filter(None, lines)

    def _fields(self, path: str) -> Iterator[str]:
        """The text of each object of a file of JSON lines; blank lines are left out."""
        for place, fields in self.objects(path):
            yield _field_of(fields, self.text_field, place)

    def objects(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The objects of a file of JSON lines, each with its place for errors; no blank lines."""
        strict = dataclasses.replace(self, any_bytes=False)  # JSON is UTF-8
        for number, line in enumerate(_lines(strict._decoded(path)), start=1):
            if line and not line.isspace():
                place = f"{display_name(path)}, line {number}"
                yield place, _object_of(line, place)

    def _decoded(self, path: str) -> Iterator[str]:
        """The characters of a file, in pieces."""
        decoder = codecs.getincrementaldecoder("utf-8")(self.errors)
        chunks = read_chunks(path, self.count)
        offset = 0  # of what the decoder has not yet turned into characters
        is_first = not self.any_bytes
        for chunk in itertools.chain(chunks, [b""]):
            held_back = len(decoder.getstate()[0])
            try:
                piece = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(path, offset - held_back + error.start, error) from error
            offset += len(chunk)
            if is_first and piece:
                piece, is_first = piece.removeprefix(BYTE_ORDER_MARK), False
            if piece:
                yield piece


def stem_of(path: str) -> str:
    """A path without the endings that say how it is read: "a/b.jsonl.gz" is "a/b"."""
    for suffix in COMPRESSED_SUFFIXES:
        path = path.removesuffix(suffix)
    return os.path.splitext(path)[0]


def is_plain(path: str) -> bool:
    """Whether a file is read byte by byte as its text."""
    special = (JSON_LINES_SUFFIX, *COMPRESSED_SUFFIXES)
    return path != STANDARD_INPUT and not path.endswith(special)


def _is_json_lines(path: str) -> bool:
    for suffix in COMPRESSED_SUFFIXES:
        path = path.removesuffix(suffix)
    return path.endswith(JSON_LINES_SUFFIX)


def _joined(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if number > 0:
            yield "\n"
        yield text


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines without their "\\n", wherever the pieces were cut."""
    begun: list[str] = []  # parts of a line whose end has not come
    for piece in pieces:
        first, *others = piece.split("\n")
        begun.append(first)
        if others:
            yield "".join(begun)
            yield from others[:-1]
            begun = [others[-1]]
    yield "".join(begun)


def _object_of(line: str, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{place} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(f"{place} is no JSON object: each line must be one, with a text in it")
    return value


def _field_of(fields: dict[str, Any], field: str, place: str) -> str:
    if field not in fields:
        names = ", ".join(repr(name) for name in fields) or "no fields"
        raise FormatError(
            f"{place} has no field {field!r}, but {names}: name the one to read with --text-field"
        )
    return checked_text(fields[field], f"{place}: the field {field!r}")


def checked_text(value: object, name: str) -> str:
    """A value of a JSON line that must be a text; FormatError calls it `name`."""
    if not isinstance(value, str):
        raise FormatError(f"{name} is no text, but of type {type(value).__name__}")
    if not value.isascii():
        _require_characters(value, name)
    return value


def _require_characters(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"{name} has half a character: a lone surrogate") from error


def _not_utf8(path: str, offset: int, error: UnicodeDecodeError) -> FormatError:
    byte = error.object[error.start]
    return FormatError(
        f"{display_name(path)} is not UTF-8: byte 0x{byte:02X} at offset {offset} begins no "
        "character; convert it to UTF-8 or read it as bytes with --tokenizer byte"
    )
