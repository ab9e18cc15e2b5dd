"""One training run and what it is worth: what it cost, and its losses on held-out text."""

import time
from typing import Any

import agpt
import numpy as np
from agpt.training_cost import BACKWARD_OVER_FORWARD, forward_flops


def train_and_score(
    data: agpt.TrieIndex | agpt.Corpus,
    config: agpt.ModelConfig,
    settings: agpt.TrainConfig,
    held_out: agpt.TrieIndex | None = None,
) -> dict[str, Any]:
    """Train a model from the seed of the settings; return cost and held-out losses.

    The losses are nats per token at the trained context: `loss` over all positions of disjoint
    windows, `loss_full_context` with the full context before every prediction (stride 1). They
    are of the held-out part of `held_out`, or of the data's own where that is None.
    """
    model = agpt.Model(config, seed=settings.seed)
    trainer = agpt.Trainer(model, data, settings)
    wall, cpu = time.perf_counter(), time.process_time()
    positions = sum(step.positions for step in trainer)
    cost = {
        "steps": trainer.step_count,
        "positions": positions,
        "flops": positions * flops_per_position(config),
        "cpu_seconds": time.process_time() - cpu,
        "seconds": time.perf_counter() - wall,
    }
    scorer = trainer if held_out is None else agpt.Trainer(model, held_out, settings)
    context = trainer.context
    return cost | {
        "loss": scorer.evaluate("val", context=context, stride=context).loss,
        "loss_full_context": scorer.evaluate("val", context=context, stride=1).loss,
    }


def flops_per_position(config: agpt.ModelConfig) -> float:
    """Floating point operations of forward and backward, for positions of all depths alike."""
    of_all_depths = forward_flops(config, np.ones(config.context, np.int64))
    return (1 + BACKWARD_OVER_FORWARD) * of_all_depths / config.context
