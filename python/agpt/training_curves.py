"""Loss curves of a training run, from its log: against steps, positions and seconds."""

import dataclasses
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from agpt._engine import ArgumentError
from agpt.plots import new_figure, save_figure
from agpt.training_log import EVALUATION, STEP, Event, read_log

SMOOTHING = 0.95
AXES = ("steps", "positions", "seconds")


@dataclasses.dataclass(frozen=True)
class Curves:
    """The course of a run; the first entry of `steps`, `positions` and `seconds` is its start."""

    steps: tuple[int, ...]
    positions: tuple[int, ...]
    """Positions trained on up to each step."""
    seconds: tuple[float, ...]
    """Wall-clock seconds of the steps up to each, evaluations and files excluded."""
    loss: tuple[float, ...]
    """Training loss of each step, nats; one entry less than `steps`."""
    held_out: tuple[tuple[int, float], ...]
    """Place in `steps` and loss of each held-out evaluation."""


def curves_of(events: Sequence[Event]) -> Curves:
    """The curves of the events of a log; ArgumentError for a log without a step."""
    steps = [event for event in events if event["event"] == STEP]
    if not steps:
        raise ArgumentError("the log has no step to draw: train at least one")
    numbers = (steps[0]["step"] - 1, *(event["step"] for event in steps))
    place = {number: i for i, number in enumerate(numbers)}
    return Curves(
        numbers,
        tuple(itertools.accumulate((event["positions"] for event in steps), initial=0)),
        tuple(itertools.accumulate((event["seconds"] for event in steps), initial=0.0)),
        tuple(event["loss"] for event in steps),
        tuple(
            (place[event["step"]], event["loss"])
            for event in events
            if event["event"] == EVALUATION and event["step"] in place
        ),
    )


def smoothed(values: Sequence[float]) -> list[float]:
    """Exponential means, each of the values so far; the weight of a value is 0.95 to its age.

    The weights are divided by their sum, so that the first values do not linger.
    """
    sums = itertools.accumulate(values, lambda s, v: SMOOTHING * s + v, initial=0.0)
    weights = itertools.accumulate([1.0] * len(values), lambda w, one: SMOOTHING * w + one)
    return [s / w for s, w in zip(itertools.islice(sums, 1, None), weights, strict=True)]


def plot_training(log: Path, picture: str | os.PathLike[str]) -> None:
    """Draws the curves of a log into `picture`, in the format of its ending."""
    curves = curves_of(read_log(log))
    figure, panels = new_figure([f"loss against {axis}" for axis in AXES])
    for axis, panel in zip(AXES, panels, strict=True):
        x = getattr(curves, axis)
        panel.plot(x[1:], curves.loss, color="C0", alpha=0.25, linewidth=0.8)
        panel.plot(x[1:], smoothed(curves.loss), color="C0", label="training, smoothed")
        if curves.held_out:
            places, losses = zip(*curves.held_out, strict=True)
            panel.plot([x[i] for i in places], losses, "o-", color="C1", label="held out")
        panel.set_xlabel(axis)
        panel.set_ylabel("nats")
    panels[0].legend(frameon=False)
    save_figure(figure, picture)
