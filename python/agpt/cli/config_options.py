"""Options made from the fields of a configuration class, so that texts and defaults stand once."""

import dataclasses
import typing
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeVar

import click

from agpt import ArgumentError
from agpt.head_widths import Heads, read_heads

Function = TypeVar("Function", bound=Callable[..., Any])


def _read_heads(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> Heads | None:
    """Reads a number of equal heads, '4', their widths, '32,16,16', or the name of a rule."""
    if value is None:
        return None
    try:
        return read_heads(value)
    except ArgumentError as error:
        raise click.BadParameter(str(error)) from None


def config_options(
    config_class: Any,
    prefix: str,
    *,
    skip: Container[str] = (),
    flags: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Callable[[Function], Function]:
    """Adds an option for every field but those in `skip`.

    The function takes them as `{prefix}{field}`, None where not given. `flags` renames options;
    `defaults` says what the command does where its default is not the field's.
    """
    hints = typing.get_type_hints(config_class)
    fields = [field for field in dataclasses.fields(config_class) if field.name not in skip]

    def decorate(function: Function) -> Function:
        for field in reversed(fields):
            name = (flags or {}).get(field.name, field.name.replace("_", "-"))
            is_flag = hints[field.name] is bool
            default = (defaults or {}).get(field.name, field.metadata["default"])
            if is_flag:
                default = name if field.default else f"no-{name}"
            function = click.option(
                f"--{name}/--no-{name}" if is_flag else f"--{name}",
                f"{prefix}{field.name}",
                type=_option_type(hints[field.name]),
                callback=_read_heads if field.name == "heads" else None,
                default=None,
                show_default=False,
                help=f"{field.metadata['help']}  [default: {default}]",
            )(function)
        return function

    return decorate


def given(settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The options of `config_options` that the user gave, by field."""
    return {
        name.removeprefix(prefix): value
        for name, value in settings.items()
        if name.startswith(prefix) and value is not None
    }


def _option_type(hint: Any) -> Any:
    if typing.get_origin(hint) is typing.Literal:
        return click.Choice(typing.get_args(hint))
    for kind in (bool, int, float):
        if hint is kind or set(typing.get_args(hint)) == {kind, type(None)}:
            return kind
    return str
