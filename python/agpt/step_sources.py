"""What the steps of a training run cover: from a TrainConfig and data to the engine's sources."""

import dataclasses
import random
from typing import Any

from agpt import _engine
from agpt._engine import ArgumentError, SequenceTrie, TrieIndex
from agpt.model import Model
from agpt.python_random import shuffled_numbers
from agpt.token_text import TRAIN, TokenText, TrainingSource, text_of_split
from agpt.train_config import TrainConfig

ENDLESS = 1  # steps of the last stage of a curriculum: any number serves


def step_source(model: Model, data: TrainingSource, config: TrainConfig) -> _engine.StepSource:
    """The steps of a run; ArgumentError where model, data and configuration do not fit."""
    *stages, (_, whole) = (
        (n_steps, _accumulated(source, config)) for n_steps, source in _stages(model, data, config)
    )
    return _engine.staged_source([*stages, (ENDLESS, whole)]) if stages else whole


def _accumulated(source: _engine.StepSource, config: TrainConfig) -> _engine.StepSource:
    if config.grad_accum == 1:
        return source
    return _engine.accumulated_source(source, config.grad_accum)


def _stages(
    model: Model, data: TrainingSource, config: TrainConfig
) -> list[tuple[int, _engine.StepSource]]:
    """Number of steps and source of each stage; the last one never ends."""
    if isinstance(data, SequenceTrie):
        config = dataclasses.replace(config, unit=config.unit or "positions")
        return [(ENDLESS, _sequence_source(model, data, config))]
    config = dataclasses.replace(config, unit=config.unit_of_index)
    if config.mode == "window":
        return [(ENDLESS, _window_source(model, data, config))]
    if not isinstance(data, TrieIndex):
        raise ArgumentError(
            f"mode {config.mode} trains on an index: make one with "
            "TrieIndex.build(corpus, depth=...)"
        )
    if data.depth > model.config.context:
        raise ArgumentError(
            f"the index is {data.depth} deep, but the model's context is {model.config.context}: "
            f"build the index with depth={model.config.context} or make the model with "
            f"context={data.depth}"
        )
    if config.mode == "hybrid":
        return [(ENDLESS, _hybrid_source(model, data, config))]
    if config.reference_gradient:
        return [(ENDLESS, _reference_source(data, config))]
    if config.unit == "sample":
        return [(ENDLESS, _sample_source(data, config))]
    stages = [
        (n_steps, _trie_source(data, config, depth)) for depth, n_steps in config.curriculum_stages
    ]
    return [*stages, (ENDLESS, _trie_source(data, config))]


def _sequence_source(model: Model, data: SequenceTrie, config: TrainConfig) -> _engine.StepSource:
    if config.mode != "trie" or config.unit not in ("positions", "pass"):
        raise ArgumentError(
            f"mode {config.mode} with unit {config.unit} is not for sequences: they have mode trie "
            "with the units positions and pass"
        )
    if config.reference_gradient:
        raise ArgumentError("the reference gradient is that of an index, not of sequences")
    if config.tails != "full" or config.mass_weight != "linear" or config.curriculum:
        raise ArgumentError(
            "sequences have weights of their own: leave tails, mass_weight and curriculum alone"
        )
    if config.blend:
        raise ArgumentError(
            f"blend is {config.blend}, but sequences have no counts of suffixes: leave it out"
        )
    require_context_for(model, data)
    return _engine.sequence_source(
        data,
        positions=0 if config.unit == "pass" else config.positions_per_step,
        order=config.order,
        seed=config.seed,
        batch_rows=config.batch_rows,
    )


def require_context_for(model: Model, sequences: SequenceTrie) -> None:
    """Refuses, by ArgumentError, sequences that are longer than the model's context."""
    if sequences.depth > model.config.context:
        raise ArgumentError(
            f"the longest sequence is {sequences.depth} tokens long, but the model's context is "
            f"{model.config.context}: make the model with context={sequences.depth}"
        )


def window_context(model: Model, config: TrainConfig) -> int:
    """Tokens of a window; ArgumentError where they are more than the model's context."""
    context = model.config.context if config.context is None else config.context
    if context > model.config.context:
        raise ArgumentError(
            f"windows of {context} tokens are longer than the model's context, "
            f"{model.config.context}: choose a smaller window or make the model with "
            f"context={context}"
        )
    return context


def _window_source(model: Model, data: TrainingSource, config: TrainConfig) -> _engine.StepSource:
    context = window_context(model, config)
    text = text_of_split(data, TRAIN).with_ends(config.document_ends)
    return _engine.window_source(
        text.tokens,
        text.document_starts,
        context=context,
        windows=config.windows_per_step,
        stride=config.stride,
        **_order_of_windows(text, config),
        seed=config.seed,
        batch_rows=config.batch_rows,
        targets=_targets_of_windows(data, config),
        **_blending(config),
    )


def _order_of_windows(text: TokenText, config: TrainConfig) -> dict[str, Any]:
    if config.generator == "engine" or config.window_order == "sequential":
        return {"order": config.window_order}
    n_documents = int(text.document_starts.size)
    if n_documents == 0:
        raise ArgumentError(
            "generator python shuffles documents, but this is a running text: read it as documents "
            "(--starts documents)"
        )
    shuffled = shuffled_numbers(random.Random(config.seed), n_documents)
    return {"order": "listed", "list": shuffled.tolist()}


def _targets_of_windows(data: TrainingSource, config: TrainConfig) -> TrieIndex | None:
    if config.window_targets == "text":
        return None
    if not isinstance(data, TrieIndex):
        raise ArgumentError(
            "window_targets trie needs an index: make one with TrieIndex.build(corpus, depth=...)"
        )
    return data


def _hybrid_source(model: Model, data: TrieIndex, config: TrainConfig) -> _engine.StepSource:
    return _engine.hybrid_source(
        data,
        context=window_context(model, config),
        windows=config.windows_per_step,
        positions=config.positions_per_step,
        order=config.order,
        seed=config.seed,
        batch_rows=config.batch_rows,
        mass_weight=config.mass_weight,
        spread_heavy=config.spread_heavy,
        **_blending(config),
    )


def _blending(config: TrainConfig) -> dict[str, Any]:
    return {"blend": config.blend, "blend_min_mass": config.blend_min_mass}


def _weighting(config: TrainConfig) -> dict[str, Any]:
    names = ("mass_weight", "entropy_lambda", "intermediate_weight")
    return {name: getattr(config, name) for name in names}


def _sample_source(data: TrieIndex, config: TrainConfig) -> _engine.StepSource:
    return _engine.sample_source(
        data,
        sampler=config.sampler,
        stop=config.sampler_stop,
        most_mass=config.sampler_most_mass,
        samples=config.samples_per_step or 0,
        positions=config.positions_per_step,
        corrected=config.sampler_corrected,
        seed=config.seed,
        batch_rows=config.batch_rows,
        **_weighting(config),
        **_blending(config),
    )


def _reference_source(data: TrieIndex, config: TrainConfig) -> _engine.StepSource:
    return _engine.reference_source(
        data,
        whole=config.unit == "pass",
        order=config.order,
        seed=config.seed,
        batch_rows=config.batch_rows,
        **_weighting(config),
    )


@dataclasses.dataclass(frozen=True)
class _Unit:
    """A unit as the engine knows it."""

    name: str
    ngram: int


def _unit_of(config: TrainConfig) -> _Unit:
    unit = config.unit_of_index
    known = {
        "pass": _Unit("whole", 1),
        "root-child": _Unit("ngram", 1),
        "bigram": _Unit("ngram", 2),
    }
    return known.get(unit, _Unit(unit, config.ngram))


def _trie_source(
    data: TrieIndex, config: TrainConfig, max_depth: int | None = None
) -> _engine.StepSource:
    unit = _unit_of(config)
    return _engine.trie_source(
        data,
        unit=unit.name,
        ngram=unit.ngram,
        units_per_step=config.units_per_step,
        positions=config.positions_per_step,
        order=config.order,
        seed=config.seed,
        batch_rows=config.batch_rows,
        tails=config.tails,
        tail_rows=config.tail_rows,
        tail_rate=config.tail_rate,
        max_depth=data.depth if max_depth is None else max_depth,
        unit_lr=config.unit_lr,
        spread_heavy=config.spread_heavy,
        **_weighting(config),
        **_blending(config),
    )
