"""Honest evaluation: the mean loss of a model on a text, with all that explains the number."""

import dataclasses
import math
import time
from typing import Any

import numpy as np

from agpt import _engine
from agpt._engine import ArgumentError, Vocabulary
from agpt.model import Model
from agpt.token_text import TokenText
from agpt.train_config import resolved_threads

FIRST_CONTINUATION_BYTE, END_OF_CONTINUATION_BYTES = 0x80, 0xC0


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of one evaluation.

    `loss` is the mean over `positions` predictions in nats, `bits_per_character` counts the
    boundary of a document as a character and is None for tokens without a text.
    """

    split: str
    context: int
    stride: int
    positions: int
    loss: float
    perplexity: float
    bits_per_character: float | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """One line that names everything."""
        bits = self.bits_per_character
        return (
            f"split={self.split} context={self.context} stride={self.stride} "
            f"positions={self.positions} nats={self.loss:.4f} perplexity={self.perplexity:.4f} "
            f"bits_per_character={'none' if bits is None else f'{bits:.4f}'} "
            f"seconds={self.seconds:.2f}"
        )


def resolved_window(model: Model, context: int | None, stride: int | None) -> tuple[int, int]:
    """Context and stride of an evaluation; by default the trained context, in disjoint windows."""
    trained = model.config.context
    context = trained if context is None else context
    if not 1 <= context <= trained:
        raise ArgumentError(
            f"the context is {context}, but the model was made for at most {trained}: "
            f"choose one from 1 to {trained}"
        )
    return context, stride if stride else context


def evaluate(
    model: Model,
    text: TokenText,
    *,
    split: str,
    context: int | None = None,
    stride: int | None = None,
    backend: str = "cpu",
    threads: int = 0,
) -> Evaluation:
    """Scores a text from scratch; a Trainer evaluates with what it has at hand instead."""
    require_two_tokens(text)
    options = _engine.TrainerConfig()
    options.optimizer, options.threads = "sgd", resolved_threads(threads)
    source = _engine.window_source(text.tokens, text.document_starts, context=1)
    trainer_class = _engine.Trainer32 if model.dtype == "float32" else _engine.Trainer64
    engine_trainer = trainer_class(
        model.config.engine_config(), options, source, model.flat_parameters, backend
    )
    return evaluate_with(engine_trainer, model, text, split=split, context=context, stride=stride)


def evaluate_with(
    engine_trainer: "_engine.Trainer32 | _engine.Trainer64",
    model: Model,
    text: TokenText,
    *,
    split: str,
    context: int | None,
    stride: int | None,
) -> Evaluation:
    """Scores a text with an engine trainer that holds the model's parameters."""
    require_two_tokens(text)
    context, stride = resolved_window(model, context, stride)
    start = time.perf_counter()
    loss_sum, positions = engine_trainer.evaluate(
        text.tokens, text.document_starts, context, stride
    )
    seconds = time.perf_counter() - start
    loss = loss_sum / positions
    return Evaluation(
        split=split,
        context=context,
        stride=stride,
        positions=positions,
        loss=loss,
        perplexity=math.exp(loss) if loss < 700 else math.inf,
        bits_per_character=bits_per_character(loss, model.vocabulary, text),
        seconds=seconds,
    )


def bits_per_character(loss: float, vocabulary: Vocabulary | None, text: TokenText) -> float | None:
    """Nats per token in bits per character; of bytes, continuation bytes begin no character."""
    if vocabulary is None or vocabulary.kind == "tokens":
        return None
    bits = loss / math.log(2)
    if vocabulary.kind == "char":
        return bits
    continuation = (text.tokens >= FIRST_CONTINUATION_BYTE) & (
        text.tokens < END_OF_CONTINUATION_BYTES
    )
    return bits * text.tokens.size / max(1, int(np.count_nonzero(~continuation)))


def require_two_tokens(text: TokenText) -> None:
    """Refuses texts without a prediction."""
    if text.tokens.size < 2:
        raise ArgumentError(
            f"the text to evaluate has {text.tokens.size} tokens: at least 2 are needed"
        )
