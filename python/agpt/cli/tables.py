"""Tables for the terminal: rich text where standard output is one, plain columns elsewhere."""

import io
import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agpt.html.elements import number_text

PLAIN_WIDTH = 10_000  # lines of a file are as long as they need to be


def table_text(head: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """A table as lines; numbers stand at the right, None is an empty cell."""
    rows = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for i, name in enumerate(head):
        numeric = any(isinstance(row[i], (int, float)) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    is_terminal = sys.stdout.isatty()
    lines = io.StringIO()
    console = Console(
        file=lines,
        force_terminal=is_terminal,
        width=None if is_terminal else PLAIN_WIDTH,
        highlight=False,
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in lines.getvalue().splitlines()).strip("\n")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return number_text(value) if isinstance(value, (int, float)) else str(value)
