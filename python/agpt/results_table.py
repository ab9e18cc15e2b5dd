"""A table of runs: a file of tab-separated values to which every run adds one line."""

import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agpt._engine import FormatError
from agpt.files import require_writable

COLUMNS = (
    "timestamp",
    "id",
    "params",
    "steps",
    "final_loss",
    "held_out_loss",
    "mode",
    "context",
    "positions",
    "seconds",
    "lr",
    "seed",
    "dtype",
    "model",
)
"""Losses are nats: the mean of the last 100 steps, and held out; seconds are of the steps alone."""
MINUTES = "%Y-%m-%d %H:%M"
_HEADER = "\t".join(COLUMNS)


def require_results(path: str | os.PathLike[str]) -> None:
    """Raises now, before long work, what `append_result` would raise later.

    FormatError for a file that is no such table, OSError for a place that cannot be written.
    """
    path = Path(path)
    require_writable(path)
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        if file.readline().rstrip("\n") != _HEADER:
            raise FormatError(
                f"{path} is no table of results of agpt: its first line should name the columns "
                f"{', '.join(COLUMNS)}; name another file"
            )


def append_result(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Adds a line, and the line with the names of the columns to a file that has none.

    `values` has every column but the timestamp, which is now, in local time; None is left empty.
    One call writes at most once, so that runs side by side may share a table.
    """
    require_results(path)
    cells = {"timestamp": datetime.datetime.now().strftime(MINUTES), **values}
    line = "\t".join(_cell(cells[column]) for column in COLUMNS) + "\n"
    with Path(path).open("ab", buffering=0) as file:
        file.write((line if file.tell() > 0 else f"{_HEADER}\n{line}").encode())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())  # a name may hold tabs and line ends, a cell may not
