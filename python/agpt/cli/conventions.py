"""What all commands share: common options, one line for a mistake, exit codes, JSON on request."""

import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from agpt import _engine
from agpt._engine import ArgumentError, Error

Function = TypeVar("Function", bound=Callable[..., Any])

EXIT_DATA, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
BYTES_PER_GIB = 2**30
STANDARD_STREAM = "-"
DEBUG_KEY, MEMORY_CAP_KEY = "agpt.debug", "agpt.mem_cap"


class CommandFailure(Exception):
    """The end of a command with one line, which begins with its name, and an exit code."""

    def __init__(self, context: click.Context, message: str, exit_code: int = EXIT_DATA) -> None:
        """`message` is one sentence."""
        super().__init__(f"{context.command_path}: {' '.join(message.split())}")
        self.exit_code = exit_code


class ConventionalMain:
    """Mixed into Click's commands and groups: prints failures as one line and exits."""

    def main(self, *args: Any, standalone_mode: bool = True, **kwargs: Any) -> Any:
        """Runs the command and, in standalone mode, exits with its code."""
        run = super().main  # type: ignore[misc]  # of the class that this is mixed into
        if not standalone_mode:
            return run(*args, standalone_mode=False, **kwargs)
        sys.exit(_exit_code_of(lambda: run(*args, standalone_mode=False, **kwargs)))


class InputFile(click.Path):
    """The type of parameters that name a file to read, which the command must not write over."""


class Command(ConventionalMain, click.Command):
    """A command of agpt: errors of the library and of files are one line on standard error."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command's function under the memory cap of --mem-cap."""
        _refuse_to_write_what_is_read(ctx)
        cap_before = _engine.memory_cap()
        if MEMORY_CAP_KEY in ctx.meta:
            _engine.set_memory_cap(int(ctx.meta[MEMORY_CAP_KEY] * BYTES_PER_GIB))
        try:
            return super().invoke(ctx)
        except (ArgumentError, Error, OSError, MemoryError, KeyboardInterrupt) as error:
            if ctx.meta.get(DEBUG_KEY):
                traceback.print_exc()
            raise failure_of(ctx, error) from error
        finally:
            _engine.set_memory_cap(cap_before)


def _refuse_to_write_what_is_read(context: click.Context) -> None:
    """Refuses, as wrong usage, a file that the command would read and then replace."""
    of_paths = [one for one in context.command.params if isinstance(one.type, click.Path)]
    read = {
        path.absolute()
        for parameter in of_paths
        if isinstance(parameter.type, InputFile)
        for path in _paths_of(context, parameter)
    }
    for parameter in of_paths:
        for path in _paths_of(context, parameter):
            if not isinstance(parameter.type, InputFile) and path.absolute() in read:
                name = parameter.opts[0]
                raise click.UsageError(f"{name} {path} is read, too: name another file", context)


def _paths_of(context: click.Context, parameter: click.Parameter) -> Iterator[Path]:
    value = context.params.get(parameter.name or "")
    for path in value if isinstance(value, tuple) else (value,):
        if path is not None and str(path) != STANDARD_STREAM:
            yield Path(path)


def failure_of(context: click.Context, error: BaseException) -> Exception:
    """The failure of a command by an error of the library, of files or of the user."""
    if isinstance(error, KeyboardInterrupt):
        return CommandFailure(context, "interrupted", EXIT_INTERRUPTED)
    if isinstance(error, BrokenPipeError):  # the reader of our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return click.exceptions.Exit(EXIT_DATA)
    if isinstance(error, OSError) and error.strerror and error.filename:
        return CommandFailure(context, f"{error.filename}: {error.strerror.lower()}")
    if isinstance(error, MemoryError):
        return CommandFailure(context, "the machine has not enough memory for this")
    return CommandFailure(context, str(error))


def _exit_code_of(run: Callable[[], Any]) -> int:
    try:
        result = run()
        return result if isinstance(result, int) else 0
    except click.Abort:
        click.echo("agpt: interrupted", err=True)
        return EXIT_INTERRUPTED
    except click.UsageError as error:
        name = error.ctx.command_path if error.ctx else "agpt"
        message = " ".join(error.format_message().split())
        click.echo(f"{name}: {message} (see {name} --help)", err=True)
        return EXIT_USAGE
    except CommandFailure as failure:
        click.echo(str(failure), err=True)
        return failure.exit_code
    except click.ClickException as error:
        click.echo(f"agpt: {error.format_message()}", err=True)
        return int(error.exit_code)


def with_options(function: Function, *options: Callable[[Function], Function]) -> Function:
    """The function with options of click, in the order in which --help lists them."""
    for option in reversed(options):
        function = option(function)
    return function


def common_options(function: Function) -> Function:
    """Adds --json, --mem-cap and --debug; the function takes `as_json`."""
    return with_options(
        function,
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead."),
        click.option(
            "--mem-cap",
            type=click.FloatRange(min=0),
            default=0.0,
            show_default="0: none",
            envvar="AGPT_MEM_CAP_GIB",
            show_envvar=True,
            metavar="GIB",
            expose_value=False,
            callback=_set_memory_cap,
            help="Most memory that the engine may take, in GiB.",
        ),
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            callback=_set_debug,
            help="Show the traceback of an error.",
        ),
    )


def _set_memory_cap(context: click.Context, parameter: click.Parameter, value: float) -> None:
    if not context.resilient_parsing and value > 0:
        context.meta[MEMORY_CAP_KEY] = value


def _set_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[DEBUG_KEY] = value


def refuse_given(context: click.Context, names: Container[str], reason: str) -> None:
    """Refuses, as wrong usage, options that the user gave although they cannot do anything."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if (parameter.name or "") in names and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} {reason}", context)


def has_given(context: click.Context, *names: str) -> bool:
    """Whether the user gave any of these parameters on the command line."""
    sources = {context.get_parameter_source(name) for name in names}
    return click.core.ParameterSource.COMMANDLINE in sources


def emit(as_json: bool, values: Mapping[str, Any], text: str) -> None:
    """Prints the result on standard output, as one JSON object or as text."""
    click.echo(json.dumps(_finite(values), ensure_ascii=False) if as_json else text)


def _finite(value: Any) -> Any:
    """JSON knows no infinity and no NaN: they become null."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
