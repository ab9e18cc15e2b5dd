"""What a model is: the architecture, its checks, and the presets of known systems."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

from agpt import _engine
from agpt._engine import ArgumentError
from agpt.head_widths import Heads, decided_width, head_widths, settings_of_spec, spec_of
from agpt.validation import config_from_dict, require_field_types, setting

Norm = Literal["layernorm", "rmsnorm"]
Position = Literal["rope", "learned", "none"]
Activation = Literal["relu", "relu2", "gelu"]
Initialisation = Literal["microgpt", "gpt2", "karpathy-a", "karpathy-b"]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A decoder-only transformer, pre-norm; the defaults are the preset agpt.

    `heads` may be given as a number of equal heads, the name of a family (agpt.head_widths) or the
    list of their widths, which sum to `d_model`; it reads back as the tuple of widths. `d_ff` reads
    back as a number.
    """

    vocab_size: int
    context: int = setting(32, "Largest number of tokens the model sees.")
    d_model: int = setting(64, "Width of the residual stream.")
    n_layers: int = setting(2, "Number of blocks.")
    heads: Heads = setting(
        "uniform",
        "Attention heads: how many, their widths, such as 32,16,16, or widths by a rule: uniform, "
        "exponential, prime, pyramid, ones, or compat- with these for the lists of microgpt.",
    )
    d_ff: int | None = setting(None, "Width of the MLP.", "4 * d_model")
    norm: Norm = setting("layernorm", "Normalisation of rows.")
    norm_gain: bool = setting(True, "A learned factor per column behind each norm.")
    norm_bias: bool = setting(True, "A learned shift per column behind each norm.")
    norm_epsilon: float = setting(1e-5, "Added to the variance in norms.")
    bias: bool = setting(True, "Biases in the linear layers.")
    head_bias: bool = setting(True, "Where linear layers have biases: one in the head, too.")
    position: Position = setting("rope", "How positions are told apart.")
    rope_base: float = setting(10000.0, "Base of the rotary frequencies.")
    activation: Activation = setting("relu", "Activation of the MLP; relu2 is relu squared.")
    embedding_norm: bool = setting(False, "A norm behind the embedding.")
    final_norm: bool = setting(True, "A norm before the head.")
    tied_head: bool = setting(False, "The head is the transposed embedding.")
    init: Initialisation = setting("gpt2", "How parameters are initialised.")

    def __post_init__(self) -> None:
        """Brings `heads` and `d_ff` into full form; ArgumentError for what does not fit."""
        require_field_types(self)
        object.__setattr__(self, "heads", head_widths(self.heads, self.d_model))
        if self.d_ff is None:
            object.__setattr__(self, "d_ff", 4 * self.d_model)
        self.engine_config().validate()

    @property
    def head_widths(self) -> tuple[int, ...]:
        """Width of each attention head."""
        assert isinstance(self.heads, tuple)
        return self.heads

    @property
    def spec(self) -> str:
        """Width, heads, layers and MLP in short, such as d64n2: what `from_spec` reads."""
        assert self.d_ff is not None
        return spec_of(self.head_widths, self.n_layers, self.d_ff)

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
        """A known architecture, `PRESETS[name]`, with some settings changed.

        Where the widths of heads are given and `d_model` is not, it is their sum.
        """
        if name not in PRESETS:
            known = ", ".join(PRESETS)
            raise ArgumentError(f"preset {name!r} is unknown: choose from {known}")
        width = decided_width(changes.get("heads"))
        if width is not None:
            changes = {"d_model": width} | changes
        return config_from_dict(cls, {"vocab_size": vocab_size} | PRESETS[name] | changes)

    @classmethod
    def from_spec(
        cls, spec: str, vocab_size: int, preset: str = "agpt", **changes: Any
    ) -> "ModelConfig":
        """A preset with the width, heads, layers and MLP of a spec, such as d64n2 or d4x16n2ff256.

        The one reading of specs: d64 has the heads of the family uniform. ArgumentError where
        `changes` say otherwise than the spec.
        """
        settings = settings_of_spec(spec)
        config = cls.preset(preset, vocab_size, **(settings | changes))
        if config.spec != cls.preset(preset, vocab_size, **settings).spec:
            raise ArgumentError(
                f"spec {spec} and other settings disagree: they make {config.spec}, so leave one "
                "of the two out"
            )
        return config


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
    "agpt": {},
    "microgpt": {"init": "microgpt"},
    "karpathy-a": _KARPATHY | {"context": 8, "activation": "relu2", "init": "karpathy-a"},
    "karpathy-b": _KARPATHY | {"context": 16, "activation": "relu", "init": "karpathy-b"},
    "nanogpt": {
        "norm_bias": False,
        "bias": False,
        "position": "learned",
        "activation": "gelu",
        "tied_head": True,
    },
}
"""Settings of known systems, as differences from the defaults of ModelConfig."""
