"""Several models trained side by side on the same data with the same seeds, and what came of it."""

import contextlib
import dataclasses
import itertools
import math
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agpt._engine import NonFiniteError
from agpt.plots import new_figure, save_figure
from agpt.token_text import VALIDATION
from agpt.trainer import Trainer
from agpt.training_curves import AXES, Curves, smoothed
from agpt.training_run import STEPS_OF_MEAN


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A trainer that takes part, with the name that it shares with those of other seeds."""

    name: str
    seed: int
    trainer: Trainer


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """The course of one contestant."""

    name: str
    seed: int
    n_parameters: int
    curves: Curves

    @property
    def loss(self) -> float:
        """Mean training loss of the last 100 steps, nats."""
        return statistics.fmean(self.curves.loss[-STEPS_OF_MEAN:])

    @property
    def held_out_loss(self) -> float | None:
        """Of the last evaluation, nats; None where nothing is held out."""
        return self.curves.held_out[-1][1] if self.curves.held_out else None

    def to_dict(self) -> dict[str, Any]:
        """Result and course, for JSON."""
        curves = self.curves
        return {
            "seed": self.seed,
            "loss": self.loss,
            "held_out_loss": self.held_out_loss,
            "seconds": curves.seconds[-1],
            "evaluations": [
                {
                    "step": curves.steps[place],
                    "positions": curves.positions[place],
                    "seconds": curves.seconds[place],
                    "loss": loss,
                }
                for place, loss in curves.held_out
            ],
        }


@dataclasses.dataclass(frozen=True)
class Spread:
    """A mean over seeds and the standard deviation, which is None for a single seed."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """That of at least one value."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)

    def __str__(self) -> str:
        """The mean, and the deviation behind a sign for it."""
        return f"{self.mean:.4f}" + ("" if self.deviation is None else f" ± {self.deviation:.4f}")


@dataclasses.dataclass(frozen=True)
class ComparedModel:
    """All runs of a name, one for each seed."""

    name: str
    n_parameters: int
    positions: float
    """Of one run, the mean."""
    seconds: float
    """Of one run, the mean: wall-clock of its steps alone."""
    loss: Spread
    held_out_loss: Spread | None
    difference: Spread | None
    """Held-out loss less that of the first name with the same seed; None for the first."""
    runs: tuple[ComparedRun, ...]

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("loss", "held_out_loss", "difference"):
            own[name] = None if own[name] is None else dataclasses.asdict(own[name])
        return own | {"runs": [run.to_dict() for run in self.runs]}


def train_side_by_side(
    contestants: Sequence[Contestant],
    *,
    eval_every: int,
    eval_context: int | None = None,
    has_held_out: bool = True,
    progress: Callable[[float], None] = lambda share: None,
) -> list[ComparedRun]:
    """Trains all contestants, a step of each in turn, so that what disturbs one disturbs all.

    They are evaluated on the held-out part before the first step, every `eval_every` steps (0:
    never between) and at the end. NonFiniteError names the one whose loss was not finite.
    """
    courses = [_Course(contestant, eval_context) for contestant in contestants]
    n_steps = max(contestant.trainer.total_steps for contestant in contestants)
    for number in range(n_steps + 1):
        first = number % len(courses)  # who is first finds the caches cold
        for course in (*courses[first:], *courses[:first]):
            course.make_step(number)
            is_last = number == course.total_steps
            is_due = eval_every > 0 and number % eval_every == 0 and number < course.total_steps
            if has_held_out and (is_last or is_due):
                course.evaluate()
        progress(number / max(1, n_steps))
    return [course.run() for course in courses]


class _Course:
    """The course of a contestant as it goes on."""

    def __init__(self, contestant: Contestant, eval_context: int | None) -> None:
        self._contestant, self._eval_context = contestant, eval_context
        self.total_steps = contestant.trainer.total_steps
        self._reports: list[Any] = []
        self._held_out: list[tuple[int, float]] = []

    def make_step(self, number: int) -> None:
        """Makes step `number`, counted from 1, if there is one."""
        if not 1 <= number <= self.total_steps:
            return
        with self._named():
            self._reports.append(self._contestant.trainer.step())

    def evaluate(self) -> None:
        """Scores the held-out part."""
        with self._named():
            evaluation = self._contestant.trainer.evaluate(VALIDATION, self._eval_context)
        self._held_out.append((len(self._reports), evaluation.loss))

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Puts the contestant's name before a loss that is not finite."""
        try:
            yield
        except NonFiniteError as error:
            who = f"{self._contestant.name} with seed {self._contestant.seed}"
            raise NonFiniteError(f"{who}: {error}") from error

    def run(self) -> ComparedRun:
        """All that happened."""
        reports = self._reports
        curves = Curves(
            tuple(range(len(reports) + 1)),
            tuple(itertools.accumulate((report.positions for report in reports), initial=0)),
            tuple(itertools.accumulate((report.seconds for report in reports), initial=0.0)),
            tuple(report.loss for report in reports),
            tuple(self._held_out),
        )
        who = self._contestant
        return ComparedRun(who.name, who.seed, who.trainer.model.n_parameters, curves)


def compared_models(runs: Sequence[ComparedRun]) -> list[ComparedModel]:
    """The runs by name, in the order of their first; each name has the same seeds."""
    by_name: dict[str, list[ComparedRun]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    first, *_ = by_name.values()
    return [_compared_model(group, first) for group in by_name.values()]


def _compared_model(group: Sequence[ComparedRun], first: Sequence[ComparedRun]) -> ComparedModel:
    held_out = [run.held_out_loss for run in group if run.held_out_loss is not None]
    base = [run.held_out_loss for run in first if run.held_out_loss is not None]
    differences = [own - other for own, other in zip(held_out, base, strict=True)]
    return ComparedModel(
        group[0].name,
        group[0].n_parameters,
        statistics.fmean(run.curves.positions[-1] for run in group),
        statistics.fmean(run.curves.seconds[-1] for run in group),
        Spread.of([run.loss for run in group]),
        Spread.of(held_out) if held_out else None,
        Spread.of(differences) if held_out and group is not first else None,
        tuple(group),
    )


def table_of(models: Sequence[ComparedModel]) -> str:
    """The models as a table of text, a line each."""
    rows = [("spec", "parameters", "positions", "seconds", "positions/s", "training", "held out",
             "less the first")]  # fmt: skip
    for model in models:
        rate = model.positions / model.seconds if model.seconds > 0 else math.inf
        rows.append(
            (
                model.name,
                f"{model.n_parameters:,}",
                f"{model.positions:,.0f}",
                f"{model.seconds:.2f}",
                f"{rate:,.0f}",
                str(model.loss),
                "" if model.held_out_loss is None else str(model.held_out_loss),
                "" if model.difference is None else str(model.difference),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
    return "\n".join(lines)


def plot_comparison(models: Sequence[ComparedModel], picture: str | os.PathLike[str]) -> None:
    """Draws the losses of all models, means over seeds, against steps, positions and seconds."""
    figure, panels = new_figure([f"loss against {axis}" for axis in AXES])
    for axis, panel in zip(AXES, panels, strict=True):
        for number, model in enumerate(models):
            x = _mean([getattr(run.curves, axis) for run in model.runs])
            loss = smoothed(_mean([run.curves.loss for run in model.runs]))
            style = {"color": f"C{number % 10}"}
            is_faint = model.held_out_loss is not None
            label = None if is_faint else f"{model.name}, training"
            panel.plot(x[1:], loss, alpha=0.3 if is_faint else 1, label=label, **style)
            if is_faint:
                places = [place for place, _ in model.runs[0].curves.held_out]
                losses = _mean([[value for _, value in run.curves.held_out] for run in model.runs])
                panel.plot([x[i] for i in places], losses, "o-", label=model.name, **style)
        panel.set_xlabel(axis)
        panel.set_ylabel("nats")
    panels[0].legend(frameon=False)
    save_figure(figure, picture)


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    """The means of columns of rows of equal length."""
    return [statistics.fmean(column) for column in zip(*rows, strict=True)]
