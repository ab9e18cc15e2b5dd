"""The options of the commands that look into a model that say at which text."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
import numpy as np

from agpt import Model
from agpt.cli.conventions import with_options
from agpt.inspection.tokens import ReadText, read_text, read_tokens

Function = TypeVar("Function", bound=Callable[..., Any])


def text_options(function: Function) -> Function:
    """Adds --text and --tokens; the function takes `text` and `tokens` for `chosen_text`."""
    return with_options(
        function,
        click.option(
            "--text",
            help="The text to look at; a whole document, where the model knows documents.",
        ),
        click.option(
            "--tokens",
            metavar="ID,ID,...",
            help="Token numbers instead of a text.",
        ),
    )


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
