"""Tables for the terminal: rich text where standard output is one, plain columns elsewhere."""

import io
import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from agpt.number_texts import column_texts, is_number

PLAIN_WIDTH = 10_000  # lines of a file are as long as they need to be


def table_text(head: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """A table as lines; numbers stand at the right, None is an empty cell."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = list(zip(*rows, strict=True)) or [()] * len(head)
    for name, column in zip(head, columns, strict=True):
        side: JustifyMethod = "right" if any(map(is_number, column)) else "left"
        table.add_column(name, justify=side, no_wrap=True)
    for row in zip(*map(column_texts, columns), strict=True):
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    is_terminal = sys.stdout.isatty()
    lines = io.StringIO()
    console = Console(
        file=lines,
        force_terminal=is_terminal,
        width=None if is_terminal else PLAIN_WIDTH,
        highlight=False,
    )
    console.print(table)
    shown = "\n".join(line.rstrip() for line in lines.getvalue().splitlines()).strip("\n")
    return f"{title}\n\n{shown}" if title else shown
