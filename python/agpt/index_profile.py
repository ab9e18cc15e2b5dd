"""What the profile of an index amounts to: sharing, uniqueness, the balance of its partitions."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt._engine import TrieIndex

Profile = dict[str, Any]
"""What `TrieIndex.profile()` returns."""


def endpoint_columns(profile: Profile) -> dict[str, npt.NDArray[np.float64]]:
    """Means over the endpoints of each depth (depth,), 0 where there is none.

    `mean_node_mass`, `mean_targets` (tokens that follow), `mean_edge` (tokens of the edge),
    `absorbed` (positions inside edges) and `single_target_share`.
    """
    nodes = np.maximum(profile["nodes"], 1)
    return {
        "mean_node_mass": profile["node_mass"] / nodes,
        "mean_targets": profile["entries"] / nodes,
        "mean_edge": profile["edge_tokens"] / nodes,
        "absorbed": profile["edge_tokens"] - profile["nodes"],
        "single_target_share": profile["single_target_nodes"] / nodes,
    }


@dataclasses.dataclass(frozen=True)
class Sharing:
    """Positions that other ways of training compute, for each position of the trie.

    Above 1 the trie computes less. `all_windows`: every token predicted from each context length
    that fits. `disjoint_windows`: windows of `depth` tokens side by side, (n - 1) // depth of
    them, which predict every token once. `documents`: the first `depth` predictions of each
    document; None for a running text.
    """

    all_windows: float
    disjoint_windows: float
    documents: float | None
    single_positions: int
    """Positions of mass 1: tails, which share nothing."""
    core_positions: int
    """Positions of mass above 1: the skeleton."""

    @property
    def single_share(self) -> float:
        """Part of the positions that have mass 1."""
        return self.single_positions / max(1, self.single_positions + self.core_positions)


def sharing(index: TrieIndex, profile: Profile) -> Sharing:
    """How much of the text the positions of an index share."""
    n_positions = max(1, index.n_positions)
    core = int(profile["shared_positions"].sum())
    disjoint = (index.n_tokens - 1) // index.depth * index.depth
    documents = _document_positions(index)
    return Sharing(
        all_windows=index.total_mass / n_positions,
        disjoint_windows=disjoint / n_positions,
        documents=None if documents is None else documents / n_positions,
        single_positions=index.n_positions - core,
        core_positions=core,
    )


def _document_positions(index: TrieIndex) -> int | None:
    """Predictions of the first `depth` tokens of each document, its boundary at the start read."""
    if not index.documents:
        return None
    boundaries = np.flatnonzero(index.tokens == index.vocabulary.boundary)
    lengths = boundaries[1::2] - boundaries[::2]
    return int(np.minimum(lengths, index.depth).sum())


@dataclasses.dataclass(frozen=True)
class Uniqueness:
    """How many tokens of context it takes until a context occurs once in the text.

    Over the leaves that are counted in `unique_leaves` of the profile; 0 where there are none.
    """

    leaves: int
    mean: float
    median: int
    mode: int


def uniqueness(profile: Profile) -> Uniqueness:
    """Mean, median and mode of the depth at which contexts become unique."""
    counts = np.asarray(profile["unique_leaves"])
    leaves = int(counts.sum())
    if leaves == 0:
        return Uniqueness(0, 0.0, 0, 0)
    depths = np.arange(1, len(counts) + 1)
    middle = int(np.searchsorted(np.cumsum(counts), leaves // 2, side="right")) + 1
    mean = float((depths * counts).sum() / leaves)
    return Uniqueness(leaves, mean, middle, int(counts.argmax()) + 1)


@dataclasses.dataclass(frozen=True)
class UnitBalance:
    """How even the units of a partition are, in positions."""

    rule: str
    n_units: int
    smallest: int
    median: int
    mean: float
    largest: int
    largest_mass_share: float
    """Part of all predictions that the heaviest unit stands for."""
    most_ancestors: int
    """Context-only positions that a unit needs at most."""

    @property
    def imbalance(self) -> float:
        """The largest unit over the mean."""
        return self.largest / self.mean if self.mean else 0.0


def unit_balance(index: TrieIndex, rule: str) -> UnitBalance:
    """Figures of the partition by `rule` of an index; ArgumentError for a rule that is none."""
    units = index.partition(rule)
    positions = units["positions"]
    if positions.size == 0:
        return UnitBalance(rule, 0, 0, 0, 0.0, 0, 0.0, 0)
    return UnitBalance(
        rule=rule,
        n_units=int(positions.size),
        smallest=int(positions.min()),
        median=int(np.sort(positions)[positions.size // 2]),
        mean=float(positions.mean()),
        largest=int(positions.max()),
        largest_mass_share=float(units["mass"].max() / max(1.0, index.total_mass)),
        most_ancestors=int(units["ancestors"].max()),
    )
