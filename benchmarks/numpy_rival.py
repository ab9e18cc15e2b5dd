"""Training of Karpathy's tiny models in NumPy: the fastest way to write them in Python.

One document a step, all its positions at once, the backward pass by hand, and all parameters in
one flat buffer, so that Adam is a handful of calls. One layer, equal heads, RMS norms without
gains behind the embedding and before attention and MLP, ReLU, no biases, an untied head without
a norm.
"""

import math

import agpt
import numpy as np
import numpy.typing as npt
from agpt.model import named_views

Array = npt.NDArray[np.float32]


def rms_norm(x: Array, epsilon: float) -> tuple[Array, Array]:
    """Return x / sqrt(mean(x^2) + epsilon) by row, and the factors (rows, 1)."""
    scale = 1 / np.sqrt((x * x).mean(1, keepdims=True) + np.float32(epsilon))
    return x * scale, scale


def rms_norm_backward(dy: Array, y: Array, scale: Array) -> Array:
    """Return the gradient through the norm whose output was y."""
    return scale * (dy - y * (dy * y).mean(1, keepdims=True))


class DocumentTraining:
    """Trains on one document a step; call it for the next one, which counts as 1."""

    def __init__(
        self, model: agpt.Model, documents: list[np.ndarray], settings: agpt.TrainConfig
    ) -> None:
        config = model.config
        tiny = agpt.ModelConfig.preset("karpathy-b", config.vocab_size)
        assert config == tiny, "only Karpathy's architecture is written down here"
        self.config, self.settings, self.documents = config, settings, documents
        self.flat = model.flat_parameters.copy()
        self.gradient = np.zeros_like(self.flat)
        self.first, self.second = np.zeros_like(self.flat), np.zeros_like(self.flat)
        self.weights = named_views(config, self.flat)
        self.gradients = named_views(config, self.gradient)
        n, hidden = config.context, np.float32(-1e30)
        self.mask = np.triu(np.full((n, n), hidden, np.float32), 1)
        self.done = 0

    def __call__(self) -> int:
        """Make one step and count it."""
        self.step(self.documents[self.done % len(self.documents)])
        return 1

    def step(self, document: np.ndarray) -> float:
        """Make one step on a document (tokens + 1) and return its loss before it."""
        loss = self.loss_and_gradient(document)
        s, g = self.settings, self.gradient
        self.done += 1
        beta1, beta2 = np.float32(s.beta1), np.float32(s.beta2)
        self.first += (1 - beta1) * (g - self.first)
        self.second += (1 - beta2) * (g * g - self.second)
        root = np.sqrt(self.second * np.float32(1 / (1 - s.beta2**self.done)))
        rate = np.float32(s.lr / (1 - s.beta1**self.done))
        self.flat -= rate * self.first / (root + np.float32(s.eps))
        return loss

    def loss_and_gradient(self, document: np.ndarray) -> float:
        """Return the mean loss of the predictions; `gradient` becomes its gradient."""
        w, g, d = self.weights, self.gradients, self.config.d_model
        tokens, targets = document[:-1], document[1:]
        n, n_heads = len(tokens), len(self.config.heads)
        width, epsilon = d // n_heads, self.config.norm_epsilon
        scale = np.float32(1 / math.sqrt(width))
        at = "blocks.0."
        # forward
        x0, r0 = rms_norm(
            w["embedding.weight"][tokens] + w["position_embedding.weight"][:n], epsilon
        )
        x1, r1 = rms_norm(x0, epsilon)
        qkv = x1 @ w[at + "attention.qkv.weight"]
        q, k, v = qkv.reshape(n, 3, n_heads, width).transpose(1, 2, 0, 3)
        p = q @ k.swapaxes(1, 2) * scale + self.mask[:n, :n]
        np.exp(p - p.max(2, keepdims=True), out=p)
        p /= p.sum(2, keepdims=True)
        heads = (p @ v).swapaxes(0, 1).reshape(n, d)
        x2 = x0 + heads @ w[at + "attention.output.weight"]
        x3, r3 = rms_norm(x2, epsilon)
        hidden = np.maximum(x3 @ w[at + "mlp.up.weight"], 0)
        x4 = x2 + hidden @ w[at + "mlp.down.weight"]
        s = x4 @ w["head.weight"]
        np.exp(s - s.max(1, keepdims=True), out=s)
        s /= s.sum(1, keepdims=True)
        rows = np.arange(n)
        loss = float(-np.log(s[rows, targets]).mean())
        # backward
        s[rows, targets] -= 1
        s *= np.float32(1 / n)
        np.matmul(x4.T, s, out=g["head.weight"])
        dx = s @ w["head.weight"].T
        np.matmul(hidden.T, dx, out=g[at + "mlp.down.weight"])
        dh = dx @ w[at + "mlp.down.weight"].T
        dh *= hidden > 0
        np.matmul(x3.T, dh, out=g[at + "mlp.up.weight"])
        dx += rms_norm_backward(dh @ w[at + "mlp.up.weight"].T, x3, r3)
        np.matmul(heads.T, dx, out=g[at + "attention.output.weight"])
        do = dx @ w[at + "attention.output.weight"].T
        do = do.reshape(n, n_heads, width).swapaxes(0, 1)
        dp = do @ v.swapaxes(1, 2)
        dp = p * (dp - (dp * p).sum(2, keepdims=True)) * scale
        dqkv = np.empty((3, n_heads, n, width), np.float32)
        np.matmul(dp, k, out=dqkv[0])
        np.matmul(dp.swapaxes(1, 2), q, out=dqkv[1])
        np.matmul(p.swapaxes(1, 2), do, out=dqkv[2])
        dqkv = dqkv.transpose(2, 0, 1, 3).reshape(n, 3 * d)
        np.matmul(x1.T, dqkv, out=g[at + "attention.qkv.weight"])
        dx += rms_norm_backward(dqkv @ w[at + "attention.qkv.weight"].T, x1, r1)
        dx = rms_norm_backward(dx, x0, r0)
        g["embedding.weight"][...] = 0
        np.add.at(g["embedding.weight"], tokens, dx)
        g["position_embedding.weight"][:n] = dx
        g["position_embedding.weight"][n:] = 0
        return loss
