"""What configuration classes share: fields with help, checks of types, choices and ranges.

Every failure is an ArgumentError with one sentence that names the field, the value and what fits.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from agpt._engine import ArgumentError

Config = TypeVar("Config")
LARGEST_SEED = 2**64 - 1


def setting(default: Any, text: str, default_text: str | None = None) -> Any:
    """A field of a configuration with the help of its command-line option.

    `default_text` says what a default of None stands for.
    """
    metadata = {"help": text, "default": str(default) if default_text is None else default_text}
    return dataclasses.field(default=default, metadata=metadata)


def require_at_least(name: str, value: float, least: float) -> None:
    """Refuses numbers below `least`."""
    if value < least:
        raise ArgumentError(f"{name} is {value}, but must be at least {least}")


def require_at_most(name: str, value: float, most: float) -> None:
    """Refuses numbers above `most`."""
    if value > most:
        raise ArgumentError(f"{name} is {value}, but must be at most {most}")


def require_between(name: str, value: float, least: float, most: float) -> None:
    """Refuses numbers outside [least, most]."""
    if not least <= value <= most:
        raise ArgumentError(f"{name} is {value}, but must be from {least} to {most}")


def require_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Refuses what is not among `choices`."""
    if value not in choices:
        known = ", ".join(str(choice) for choice in choices)
        raise ArgumentError(f"{name} {value!r} is unknown: choose from {known}")


def require_seed(value: int) -> None:
    """Refuses seeds that are no unsigned 64-bit number."""
    require_between("seed", value, 0, LARGEST_SEED)


def require_field_types(config: Any) -> None:
    """Checks each field of a frozen dataclass against its annotation.

    Knows int, float (whole numbers become floats), bool, str, Literal and their unions with None;
    leaves the fields of other types to the class.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        object.__setattr__(config, field.name, _checked(field.name, value, hints[field.name]))


def _checked(name: str, value: Any, hint: Any) -> Any:
    if typing.get_origin(hint) is typing.Literal:
        require_choice(name, value, typing.get_args(hint))
        return value
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        if value is None and len(kinds) < len(typing.get_args(hint)):
            return None
        return _checked(name, value, kinds[0]) if len(kinds) == 1 else value
    if hint is bool and not isinstance(value, bool):
        raise ArgumentError(f"{name} is {value!r}, but must be true or false")
    if hint is int:
        return _whole_number(name, value)
    if hint is float:
        return _number(name, value)
    if hint is str and not isinstance(value, str):
        raise ArgumentError(f"{name} is {value!r}, but must be a text")
    return value


def _whole_number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"{name} is {value!r}, but must be a whole number")
    return int(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise ArgumentError(f"{name} is {value!r}, but must be a number")
    if not math.isfinite(value):
        raise ArgumentError(f"{name} is {value}, but must be a finite number")
    return float(value)


def config_from_dict(config_class: type[Config], values: Mapping[str, Any]) -> Config:
    """Makes a configuration from its `to_dict()`; unknown and missing keys are refused."""
    fields = dataclasses.fields(config_class)  # type: ignore[arg-type]  # callers pass dataclasses
    known = {field.name for field in fields}
    for key in values:
        if key not in known:
            alike = difflib.get_close_matches(str(key), known, 1)
            hint = f": did you mean {alike[0]!r}?" if alike else ""
            raise ArgumentError(f"{config_class.__name__} has no setting {key!r}{hint}")
    for field in fields:
        if (
            field.name not in values
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise ArgumentError(f"{config_class.__name__} needs the setting {field.name!r}")
    return config_class(**values)
