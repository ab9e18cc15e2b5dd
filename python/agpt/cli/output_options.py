"""Options that name a file to write, refused before the work where that could not be written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt._engine import ArgumentError, FormatError
from agpt.cli.conventions import failure_of
from agpt.files import require_writable
from agpt.plots import SUFFIXES, require_plotting

Function = TypeVar("Function", bound=Callable[..., Any])
Check = Callable[[Path], None]


def output_option(
    *names: str, check: Check = require_writable, **attributes: Any
) -> Callable[[Function], Function]:
    """Adds an option for a file; `check` raises now what writing it would raise later."""

    def checked(
        context: click.Context, parameter: click.Parameter, value: Path | None
    ) -> Path | None:
        if value is None or context.resilient_parsing:
            return value
        try:
            check(value)
        except (ArgumentError, FormatError, OSError) as error:
            raise failure_of(context, error) from error
        return value

    return click.option(*names, type=click.Path(path_type=Path), callback=checked, **attributes)


def plot_option(what: str) -> Callable[[Function], Function]:
    """Adds --plot, a picture of `what`; the function takes `plot`."""
    return output_option(
        "--plot",
        check=require_plotting,
        show_default="no picture",
        help=f"Draw {what} into this file ({', '.join(SUFFIXES)}); needs matplotlib.",
    )


def html_option(function: Function) -> Function:
    """Adds --html; the function takes `html`."""
    return output_option(
        "--html",
        show_default="no page",
        help="Also write a page into this file; it opens offline in any browser.",
    )(function)
