"""The tensors of a model: what each is for, and how its numbers are spread."""

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt.model import Model

HISTOGRAM_BINS = 32
ROLES = (
    (r"position_embedding\.weight", "vector of each position, added to the token's"),
    (r"embedding\.weight", "vector of each token"),
    (r".*norm\d?\.gain", "factor of each column behind a norm"),
    (r".*norm\d?\.bias", "shift of each column behind a norm"),
    (r".*attention\.qkv\.weight", "queries, keys and values of all heads"),
    (r".*attention\.qkv\.bias", "shift of queries, keys and values"),
    (r".*attention\.output\.weight", "from the heads back to the residual stream"),
    (r".*attention\.output\.bias", "shift of what attention adds"),
    (r".*mlp\.up\.weight", "from the residual stream to the hidden row"),
    (r".*mlp\.up\.bias", "threshold of each hidden unit"),
    (r".*mlp\.down\.weight", "from the hidden row to the residual stream"),
    (r".*mlp\.down\.bias", "shift of what the MLP adds"),
    (r"head\.weight", "from the residual stream to the logits"),
    (r"head\.bias", "shift of each token's logit"),
)
"""Names of tensors and what they are for, as docs/looking_glass.md says it."""
PARTS = {
    "embeddings": "embedding",
    "attention": ".attention.",
    "MLP": ".mlp.",
    "norms": "norm",
    "head": "head",
}
"""Parts of a model, and what stands in the names of their tensors; the first that does counts."""


@dataclasses.dataclass(frozen=True)
class TensorSummary:
    """The figures of one tensor; `std` is the standard deviation of its numbers."""

    name: str
    role: str
    shape: tuple[int, ...]
    count: int
    min: float
    max: float
    mean: float
    std: float


def parameters_by_part(summaries: Iterable[TensorSummary]) -> dict[str, int]:
    """How many numbers each part of the model has; parts that it lacks are left out."""
    counts = dict.fromkeys(PARTS, 0)
    for summary in summaries:
        counts[next(part for part, word in PARTS.items() if word in summary.name)] += summary.count
    return {part: count for part, count in counts.items() if count > 0}


def role_of(name: str, tied_head: bool = False) -> str:
    """What a tensor is for; KeyError for a name that no model has."""
    for pattern, role in ROLES:
        if re.fullmatch(pattern, name):
            is_head_too = tied_head and name == "embedding.weight"
            return f"{role}, and transposed the head" if is_head_too else role
    raise KeyError(name)


def tensor_summaries(model: Model) -> list[TensorSummary]:
    """The figures of every tensor, computed in double precision, in the order of the model."""
    return [_summary(model, name, values) for name, values in model.parameters().items()]


def _summary(model: Model, name: str, values: npt.NDArray[Any]) -> TensorSummary:
    exact = values.astype(np.float64)
    return TensorSummary(
        name=name,
        role=role_of(name, model.config.tied_head),
        shape=values.shape,
        count=values.size,
        min=float(exact.min()),
        max=float(exact.max()),
        mean=float(exact.mean()),
        std=float(exact.std()),
    )


def tensor_histogram(values: npt.NDArray[Any]) -> tuple[list[int], list[float]]:
    """Counts of the finite numbers in equal bins, and the bins' edges."""
    finite = values[np.isfinite(values)].astype(np.float64)
    counts, edges = np.histogram(finite if finite.size else np.zeros(1), HISTOGRAM_BINS)
    return counts.tolist(), edges.tolist()
