"""Text to token ids and back by any `tokenizer.json` of Hugging Face, through their library."""

import array
import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt._engine import ArgumentError, Corpus, FormatError, Vocabulary
from agpt.data.extras import require_extra
from agpt.data.text_windows import TextWindow, cut_ids, windows_of

TOKENIZER_SUFFIX = ".json"
KIND = "tokenizer"
BATCH_CHARACTERS = 1 << 20
DECODED_AT_ONCE = 1 << 16
DECODED_BEFORE = 16  # enough tokens to begin inside a character and still decode alike behind it

TokenIds = npt.NDArray[np.uint32]


class TextTokenizer:
    """A tokenizer by its JSON, which is all that an index or a model keeps of it.

    Special tokens are never added. One that is spelt out in a text is recognised where the
    tokenizer does so. Truncation and padding, which a file may ask for, are off.
    """

    def __init__(self, definition: str, name: str = "the tokenizer") -> None:
        """`name` is what errors call it. FormatError if the library cannot read `definition`."""
        library = require_extra("tokenizers", "tokenizers", "a tokenizer.json")
        self.definition = definition
        self._name = name
        try:
            self._tokenizer: Any = library.Tokenizer.from_str(definition)
        except Exception as error:  # the library has no exception of its own
            raise FormatError(f"{name} is no tokenizer of Hugging Face: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        ids = self._tokenizer.get_vocab(with_added_tokens=True).values()
        if not ids:
            raise FormatError(f"{name} has an empty vocabulary")
        self.size = max(ids) + 1
        """Ids, without a boundary; those that no token has are counted."""

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "TextTokenizer":
        """Reads a file; a missing one is an OSError that names it."""
        try:
            return cls(Path(path).read_text(encoding="utf-8"), os.fspath(path))
        except UnicodeDecodeError as error:
            raise FormatError(f"{os.fspath(path)} is no tokenizer: it is not UTF-8") from error

    def vocabulary(self, documents: bool) -> Vocabulary:
        """The vocabulary; with documents one more id is their boundary."""
        boundary = self.size if documents else None
        return Vocabulary.from_parts(KIND, self.definition, self.size + documents, boundary)

    def encode(self, text: str) -> list[int]:
        """The ids of a text. FormatError for a text with something that has no id."""
        return list(self._encodings([text])[0].ids)

    def running_corpus(self, pieces: Iterable[str]) -> Corpus:
        """The corpus of one text, which comes in pieces.

        The text is encoded in windows that overlap (`agpt.data.text_windows`): the ids are
        those of the whole text.
        """
        ids = array.array("I")
        windows = windows_of(pieces)
        for part in cut_ids(windows, self._encode_windows):
            ids.extend(part)
        if not ids:
            raise FormatError(f"{self._name} makes no token of the text")
        return Corpus.from_encoded(_as_ids(ids), self.vocabulary(documents=False))

    def documents_corpus(self, documents: Iterable[str]) -> Corpus:
        """The corpus of documents, each encoded by itself."""
        ids, ends = array.array("I"), array.array("q")
        for batch in _batches(documents):
            for encoding in self._encodings(batch):
                ids.extend(encoding.ids)
                ends.append(len(ids))
        vocabulary = self.vocabulary(documents=True)
        return Corpus.from_encoded(_as_ids(ids), vocabulary, np.frombuffer(ends, np.int64))

    def decode(self, ids: Sequence[int] | TokenIds) -> str:
        """The text of ids, special tokens included."""
        text: str = self._tokenizer.decode(list(map(int, ids)), skip_special_tokens=False)
        return text

    def decoded_size(self, ids: npt.NDArray[Any]) -> tuple[int, int]:
        """Characters and UTF-8 bytes of decode(ids), without decoding all at once.

        A part is decoded with some tokens before it, because a decoder may treat the first token
        differently and a token may be part of a character.
        """
        characters = n_bytes = 0
        for begin in range(0, ids.size, DECODED_AT_ONCE):
            first = max(0, begin - DECODED_BEFORE)
            before, whole = (
                self.decode(ids[first:end]) for end in (begin, begin + DECODED_AT_ONCE)
            )
            characters += len(whole) - len(before)
            n_bytes += len(whole.encode()) - len(before.encode())
        return characters, n_bytes

    def _encode_windows(self, windows: Sequence[TextWindow]) -> list[Any]:
        return self._encodings([window.text for window in windows])

    def _encodings(self, texts: Sequence[str]) -> list[Any]:
        try:
            encodings: list[Any] = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        except Exception as error:  # the library has no exception of its own
            raise FormatError(f"{self._name} cannot encode the text: {error}") from error
        return encodings


@functools.lru_cache(maxsize=2)
def tokenizer_of(definition: str) -> TextTokenizer:
    """The tokenizer of a vocabulary, which is not parsed again at every call."""
    return TextTokenizer(definition)


def encode_with(definition: str, text: str) -> TokenIds:
    """What Vocabulary.encode does for a tokenizer."""
    return np.array(tokenizer_of(definition).encode(text), np.uint32)


def decode_with(definition: str, tokens: TokenIds, size: int, boundary: int | None) -> str:
    """What Vocabulary.decode does for a tokenizer: documents one by one, boundaries vanish."""
    if tokens.size > 0 and tokens.max() >= size:
        raise ArgumentError(f"the id {tokens.max()} is not in the vocabulary of {size}")
    tokenizer = tokenizer_of(definition)
    return "".join(tokenizer.decode(part) for part in _documents(tokens, boundary))


def size_with(definition: str, tokens: npt.NDArray[Any], boundary: int | None) -> tuple[int, int]:
    """Characters and bytes of the text of tokens, at least 1 each; a boundary counts as one."""
    tokenizer = tokenizer_of(definition)
    sizes = [tokenizer.decoded_size(part) for part in _documents(tokens, boundary)]
    n_boundaries = int(np.count_nonzero(tokens == boundary)) if boundary is not None else 0
    characters, n_bytes = (sum(column) + n_boundaries for column in zip(*sizes, strict=True))
    return max(1, characters), max(1, n_bytes)


def corpus_of_text(text: str, path: str) -> Corpus:
    """What Corpus.from_text does for a tokenizer's file."""
    return TextTokenizer.from_file(path).running_corpus([text])


def corpus_of_documents(documents: Sequence[str], path: str) -> Corpus:
    """What Corpus.from_documents does for a tokenizer's file."""
    if not all(isinstance(document, str) for document in documents):
        raise ArgumentError("a tokenizer encodes texts: documents of ids need none")
    return TextTokenizer.from_file(path).documents_corpus(documents)


def _documents(tokens: npt.NDArray[Any], boundary: int | None) -> Iterator[npt.NDArray[Any]]:
    """The runs of tokens between boundaries."""
    if boundary is None:
        yield tokens
        return
    for part in np.split(tokens, np.flatnonzero(tokens == boundary)):
        yield part[part != boundary]


def _batches(documents: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    n_characters = 0
    for document in documents:
        batch.append(document)
        n_characters += len(document) + 1
        if n_characters >= BATCH_CHARACTERS:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch


def _as_ids(ids: "array.array[int]") -> TokenIds:
    return np.frombuffer(ids, np.uint32)
