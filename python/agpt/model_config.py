"""What a model is: the architecture, its checks, and the presets of known systems."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agpt import _engine
from agpt._engine import ArgumentError
from agpt.validation import config_from_dict, require_field_types, setting

Norm = Literal["layernorm", "rmsnorm"]
Position = Literal["rope", "learned", "none"]
Activation = Literal["relu", "relu2", "gelu"]
Initialisation = Literal["microgpt", "gpt2", "karpathy-a", "karpathy-b"]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A decoder-only transformer, pre-norm; the defaults are the preset microgpt.

    `heads` may be given as a number of equal heads or as the list of their widths, which sum to
    `d_model`; it reads back as the tuple of widths. `d_ff` reads back as a number.
    """

    vocab_size: int
    context: int = setting(32, "Largest number of tokens the model sees.")
    d_model: int = setting(64, "Width of the residual stream.")
    n_layers: int = setting(2, "Number of blocks.")
    heads: int | Sequence[int] = setting(
        4, "Attention heads: how many, or their widths, such as 32,16,16."
    )
    d_ff: int | None = setting(None, "Width of the MLP.", "4 * d_model")
    norm: Norm = setting("layernorm", "Normalisation of rows.")
    norm_gain: bool = setting(True, "A learned factor per column behind each norm.")
    norm_bias: bool = setting(True, "A learned shift per column behind each norm.")
    norm_epsilon: float = setting(1e-5, "Added to the variance in norms.")
    bias: bool = setting(True, "Biases in the linear layers, the head included.")
    position: Position = setting("rope", "How positions are told apart.")
    rope_base: float = setting(10000.0, "Base of the rotary frequencies.")
    activation: Activation = setting("relu", "Activation of the MLP; relu2 is relu squared.")
    embedding_norm: bool = setting(False, "A norm behind the embedding.")
    final_norm: bool = setting(True, "A norm before the head.")
    tied_head: bool = setting(False, "The head is the transposed embedding.")
    init: Initialisation = setting("microgpt", "How parameters are initialised.")

    def __post_init__(self) -> None:
        """Brings `heads` and `d_ff` into full form; ArgumentError for what does not fit."""
        require_field_types(self)
        object.__setattr__(self, "heads", _head_widths(self.heads, self.d_model))
        if self.d_ff is None:
            object.__setattr__(self, "d_ff", 4 * self.d_model)
        self.engine_config().validate()

    @property
    def head_widths(self) -> tuple[int, ...]:
        """Width of each attention head."""
        assert isinstance(self.heads, tuple)
        return self.heads

    @property
    def n_parameters(self) -> int:
        """How many numbers a model of this configuration learns."""
        layout = _engine.parameter_layout(self.engine_config())
        return sum(math.prod(shape) for _, _, shape in layout)

    def engine_config(self) -> _engine.ModelConfig:
        """The same configuration for the engine."""
        config = _engine.ModelConfig()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            try:
                setattr(config, field.name, list(value) if field.name == "heads" else value)
            except TypeError as error:  # out of the range of the engine's integers
                raise ArgumentError(f"{field.name} is {value}, which is out of range") from error
        return config

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, for JSON."""
        return dataclasses.asdict(self) | {"heads": list(self.head_widths)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """The inverse of `to_dict()`; unknown keys are refused."""
        return config_from_dict(cls, values)

    @classmethod
    def preset(cls, name: str, vocab_size: int, **changes: Any) -> "ModelConfig":
        """A known architecture, `PRESETS[name]`, with some settings changed."""
        if name not in PRESETS:
            known = ", ".join(PRESETS)
            raise ArgumentError(f"preset {name!r} is unknown: choose from {known}")
        return config_from_dict(cls, {"vocab_size": vocab_size} | PRESETS[name] | changes)


def _head_widths(heads: int | Sequence[int], d_model: int) -> tuple[int, ...]:
    if isinstance(heads, (bool, str, bytes)):
        raise ArgumentError(f"heads is {heads!r}, but must be a number of heads or their widths")
    if not isinstance(heads, Sequence):
        if heads < 1:
            raise ArgumentError(f"heads is {heads}, but a model needs at least one head")
        if d_model % heads != 0:
            raise ArgumentError(
                f"{heads} equal heads do not divide d_model {d_model}: "
                "change one of the two, or list the widths of the heads"
            )
        return (d_model // heads,) * heads
    if not all(isinstance(width, int) and not isinstance(width, bool) for width in heads):
        raise ArgumentError(f"heads is {list(heads)}, but the widths must be whole numbers")
    return tuple(heads)


_KARPATHY: dict[str, Any] = {
    "d_model": 16,
    "n_layers": 1,
    "heads": 4,
    "norm": "rmsnorm",
    "norm_gain": False,
    "norm_bias": False,
    "bias": False,
    "position": "learned",
    "embedding_norm": True,
    "final_norm": False,
}

PRESETS: dict[str, dict[str, Any]] = {
    "microgpt": {},
    "karpathy-a": _KARPATHY | {"context": 8, "activation": "relu2", "init": "karpathy-a"},
    "karpathy-b": _KARPATHY | {"context": 16, "activation": "relu", "init": "karpathy-b"},
    "nanogpt": {
        "norm_bias": False,
        "bias": False,
        "position": "learned",
        "activation": "gelu",
        "tied_head": True,
        "init": "gpt2",
    },
}
"""Settings of known systems, as differences from the defaults of ModelConfig."""
