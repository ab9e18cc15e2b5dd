"""The bytes of a file or of standard input, chunk by chunk, decompressed as its ending says."""

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from agpt._engine import FormatError
from agpt.data.extras import require_extra

STANDARD_INPUT = "-"
GZIP_SUFFIX, ZSTD_SUFFIX = ".gz", ".zst"
COMPRESSED_SUFFIXES = (GZIP_SUFFIX, ZSTD_SUFFIX)
CHUNK_BYTES = 1 << 20
COMPRESSED_CHUNK_BYTES = 1 << 10  # a little can hold much: at most 2^15 times as many bytes
LARGEST_ZSTD_WINDOW = 2**31  # what `zstd --long=31` needs; taken only for a file that needs it

CountBytes = Callable[[int], None]


def display_name(path: str) -> str:
    """How a sentence names an input."""
    return "standard input" if path == STANDARD_INPUT else path


def read_chunks(path: str, count: CountBytes | None = None) -> Iterator[bytes]:
    """The content of `path`, or of standard input for "-", which is taken as it is.

    `count` is told how many bytes of the file each read took. A missing file is an OSError that
    names it; FormatError for what is truncated or not compressed as its ending says.
    """
    if path == STANDARD_INPUT:
        yield from _raw_chunks(sys.stdin.buffer, CHUNK_BYTES, count)
        return
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a directory: name the files in it")
    with open(path, "rb") as file:
        if path.endswith(GZIP_SUFFIX):
            yield from _gzip_chunks(file, path, count)
        elif path.endswith(ZSTD_SUFFIX):
            yield from _zstd_chunks(file, path, count)
        else:
            yield from _raw_chunks(file, CHUNK_BYTES, count)


def _raw_chunks(file: IO[bytes], size: int, count: CountBytes | None) -> Iterator[bytes]:
    while chunk := file.read(size):
        if count is not None:
            count(len(chunk))
        yield chunk


class _CountedFile:
    """A file for gzip that tells how far it was read."""

    def __init__(self, file: IO[bytes], count: CountBytes | None) -> None:
        self._file, self._count = file, count

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        if self._count is not None:
            self._count(len(chunk))
        return chunk


def _gzip_chunks(file: IO[bytes], path: str, count: CountBytes | None) -> Iterator[bytes]:
    counted: Any = _CountedFile(file, count)
    try:
        with gzip.GzipFile(fileobj=counted, mode="rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    except EOFError as error:
        raise _truncated(path, "gzip") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, "gzip", error) from error


def _zstd_chunks(file: IO[bytes], path: str, count: CountBytes | None) -> Iterator[bytes]:
    """The frames of a file one after the other; the library's own reader overlooks a cut end."""
    zstandard = require_extra("zstandard", "zstd", f"reading {path}")
    context = zstandard.ZstdDecompressor(max_window_size=LARGEST_ZSTD_WINDOW)
    frame: Any = None
    try:
        for compressed in _raw_chunks(file, COMPRESSED_CHUNK_BYTES, count):
            while compressed:
                frame = context.decompressobj() if frame is None else frame
                if chunk := frame.decompress(compressed):
                    yield chunk
                if not frame.eof:
                    break
                compressed, frame = frame.unused_data, None
    except zstandard.ZstdError as error:
        raise _damaged(path, "Zstandard", error) from error
    if frame is not None:
        raise _truncated(path, "Zstandard")


def _truncated(path: str, form: str) -> FormatError:
    return FormatError(f"{path} is truncated: its {form} stream ends too early; fetch it again")


def _damaged(path: str, form: str, error: Exception) -> FormatError:
    return FormatError(f"{path} is damaged or no {form} file: {error}")
