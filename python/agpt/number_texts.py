"""Numbers as people read them, one by one and below each other in a column of a table."""

import math
from collections.abc import Sequence
from typing import TypeGuard

DIGITS = 5
LEAST_IN_COLUMN, MOST_IN_COLUMN = 1e-3, 1e7  # beyond, as many decimals would make long columns


def number_text(value: float) -> str:
    """Whole numbers with separators, others with five digits."""
    if not math.isfinite(value):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.{DIGITS}g}"


def counted(number: int, noun: str) -> str:
    """1 step, 2,000 steps."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def is_number(cell: object) -> TypeGuard[int | float]:
    """Whether a cell of a table is a number, which stands at the right."""
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def column_texts(cells: Sequence[object]) -> list[object]:
    """A column with its numbers as texts, which stand digit below digit; other cells stay.

    The largest number has five digits, and all have as many decimals. A number that would lose all
    but one of its digits is written as a power of ten.
    """
    numbers = filter(is_number, cells)
    decimals = _decimals_of([abs(number) for number in numbers if math.isfinite(number)])
    return [_in_column(cell, decimals) if is_number(cell) else cell for cell in cells]


def _decimals_of(sizes: Sequence[float]) -> int | None:
    """How many decimals the numbers of a column have; None where each is written by itself."""
    largest = max(sizes, default=0.0)
    if all(float(size).is_integer() for size in sizes):
        return None
    if not LEAST_IN_COLUMN <= largest < MOST_IN_COLUMN:
        return None
    return max(0, DIGITS - 1 - math.floor(math.log10(largest)))


def _in_column(number: float, decimals: int | None) -> str:
    if decimals is None or number == 0 or not math.isfinite(number):
        return number_text(number)
    if abs(number) < 10.0 ** (1 - decimals):
        return f"{number:.2g}"
    return f"{number:,.{decimals}f}"
