"""The page that lays training runs side by side: results, held-out curves, what differs."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from agpt._engine import ArgumentError
from agpt.html.charts import COLORS, Series, line_chart
from agpt.html.elements import Markup, element, figure, setting_text, switched, table
from agpt.html.page import Page
from agpt.number_texts import is_number, number_text
from agpt.training_curves import AXES
from agpt.training_log import Event
from agpt.training_report import RunRecord, depth_series

SCORED = ("split", "context", "stride", "positions")
"""What an evaluation scored: losses that differ in one of these do not compare."""


def comparison_page(runs: Sequence[RunRecord]) -> Page:
    """The page of two to eight runs; ArgumentError for more, which no chart can tell apart."""
    if not 2 <= len(runs) <= COLORS:
        raise ArgumentError(f"{len(runs)} runs are to be compared: name from 2 to {COLORS}")
    names = [run.name for run in runs]
    page = Page(f"Comparison of {len(runs)} training runs", ", ".join(names))
    page.add("Result", *_results(runs))
    if any(run.evaluations for run in runs):
        charts = {axis: _held_out_chart(runs, axis) for axis in AXES}
        caption = "Held-out loss; positions and seconds are those of the steps before it."
        page.add("Held-out loss", figure(caption, switched("against", charts)))
    by_depth = [
        dataclasses.replace(depth_series(run.name, event, marks=True), color=color)
        for color, run in enumerate(runs)
        if (event := _last_by_depth(run)) is not None
    ]
    if by_depth:
        label = "Held-out loss by depth"
        chart = line_chart(label, by_depth, "tokens of context", "nats", legend=True)
        page.add("Held-out loss by depth", figure("At the last evaluation of each run.", chart))
    page.add("What differs", _differences(runs))
    return page


def _results(runs: Sequence[RunRecord]) -> list[Markup]:
    head = ("run", "best held-out loss", "at step", "positions", "seconds", "steps", "parameters",
            "positions per second")  # fmt: skip
    parts = [table(head, [_result(run) for run in runs])]
    scored = {tuple(run.best.get(name) for name in SCORED) for run in runs if run.best is not None}
    if len(scored) > 1:
        warning = (
            "These losses do not compare: the runs were not evaluated on the same text, context "
            "and stride."
        )
        parts.insert(0, element("p", element("strong", warning)))
    return parts


def _result(run: RunRecord) -> tuple[object, ...]:
    """Positions and seconds are those until the best evaluation, which is fair to early ones."""
    curves = run.curves
    speed = round(curves.positions[-1] / max(curves.seconds[-1], 1e-9))
    parameters = "" if run.start is None else run.start["n_parameters"]
    if run.best is None or run.best["step"] not in curves.steps:
        return (run.name, "", "", "", "", len(run.steps), parameters, speed)
    place = curves.steps.index(run.best["step"])
    return (run.name, float(run.best["loss"]), run.best["step"], curves.positions[place],
            curves.seconds[place], len(run.steps), parameters, speed)  # fmt: skip


def _held_out_chart(runs: Sequence[RunRecord], axis: str) -> Markup:
    series = []
    for color, run in enumerate(runs):
        x = getattr(run.curves, axis)
        places = [place for place, _ in run.curves.held_out]
        losses = [loss for _, loss in run.curves.held_out]
        if losses:
            at = [x[place] for place in places]
            series.append(Series(run.name, at, losses, marks=True, color=color))
    return line_chart(f"Held-out loss against {axis}", series, axis, "nats", legend=True)


def _last_by_depth(run: RunRecord) -> Event | None:
    return next((event for event in reversed(run.evaluations) if event.get("by_depth")), None)


def _differences(runs: Sequence[RunRecord]) -> Markup:
    """The settings in which the runs are not all alike."""
    rows: list[tuple[object, ...]] = []
    for kind in ("model", "training"):
        settings = [{} if run.start is None else run.start[kind] for run in runs]
        names = dict.fromkeys(name for values in settings for name in values)
        for name in names:
            rows += _difference(name, settings)
    rows += _difference("backend", [run.start or {} for run in runs])
    if not rows:
        return element("p", "Nothing that the logs say.")
    return table(("setting", *(run.name for run in runs)), rows)


def _difference(name: str, settings: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    values = [one.get(name) for one in settings]
    if all(value == values[0] for value in values):
        return []
    return [(name.replace("_", " "), *(_text_of(setting_text(value)) for value in values))]


def _text_of(setting: Any) -> str:
    return number_text(setting) if is_number(setting) else str(setting)
