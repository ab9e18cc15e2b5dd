"""Options of the commands that look into a model: what they read, and where a page goes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np

from agpt import Model
from agpt.inspection.tokens import ReadText, read_text, read_tokens

Function = TypeVar("Function", bound=Callable[..., Any])


def text_options(function: Function) -> Function:
    """Adds --text and --tokens; the function takes `text` and `tokens` for `chosen_text`."""
    for option in (
        click.option(
            "--tokens",
            metavar="ID,ID,...",
            help="Token numbers instead of a text.",
        ),
        click.option(
            "--text",
            help="The text to look at; a whole document, where the model knows documents.",
        ),
    ):
        function = option(function)
    return function


def html_option(function: Function) -> Function:
    """Adds --html; the function takes `html`."""
    return click.option(
        "--html",
        type=click.Path(path_type=Path),
        show_default="no page",
        help="Also write a page into this file; it opens offline in any browser.",
    )(function)


def chosen_text(model: Model, text: str | None, tokens: str | None) -> ReadText:
    """What the user asked to look at."""
    if (text is None) == (tokens is None):
        raise click.UsageError("give one of --text and --tokens")
    if text is not None:
        return read_text(model, text)
    try:
        numbers = [int(part) for part in (tokens or "").split(",")]
    except ValueError:
        raise click.BadParameter(f"{tokens!r} is no list of numbers such as 4,8,15") from None
    known = range(model.config.vocab_size)
    for number in numbers:
        if number not in known:
            raise click.BadParameter(
                f"{number} is not in the model's vocabulary of {len(known)} tokens"
            )
    return read_tokens(model, np.array(numbers, np.uint32))
