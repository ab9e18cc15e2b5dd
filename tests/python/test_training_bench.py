"""agpt.training_bench and agpt-bench: times that add up, an estimate, and nothing touched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Model, TrainConfig, Trainer, TrieIndex
from agpt.cli.bench import command as bench
from agpt.cli.train import command as train
from agpt.scenarios import read_scenario
from agpt.training_bench import StepSeconds, TrainingSpeed, measure_training
from agpt.training_log import EVALUATION, read_log
from agpt.training_run import RunOptions, TrainingRun
from click.testing import Result
from support import assert_fails

SMALL = ["--d-model", "16", "--n-layers", "1", "--heads", "2", "--threads", "1"]


def test_the_parts_of_a_step_sum_up_to_it(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    trainer = Trainer(make_model(), index, TrainConfig(positions_per_step=400, epochs=4, threads=1))
    speed = measure_training(trainer, 0.0, has_held_out=True)
    assert trainer.step_count == 4
    assert speed.steps == 3
    parts = speed.step_seconds
    assert min(parts.batches, parts.passes, parts.update, parts.other) > 0
    total = parts.batches + parts.passes + parts.update + parts.other
    assert total * speed.steps == pytest.approx(speed.seconds)
    assert speed.total_steps == trainer.total_steps
    assert speed.total_positions == 4 * trainer.pass_positions
    assert speed.n_parameters == trainer.model.n_parameters


def test_the_estimate_is_for_all_positions_and_evaluations() -> None:
    parts = StepSeconds(0.01, 0.05, 0.02, 0.02)
    speed = TrainingSpeed("cpu", 10, 1, 20, 4000, 2.0, 2.0, parts, 0.5, 100, 30000, 11)
    assert speed.steps_per_second == 10
    assert speed.positions_per_second == 2000
    assert speed.eta_seconds == 30000 / 2000 + 11 * 0.5


@pytest.mark.parametrize("steps", [1, 7, 10, 25])
def test_evaluations_are_as_many_as_a_run_makes(
    make_model: Callable[..., Model], index: TrieIndex, tmp_path: Path, steps: int
) -> None:
    config = TrainConfig(positions_per_step=100, steps=steps, threads=1)
    speed = measure_training(Trainer(make_model(), index, config), 0.0, has_held_out=True)
    out = tmp_path / "m.safetensors"
    TrainingRun(Trainer(make_model(), index, config), RunOptions(out)).run()
    log = read_log(out.with_suffix(".log.jsonl"))
    assert speed.evaluations == sum(e["event"] == EVALUATION for e in log)


def test_the_command_touches_no_file(
    run_json: Callable[..., dict[str, Any]], corpus_file: Path
) -> None:
    run_json(train, corpus_file, *SMALL, "--depth", "4", "--steps", "2")
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in corpus_file.parent.iterdir()}
    values = run_json(bench, corpus_file, *SMALL, "--depth", "4", "--epochs", "3", "--measure", "0")
    after = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in corpus_file.parent.iterdir()}
    assert after == before
    assert values["steps"] == 3
    assert values["tokens_per_second"] == values["positions_per_second"] > 0
    assert values["training"]["epochs"] == 3
    assert values["model"]["d_model"] == 16
    evaluations = values["evaluations"] * values["evaluation_seconds"]
    training = values["total_positions"] / values["positions_per_second"]
    assert values["eta_seconds"] == pytest.approx(training + evaluations)


def test_the_command_says_where_the_time_goes(
    run_command: Callable[..., Result], corpus_file: Path
) -> None:
    options = [*SMALL, "--depth", "4", "--measure", "0", "--val-fraction", "0"]
    output = run_command(bench, corpus_file, *options).stdout
    for part in ("steps/s", "tokens/s", "batches", "passes", "update", "0 evaluations"):
        assert part in output
    assert "an evaluation takes" not in output


def test_mistakes_are_one_sentence(
    run_command: Callable[..., Result], corpus_file: Path, tmp_path: Path
) -> None:
    assert_fails(run_command(bench, tmp_path / "none.txt"), 1, "no such file")
    assert_fails(run_command(bench, corpus_file, "--heads", "5"), 1, "heads")
    assert_fails(run_command(bench, corpus_file, "--lr", "1e30", *SMALL), 1, "not a finite")


def test_a_scenario_is_measured_as_it_stands(
    run_json: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    scenario = read_scenario("names")
    path = tmp_path / scenario.data.path
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(["anna", "bob", "carla", "dora", "ed"] * 9), encoding="utf-8")
    options = ["--scenario", "names", "--data-folder", tmp_path, "--measure", "0"]
    values = run_json(bench, *options)
    assert values["total_steps"] == scenario.train_settings()["steps"]
    assert values["dtype"] == scenario.training.dtype
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
