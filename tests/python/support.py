"""Checks that several test modules make."""

import numpy as np
from agpt import Model
from click.testing import Result


def assert_fails(result: Result, exit_code: int, *parts: str) -> None:
    """The command ended with one line on standard error that has all parts, and no traceback."""
    assert result.exit_code == exit_code, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for part in parts:
        assert part in lines[0]
    assert result.stdout == ""


def equal_parameters(a: Model, b: Model) -> bool:
    return np.array_equal(a.flat_parameters, b.flat_parameters)
