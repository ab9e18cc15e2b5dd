"""Checks that several test modules make."""

import os
from pathlib import Path

import numpy as np
import pytest
from agpt import Model
from click.testing import Result

ROOT = Path(__file__).parents[2]


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


def data_file(name: str) -> Path:
    """A public data set where it is at hand; the test is skipped where it is not."""
    folder = Path(os.environ.get("AGPT_TEST_DATA", ROOT.parent / "shared/data"))
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not in {folder}: set AGPT_TEST_DATA to a folder that has it")
    return folder / name
