"""agpt.training_curves: what is drawn of a log, and the picture."""

from pathlib import Path
from typing import Any

import pytest
from agpt import ArgumentError
from agpt.training_curves import curves_of, plot_training, smoothed
from agpt.training_log import TrainingLog


def step(number: int, loss: float) -> dict[str, Any]:
    return {"event": "step", "step": number, "loss": loss, "positions": 10, "seconds": 0.5}


def evaluation(number: int, loss: float) -> dict[str, Any]:
    return {"event": "evaluation", "step": number, "loss": loss}


EVENTS = [evaluation(0, 4.2), step(1, 4.0), step(2, 3.0), evaluation(2, 3.5), step(3, 2.0),
          {"event": "stopped", "step": 3}]  # fmt: skip


def test_losses_stand_at_the_sums_of_the_steps_before_them() -> None:
    curves = curves_of(EVENTS)
    assert curves.steps == (0, 1, 2, 3)
    assert curves.positions == (0, 10, 20, 30)
    assert curves.seconds == (0.0, 0.5, 1.0, 1.5)
    assert curves.loss == (4.0, 3.0, 2.0)
    assert curves.held_out == ((0, 4.2), (2, 3.5))


def test_smoothing_keeps_constants_and_follows_changes() -> None:
    assert smoothed([2.0] * 5) == pytest.approx([2.0] * 5)
    means = [0, 1 / (1 + 0.95), (1 + 0.95) / (1 + 0.95 + 0.95**2)]
    assert smoothed([0.0, 1.0, 1.0]) == pytest.approx(means)
    assert smoothed([]) == []


def test_a_log_without_a_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no step to draw"):
        plot_training(tmp_path / "missing.jsonl", tmp_path / "a.png")


@pytest.mark.parametrize(("ending", "beginning"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_a_log_becomes_a_picture(tmp_path: Path, ending: str, beginning: bytes) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    with TrainingLog(tmp_path / "log.jsonl", 0) as log:
        for event in EVENTS:
            log.write(event["event"], {k: v for k, v in event.items() if k != "event"})
    picture = tmp_path / f"curves{ending}"
    plot_training(tmp_path / "log.jsonl", picture)
    assert picture.read_bytes().startswith(beginning)
