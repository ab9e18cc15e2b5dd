"""PyTorch at work on the engine's tasks, at its best on a CPU: import this module before torch.

Idle threads wait passively, denormals are flushed (as the engine does), the optimizer is fused,
and nothing is recorded where no gradient is needed.
"""

import os

os.environ |= {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0"}

import agpt
import numpy as np
import torch
from torch_model import Cache, equal_model

torch.set_flush_denormal(True)
VERSION = torch.__version__


def set_threads(threads: int) -> None:
    """Let PyTorch use so many threads."""
    torch.set_num_threads(threads)


class WindowTraining:
    """Trains on random windows of a text; call it for one step, which returns its positions."""

    def __init__(
        self,
        model: agpt.Model,
        text: np.ndarray,
        windows: int,
        settings: agpt.TrainConfig,
        compiled: bool = False,
    ) -> None:
        torch.manual_seed(0)
        self.text = torch.from_numpy(text.astype(np.int64))
        self.context, self.windows, self.clip = model.config.context, windows, settings.clip_norm
        self.model = equal_model(model)
        self.loss = torch.compile(self.model) if compiled else self.model
        self.optimizer = optimizer_of(self.model, settings)

    def __call__(self) -> int:
        """Make one step on random windows."""
        starts = torch.randint(len(self.text) - self.context, (self.windows,))
        rows = self.text[starts[:, None] + torch.arange(self.context + 1)]
        self.step(rows)
        return self.windows * self.context

    def step(self, rows: torch.Tensor) -> float:
        """Make one step on (windows, tokens + 1) and return the loss before it."""
        loss = self.loss(rows[:, :-1], rows[:, 1:])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.clip > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return loss.item()


def optimizer_of(model: torch.nn.Module, settings: agpt.TrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer of `settings`: weight decay meets matrices only."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    decay = settings.weight_decay or 0.0
    groups = [{"params": matrices, "weight_decay": decay}]
    groups += [{"params": vectors, "weight_decay": 0.0}] if vectors else []
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, lr=settings.lr, betas=betas, eps=settings.eps, fused=True)


class DocumentTraining(WindowTraining):
    """Trains on one document a step, the next of a shuffled order each time."""

    def __init__(
        self, model: agpt.Model, documents: list[np.ndarray], settings: agpt.TrainConfig
    ) -> None:
        super().__init__(model, documents[0], 1, settings)
        self.documents = [torch.from_numpy(d.astype(np.int64))[None] for d in documents]
        self.done = 0

    def __call__(self) -> int:
        """Make one step and count it."""
        self.step(self.documents[self.done % len(self.documents)])
        self.done += 1
        return 1


class Evaluation:
    """Scores a text with the full context before every prediction; call it for some of them."""

    def __init__(self, model: agpt.Model, text: np.ndarray, windows: int = 256) -> None:
        self.text = torch.from_numpy(text.astype(np.int64))
        self.context, self.windows = model.config.context, windows
        self.model = equal_model(model)

    @torch.inference_mode()
    def __call__(self) -> int:
        """Score the predictions that have the whole context, and count them."""
        self.loss = 0.0
        n = len(self.text) - self.context
        for first in range(0, n, self.windows):
            starts = torch.arange(first, min(n, first + self.windows))
            rows = self.text[starts[:, None] + torch.arange(self.context + 1)]
            logits = self.model.head(self.model.states(rows[:, :-1])[:, -1])
            loss = torch.nn.functional.cross_entropy(logits, rows[:, -1], reduction="sum")
            self.loss += loss.item()
        self.loss /= n
        return n


@torch.inference_mode()
def mean_loss(model: torch.nn.Module, text: np.ndarray, context: int) -> float:
    """Mean loss (nats) of disjoint windows, the shorter last one included."""
    tokens = torch.from_numpy(text.astype(np.int64))
    n = (len(tokens) - 1) // context
    rows = tokens[: n * context + 1].unfold(0, context + 1, context)
    total = sum(
        model(part[:, :-1], part[:, 1:]).item() * len(part) * context for part in rows.split(64)
    )
    rest = tokens[n * context :]
    if len(rest) > 1:
        total += model(rest[None, :-1], rest[None, 1:]).item() * (len(rest) - 1)
    return total / (len(tokens) - 1)


class Generation:
    """Samples texts with a cache of keys and values; call it for the number of new tokens.

    A full context goes on with its last half, as the engine's does.
    """

    def __init__(self, model: agpt.Model, prompt: list[int], samples: int, tokens: int) -> None:
        torch.manual_seed(0)
        self.model, config = equal_model(model), model.config
        self.context, self.tokens = config.context, tokens
        self.prompt = torch.tensor([prompt] * samples)
        shape = (samples, len(config.heads), config.context, config.heads[0])
        self.cache: Cache = [
            (torch.zeros(shape), torch.zeros(shape)) for _ in range(config.n_layers)
        ]

    @torch.inference_mode()
    def __call__(self) -> int:
        """Write new tokens behind the prompt."""
        text, new, seen = self.prompt, self.prompt, 0
        for _ in range(self.tokens):
            if seen + new.shape[1] > self.context:
                new, seen = text[:, -(self.context // 2) :], 0
            state = self.model.states(new, self.cache, seen)[:, -1]
            seen += new.shape[1]
            new = torch.multinomial(torch.softmax(self.model.head(state), -1), 1)
            text = torch.cat((text, new), 1)
        return self.tokens * len(text)
