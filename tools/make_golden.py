"""Write tests/golden/model.json: losses and gradients of small models by torch in float64.

An independent second opinion on the whole model: this file shares nothing with the engine but
the list of parameter names and shapes. Run it in an environment with agpt and torch
(`pip install '.[benchmark]'`): python tools/make_golden.py
"""

import json
import math
import pathlib
from typing import Any

import numpy as np
import torch
from agpt import _engine

GOLDEN = pathlib.Path(__file__).parent.parent / "tests" / "golden" / "model.json"
WINDOWS, CONTEXT = 5, 12

BASE = {
    "vocab_size": 11,
    "context": CONTEXT,
    "d_model": 24,
    "n_layers": 2,
    "heads": [16, 8],
    "d_ff": 40,
    "norm": "layernorm",
    "norm_gain": True,
    "norm_bias": True,
    "norm_epsilon": 1e-5,
    "bias": True,
    "position": "rope",
    "rope_base": 10000.0,
    "activation": "relu",
    "embedding_norm": False,
    "final_norm": True,
    "tied_head": False,
    "init": "microgpt",
}
CASES = {
    "microgpt": BASE,
    "karpathy-a": BASE
    | {
        "heads": [6, 6, 6, 6],
        "norm": "rmsnorm",
        "norm_gain": False,
        "norm_bias": False,
        "bias": False,
        "position": "learned",
        "activation": "relu2",
        "embedding_norm": True,
        "final_norm": False,
    },
    "nanogpt": BASE
    | {
        "heads": [12, 12],
        "norm_bias": False,
        "bias": False,
        "position": "learned",
        "activation": "gelu",
        "tied_head": True,
    },
    "odd heads": BASE
    | {"heads": [1, 2, 3, 5, 13], "norm": "rmsnorm", "norm_bias": False, "rope_base": 100.0},
}


def golden_parameters(layout: list[tuple[str, int, tuple[int, ...]]]) -> dict[str, np.ndarray]:
    """Return parameters that make every operation matter, by a formula that the test repeats."""
    parameters = {}
    for name, offset, shape in layout:
        size = math.prod(shape)
        wave = np.sin(12.9898 * (offset + 1 + np.arange(size)) ** 1.1)
        scale = 0.3 if len(shape) == 1 else 1.2 / math.sqrt(shape[0])
        parameters[name] = (wave * scale + (1.0 if name.endswith(".gain") else 0.0)).reshape(shape)
    return parameters


def golden_tokens(vocab_size: int) -> np.ndarray:
    """Return the text that the windows are cut from."""
    n = np.arange(WINDOWS * CONTEXT + 1)
    return ((n * n * 7 + n * 3) % 31 % vocab_size).astype(np.uint8)


class Golden:
    """The model's equations in torch, one window at a time."""

    def __init__(self, config: dict[str, Any], parameters: dict[str, torch.Tensor]) -> None:
        self.config, self.parameters = config, parameters

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Layer norm or RMS norm of each row."""
        if self.config["norm"] == "layernorm":
            x = x - x.mean(-1, keepdim=True)
        x = x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.config["norm_epsilon"])
        if self.config["norm_gain"]:
            x = x * self.parameters[f"{name}.gain"]
        if self.config["norm_gain"] and self.config["norm_bias"]:
            x = x + self.parameters[f"{name}.bias"]
        return x

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Multiply by the weight and add the bias, where there is one."""
        y = x @ self.parameters[f"{name}.weight"]
        return y + self.parameters[f"{name}.bias"] if self.config["bias"] else y

    def rotate(self, x: torch.Tensor) -> torch.Tensor:
        """Rotate interleaved pairs of one head (positions, width) by complex multiplication."""
        n, width = x.shape
        pairs = width // 2
        if self.config["position"] != "rope" or pairs == 0:
            return x
        frequency = self.config["rope_base"] ** (
            -2.0 * torch.arange(pairs, dtype=torch.float64) / width
        )
        angle = torch.arange(n, dtype=torch.float64)[:, None] * frequency
        turned = torch.view_as_complex(x[:, : 2 * pairs].reshape(n, pairs, 2).clone()) * torch.exp(
            1j * angle
        )
        return torch.cat([torch.view_as_real(turned).reshape(n, 2 * pairs), x[:, 2 * pairs :]], 1)

    def attention(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Causal attention with heads of the configured widths."""
        n, d = x.shape
        q, k, v = self.linear(x, f"{name}.qkv").split(d, 1)
        hidden = torch.triu(torch.full((n, n), -math.inf, dtype=torch.float64), 1)
        heads = []
        widths = self.config["heads"]
        for hq, hk, hv in zip(
            q.split(widths, 1), k.split(widths, 1), v.split(widths, 1), strict=True
        ):
            scores = self.rotate(hq) @ self.rotate(hk).T / math.sqrt(hq.shape[1])
            heads.append(torch.softmax(scores + hidden, -1) @ hv)
        return self.linear(torch.cat(heads, 1), f"{name}.output")

    def activation(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the configured activation."""
        kinds = {
            "relu": torch.relu,
            "relu2": lambda t: torch.relu(t) ** 2,
            "gelu": torch.nn.functional.gelu,
        }
        return kinds[self.config["activation"]](x)

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the logits (positions, vocabulary) of one window."""
        x = self.parameters["embedding.weight"][tokens]
        if self.config["position"] == "learned":
            x = x + self.parameters["position_embedding.weight"][: len(tokens)]
        if self.config["embedding_norm"]:
            x = self.norm(x, "embedding_norm")
        for layer in range(self.config["n_layers"]):
            block = f"blocks.{layer}"
            x = x + self.attention(self.norm(x, f"{block}.norm1"), f"{block}.attention")
            hidden = self.activation(self.linear(self.norm(x, f"{block}.norm2"), f"{block}.mlp.up"))
            x = x + self.linear(hidden, f"{block}.mlp.down")
        if self.config["final_norm"]:
            x = self.norm(x, "final_norm")
        if self.config["tied_head"]:
            x = x @ self.parameters["embedding.weight"].T
            return x + self.parameters["head.bias"] if self.config["bias"] else x
        return self.linear(x, "head")


def golden_case(config: dict[str, Any]) -> dict[str, Any]:
    """Return loss, logits of the last position and gradient samples of one configuration."""
    engine_config = _engine.ModelConfig()
    for key, value in config.items():
        setattr(engine_config, key, value)
    values = golden_parameters(_engine.parameter_layout(engine_config))
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    model, text = (
        Golden(config, parameters),
        torch.tensor(golden_tokens(config["vocab_size"]).astype(np.int64)),
    )
    losses = []
    for window in range(WINDOWS):
        part = text[window * CONTEXT : (window + 1) * CONTEXT + 1]
        logits = model.logits(part[:-1])
        losses.append(torch.nn.functional.cross_entropy(logits, part[1:]))
    loss = torch.stack(losses).mean()
    loss.backward()
    gradients = {}
    for name, parameter in parameters.items():
        flat = parameter.grad.reshape(-1)
        picks = sorted({0, len(flat) // 3, len(flat) // 2, len(flat) - 1})
        gradients[name] = {
            "norm": flat.norm().item(),
            "at": picks,
            "values": [flat[i].item() for i in picks],
        }
    return {
        "config": config,
        "loss": loss.item(),
        "last_logits": logits[-1].tolist(),
        "gradients": gradients,
    }


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    cases = {name: golden_case(config) for name, config in CASES.items()}
    GOLDEN.write_text(
        json.dumps({"windows": WINDOWS, "context": CONTEXT, "cases": cases}, indent=1) + "\n"
    )
