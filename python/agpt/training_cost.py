"""What training on an index will cost: positions, floating point operations, memory, seconds."""

import dataclasses
import gc
import time

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import TrieIndex
from agpt.model import Model
from agpt.model_config import ModelConfig
from agpt.train_config import TrainConfig
from agpt.trainer import Trainer

BACKWARD_OVER_FORWARD = 2
FEWEST_STEPS = 3
MOMENTS = {"adam": 2, "adamw": 2, "sgd": 0}
"""Numbers that an optimizer keeps for each parameter, where that is not 1."""
GRADIENT_BYTES = 8  # summed in float64


def forward_flops(config: ModelConfig, positions: npt.NDArray[np.int64]) -> int:
    """Floating point operations of one forward pass over positions[k - 1] positions of depth k.

    A multiplication and an addition count 2. Per position of depth k, with d = d_model, f = d_ff,
    L layers and V tokens:

        L (8 d^2 + 4 d f)    the products with Wq, Wk, Wv, Wo and the two of the MLP
        L 4 d k              scores against k keys, and their sum over k values
        2 d V                the head

    Norms, activations, softmax, embedding and rotary positions are left out (below 2 per cent of
    the above for d = 64), and so are ghost rows, at most depth - 1 for each batch of rows.
    """
    d, f, layers = config.d_model, config.d_ff or 0, config.n_layers
    depths = np.arange(1, len(positions) + 1, dtype=np.int64)
    n, keys = int(positions.sum()), int((positions * depths).sum())
    return (
        n * (layers * (8 * d * d + 4 * d * f) + 2 * d * config.vocab_size) + layers * 4 * d * keys
    )


@dataclasses.dataclass(frozen=True)
class TrainingCost:
    """A prediction for one run; memory is measured on this machine."""

    n_parameters: int
    passes: float
    positions: int
    """Positions that all passes compute."""
    steps: int
    flops: int
    """Forward and backward, which counts as two forward: see `forward_flops`."""
    positions_per_second: float
    seconds: float
    rate_source: str
    """Where the rate is from: 'measured' or 'given'."""
    memory_bytes: int
    """Parameters, optimizer state, gradient and the engine's buffers, without the index."""
    index_bytes: int
    """The index, which is mapped: pages that are not in use can be dropped."""


def predict_cost(
    index: TrieIndex,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    rate: float | None = None,
    seconds: float = 1.0,
) -> TrainingCost:
    """Predicts a run on all positions of `index`.

    Makes a model and a few optimizer steps: enough to see what memory they take, and, unless `rate`
    (positions per second) is given, for `seconds` to measure the rate.
    """
    gc.collect()  # buffers of earlier trainers, freed only while this one runs, would be missing
    reserved_before = _engine.memory_reserved()
    model = Model(model_config, seed=0)
    trainer = Trainer(model, index, dataclasses.replace(train_config, steps=None))
    measured = _measured_rate(trainer, 0.0 if rate is not None else seconds)
    passes = trainer.total_steps / trainer.steps_per_pass
    positions = round(passes * index.n_positions)
    forward = forward_flops(model_config, index.profile()["positions"])
    used_rate = measured if rate is None else rate
    n = model.n_parameters
    bytes_per_parameter = 4 + 4 * MOMENTS.get(train_config.optimizer, 1) + GRADIENT_BYTES
    return TrainingCost(
        n_parameters=n,
        passes=passes,
        positions=positions,
        steps=trainer.total_steps,
        flops=round(passes * forward * (1 + BACKWARD_OVER_FORWARD)),
        positions_per_second=used_rate,
        seconds=positions / used_rate,
        rate_source="measured" if rate is None else "given",
        memory_bytes=_engine.memory_reserved() - reserved_before + n * bytes_per_parameter,
        index_bytes=index.n_bytes,
    )


def _measured_rate(trainer: Trainer, seconds: float) -> float:
    """Positions per second of wall-clock time over some steps, the first of which warms up."""
    trainer.step()
    positions, start = 0, time.perf_counter()
    for _ in range(FEWEST_STEPS if seconds > 0 else 1):
        positions += trainer.step().positions
    while time.perf_counter() - start < seconds:
        positions += trainer.step().positions
    return positions / (time.perf_counter() - start)
