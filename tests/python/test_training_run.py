"""agpt.training_run: log, evaluations, checkpoints, and an end by a signal that loses nothing."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import Model, NonFiniteError, StepReport, TrainConfig, Trainer, TrieIndex
from agpt.run_files import log_path_of, numbered_checkpoints
from agpt.training_run import RunOptions, SaveEvery, TrainingRun
from support import equal_parameters


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.fixture
def trainer(make_model: Callable[..., Model], index: TrieIndex) -> Trainer:
    return Trainer(make_model(), index, TrainConfig(positions_per_step=200, steps=10))


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_path_of(out).read_text().splitlines()]


def test_a_run_writes_the_last_and_the_best_checkpoint_and_a_log(
    trainer: Trainer, out: Path
) -> None:
    lines: list[str] = []
    options = RunOptions(out, eval_every=4)
    result = TrainingRun(trainer, options, on_evaluation=lines.append).run()
    assert (result.step, result.stopped_by, result.written) == (10, None, True)
    assert sorted(p.name for p in out.parent.iterdir()) == [
        "model.best.safetensors", "model.log.jsonl", "model.safetensors",
    ]  # fmt: skip
    assert equal_parameters(Model.load(out), trainer.model)
    log = log_of(out)
    assert [e["step"] for e in log if e["event"] == "step"] == list(range(1, 11))
    assert [e["step"] for e in log if e["event"] == "evaluation"] == [0, 4, 8, 10]
    for entry in (e for e in log if e["event"] == "step"):
        assert entry.keys() >= {
            "loss", "positions", "positions_per_second", "lr", "grad_norm", "seconds",
            "cpu_seconds",
        }  # fmt: skip
    evaluated = [e["loss"] for e in log if e["event"] == "evaluation"]
    assert result.best_loss == min(evaluated)
    assert result.evaluation is not None
    assert result.evaluation.loss == evaluated[-1]
    assert len(lines) == 4


def test_the_line_of_an_evaluation_has_the_fields_of_the_reference(
    trainer: Trainer, out: Path
) -> None:
    lines: list[str] = []
    TrainingRun(trainer, RunOptions(out, eval_every=0), on_evaluation=lines.append).run()
    (line,) = lines
    kind, *fields = line.split()
    assert kind == "[val]"
    names = [field.split("=")[0] for field in fields]
    assert names == ["mode", "t", "step", "held_out_ce", "eval_secs", "context"]
    assert fields[0] == "mode=trie"
    assert fields[2] == "step=10"
    assert fields[5] == "context=6"


def test_the_best_checkpoint_is_the_one_with_the_least_held_out_loss(
    trainer: Trainer, index: TrieIndex, out: Path
) -> None:
    def spoil(report: StepReport) -> None:
        if report.step == 6:
            trainer.model.flat_parameters *= 5

    options = RunOptions(out, eval_every=1)
    result = TrainingRun(trainer, options, on_step=spoil).run()
    assert Trainer.resume(options.best, index).step_count == 5
    best = Trainer(Model.load(options.best), index).evaluate()
    assert best.loss == pytest.approx(result.best_loss, rel=1e-6)
    assert result.evaluation is not None
    assert best.loss < result.evaluation.loss


def test_without_a_held_out_part_nothing_is_evaluated(trainer: Trainer, out: Path) -> None:
    result = TrainingRun(trainer, RunOptions(out, has_held_out=False)).run()
    assert (result.evaluation, result.best_loss) == (None, None)
    assert not RunOptions(out).best.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_checkpoint_that_continues_with_the_same_bits(
    make_model: Callable[..., Model], index: TrieIndex, out: Path, number: signal.Signals
) -> None:
    config = TrainConfig(positions_per_step=200, steps=10)
    whole = Trainer(make_model(), index, config)
    TrainingRun(whole, RunOptions(out.with_name("whole.safetensors"), eval_every=3)).run()

    def send(report: StepReport) -> None:
        if report.step == 4:
            os.kill(os.getpid(), number)

    previous = signal.getsignal(number)
    options = RunOptions(out, eval_every=3)
    result = TrainingRun(Trainer(make_model(), index, config), options, on_step=send).run()
    assert signal.getsignal(number) == previous
    assert (result.stopped_by, result.step, result.written) == (number, 4, True)
    assert log_of(out)[-1] == {"event": "stopped", "step": 4}

    resumed = Trainer.resume(out, index)
    assert resumed.step_count == 4
    TrainingRun(resumed, options).run()
    assert equal_parameters(resumed.model, whole.model)
    steps = [entry["step"] for entry in log_of(out) if entry["event"] == "step"]
    assert steps == list(range(1, 11))


def test_a_signal_before_the_first_step_keeps_an_earlier_file(trainer: Trainer, out: Path) -> None:
    out.write_bytes(b"an earlier model")

    def send(line: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    result = TrainingRun(trainer, RunOptions(out, eval_every=5), on_evaluation=send).run()
    assert (result.step, result.written) == (0, False)
    assert out.read_bytes() == b"an earlier model"


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(
    trainer: Trainer, out: Path, index: TrieIndex
) -> None:
    def spoil(report: StepReport) -> None:
        if report.step == 6:
            trainer.save_checkpoint(out)
            trainer.model.parameters()["embedding.weight"][...] = np.nan

    with pytest.raises(NonFiniteError):
        TrainingRun(trainer, RunOptions(out, eval_every=0), on_step=spoil).run()
    kept = Trainer.resume(out, index)
    assert kept.step_count == 6
    assert np.isfinite(kept.step().loss)


def test_a_resumed_log_drops_the_steps_that_are_made_again(
    trainer: Trainer, out: Path, index: TrieIndex
) -> None:
    def save(report: StepReport) -> None:
        if report.step == 5:
            trainer.save_checkpoint(out.with_name("middle.safetensors"))

    TrainingRun(trainer, RunOptions(out), on_step=save).run()
    with log_path_of(out).open("a") as log:
        log.write('{"event": "step", "st')  # as a kill leaves it
    TrainingRun(Trainer.resume(out.with_name("middle.safetensors"), index), RunOptions(out)).run()
    steps = [entry["step"] for entry in log_of(out) if entry["event"] == "step"]
    assert steps == list(range(1, 11))


def test_a_finished_run_that_goes_on_evaluates_again_and_logs_nothing_twice(
    trainer: Trainer, index: TrieIndex, out: Path
) -> None:
    options = RunOptions(out, eval_every=4)
    result = TrainingRun(trainer, options).run()
    log = log_of(out)
    again = TrainingRun(Trainer.resume(out, index), options).run()
    assert log_of(out) == log
    assert again.evaluation is not None
    assert result.evaluation is not None
    assert again.evaluation.loss == result.evaluation.loss


def test_the_last_numbered_checkpoints_are_kept_and_can_be_resumed(
    trainer: Trainer, make_model: Callable[..., Model], index: TrieIndex, out: Path
) -> None:
    options = RunOptions(out, eval_every=0, save_every=SaveEvery(steps=3), keep=2)
    TrainingRun(trainer, options).run()
    found = numbered_checkpoints(out)
    assert [step for step, _ in found] == [9, 10]
    assert equal_parameters(Model.load(found[1][1]), Model.load(out))
    resumed = Trainer.resume(found[0][1], index)
    assert resumed.step_count == 9
    resumed.fit()
    assert equal_parameters(resumed.model, trainer.model)


def test_a_checkpoint_is_due_by_steps_or_by_seconds() -> None:
    assert [step for step in range(1, 8) if SaveEvery(steps=3).is_due(step, 1e9)] == [3, 6]
    assert SaveEvery(seconds=5).is_due(1, 5.0)
    assert not SaveEvery(seconds=5).is_due(1, 4.9)
    assert not SaveEvery().is_due(1, 1e9)


@pytest.mark.parametrize(
    ("settings", "length"), [({"unit": "root-child"}, 1), ({"unit": "bigram"}, 2),
                             ({"unit": "ngram", "ngram": 3, "units_per_step": 4}, 3)],
)  # fmt: skip
def test_the_log_says_which_units_each_step_covers(
    make_model: Callable[..., Model], index: TrieIndex, out: Path, settings: Any, length: int
) -> None:
    trainer = Trainer(make_model(), index, TrainConfig(epochs=2, **settings))
    TrainingRun(trainer, RunOptions(out, eval_every=0)).run()
    units = [entry["unit"] for entry in log_of(out) if entry["event"] == "step"]
    per_pass = trainer.steps_per_pass
    assert [unit["pass"] for unit in units] == [1] * per_pass + [2] * per_pass
    assert [unit["part"] for unit in units] == [*range(1, per_pass + 1)] * 2
    text = index.vocabulary.decode(index.tokens)
    expected = {text[i : i + length] for i in range(len(text) - length)}
    for epoch in (units[:per_pass], units[per_pass:]):
        paths = [path for unit in epoch for path in unit["paths"]]
        assert sorted(paths) == sorted(expected)


def test_steps_without_units_say_their_part_of_the_pass(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    trainer = Trainer(make_model(), index, TrainConfig(positions_per_step=200))
    assert trainer.unit(trainer.steps_per_pass + 1) == {"pass": 2, "part": 1}


def test_a_run_stopped_before_its_evaluation_makes_it_when_it_goes_on(
    trainer: Trainer, index: TrieIndex, out: Path
) -> None:
    def send(report: StepReport) -> None:
        if report.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    options = RunOptions(out, eval_every=2)
    TrainingRun(trainer, options, on_step=send).run()
    TrainingRun(Trainer.resume(out, index), options).run()
    evaluated = [entry["step"] for entry in log_of(out) if entry["event"] == "evaluation"]
    assert evaluated == [0, 2, 4, 6, 8, 10]


def test_a_curriculum_says_the_stage_of_a_step(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    config = TrainConfig(unit="root-child", curriculum="2:3,4:1000")
    units = [Trainer(make_model(), index, config).unit(step) for step in (1, 3, 4, 5)]
    assert [unit["stage"] for unit in units] == [1, 1, 2, 2]
    assert [unit["part"] for unit in units] == [1, 3, 1, 2]
