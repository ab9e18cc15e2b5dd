"""The evaluation of a model on a tree of held-out sequences, with all that explains the number."""

import dataclasses
import time
from typing import Any

from agpt._engine import SequenceTrie
from agpt.evaluation import perplexity_of, require_finite
from agpt.model import Model
from agpt.train_config import TrainConfig
from agpt.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class SequenceEvaluation:
    """`loss` is the mean of all predictions in nats, by their weights; their sum is `weight`."""

    n_sequences: int
    context: int
    """Most tokens that a prediction saw: each saw all before it."""
    positions: int
    """Distinct contexts that something was predicted from."""
    weight: float
    loss: float
    perplexity: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """One line that names everything."""
        return (
            f"sequences={self.n_sequences} context={self.context} positions={self.positions} "
            f"weight={self.weight:g} nats={self.loss:.4f} perplexity={self.perplexity:.4f} "
            f"seconds={self.seconds:.2f}"
        )


def evaluate_tree(trainer: Trainer, sequences: SequenceTrie) -> SequenceEvaluation:
    """Evaluates the trainer's model as it is now."""
    start = time.perf_counter()
    loss = require_finite(trainer.evaluate_sequences(sequences))
    return SequenceEvaluation(
        n_sequences=sequences.n_sequences,
        context=sequences.depth,
        positions=sequences.n_positions,
        weight=sequences.total_weight,
        loss=loss,
        perplexity=perplexity_of(loss),
        seconds=time.perf_counter() - start,
    )


def evaluate_sequences(
    model: Model, sequences: SequenceTrie, *, backend: str = "cpu", threads: int = 0
) -> SequenceEvaluation:
    """Scores a tree of sequences from scratch.

    ArgumentError where the vocabularies differ or a sequence is longer than the model's context.
    """
    config = TrainConfig(optimizer="sgd", threads=threads)
    return evaluate_tree(Trainer(model, sequences, config, backend), sequences)
