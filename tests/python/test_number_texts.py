"""agpt.number_texts: numbers alone, and digit below digit in a column."""

import math

import pytest
from agpt.number_texts import column_texts, counted, number_text
from hypothesis import given
from hypothesis import strategies as st


def test_numbers_are_written_for_people() -> None:
    assert [number_text(v) for v in (1234567, 0.123456789, 2.0, math.nan)] == [
        "1,234,567", "0.12346", "2", "nan",
    ]  # fmt: skip


def test_one_is_no_plural() -> None:
    assert [counted(n, "step") for n in (0, 1, 2000)] == ["0 steps", "1 step", "2,000 steps"]


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ([14.926, 12.0, 0, 31.0715], ["14.926", "12.000", "0", "31.072"]),
        ([0.5676, 0.0038371, 2e-7], ["0.56760", "0.00384", "2e-07"]),
        ([1500, 20, 3], ["1,500", "20", "3"]),
        ([12345.678, 1.5], ["12,346", "1.5"]),
        ([3e-4, 1e-3 / 3], ["0.0003", "0.00033333"]),
        (["name", 0.25, None, True], ["name", "0.25000", None, True]),
        ([math.nan, 2.5, math.inf], ["nan", "2.5000", "inf"]),
        ([], []),
    ],
)
def test_a_column_has_one_number_of_decimals(cells: list[object], texts: list[object]) -> None:
    assert column_texts(cells) == texts


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_numbers_of_a_column_are_themselves_to_the_digits_that_are_shown(
    numbers: list[float],
) -> None:
    largest = max(map(abs, numbers))
    for number, text in zip(numbers, column_texts(numbers), strict=True):
        assert float(str(text).replace(",", "")) == pytest.approx(
            number, rel=0.06, abs=1e-4 * largest
        )
