"""agpt-check-weights: which tensors moved between two checkpoints of a training run."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from agpt.cli.conventions import (
    EXIT_DATA,
    EXIT_USAGE,
    Command,
    CommandFailure,
    common_options,
    emit,
)
from agpt.cli.data_options import INPUT_FILE
from agpt.diagnostics import TensorChange, compare_weights, read_model_weights


class _Finding(CommandFailure):
    """What was looked for: a tensor that is frozen or not finite."""


class _Comparison(Command):
    """Exit code 1 is a finding; what cannot be compared at all is 2, as with cmp and diff."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CommandFailure as failure:
            if failure.exit_code == EXIT_DATA and not isinstance(failure, _Finding):
                failure.exit_code = EXIT_USAGE
            raise


@click.command("agpt-check-weights", cls=_Comparison)
@click.argument("before", type=INPUT_FILE)
@click.argument("after", type=INPUT_FILE)
@click.option("--quiet", is_flag=True, help="Print nothing unless a tensor is wrong.")
@common_options
@click.pass_context
def command(context: click.Context, before: Path, after: Path, quiet: bool, as_json: bool) -> None:
    """Check that every tensor of the checkpoint AFTER differs from BEFORE and is finite.

    Reads checkpoints of agpt and MGPT checkpoints of the reference. Exit code 0 if all tensors
    moved, 1 if one is frozen or not finite, 2 if the two cannot be compared.
    """
    changes = compare_weights(read_model_weights(before), read_model_weights(after))
    fault = _first_fault(changes)
    values = {
        "before": str(before),
        "after": str(after),
        "all_moved": fault is None,
        "tensors": [dataclasses.asdict(change) for change in changes],
    }
    if as_json or not quiet:
        emit(as_json, values, "\n".join(_table(changes)))
    if fault is not None:
        raise _Finding(context, f"{after}: {fault}")


def _first_fault(changes: list[TensorChange]) -> str | None:
    for change in changes:
        if change.n_not_finite > 0:
            return f"{change.name} has {change.n_not_finite} numbers that are NaN or infinite"
    frozen = [change.name for change in changes if change.is_frozen]
    if not frozen:
        return None
    return f"{frozen[0]} is frozen ({len(frozen)} of {len(changes)} tensors did not change)"


def _table(changes: list[TensorChange]) -> list[str]:
    width = max(len(change.name) for change in changes)
    lines = [f"{'tensor':{width}}{'elements':>12}{'changed':>12}{'largest':>12}{'relative':>12}"]
    for c in changes:
        mark = "  NOT FINITE" if c.n_not_finite else "  FROZEN" if c.is_frozen else ""
        lines.append(
            f"{c.name:{width}}{c.n_elements:12,}{c.n_changed:12,}{c.largest_change:12.3g}"
            f"{c.relative_change:12.3g}{mark}"
        )
    return lines
