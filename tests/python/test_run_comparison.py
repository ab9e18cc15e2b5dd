"""agpt.run_comparison: runs side by side, what differs between them, what does not compare."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import ArgumentError, Model, TrainConfig, Trainer, TrieIndex
from agpt.cli.report import command as report
from agpt.run_comparison import comparison_page
from agpt.training_report import RunRecord, read_run
from agpt.training_run import RunOptions, TrainingRun
from click.testing import Result
from support import assert_fails
from test_training_report import plots_of

MakeRun = Callable[..., RunRecord]


@pytest.fixture
def make_run(make_model: Callable[..., Model], index: TrieIndex, tmp_path: Path) -> MakeRun:
    def make(name: str, options: dict[str, Any] | None = None, **settings: Any) -> RunRecord:
        config = TrainConfig(**{"positions_per_step": 200, "steps": 4, "threads": 1} | settings)
        out = tmp_path / f"{name}.safetensors"
        run_options = RunOptions(out, eval_every=2, **(options or {}))
        TrainingRun(Trainer(make_model(), index, config), run_options).run()
        return read_run(out)

    return make


def test_the_curves_and_the_differences_of_runs_stand_side_by_side(make_run: MakeRun) -> None:
    runs = [make_run("slow", lr=0.001), make_run("fast", lr=0.01, steps=6)]
    content = comparison_page(runs).html()
    against_steps, against_positions, _, by_depth = plots_of(content)
    assert [s["name"] for s in against_steps["series"]] == ["slow", "fast"]
    for series, run in zip(against_steps["series"], runs, strict=True):
        assert series["x"] == [event["step"] for event in run.evaluations]
        assert series["y"] == pytest.approx([e["loss"] for e in run.evaluations], rel=1e-5)
    assert against_positions["series"][1]["x"][-1] == runs[1].curves.positions[-1]
    assert len(by_depth["series"][0]["y"]) == 6
    rows = content.split("What differs</h2>")[1]
    for cell in ("<td>lr</td>", ">0.001<", ">0.01<", "<td>steps</td>"):
        assert cell in rows
    assert "beta1" not in rows
    assert "do not compare" not in content


def test_losses_at_other_contexts_are_said_not_to_compare(make_run: MakeRun) -> None:
    runs = [make_run("long"), make_run("short", {"eval_context": 3})]
    assert "These losses do not compare" in comparison_page(runs).html()


def test_alike_runs_differ_in_nothing(make_run: MakeRun) -> None:
    assert "Nothing that the logs say" in comparison_page([make_run("a"), make_run("b")]).html()


def test_more_runs_than_colors_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(ArgumentError, match="9 runs are to be compared: name from 2 to 8"):
        comparison_page([make_run("a")] * 9)


def test_the_command_compares_what_it_is_given(
    make_run: MakeRun,
    run_json: Callable[..., dict[str, Any]],
    run_command: Callable[..., Result],
    tmp_path: Path,
) -> None:
    names = ["a", "b"]
    for name in names:
        make_run(name)
    files = [tmp_path / f"{name}.safetensors" for name in names]
    values = run_json(report, *files)
    assert values["page"] == str(tmp_path / "comparison.html")
    assert [run["name"] for run in values["runs"]] == names
    assert "http" not in Path(values["page"]).read_text().replace("http-equiv", "")
    (tmp_path / "other").mkdir()
    copy = tmp_path / "other/a.log.jsonl"
    copy.write_bytes((tmp_path / "a.log.jsonl").read_bytes())
    told_apart = [run["name"] for run in run_json(report, files[0], copy)["runs"]]
    assert told_apart == [f"{tmp_path.name}/a", "other/a"]
    assert_fails(run_command(report), 2, "RUN")
    assert_fails(run_command(report, files[0], tmp_path / "c.safetensors"), 1, "c.log.jsonl")
