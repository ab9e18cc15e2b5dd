"""The same transformer in PyTorch, as its users would write it.

Pre-norm, layer norm, ReLU, learned positions, scaled_dot_product_attention, fused Adam.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Attention and MLP with residual connections."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.qkv, self.output = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, time, d_model) to the same shape."""
        batch, time, d = x.shape
        parts = self.qkv(self.norm1(x)).view(batch, time, 3, self.n_heads, d // self.n_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(heads.transpose(1, 2).reshape(batch, time, d))
        return x + self.down(torch.relu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Decoder-only model with an untied head."""

    def __init__(self, vocab: int, context: int, d_model: int, n_layers: int, n_heads: int) -> None:
        super().__init__()
        self.embedding, self.positions = (
            nn.Embedding(vocab, d_model),
            nn.Embedding(context, d_model),
        )
        self.blocks = nn.ModuleList(Block(d_model, n_heads, 4 * d_model) for _ in range(n_layers))
        self.norm, self.head = nn.LayerNorm(d_model), nn.Linear(d_model, vocab)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map (batch, time) ids to (batch, time, vocab) logits."""
        x = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class WindowTraining:
    """Trains on random windows of a text; call it for one step."""

    def __init__(self, text: np.ndarray, vocab: int, context: int, windows: int) -> None:
        torch.manual_seed(0)
        self.text = torch.from_numpy(text.astype(np.int64))
        self.context, self.windows = context, windows
        self.model = Transformer(vocab, context, 64, 2, 4)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)

    def __call__(self) -> int:
        """Make one step and return its number of positions."""
        starts = torch.randint(len(self.text) - self.context, (self.windows,))
        rows = self.text[starts[:, None] + torch.arange(self.context + 1)]
        logits = self.model(rows[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return self.windows * self.context
