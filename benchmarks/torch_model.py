"""The engine's transformer in PyTorch, as its users would write it: the rival's mathematics.

Pre-norm blocks, one matrix for queries, keys and values, scaled_dot_product_attention, learned or
rotary positions (one complex product for queries and one for keys): what a ModelConfig of equal
heads can say.
"""

import agpt
import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS = {"relu": torch.relu, "gelu": functional.gelu, "relu2": lambda x: torch.relu(x) ** 2}
Cache = list[tuple[Tensor, Tensor]]
"""Keys and values (batch, heads, context, width of a head) of every layer."""


def norm_of(config: agpt.ModelConfig) -> nn.Module:
    """Return a norm over the residual stream."""
    d, epsilon = config.d_model, config.norm_epsilon
    if config.norm == "rmsnorm":
        return nn.RMSNorm(d, eps=epsilon, elementwise_affine=config.norm_gain)
    return nn.LayerNorm(d, epsilon, elementwise_affine=config.norm_gain, bias=config.norm_bias)


def rotated(x: Tensor, rotation: Tensor) -> Tensor:
    """Return (..., time, width) with its pairs of columns turned by (time, width / 2) factors."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotation).flatten(-2)


class Block(nn.Module):
    """Attention and MLP with residual connections."""

    def __init__(self, config: agpt.ModelConfig) -> None:
        super().__init__()
        d, wide, bias = config.d_model, config.d_ff, config.bias
        self.n_heads, self.activation = len(config.heads), ACTIVATIONS[config.activation]
        self.norm1, self.norm2 = norm_of(config), norm_of(config)
        self.qkv, self.output = nn.Linear(d, 3 * d, bias), nn.Linear(d, d, bias)
        self.up, self.down = nn.Linear(d, wide, bias), nn.Linear(wide, d, bias)

    def forward(
        self,
        x: Tensor,
        rotation: Tensor | None,
        cache: tuple[Tensor, Tensor] | None = None,
        seen: int = 0,
    ) -> Tensor:
        """Map (batch, time, d) to the same; with a cache, for rows behind `seen` earlier ones."""
        batch, time, d = x.shape
        parts = self.qkv(self.norm1(x)).view(batch, time, 3, self.n_heads, d // self.n_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        if rotation is not None:
            q, k = rotated(q, rotation), rotated(k, rotation)
        if cache is not None:
            for kept, new in zip(cache, (k, v), strict=True):
                kept[:, :, seen : seen + time] = new
            k, v = (kept[:, :, : seen + time] for kept in cache)
        heads = functional.scaled_dot_product_attention(q, k, v, is_causal=time > 1)
        x = x + self.output(heads.transpose(1, 2).reshape(batch, time, d))
        return x + self.down(self.activation(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """Decoder-only model."""

    def __init__(self, config: agpt.ModelConfig) -> None:
        super().__init__()
        d, width = config.d_model, config.heads[0]
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, d)
        self.positions = self.rotations = None
        if config.position == "learned":
            self.positions = nn.Embedding(config.context, d)
        elif config.position == "rope":
            rates = config.rope_base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
            angles = torch.arange(config.context, dtype=torch.float64)[:, None] * rates
            self.rotations = torch.polar(torch.ones_like(angles), angles)
        self.embedding_norm = norm_of(config) if config.embedding_norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = norm_of(config) if config.final_norm else nn.Identity()
        self.head = nn.Linear(d, config.vocab_size, config.bias)
        if config.tied_head:
            self.head.weight = self.embedding.weight

    def states(self, tokens: Tensor, cache: Cache | None = None, seen: int = 0) -> Tensor:
        """Map (batch, time) ids to (batch, time, d), ready for the head."""
        x, end = self.embedding(tokens), seen + tokens.shape[1]
        if self.positions is not None:
            x = x + self.positions.weight[seen:end]
        x = self.embedding_norm(x)
        rotation = None
        if self.rotations is not None:
            rotation = self.rotations[seen:end].to(x.dtype.to_complex())
        for layer, block in enumerate(self.blocks):
            x = block(x, rotation, None if cache is None else cache[layer], seen)
        return self.norm(x)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy (nats) of (batch, time) targets behind (batch, time) ids."""
        logits = self.head(self.states(tokens))
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def equal_model(model: agpt.Model) -> Transformer:
    """Return the rival with the weights of `model`."""
    rival = Transformer(model.config)
    names = {"embedding": rival.embedding, "position_embedding": rival.positions}
    names |= {"embedding_norm": rival.embedding_norm, "final_norm": rival.norm, "head": rival.head}
    for layer, block in enumerate(rival.blocks):
        parts = {"norm1": block.norm1, "norm2": block.norm2}
        parts |= {"attention.qkv": block.qkv, "attention.output": block.output}
        parts |= {"mlp.up": block.up, "mlp.down": block.down}
        names |= {f"blocks.{layer}.{name}": part for name, part in parts.items()}
    with torch.no_grad():
        for name, value in model.parameters().items():
            module, kind = name.rsplit(".", 1)
            target = getattr(names[module], "bias" if kind == "bias" else "weight")
            transposed = isinstance(names[module], nn.Linear) and kind == "weight"
            weights = torch.from_numpy((value.T if transposed else value).copy())
            target.copy_(weights.reshape(target.shape))
    return rival
