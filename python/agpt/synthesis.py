"""Synthetic corpora: texts written from the statistics of an index."""

import dataclasses
import io
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import ArgumentError, TrieIndex, Vocabulary
from agpt.files import write_atomically

ARRAY_SUFFIX = ".npy"


@dataclasses.dataclass(frozen=True)
class Synthesis:
    """A synthetic text and how it came about.

    `tokens` is an array (n_tokens,) of ids, as wide as those of the index; with documents, one
    boundary stands between two of them. `wraps` counts the paths written to their end, `cut_wraps`
    those cut short, `restarts` the places where nothing could continue the text, and `backoffs`
    the tokens of context that the walk "suffix" gave up because the trie lacks the longer context.
    """

    tokens: npt.NDArray[Any]
    vocabulary: Vocabulary
    wraps: int
    cut_wraps: int
    restarts: int
    backoffs: int
    seconds: float

    @property
    def n_tokens(self) -> int:
        """Length of the text."""
        return len(self.tokens)

    @property
    def tokens_per_wrap(self) -> float | None:
        """Mean length of a walk; None if none came to its end."""
        return self.n_tokens / self.wraps if self.wraps else None

    def to_bytes(self) -> bytes:
        """The text: UTF-8 of characters, or the bytes that the ids are; a boundary is a line end.

        ArgumentError if the ids stand for no text.
        """
        return text_bytes(self.tokens, self.vocabulary)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the text, or the ids as a NumPy file if `path` ends with .npy.

        The name only ever shows a whole file.
        """
        if os.fspath(path).endswith(ARRAY_SUFFIX):
            buffer = io.BytesIO()
            np.save(buffer, self.tokens)
            write_atomically(path, buffer.getvalue())
        else:
            write_atomically(path, self.to_bytes())


def text_bytes(tokens: npt.NDArray[Any], vocabulary: Vocabulary) -> bytes:
    """The text of ids as bytes, with a line end for each boundary."""
    if vocabulary.kind == "tokens":
        raise ArgumentError(
            "the ids of this index stand for no text: write them to a file that ends with .npy"
        )
    if vocabulary.kind == "tokenizer":
        boundaries = np.flatnonzero(tokens == vocabulary.boundary)
        documents = np.split(tokens, boundaries)  # decoding leaves the boundaries out
        return "\n".join(vocabulary.decode(document) for document in documents).encode()
    if vocabulary.kind == "byte":
        codes = np.arange(vocabulary.size, dtype=np.uint32)
    else:
        codes = np.frombuffer(vocabulary.characters.encode("utf-32-le"), np.uint32)
    if vocabulary.boundary is not None:
        codes = np.append(codes[: vocabulary.boundary], np.uint32(ord("\n")))
    if vocabulary.kind == "byte" or codes.max(initial=0) < 128:
        codes = codes.astype(np.uint8)
    text = bytes(codes[tokens])
    return text if codes.itemsize == 1 else text.decode("utf-32-le").encode()


def synthesize(
    index: TrieIndex,
    n_tokens: int = 1_000_000,
    seed: int = 42,
    *,
    walk: str = "bridge",
    rng: str = "xoshiro",
    space_align: bool = False,
    space_align_topk: int = 3,
    space_cut: bool = False,
    prune_mass1_space: bool = False,
    prune_mass1_head: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Synthesis:
    """Writes `n_tokens` tokens from the statistics of an index; the same arguments, the same text.

    walk="bridge" writes a path of the trie to its end and one token that follows it there, and
    goes on with a path that begins with that token. walk="suffix" draws every token from what
    follows the longest suffix of the text that is a path, so that the text is a Markov text of
    order `index.depth`.

    rng="reference" draws as the reference does; its texts come from an index that was built with
    corpus_end="reference". The cuts and `space_align` belong to the walk "bridge": `space_align`
    bridges with a space if it is among the `space_align_topk` most frequent followers, `space_cut`
    ends a path at the last space of its last edge; `prune_mass1_space` ends a last edge that
    occurs once at its first space or line end, and `prune_mass1_head` at its first token.

    ArgumentError for options out of range and for an index that they do not suit. `progress` is
    called now and then with the part of the work that is done.
    """
    if not 0 <= seed < 2**64:
        raise ArgumentError(f"the seed is {seed}, but must be from 0 to 2^64 - 1")
    start = time.perf_counter()
    result = _engine.synthesize(
        index,
        n_tokens=n_tokens,
        seed=seed,
        walk=walk,
        rng=rng,
        space_align=space_align,
        space_align_topk=space_align_topk,
        space_cut=space_cut,
        prune_mass1_space=prune_mass1_space,
        prune_mass1_head=prune_mass1_head,
        progress=progress,
    )
    return Synthesis(
        tokens=result.tokens,
        vocabulary=index.vocabulary,
        wraps=result.wraps,
        cut_wraps=result.cut_wraps,
        restarts=result.restarts,
        backoffs=result.backoffs,
        seconds=time.perf_counter() - start,
    )
