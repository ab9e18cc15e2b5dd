"""What precedes a context: how well the tokens behind a token tell which one it was."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import TrieIndex


@dataclasses.dataclass(frozen=True)
class Spread:
    """Order statistics of m values, element floor(q (m - 1)) of the sorted ones, and their mean."""

    min: float
    p25: float
    median: float
    p75: float
    max: float
    mean: float

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> "Spread":
        """The spread of at least one value."""
        at = [int(q * (values.size - 1)) for q in (0, 0.25, 0.5, 0.75, 1)]
        least, p25, median, p75, most = (float(v) for v in np.partition(values, at)[at])
        return cls(least, p25, median, p75, most, float(values.mean()))


@dataclasses.dataclass(frozen=True)
class PosteriorSummary:
    """The contexts of at least some mass; the spreads are None if there are none."""

    min_mass: int
    n_contexts: int
    unary_share: float
    """Part of the contexts that one and the same token always precedes."""
    support: Spread | None
    """How many different tokens precede a context."""
    entropy: Spread | None
    """H of the token before a context, in nats."""
    perplexity: Spread | None
    """exp(H): as uncertain as a choice among so many equally likely tokens."""


@dataclasses.dataclass(frozen=True)
class BackwardPosterior:
    """P(token before | context) for all contexts of `length - 1` tokens of an index.

    Every path of `length` tokens is a token and a context behind it. It counts with its mass, how
    often it is followed by something. The arrays have one element for each distinct context, in
    lexicographic order of the contexts. In a reversed index "before" is behind in the text.
    """

    length: int
    n_paths: int
    """Distinct paths of that length: pairs of a context and a token before it."""
    start: npt.NDArray[np.uint32]
    """Where the context stands, once, in the tokens of the index."""
    mass: npt.NDArray[np.uint32]
    support: npt.NDArray[np.uint32]
    """How many different tokens precede the context."""
    entropy: npt.NDArray[np.float64]
    """Entropy of the token before the context, in nats."""

    def summary(self, min_mass: int = 1) -> PosteriorSummary:
        """Summarises the contexts with a mass of at least `min_mass`."""
        chosen = self.mass >= min_mass
        support, entropy = self.support[chosen], self.entropy[chosen]
        if support.size == 0:
            return PosteriorSummary(min_mass, 0, 0.0, None, None, None)
        return PosteriorSummary(
            min_mass,
            int(support.size),
            float((support == 1).mean()),
            Spread.of(support),
            Spread.of(entropy),
            Spread.of(np.exp(entropy)),
        )

    def support_histogram(self) -> dict[int, int]:
        """Support -> number of contexts with it, for the supports that occur."""
        values, counts = np.unique(self.support, return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))


def backward_posterior(index: TrieIndex, length: int) -> BackwardPosterior:
    """Looks at all paths of `length` tokens; ArgumentError unless 1 <= length <= index.depth."""
    return BackwardPosterior(length, **_engine.backward_posterior(index, length))
