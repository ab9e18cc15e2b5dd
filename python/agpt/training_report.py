"""The page of a training run: curves, held-out loss by depth, sharing, samples, configuration."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agpt._engine import ArgumentError
from agpt.html.charts import Series, line_chart
from agpt.html.elements import (
    Markup,
    definitions,
    details,
    element,
    figure,
    settings,
    switched,
    table,
)
from agpt.html.page import Page
from agpt.run_files import last_path_of, log_path_of
from agpt.training_curves import AXES, Curves, curves_of, smoothed
from agpt.training_log import EVALUATION, SAMPLE, START, STEP, Event, read_log

MOST_POINTS = 400
MOST_DEPTH_CURVES = 4
LOG_SUFFIX = ".log.jsonl"


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """All that the log of a run says, in the order in which it happened."""

    name: str
    start: Event | None
    """None in logs of versions that did not write it."""
    steps: tuple[Event, ...]
    evaluations: tuple[Event, ...]
    samples: tuple[Event, ...]
    curves: Curves

    @property
    def best(self) -> Event | None:
        """The evaluation with the least held-out loss."""
        return min(self.evaluations, key=lambda event: float(event["loss"]), default=None)


def log_of(run: Path) -> Path:
    """The log of a run that is named by it or by any of its checkpoints."""
    return run if run.name.endswith(LOG_SUFFIX) else log_path_of(last_path_of(run))


def read_run(run: Path) -> RunRecord:
    """The record of a run by the name of its log or of any of its checkpoints.

    OSError where there is no log, ArgumentError where it has no step.
    """
    log = log_of(run)
    if not log.exists():
        raise FileNotFoundError(
            f"{log} does not exist: name the log of a run of agpt-train or a checkpoint beside it"
        )
    events = read_log(log)

    def of_kind(kind: str) -> tuple[Event, ...]:
        return tuple(event for event in events if event["event"] == kind)

    try:
        curves = curves_of(events)
    except KeyError as error:
        raise ArgumentError(f"{log} is no log of agpt-train: a line lacks {error}") from error
    except ArgumentError as error:
        raise ArgumentError(f"{log}: {error}") from error
    return RunRecord(
        name=log.name.removesuffix(LOG_SUFFIX),
        start=next(iter(of_kind(START)), None),
        steps=of_kind(STEP),
        evaluations=of_kind(EVALUATION),
        samples=of_kind(SAMPLE),
        curves=curves,
    )


def report_page(run: RunRecord) -> Page:
    """The page; sections of which the log says nothing are left out."""
    page = Page(f"Training of {run.name}", _summary(run))
    page.add("Result", definitions(_figures(run), "figures"))
    page.add("Loss", *_loss(run))
    if any(event.get("by_depth") for event in run.evaluations):
        page.add("Held-out loss by depth", *_loss_by_depth(run))
    if run.start is not None and run.start.get("sharing"):
        page.add("Sharing", *_sharing(run.start["sharing"]))
    if run.samples:
        page.add("Samples", *_samples(run))
    page.add("Learning rate and gradient", *_rates(run))
    if run.start is not None:
        page.add("Model", settings(run.start["model"]))
        page.add("Training", settings(run.start["training"]))
    return page


def _summary(run: RunRecord) -> str:
    n_steps = f"{run.steps[-1]['step']:,}"
    if run.start is None:
        return f"A training run of {n_steps} steps."
    start = run.start
    return (
        f"A training run of {start['n_parameters']:,} parameters, {n_steps} of "
        f"{start['total_steps']:,} steps, mode {start['training']['mode']}, "
        f"{start['backend']}."
    )


def _figures(run: RunRecord) -> dict[str, object]:
    figures: dict[str, object] = {}
    if run.best is not None:
        at = f"best held-out loss, nats, at step {run.best['step']:,}"
        figures[at] = f"{run.best['loss']:.4f}"
        if run.best.get("bits_per_character") is not None:
            figures["bits per character"] = f"{run.best['bits_per_character']:.4f}"
    figures["last training loss, smoothed"] = f"{smoothed(run.curves.loss)[-1]:.4f}"
    figures["positions trained"] = run.curves.positions[-1]
    seconds = run.curves.seconds[-1]
    figures["seconds of training"] = f"{seconds:,.1f}" if seconds >= 10 else f"{seconds:.2g}"
    figures["positions per second"] = round(
        run.curves.positions[-1] / max(run.curves.seconds[-1], 1e-9)
    )
    if run.start is not None and run.start.get("sharing"):
        sharing = run.start["sharing"]
        ratio = sum(sharing["mass"]) / max(1, sum(sharing["positions"]))
        figures["predictions for each position"] = f"{ratio:.2f}"
    return figures


def _loss(run: RunRecord) -> list[Markup]:
    charts = {axis: _loss_chart(run.curves, axis) for axis in AXES}
    group = len(_groups(run.curves.loss)[0])
    caption = "Training loss is the mean cross-entropy of each step before its update. "
    if group > 1:
        caption += f"Each of its points is the mean of {group} steps. "
    caption += "The smoothed curve is its exponential mean. Seconds are those of the steps alone."
    rows = [
        (e["step"], e["loss"], *(_or_empty(e, name) for name in ("perplexity", "bits_per_byte")))
        for e in run.evaluations
    ]
    parts = [figure(caption, switched("against", charts))]
    if rows:
        head = ("step", "held-out loss", "perplexity", "bits per byte")
        parts.append(details("Held-out evaluations as a table", table(head, rows)))
    return parts


def _loss_chart(curves: Curves, axis: str) -> Markup:
    x = getattr(curves, axis)
    at, means = _last_of_groups(x[1:]), _means_of_groups(curves.loss)
    series = [
        Series("training", at, means, faint=True, color=0),
        Series("training, smoothed", at, _last_of_groups(smoothed(curves.loss)), color=0),
    ]
    if curves.held_out:
        places, losses = zip(*curves.held_out, strict=True)
        series.append(Series("held out", [x[i] for i in places], losses, marks=True, color=1))
    return line_chart(f"Loss against {axis}", series, axis, "nats")


def _groups(values: Sequence[float]) -> list[Sequence[float]]:
    """Runs of equal length, the last one shorter, so many that a chart shows them all."""
    size = -(-len(values) // MOST_POINTS)
    return [values[i : i + size] for i in range(0, len(values), size)]


def _means_of_groups(values: Sequence[float]) -> list[float]:
    return [sum(group) / len(group) for group in _groups(values)]


def _last_of_groups(values: Sequence[float]) -> list[float]:
    return [group[-1] for group in _groups(values)]


def _loss_by_depth(run: RunRecord) -> list[Markup]:
    events = [event for event in run.evaluations if event.get("by_depth")]
    trained = [event for event in events if event["step"] > 0]  # before, it is that of chance
    shown = _spread(trained or events, MOST_DEPTH_CURVES)
    series = [
        depth_series(f"step {event['step']:,}", event, marks=event is shown[-1]) for event in shown
    ]
    chart = line_chart("Held-out loss by depth", series, "tokens of context", "nats")
    head = ("tokens of context", "predictions", f"loss at step {shown[-1]['step']:,}")
    rows = [(d["context"], d["positions"], _or_empty(d, "loss")) for d in shown[-1]["by_depth"]]
    caption = "Mean loss of the held-out predictions that saw so many tokens."
    return [figure(caption, chart), details("The last evaluation as a table", table(head, rows))]


def depth_series(name: str, evaluation: Event, *, marks: bool) -> Series:
    """The losses of an evaluation for each number of tokens that predictions saw."""
    known = [d for d in evaluation["by_depth"] if d["loss"] is not None]
    depths = [float(d["context"]) for d in known]
    return Series(name, depths, [float(d["loss"]) for d in known], marks=marks)


def _sharing(sharing: dict[str, list[int]]) -> list[Markup]:
    depths = list(range(1, len(sharing["positions"]) + 1))
    positions, mass = sharing["positions"], sharing["mass"]
    series = [Series("predictions", depths, mass), Series("positions", depths, positions)]
    chart = line_chart("Sharing by depth", series, "depth", "count", log_y=True)
    ratios = [m / max(1, p) for m, p in zip(mass, positions, strict=True)]
    caption = (
        "Predictions of all windows of the text, and the distinct contexts, the positions of the "
        "trie, that training computes for them. The gap is work that is saved."
    )
    rows = zip(depths, positions, mass, ratios, strict=True)
    head = ("depth", "positions", "predictions", "predictions for each position")
    return [figure(caption, chart), details("The profile as a table", table(head, rows))]


def _samples(run: RunRecord) -> list[Markup]:
    loss_at = {event["step"]: event["loss"] for event in run.evaluations}
    *earlier, last = run.samples

    def shown(event: Event) -> Markup:
        return element("pre", event["text"])

    def title(event: Event) -> str:
        loss = loss_at.get(event["step"])
        return f"Step {event['step']:,}" + ("" if loss is None else f", held-out loss {loss:.4f}")

    parts = [
        element("p", "Drawn from the model as it stood, at temperature 1, always by the same seed.")
    ]
    parts += [details(title(event), shown(event)) for event in earlier]
    return [*parts, element("h3", title(last)), shown(last)]


def _rates(run: RunRecord) -> list[Markup]:
    numbers = _last_of_groups([event["step"] for event in run.steps])
    charts = {}
    for name, key in (("learning rate", "lr"), ("gradient norm before clipping", "grad_norm"),
                      ("positions", "positions")):  # fmt: skip
        if all(key in event for event in run.steps):
            means = _means_of_groups([event[key] for event in run.steps])
            charts[name] = line_chart(name, [Series(name, numbers, means)], "steps", name)
    return [switched("of each step", charts), *_time(run.steps)] if charts else []


def _time(steps: Sequence[Event]) -> list[Markup]:
    """Where the time went; logs of earlier versions do not say it."""
    names = {
        "building_seconds": "making batches, all threads together",
        "computing_seconds": "forward and backward passes, all threads together",
        "update_seconds": "updates of the parameters",
    }
    if not all(name in event for event in steps for name in names):
        return []
    sums = {told: sum(event[name] for event in steps) for name, told in names.items()}
    return [
        element("h3", "Seconds"),
        definitions({told: f"{seconds:,.2f}" for told, seconds in sums.items()}),
    ]


def _spread(events: Sequence[Event], n: int) -> list[Event]:
    """At most `n` of the events, evenly spread, the first and the last among them."""
    if len(events) <= n:
        return list(events)
    numbers = [round(i * (len(events) - 1) / (n - 1)) for i in range(n)]
    return [events[number] for number, _ in itertools.groupby(numbers)]


def _or_empty(event: Event, name: str) -> Any:
    value = event.get(name)
    return "" if value is None else value
