"""What the log of a run says first: the model, the data and what training on them shares."""

from typing import Any

from agpt import _engine
from agpt.trainer import Trainer

MOST_NODES = 20_000_000
"""Counting the depths of a larger index would hold up the first step by more than two seconds."""


def beginning_of(trainer: Trainer) -> dict[str, Any]:
    """Everything about a run that its steps do not say, as plain values."""
    return {
        "step": trainer.step_count,
        "version": _engine.version,
        "backend": trainer.backend_description,
        "dtype": trainer.model.dtype,
        "n_parameters": trainer.model.n_parameters,
        "total_steps": trainer.total_steps,
        "steps_per_pass": trainer.steps_per_pass,
        "pass_positions": trainer.pass_positions,
        "model": trainer.model.config.to_dict(),
        "training": trainer.config.to_dict(),
        "sharing": _sharing_by_depth(trainer),
    }


def _sharing_by_depth(trainer: Trainer) -> dict[str, list[int]] | None:
    """Positions of each depth of the index and the predictions that they stand for."""
    index = trainer.data
    if not isinstance(index, _engine.TrieIndex) or trainer.config.mode == "window":
        return None
    if index.n_nodes > MOST_NODES:
        return None
    profile = index.profile()
    return {
        "positions": [int(n) for n in profile["positions"]],
        "mass": [int(n) for n in profile["mass"]],
    }
