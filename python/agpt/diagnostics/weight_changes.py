"""Which tensors of a model moved between two checkpoints: one that never does is not trained."""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt._engine import ArgumentError
from agpt.diagnostics.model_weights import ModelWeights


@dataclasses.dataclass(frozen=True)
class TensorChange:
    """What became of one tensor."""

    name: str
    n_elements: int
    n_changed: int
    largest_change: float
    """Largest |after - before|; NaN if that is no number."""
    relative_change: float
    """Euclidean length of after - before by that of before; inf where before was all zero."""
    n_not_finite: int
    """Elements of after that are NaN or infinite."""

    @property
    def is_frozen(self) -> bool:
        """Whether no element changed."""
        return self.n_changed == 0


def compare_weights(before: ModelWeights, after: ModelWeights) -> list[TensorChange]:
    """One element for each tensor, in the order of the model.

    ArgumentError, naming a setting that differs, unless the two are of one architecture and format.
    """
    if before.format != after.format:
        raise ArgumentError(
            f"one model is an {before.format} checkpoint, the other an {after.format} one: "
            "compare two of one training run"
        )
    for name, value in before.settings.items():
        if after.settings[name] != value:
            raise ArgumentError(
                f"the models do not match: {name} is {value} in one and "
                f"{after.settings[name]} in the other"
            )
    return [_change_of(name, before.tensors[name], after.tensors[name]) for name in before.tensors]


def _change_of(name: str, before: npt.NDArray[Any], after: npt.NDArray[Any]) -> TensorChange:
    old, new = before.astype(np.float64).ravel(), after.astype(np.float64).ravel()
    with np.errstate(invalid="ignore", over="ignore"):
        difference = new - old
        largest = float(np.abs(difference).max())
        moved, length = float(np.linalg.norm(difference)), float(np.linalg.norm(old))
    from_zero = math.inf if moved > 0 else 0.0
    return TensorChange(
        name,
        int(old.size),
        int(np.count_nonzero(old != new)),
        largest,
        moved / length if length > 0 else from_zero,
        int(np.count_nonzero(~np.isfinite(new))),
    )
