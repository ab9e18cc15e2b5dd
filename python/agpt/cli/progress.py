"""Progress on standard error: bars on a terminal, a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from agpt.step_report import StepReport

SECONDS_BETWEEN_PLAIN_LINES = 10.0
SMOOTHING = 0.95
BAR_WIDTH = 14  # the whole line fits into 80 columns


class _Bar:
    """What the two kinds of progress share: a bar that exists on terminals only."""

    def __init__(self, *columns: str | MofNCompleteColumn) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(BAR_WIDTH),
            *columns,
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not sys.stderr.isatty(),
            transient=True,
        )

    @property
    def is_shown(self) -> bool:
        """Whether standard error is a terminal."""
        return not self._progress.disable

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        if self.is_shown:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line, err=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Takes the bar away."""
        self._progress.stop()


class FractionProgress(_Bar):
    """Progress of work that says which share of it is done."""

    def __init__(self, description: str) -> None:
        super().__init__("{task.percentage:>3.0f}%")
        self._task = self._progress.add_task(description, total=1.0)
        self._name = description
        self._last_line = time.monotonic()

    def __enter__(self) -> "FractionProgress":
        """Shows the bar."""
        self._progress.start()
        return self

    def update(self, fraction: float, stage: str | None = None) -> None:
        """Moves the bar to `fraction` of 1, and names the stage of the work if given."""
        description = self._name if stage is None else f"{self._name}: {stage}"
        self._progress.update(self._task, completed=fraction, description=description)
        if not self.is_shown and time.monotonic() - self._last_line > SECONDS_BETWEEN_PLAIN_LINES:
            self._last_line = time.monotonic()
            self.say(f"{description} {fraction:.0%}")


class StepProgress(_Bar):
    """Progress of training: loss, positions per second, time left."""

    def __init__(self, description: str, total_steps: int, done: int = 0) -> None:
        super().__init__(
            MofNCompleteColumn(), "loss {task.fields[loss]}", "{task.fields[speed]} positions/s"
        )
        self._total = total_steps
        self._task = self._progress.add_task(
            description, total=total_steps, completed=done, loss="-", speed="-"
        )
        self._description = description
        self._loss: float | None = None
        self._positions = 0
        self._seconds = 0.0
        self._last_line = time.monotonic()

    def __enter__(self) -> "StepProgress":
        """Shows the bar."""
        self._progress.start()
        return self

    def step(self, report: StepReport) -> None:
        """Takes note of a step."""
        previous = report.loss if self._loss is None else self._loss
        self._loss = SMOOTHING * previous + (1 - SMOOTHING) * report.loss
        self._positions += report.positions
        self._seconds += report.seconds
        loss, speed = f"{self._loss:.3f}", f"{self._positions / max(self._seconds, 1e-9):,.0f}"
        if self.is_shown:
            self._progress.update(self._task, completed=report.step, loss=loss, speed=speed)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_PLAIN_LINES:
            self._last_line = time.monotonic()
            self.say(
                f"{self._description}: step {report.step}/{self._total} loss {loss} "
                f"{speed} positions/s"
            )
