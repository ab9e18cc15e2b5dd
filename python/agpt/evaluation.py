"""Honest evaluation: the mean loss of a model on a text, with all that explains the number."""

import dataclasses
import math
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from agpt import _engine
from agpt._engine import ArgumentError, NonFiniteError, Vocabulary
from agpt.data.tokenizer import KIND as TOKENIZER_KIND
from agpt.data.tokenizer import size_with
from agpt.model import Model
from agpt.token_text import TokenText
from agpt.train_config import resolved_threads

LARGEST_LOSS_OF_PERPLEXITY = 700.0
FIRST_CONTINUATION_BYTE, END_OF_CONTINUATION_BYTES = 0x80, 0xC0


@dataclasses.dataclass(frozen=True)
class DepthLoss:
    """The predictions that saw exactly `context` tokens; `loss` is None where there are none."""

    context: int
    positions: int
    loss: float | None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of one evaluation.

    `loss` is the mean over `positions` predictions in nats. Bits count the boundary of a document
    as one character and one byte, and are None for tokens without a text. With a tokenizer they
    count the text that its tokens decode to, which is the text itself only if the tokenizer keeps
    every character, as byte-level ones do.
    """

    split: str
    context: int
    stride: int
    positions: int
    loss: float
    perplexity: float
    bits_per_character: float | None
    bits_per_byte: float | None
    seconds: float
    by_depth: tuple[DepthLoss, ...] | None = None
    """One entry for each context length from 1, where asked for."""

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON; `by_depth` only where it was asked for."""
        values = dataclasses.asdict(self)
        if self.by_depth is None:
            del values["by_depth"]
        return values

    def __str__(self) -> str:
        """One line that names everything."""
        return (
            f"split={self.split} context={self.context} stride={self.stride} "
            f"positions={self.positions} nats={self.loss:.4f} perplexity={self.perplexity:.4f} "
            f"bits_per_character={_number(self.bits_per_character)} "
            f"bits_per_byte={_number(self.bits_per_byte)} "
            f"seconds={self.seconds:.2f}"
        )


def perplexity_of(loss: float) -> float:
    """exp(loss), infinite where a float cannot hold it."""
    return math.exp(loss) if loss < LARGEST_LOSS_OF_PERPLEXITY else math.inf


def require_finite(loss: float) -> float:
    """The loss; NonFiniteError where it is none that a score could be made of."""
    if not math.isfinite(loss):
        raise NonFiniteError(
            "the loss of the text is not finite: the model diverged, score one from before that"
        )
    return loss


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


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
    by_depth: bool = False,
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
        model.config.engine_config(),
        options,
        source,
        model.parameter_buffer.for_engine(),
        backend,
    )
    return evaluate_with(
        engine_trainer,
        model,
        text,
        split=split,
        context=context,
        stride=stride,
        by_depth=by_depth,
    )


def evaluate_with(
    engine_trainer: "_engine.Trainer32 | _engine.Trainer64",
    model: Model,
    text: TokenText,
    *,
    split: str,
    context: int | None,
    stride: int | None,
    by_depth: bool = False,
) -> Evaluation:
    """Scores a text with an engine trainer that holds the model's parameters."""
    require_two_tokens(text)
    context, stride = resolved_window(model, context, stride)
    start = time.perf_counter()
    loss_sum, positions, depths = engine_trainer.evaluate(
        text.tokens, text.document_starts, context, stride, by_depth
    )
    seconds = time.perf_counter() - start
    loss = require_finite(loss_sum / positions)
    bits = loss / math.log(2)
    size = characters_and_bytes(model.vocabulary, text)
    return Evaluation(
        split=split,
        context=context,
        stride=stride,
        positions=positions,
        loss=loss,
        perplexity=perplexity_of(loss),
        bits_per_character=None if size is None else bits * text.tokens.size / size[0],
        bits_per_byte=None if size is None else bits * text.tokens.size / size[1],
        seconds=seconds,
        by_depth=_depth_losses(depths) if by_depth else None,
    )


def _depth_losses(sums: Iterable[tuple[float, int]]) -> tuple[DepthLoss, ...]:
    """Means of the sums for the context lengths 1, 2, ..."""
    return tuple(
        DepthLoss(context, positions, loss / positions if positions > 0 else None)
        for context, (loss, positions) in enumerate(sums, start=1)
    )


def characters_and_bytes(vocabulary: Vocabulary | None, text: TokenText) -> tuple[int, int] | None:
    """Characters and UTF-8 bytes of a text, each at least 1; None for tokens without a text."""
    if vocabulary is None or vocabulary.kind == "tokens":
        return None
    tokens = text.tokens
    if vocabulary.kind == "char":
        lengths = np.ones(vocabulary.size, np.int64)
        lengths[: len(vocabulary.characters)] = [len(c.encode()) for c in vocabulary.characters]
        return tokens.size, int(lengths[tokens].sum())
    if vocabulary.kind == TOKENIZER_KIND:
        return size_with(vocabulary.definition, tokens, vocabulary.boundary)
    continuation = (tokens >= FIRST_CONTINUATION_BYTE) & (tokens < END_OF_CONTINUATION_BYTES)
    return max(1, int(np.count_nonzero(~continuation))), tokens.size


def require_two_tokens(text: TokenText) -> None:
    """Refuses texts without a prediction."""
    if text.tokens.size < 2:
        raise ArgumentError(
            f"the text to evaluate has {text.tokens.size} tokens: at least 2 are needed"
        )
