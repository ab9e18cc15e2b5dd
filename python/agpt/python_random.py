"""Draws from Python's own random module, in the order of scripts that train with it alone.

Such a script seeds the module once, shuffles its documents, draws the weights, and after training
goes on drawing its samples: all from one generator. Here the same draws come out, bit for bit.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import ArgumentError

_STATE_VERSION = 3
"""Of random.getstate(): the Mersenne Twister, since Python 3.2."""


def shuffled_numbers(generator: random.Random, count: int) -> npt.NDArray[np.int64]:
    """Where each place of a list of `count` things takes its thing from, after random.shuffle."""
    numbers = list(range(count))
    generator.shuffle(numbers)
    return np.array(numbers, np.int64)


def generator_behind_shuffle(seed: int, count: int) -> random.Random:
    """The generator of `seed` after it shuffled `count` things: what draws the weights."""
    generator = random.Random(seed)
    shuffled_numbers(generator, count)
    return generator


def draw_parameters(
    config: _engine.ModelConfig,
    generator: random.Random,
    tensors: Mapping[str, npt.NDArray[Any]],
) -> None:
    """Draws every matrix of a model by random.gauss, as Karpathy's scripts do.

    The order is embedding, positions, head, then of each block query, key, value, output, up, down;
    the numbers of one output unit follow each other. `tensors` holds vectors as they shall be; a
    deviation of 0 takes its draws, too.
    """
    layout = _engine.parameter_layout(config)
    deviations = dict(
        zip((name for name, _, _ in layout), _engine.initial_deviations(config), strict=True)
    )
    for name, units_by_inputs in matrices_by_output_unit(config.n_layers, tensors):
        deviation = deviations[name]
        for unit in units_by_inputs:
            unit[...] = [generator.gauss(0, deviation) for _ in range(unit.size)]


def matrices_by_output_unit(
    n_layers: int, tensors: Mapping[str, npt.NDArray[Any]]
) -> list[tuple[str, npt.NDArray[Any]]]:
    """Name and view (output units, inputs) of every matrix, in the order of drawing."""
    order = [("embedding.weight", tensors["embedding.weight"])]
    if "position_embedding.weight" in tensors:
        order.append(("position_embedding.weight", tensors["position_embedding.weight"]))
    if "head.weight" in tensors:
        order.append(("head.weight", tensors["head.weight"].T))
    for layer in range(n_layers):
        block = f"blocks.{layer}."
        qkv = f"{block}attention.qkv.weight"
        order += [(qkv, part) for part in np.split(tensors[qkv].T, 3)]
        for part in ("attention.output", "mlp.up", "mlp.down"):
            order.append((f"{block}{part}.weight", tensors[f"{block}{part}.weight"].T))
    return order


def state_to_json(generator: random.Random) -> list[Any]:
    """The state of a generator as plain values."""
    version, words, next_gauss = generator.getstate()
    return [version, list(words), next_gauss]


def generator_from_json(values: Sequence[Any]) -> random.Random:
    """The inverse of `state_to_json`; ArgumentError for what is no such state."""
    generator = random.Random()
    try:
        version, words, next_gauss = values
        if version != _STATE_VERSION or not isinstance(next_gauss, (float, type(None))):
            raise ValueError("another kind of generator")
        generator.setstate((version, tuple(words), next_gauss))
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(f"the state of Python's generator is damaged: {error}") from error
    return generator
