"""The options of agpt-generate that say how tokens are drawn and where a text ends."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agpt.cli.conventions import refuse_given, with_options

Function = TypeVar("Function", bound=Callable[..., Any])

TOKENS_BY_DEFAULT, CHARACTERS_BY_DEFAULT = 200, 2000
OF_CHAINS = ("max_chars", "chain_context")


def generation_options(function: Function) -> Function:
    """Adds the options; `generation_settings` reads them."""
    return with_options(
        function,
        click.option(
            "--max-tokens",
            type=int,
            show_default=f"{TOKENS_BY_DEFAULT}; with --scenario what the context has room for",
            help="Longest sample, in new tokens.",
        ),
        click.option(
            "--temperature",
            type=float,
            default=1.0,
            show_default=True,
            help="Logits are divided by it; 0 takes the most probable token.",
        ),
        click.option(
            "--top-k",
            type=int,
            default=0,
            show_default="0: off",
            help="Only the k most probable tokens.",
        ),
        click.option(
            "--top-p",
            type=float,
            default=1.0,
            show_default="1: off",
            help="Only the fewest most probable tokens with this share together.",
        ),
        click.option(
            "--repetition-penalty",
            type=float,
            default=1.0,
            show_default="1: off",
            help="Logits of recent tokens are divided by it, negative ones multiplied.",
        ),
        click.option(
            "--repetition-window",
            type=int,
            default=32,
            show_default=True,
            help="How many tokens are recent, those of the prompt included.",
        ),
        click.option(
            "--stop-at-end/--no-stop-at-end",
            "--stop-at-bos/--no-stop-at-bos",
            "stop_at_end",
            default=True,
            show_default=True,
            help="End a sample where its document ends, if the model knows documents.",
        ),
        click.option(
            "--chain",
            is_flag=True,
            help="Write a long text: no document ends, and where the context is full another "
            "begins, as documents do, with the end of the text.",
        ),
        click.option(
            "--max-chars",
            type=click.IntRange(min=1),
            show_default=f"{CHARACTERS_BY_DEFAULT}",
            help="Length of a --chain in characters, the prompt included.",
        ),
        click.option(
            "--chain-context",
            type=click.IntRange(min=0),
            show_default="0: half the context",
            help="Tokens of the text that each context of a --chain begins with.",
        ),
    )


def check_chain(context: click.Context, options: dict[str, Any]) -> None:
    """Refuses options that have no effect with --chain, or without it."""
    if options["chain"]:
        refuse_given(context, ("max_tokens",), "has no effect with --chain: use --max-chars")
    else:
        refuse_given(context, OF_CHAINS, "is for long texts: add --chain")


def generation_settings(options: dict[str, Any], most_tokens: int) -> dict[str, Any]:
    """The arguments of Model.generate; `most_tokens` is the default of --max-tokens."""
    settings = {name: value for name, value in options.items() if name not in ("chain", *OF_CHAINS)}
    if options["chain"]:
        settings["max_tokens"] = options["max_chars"] or CHARACTERS_BY_DEFAULT
        settings["chain_context"] = options["chain_context"] or 0
        settings["stop_at_end"] = False
    elif settings["max_tokens"] is None:
        settings["max_tokens"] = most_tokens
    return settings


def cut_texts(texts: list[str], options: dict[str, Any]) -> list[str]:
    """The texts, prompts included; those of a chain are cut to --max-chars."""
    most = (options["max_chars"] or CHARACTERS_BY_DEFAULT) if options["chain"] else None
    return [text[:most] for text in texts]
