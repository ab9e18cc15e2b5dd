"""How much of a text was in a training text: hashes of a sample of its token windows.

Every window of 64 tokens has a hash, and the fingerprint of a text is the 16,384 smallest of them
(a bottom-k sketch: Broder, On the resemblance and containment of documents, 1997). Which windows
these are depends on their content alone, so the same passage is sampled in every text that has it:
of another text, the windows with hashes in the fingerprint's range are looked up, and the share
that is found estimates how much of that text was seen. A passage counts as seen only where 64
tokens in a row agree; one changed character hides the 64 windows around it.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

WINDOW = 64
LARGEST_SIZE = 16384
FEWEST_WINDOWS = 10
BLOCK = 1 << 16  # tokens hashed at a time: few enough for the caches
# Odd multipliers of the doublings and of the finaliser of splitmix64.
DOUBLINGS = (
    0x9E3779B97F4A7C15,
    0xD1342543DE82EF95,
    0xAF251AF3B0F025B5,
    0xF1357AEA2E62A9C5,
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
)
assert 1 << len(DOUBLINGS) == WINDOW


@dataclasses.dataclass(frozen=True)
class Overlap:
    """What a fingerprint knows about a text."""

    windows: int
    """Windows of the text that were looked up."""
    seen: int
    """How many of them are in the fingerprint."""

    @property
    def share(self) -> float:
        """Estimated share of the text's windows that the training text has, too."""
        return self.seen / self.windows


def fingerprint_of(tokens: npt.NDArray[Any]) -> Hashes:
    """The smallest distinct window hashes of a text, ascending; all where they are few."""
    kept: Hashes = np.empty(0, np.uint64)
    for hashes in _hashes_by_block(tokens):
        if kept.size == LARGEST_SIZE:
            hashes = hashes[hashes < kept[-1]]
        kept = np.unique(np.concatenate([kept, hashes]))[:LARGEST_SIZE]
    return kept


def overlap(tokens: npt.NDArray[Any], fingerprint: Hashes) -> Overlap | None:
    """Looks a text up in the fingerprint of another; None where one is too short to tell."""
    if fingerprint.size == 0:
        return None
    windows = seen = 0
    for hashes in _hashes_by_block(tokens):
        if fingerprint.size == LARGEST_SIZE:
            hashes = hashes[hashes <= fingerprint[-1]]
        windows += hashes.size
        seen += int(np.count_nonzero(np.isin(hashes, fingerprint)))
    return Overlap(windows, seen) if windows >= FEWEST_WINDOWS else None


def _hashes_by_block(tokens: npt.NDArray[Any]) -> Any:
    """Yields the hashes of all windows, a block of windows at a time."""
    n_windows = tokens.size - WINDOW + 1
    for begin in range(0, n_windows, BLOCK):
        end = min(begin + BLOCK, n_windows)
        yield _window_hashes(np.asarray(tokens[begin : end + WINDOW - 1]))


def _window_hashes(tokens: npt.NDArray[Any]) -> Hashes:
    """One hash for each window: hashes of 1, 2, 4, ... tokens, each made of two of the former."""
    hashes = _mixed(tokens.astype(np.uint64) + np.uint64(1))
    for level, multiplier in enumerate(DOUBLINGS):
        half = 1 << level
        hashes = hashes[:-half] * np.uint64(multiplier) + hashes[half:]
    return _mixed(hashes)


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64: a bijection that spreads every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
