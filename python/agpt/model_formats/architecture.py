"""Whether a model is one that a format can hold."""

from collections.abc import Container

from agpt._engine import ArgumentError
from agpt.model_config import ModelConfig

_SIZES = frozenset(("vocab_size", "context", "d_model", "n_layers", "heads", "d_ff", "init"))


def require_architecture(
    config: ModelConfig, preset: str, what: str, free: Container[str] = ()
) -> None:
    """Refuses, by ArgumentError, a model that differs from a preset in more than its sizes.

    `what` names the format in the message; `free` are further settings that may differ.
    """
    expected = ModelConfig.preset(preset, config.vocab_size).to_dict()
    for name, value in config.to_dict().items():
        if name not in _SIZES and name not in free and value != expected[name]:
            raise ArgumentError(
                f"the model has {name} {value}, but {what} is of models with {name} "
                f"{expected[name]}, as the preset {preset} has"
            )


def require_equal_heads(config: ModelConfig, what: str) -> int:
    """The number of heads; ArgumentError unless all have one width."""
    if len(set(config.head_widths)) != 1:
        raise ArgumentError(
            f"the model has heads of the widths {', '.join(map(str, config.head_widths))}, but "
            f"{what} is of models with equal heads"
        )
    return len(config.head_widths)
