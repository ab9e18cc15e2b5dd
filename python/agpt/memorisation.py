"""How much of a text is copied from a corpus, word for word."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import ArgumentError, Corpus, TrieIndex


@dataclasses.dataclass(frozen=True)
class Memorisation:
    """Overlaps of a text with a corpus, in tokens.

    `lengths` (tokens of the text) is, for each token, how long the longest stretch is that ends
    with it and occurs in the corpus: the matching statistics of the text (Chang and Lawler 1994).
    No depth caps them. `longest` is the largest, of the stretch that begins at token `longest_at`
    of the text and, for the first time, at token `longest_in_corpus` of the corpus.
    """

    lengths: npt.NDArray[np.uint32]
    longest: int
    longest_at: int
    longest_in_corpus: int

    @property
    def mean(self) -> float:
        """Mean of the lengths; 0 for an empty text."""
        return float(self.lengths.mean()) if len(self.lengths) else 0.0

    @property
    def median(self) -> float:
        """Median of the lengths; 0 for an empty text."""
        return float(np.median(self.lengths)) if len(self.lengths) else 0.0

    @property
    def histogram(self) -> npt.NDArray[np.int64]:
        """How many tokens have each length: (longest + 1)."""
        return np.bincount(self.lengths, minlength=self.longest + 1)

    def histogram_by_doubling(self) -> list[tuple[int, int, int]]:
        """The histogram in bins 0, 1, 2-3, 4-7, ...: least length, largest length, tokens."""
        counts = self.histogram
        bins = [(0, 0, int(counts[0]))]
        least = 1
        while least < len(counts):
            bins.append((least, 2 * least - 1, int(counts[least : 2 * least].sum())))
            least *= 2
        return bins

    def to_dict(self) -> dict[str, Any]:
        """The figures, for JSON; the histogram is that by doubling."""
        return {
            "n_tokens": len(self.lengths),
            "longest": self.longest,
            "longest_at": self.longest_at,
            "longest_in_corpus": self.longest_in_corpus,
            "mean": self.mean,
            "median": self.median,
            "histogram": [list(entry) for entry in self.histogram_by_doubling()],
        }


def memorisation(
    text: str | npt.ArrayLike,
    corpus: Corpus | TrieIndex,
    *,
    progress: Callable[[float], None] | None = None,
) -> Memorisation:
    """Compares a text, or an array of ids, with a corpus or with the training text of an index.

    Takes time linear in both and about 50 bytes of memory for each token of the corpus.
    ArgumentError for a character that the vocabulary of the corpus lacks; `progress` is called
    now and then with the part of the work that is done.
    """
    tokens = corpus.vocabulary.encode(text) if isinstance(text, str) else np.asarray(text)
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
        raise ArgumentError("a text is a str or a one-dimensional array of token ids")
    if tokens.itemsize > 4 or tokens.dtype.kind != "u":
        if tokens.size and not (tokens.min() >= 0 and tokens.max() < 2**31):
            raise ArgumentError("token ids are from 0 to 2^31 - 1, but the text has others")
        tokens = tokens.astype(np.uint32)
    overlap = _engine.verbatim_overlap(corpus.tokens, tokens, progress=progress)
    return Memorisation(**overlap)
