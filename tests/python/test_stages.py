"""Model.stages(): each stage of the forward pass equals the same formula in numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from agpt import ArgumentError, Model, ModelConfig
from agpt.model_config import PRESETS

Array = npt.NDArray[Any]
TOKENS = [3, 0, 4, 4, 1, 2]


def model_of(preset: str, **changes: Any) -> Model:
    settings = {"d_model": 12, "heads": [4, 2, 6], "n_layers": 2, "context": 8} | changes
    model = Model(ModelConfig.preset(preset, vocab_size=5, **settings), 1, "float64")
    generator = np.random.default_rng(2)  # also where the initial values are 0 or 1
    model.flat_parameters += 0.1 * generator.standard_normal(model.n_parameters)
    return model


class NumpyForward:
    """The forward pass of docs/design.md, stage by stage."""

    def __init__(self, model: Model) -> None:
        self.config = model.config
        self.parameters = model.parameters()
        self.stages: dict[str, Array] = {}

    def norm(self, name: str, x: Array) -> Array:
        if self.config.norm == "layernorm":
            x = x - x.mean(axis=1, keepdims=True)
        y = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + self.config.norm_epsilon)
        return y * self.parameters.get(f"{name}.gain", 1) + self.parameters.get(f"{name}.bias", 0)

    def linear(self, name: str, x: Array) -> Array:
        tied = name == "head" and self.config.tied_head
        w = self.parameters["embedding.weight"].T if tied else self.parameters[f"{name}.weight"]
        return x @ w + self.parameters.get(f"{name}.bias", 0)

    def heads(self) -> list[slice]:
        ends = np.cumsum(self.config.head_widths)
        return [slice(e - w, e) for e, w in zip(ends, self.config.head_widths, strict=True)]

    def rotated(self, x: Array) -> Array:
        if self.config.position != "rope":
            return x
        y = x.copy()
        for head in self.heads():
            width = head.stop - head.start
            for i in range(0, width - 1, 2):
                angle = np.arange(len(x)) * self.config.rope_base ** (-i / width)
                pair = x[:, head.start + i] + 1j * x[:, head.start + i + 1]
                turned = pair * np.exp(1j * angle)
                y[:, head.start + i], y[:, head.start + i + 1] = turned.real, turned.imag
        return y

    def attention(self, qkv: Array) -> Array:
        q, k, v = np.split(qkv, 3, axis=1)
        outputs = []
        for head in self.heads():
            scores = q[:, head] @ k[:, head].T / np.sqrt(head.stop - head.start)
            scores[np.triu_indices(len(q), 1)] = -np.inf
            weights = np.exp(scores)
            outputs.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, head])
        return np.hstack(outputs)

    def activated(self, x: Array) -> Array:
        if self.config.activation == "gelu":
            from math import erf

            return x * np.vectorize(lambda value: 0.5 * (1 + erf(value / np.sqrt(2))))(x)
        positive = np.maximum(x, 0)
        return positive if self.config.activation == "relu" else positive * positive

    def run(self, tokens: list[int]) -> dict[str, Array]:
        stages = self.stages
        x = self.parameters["embedding.weight"][tokens]
        if self.config.position == "learned":
            x = x + self.parameters["position_embedding.weight"][: len(tokens)]
        stages["embedding"] = x
        if self.config.embedding_norm:
            stages["embedding_norm"] = x = self.norm("embedding_norm", x)
        for layer in range(self.config.n_layers):
            x = self.block(f"blocks.{layer}.", x)
        if self.config.final_norm:
            stages["final_norm"] = x = self.norm("final_norm", x)
        stages["logits"] = self.linear("head", x)
        return stages

    def block(self, block: str, x: Array) -> Array:
        stages = self.stages
        stages[block + "norm1"] = self.norm(block + "norm1", x)
        qkv = self.linear(block + "attention.qkv", stages[block + "norm1"])
        q, k, v = np.split(qkv, 3, axis=1)
        qkv = stages[block + "attention.qkv"] = np.hstack([self.rotated(q), self.rotated(k), v])
        heads = stages[block + "attention.heads"] = self.attention(qkv)
        x = stages[block + "after_attention"] = x + self.linear(block + "attention.output", heads)
        stages[block + "norm2"] = self.norm(block + "norm2", x)
        up = self.linear(block + "mlp.up", stages[block + "norm2"])
        if self.config.activation != "relu":
            stages[block + "mlp.up"] = up
        hidden = stages[block + "mlp.hidden"] = self.activated(up)
        x = stages[block + "after_mlp"] = x + self.linear(block + "mlp.down", hidden)
        return x


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("changes", [{}, {"position": "rope"}, {"n_layers": 0}], ids=str)
def test_every_stage_is_that_of_a_forward_pass_in_numpy(
    preset: str, changes: dict[str, Any]
) -> None:
    model = model_of(preset, **changes)
    expected = NumpyForward(model).run(TOKENS)
    for backend in ("reference", "cpu"):
        stages = model.stages(TOKENS, backend)
        assert list(stages) == list(expected)
        for name, values in stages.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-9, atol=1e-11, err_msg=name)


def test_the_last_stage_is_the_logits_and_later_tokens_change_no_earlier_row(
    make_model: Callable[..., Model],
) -> None:
    model = make_model(dtype="float64")
    whole, part = model.stages("the ca"), model.stages("the")
    np.testing.assert_allclose(whole["logits"], model.logits("the ca"), rtol=1e-10)
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name][:3])


def test_a_text_without_tokens_has_no_stages(make_model: Callable[..., Model]) -> None:
    with pytest.raises(ArgumentError, match="at least one"):
        make_model().stages([])
    with pytest.raises(ArgumentError, match="context is 6"):
        make_model().stages("the cat")
