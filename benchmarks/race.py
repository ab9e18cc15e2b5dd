"""A contest: the same work done by the engine and by its rivals in turn, with the machine beside.

The unit is work per CPU-second of this process, because on a shared machine wall-clock time
measures the neighbours; wall-clock rates are kept too, for work on more than one thread. Ratios
are taken round by round, so a change of the machine's state meets both sides.
"""

import dataclasses
import statistics
import sys
from collections.abc import Callable

from measure import matrix_rate, rate

OURS = "agpt"


@dataclasses.dataclass(frozen=True)
class Spread:
    """A median and the extremes around it."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Return the spread of measured values."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 0) -> str:
        """Return `median [least .. most]`."""
        least, median, most = (f"{v:,.{digits}f}" for v in (self.least, self.median, self.most))
        return f"{median} [{least} .. {most}]"


@dataclasses.dataclass(frozen=True)
class Contest:
    """Work and who does it: each contestant does some of it when called, and says how much."""

    work: str
    unit: str
    contestants: dict[str, Callable[[], int]]
    threads: int = 1
    target: float | None = None
    """How many times as fast as each rival the engine should be."""
    flop: float = 0
    """Floating point operations of one unit in matrix products alone, by the engine."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a contest came to."""

    work: str
    unit: str
    threads: int
    target: float | None
    per_cpu_second: dict[str, Spread]
    per_second: dict[str, Spread]
    ratio: dict[str, Spread]
    """By rival: how many times its rate per CPU-second the engine's is."""
    wall_ratio: dict[str, Spread]
    matrix_gflops: Spread
    """Of NumPy's (512, 64) x (64, 256) product, per CPU-second, in the same rounds."""
    matrix_share: float | None
    """The engine's rate of useful operations in matrix products, as a share of that."""

    def to_dict(self) -> dict[str, object]:
        """Return plain values, for JSON."""
        return dataclasses.asdict(self)


def hold(contest: Contest, rounds: int, seconds: float) -> Result:
    """Let the contestants work in turn for `seconds` each, `rounds` times after one to warm up."""
    cpu: dict[str, list[float]] = {name: [] for name in contest.contestants}
    wall: dict[str, list[float]] = {name: [] for name in contest.contestants}
    matrix = []
    for work in contest.contestants.values():
        work()
    for _ in range(rounds):
        matrix.append(matrix_rate(0.1))
        for name, work in contest.contestants.items():
            per_cpu_second, per_second = rate(work, seconds)
            cpu[name].append(per_cpu_second)
            wall[name].append(per_second)
    gflops = Spread.of(matrix)
    ours = statistics.median(cpu[OURS])
    result = Result(
        contest.work,
        contest.unit,
        contest.threads,
        contest.target,
        {name: Spread.of(values) for name, values in cpu.items()},
        {name: Spread.of(values) for name, values in wall.items()},
        ratios(cpu),
        ratios(wall),
        gflops,
        ours * contest.flop / (gflops.median * 1e9) if contest.flop else None,
    )
    for name, spread in result.per_cpu_second.items():
        print(f"{contest.work}, {contest.threads} threads: {name} {spread.text()}", file=sys.stderr)
    return result


def ratios(rates: dict[str, list[float]]) -> dict[str, Spread]:
    """Return the engine's rate over each rival's, round by round."""
    return {
        name: Spread.of([a / b for a, b in zip(rates[OURS], values, strict=True)])
        for name, values in rates.items()
        if name != OURS
    }
