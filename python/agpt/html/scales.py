"""From values to places of a drawing: linear and logarithmic scales with round ticks."""

import dataclasses
import math
from collections.abc import Iterable

TICKS = 5
MOST_DECIMALS = 6
LEAST_WITH_DECIMALS = 1e-4  # smaller numbers are shorter as powers of ten


@dataclasses.dataclass(frozen=True)
class Scale:
    """Maps `low` ... `high` to the places `start` ... `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value."""
        low, high, at = (self._linear(v) for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def _linear(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self) -> list[float]:
        """Round values between low and high."""
        if not self.log:
            return linear_ticks(self.low, self.high)
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        powers = [10.0**p for p in range(first, last + 1)]
        return powers if len(powers) > 1 else linear_ticks(self.low, self.high)


def scale_of(
    values: Iterable[float], start: float, end: float, *, log: bool = False, zero: bool = False
) -> Scale:
    """A scale that holds the finite values (above 0 where `log`), and 0 too where `zero`."""
    finite = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    low, high = min(finite, default=1.0), max(finite, default=1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    return Scale(low, high, start, end, log)


def linear_ticks(low: float, high: float) -> list[float]:
    """About five multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def tick_text(value: float) -> str:
    """A short form: 1,200 and 15k and 2.5M."""
    size, letter = _unit_of(value)
    return f"{value / size:,.4g}{letter}"


def tick_texts(scale: Scale) -> list[str]:
    """The texts of a scale's ticks: of one unit and as many decimals where steps are equal."""
    ticks = scale.ticks()
    largest = max((abs(tick) for tick in ticks), default=0.0)
    if scale.log or not LEAST_WITH_DECIMALS <= largest < math.inf:
        return [tick_text(tick) for tick in ticks]
    size, letter = _unit_of(largest)
    scaled = [tick / size for tick in ticks]
    decimals = next(
        (n for n in range(MOST_DECIMALS) if all(_is_round(value, n) for value in scaled)),
        MOST_DECIMALS,
    )
    return [f"{value:,.{decimals}f}{letter}" if value else "0" for value in scaled]


def _is_round(value: float, decimals: int) -> bool:
    return math.isclose(round(value, decimals), value, rel_tol=1e-6)


def _unit_of(value: float) -> tuple[float, str]:
    for least, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return size, letter
    return 1.0, ""
