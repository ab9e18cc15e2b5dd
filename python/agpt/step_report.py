"""What one optimizer step did, and what it covered, for people and logs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from agpt import _engine
from agpt._engine import Vocabulary

MOST_PATHS = 16  # of the units of a step


class StepReport(NamedTuple):
    """What one optimizer step did; a tuple, because tiny models make 100,000 steps a second."""

    step: int
    """Number of the step, from 1."""
    loss: float
    """Mean weighted cross-entropy before the update, in nats."""
    positions: int
    """Predictions that the step learned from."""
    weight: float
    """Sum of their weights."""
    lr: float
    """Learning rate of the step."""
    grad_norm: float
    """Norm of the gradient before clipping."""
    seconds: float
    """Wall-clock time of the step."""
    building_seconds: float = 0.0
    """Time of making its batches, of all threads together."""
    computing_seconds: float = 0.0
    """Time of the forward and backward passes, of all threads together."""
    update_seconds: float = 0.0
    """Wall-clock time of the optimizer's update."""


class DeviceStatistics(NamedTuple):
    """What a device did for a trainer."""

    launches: int
    """Kernels and library calls launched; a replayed graph counts as one."""
    graph_launches: int
    """Of these, graphs: steps whose launches repeat."""
    uploaded_bytes: int
    """Bytes sent from the host."""
    peak_bytes: int
    """Most device memory held at a time."""
    batch_rows: int
    """Most rows of a batch: the batches of a step are joined up to it; 0 where they are not."""


def described_place(
    place: _engine.StepPlace, vocabulary: Vocabulary, *, has_stages: bool
) -> dict[str, Any]:
    """Where a step stands, as Trainer.unit() says it."""
    unit: dict[str, Any] = {"pass": place.pass_number + 1, "part": place.part + 1}
    if has_stages:
        unit["stage"] = place.stage + 1
    if place.unit_paths:
        unit["paths"] = [_path_text(path, vocabulary) for path in place.unit_paths[:MOST_PATHS]]
    return unit


def _path_text(path: Sequence[int], vocabulary: Vocabulary) -> str | list[int]:
    if vocabulary.kind == "tokens" or vocabulary.boundary in path:
        return list(path)
    return vocabulary.decode(np.array(path, np.uint32))
