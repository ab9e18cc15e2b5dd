"""What the heads attend to: the attention weights of a text, from the stages of its pass."""

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from agpt.inspection.tokens import ReadText
from agpt.model import Model
from agpt.model_config import ModelConfig

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class HeadAttention:
    """One head on one text of n tokens."""

    layer: int
    head: int
    width: int
    scale: float
    """1 / sqrt(width), which scores are multiplied by."""
    weights: Array
    """(n, n): row i is how token i spreads its attention; 0 above the diagonal."""
    output_norms: Array
    """(n,): L2 norm of the head's output in each row."""

    @property
    def entropies(self) -> Array:
        """(n,): entropy of each row in nats; 0 looks at one token, ln(i + 1) at all alike."""
        logs = np.log(self.weights, where=self.weights > 0, out=np.zeros_like(self.weights))
        result: Array = -(self.weights * logs).sum(axis=1)
        return result


@dataclasses.dataclass(frozen=True)
class TextAttention:
    """Attention of a whole model on a text."""

    text: ReadText
    row_norms: dict[str, Array]
    """Stage -> (n,) L2 norm of each row of the residual stream: the embedding, each block's end."""
    heads: tuple[HeadAttention, ...]

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(n, n): whether row i may see column j; j <= i."""
        n = len(self.text.tokens)
        return np.tri(n, dtype=np.bool_)


def attention_of(model: Model, text: ReadText) -> TextAttention:
    """The attention weights of every head on a text, in double precision."""
    stages = model.stages(text.tokens)
    heads = [
        head
        for layer in range(model.config.n_layers)
        for head in _heads_of(model.config, layer, stages[f"blocks.{layer}.attention.qkv"])
    ]
    norms = {
        name: np.linalg.norm(values.astype(np.float64), axis=1)
        for name, values in stages.items()
        if name.startswith("embedding") or ".after_" in name
    }
    return TextAttention(text, norms, tuple(heads))


def _heads_of(config: ModelConfig, layer: int, qkv: npt.NDArray[Any]) -> list[HeadAttention]:
    """Rows of `qkv` are queries, keys and values side by side, heads side by side in each."""
    queries, keys, values = np.split(qkv.astype(np.float64), 3, axis=1)
    result, begin = [], 0
    for head, width in enumerate(config.head_widths):
        columns = slice(begin, begin + width)
        weights = _causal_softmax(queries[:, columns] @ keys[:, columns].T / math.sqrt(width))
        norms = np.linalg.norm(weights @ values[:, columns], axis=1)
        result.append(HeadAttention(layer, head, width, 1 / math.sqrt(width), weights, norms))
        begin += width
    return result


def _causal_softmax(scores: Array) -> Array:
    """Softmax of each row over the columns up to the diagonal."""
    masked = np.where(np.tri(len(scores), dtype=np.bool_), scores, -np.inf)
    shares = np.exp(masked - masked.max(axis=1, keepdims=True))
    result: Array = shares / shares.sum(axis=1, keepdims=True)
    return result
