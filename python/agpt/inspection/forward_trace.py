"""A forward pass told stage by stage, and what the model expects behind each token."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt.inspection.tokens import ReadText, token_name
from agpt.model import Model

MEANINGS = {
    "embedding": "what the model knows of each token and place",
    "embedding_norm": "the embedding, normalised",
    "norm1": "the residual stream, normalised for attention",
    "attention.qkv": "queries, keys and values, rotated where positions are",
    "attention.heads": "what the heads read, side by side",
    "after_attention": "the residual stream with what attention adds",
    "norm2": "the residual stream, normalised for the MLP",
    "mlp.up": "hidden units before the activation",
    "mlp.hidden": "hidden units",
    "after_mlp": "the residual stream with what the MLP adds",
    "final_norm": "the residual stream, normalised for the head",
    "logits": "a score of each token of the vocabulary",
}
"""Stage, without its block, and what it is."""


@dataclasses.dataclass(frozen=True)
class StageSummary:
    """The figures of one stage; `l2` is the norm of all its numbers together."""

    name: str
    meaning: str
    shape: tuple[int, ...]
    l2: float
    min: float
    max: float
    mean: float
    zeros: int
    """How many numbers are exactly 0: hidden units that a relu switched off."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What the model expects behind one token; fields of the target are None without one."""

    position: int
    """From 1: how many tokens the prediction sees."""
    token: str
    target: str | None
    target_probability: float | None
    target_rank: int | None
    """1 where the target is the most probable token."""
    argmax: str
    argmax_probability: float
    loss: float | None
    """-ln(target_probability), nats."""


@dataclasses.dataclass(frozen=True)
class ForwardTrace:
    """The stages of one forward pass and its predictions."""

    stages: tuple[StageSummary, ...]
    predictions: tuple[Prediction, ...]

    @property
    def loss(self) -> float | None:
        """Mean loss of the predictions that have a target, nats."""
        losses = [p.loss for p in self.predictions if p.loss is not None]
        return sum(losses) / len(losses) if losses else None


def trace_of(model: Model, text: ReadText) -> ForwardTrace:
    """Runs the reference backend over a text and sums up every stage."""
    stages = model.stages(text.tokens)
    return ForwardTrace(
        tuple(_stage_summary(name, values) for name, values in stages.items()),
        tuple(_predictions(model, text, stages["logits"].astype(np.float64))),
    )


def _stage_summary(name: str, values: npt.NDArray[Any]) -> StageSummary:
    exact = values.astype(np.float64)
    kind = name.split(".", 2)[2] if name.startswith("blocks.") else name
    return StageSummary(
        name=name,
        meaning=MEANINGS[kind],
        shape=values.shape,
        l2=float(np.linalg.norm(exact)),
        min=float(exact.min()),
        max=float(exact.max()),
        mean=float(exact.mean()),
        zeros=int(np.count_nonzero(values == 0)),
    )


def _predictions(model: Model, text: ReadText, logits: npt.NDArray[np.float64]) -> list[Prediction]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    predictions = []
    for i, (row, target) in enumerate(zip(log_probabilities, text.targets, strict=True)):
        best = int(row.argmax())
        predictions.append(
            Prediction(
                position=i + 1,
                token=text.names[i],
                target=None if target is None else token_name(model.vocabulary, target),
                target_probability=None if target is None else float(np.exp(row[target])),
                target_rank=None if target is None else 1 + int((row > row[target]).sum()),
                argmax=token_name(model.vocabulary, best),
                argmax_probability=float(np.exp(row[best])),
                loss=None if target is None else -float(row[target]),
            )
        )
    return predictions
