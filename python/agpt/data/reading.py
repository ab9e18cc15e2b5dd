"""A corpus of files, as fast as their form allows."""

import array
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from agpt._engine import ArgumentError, Corpus, FormatError
from agpt.data.chunks import Chunks
from agpt.data.decompression import STANDARD_INPUT, display_name
from agpt.data.texts import DEFAULT_TEXT_FIELD, TextFiles, is_plain
from agpt.data.tokenizer import TOKENIZER_SUFFIX, TextTokenizer

BYTES = "byte"


def read_corpus(
    paths: Sequence[str | os.PathLike[str]],
    tokenizer: str | os.PathLike[str] | TextTokenizer = "char",
    documents: bool = False,
    text_field: str = DEFAULT_TEXT_FIELD,
    progress: Callable[[float], None] | None = None,
    chunks: Chunks | None = None,
) -> Corpus:
    """The corpus of files, which are read in the order given; "-" is standard input.

    The ending of a name says what is in a file: `.jsonl` one JSON object a line, whose text is in
    `text_field`; `.gz` and `.zst` anything compressed; everything else is text. Documents are
    the lines of a text, or the texts of JSON lines; empty ones are left out. With `chunks` they
    are pieces of the running text instead. `progress` is told which share of the bytes was read.

    `tokenizer` is "char", "byte", the path of a tokenizer's JSON, or that tokenizer itself.
    """
    names = tuple(os.fspath(path) for path in paths)
    if not names:
        raise ArgumentError("the list of files is empty: there is nothing to build on")
    if not isinstance(tokenizer, TextTokenizer):
        tokenizer = os.fspath(tokenizer)
        if tokenizer.endswith(TOKENIZER_SUFFIX):
            tokenizer = TextTokenizer.from_file(tokenizer)
    count = None if progress is None else ByteCounter(names, progress).add
    documents = documents or chunks is not None
    files = TextFiles(names, text_field, tokenizer == BYTES, count, chunks)
    if isinstance(tokenizer, TextTokenizer):
        encode = tokenizer.documents_corpus if documents else tokenizer.running_corpus
        return encode(_texts(files, documents))
    is_one = len(names) == 1 and is_plain(names[0]) and not Path(names[0]).is_fifo()
    if is_one and chunks is None:
        return Corpus.from_plain_file(names[0], tokenizer, documents)
    return _corpus_of_bytes(files, tokenizer, documents)


def _corpus_of_bytes(files: TextFiles, tokenizer: str, documents: bool) -> Corpus:
    """The corpus of characters or bytes; the text is in memory once, as UTF-8."""
    data, ends = bytearray(), array.array("q")  # where each text ends
    for text in _texts(files, documents):
        data += text.encode("utf-8", files.errors)
        ends.append(len(data))
    return Corpus.from_bytes(data, tokenizer, np.frombuffer(ends, "q") if documents else None)


def _texts(files: TextFiles, documents: bool) -> Iterator[str]:
    """The documents of files, or the pieces of their running text; none of them is empty."""
    texts = filter(None, files.documents() if documents else files.running_text())
    first = next(texts, None)
    if first is None:
        raise FormatError(f"there is no text in {' and '.join(map(display_name, files.paths))}")
    return itertools.chain([first], texts)


class ByteCounter:
    """Which share of the bytes of all files was read; standard input has no known size."""

    def __init__(self, paths: Sequence[str], progress: Callable[[float], None]) -> None:
        files = [path for path in paths if path != STANDARD_INPUT and os.path.isfile(path)]
        self._total = max(1, sum(os.path.getsize(path) for path in files))
        self._done = 0
        self._progress = progress

    def add(self, n_bytes: int) -> None:
        """Takes note that so many more bytes were read."""
        self._done += n_bytes
        self._progress(min(1.0, self._done / self._total))
