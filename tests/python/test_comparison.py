"""agpt-compare: each model trains as it would alone, and the table says what came of it."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Model, TrainConfig, Trainer, TrieIndex
from agpt.cli.compare import command as compare
from agpt.cli.train import command as train
from agpt.comparison import Contestant, compared_models, train_side_by_side
from click.testing import Result
from support import assert_fails

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]

SHORT = ["--steps", 6, "--context", 6, "--lr", 0.01]
WINDOWS = ["--mode", "window", "--windows-per-step", 4]


@pytest.mark.parametrize("mode", [[], WINDOWS, [*WINDOWS, "--window-order", "shuffled"]])
def test_a_model_trains_side_by_side_as_it_does_alone(
    corpus_file: Path, run_json: RunJson, mode: list[Any]
) -> None:
    options = [corpus_file, *SHORT, *mode]
    values = run_json(compare, *options, "--specs", "d8n1,d2x8n1ff20", "--seeds", "3,5")
    assert [model["name"] for model in values["models"]] == ["d8n1", "d2x8n1ff20"]
    for model in values["models"]:
        positions = []
        for run in model["runs"]:
            alone = run_json(train, *options, "--spec", model["name"], "--seed", run["seed"])
            assert run["held_out_loss"] == alone["evaluation"]["loss"]
            assert run["loss"] == alone["mean_loss"]
            assert model["n_parameters"] == alone["n_parameters"]
            positions.append(alone["positions"])
        assert model["positions"] == statistics.fmean(positions)


def test_what_is_alike_ends_alike(index: TrieIndex, make_model: Callable[..., Model]) -> None:
    def contestant(name: str) -> Contestant:
        config = TrainConfig(mode="window", steps=5, seed=4, windows_per_step=3)
        return Contestant(name, 4, Trainer(make_model(seed=4), index, config))

    runs = train_side_by_side([contestant(name) for name in "abc"], eval_every=2)
    assert len({run.curves.loss for run in runs}) == 1
    assert len({run.curves.held_out for run in runs}) == 1
    assert [place for place, _ in runs[0].curves.held_out] == [0, 2, 4, 5]
    models = compared_models(runs)
    assert [model.difference and model.difference.mean for model in models] == [None, 0, 0]


def test_spreads_are_over_seeds_and_differences_are_paired(
    corpus_file: Path, run_json: RunJson
) -> None:
    specs, seeds = ["d8n1", "d16n1", "d4+2+2n2"], [0, 1, 7]
    values = run_json(
        compare, corpus_file, *SHORT, *WINDOWS, "--specs", ",".join(specs), "--seeds", "0,1,7"
    )
    assert values["seeds"] == seeds
    by_name = {model["name"]: model for model in values["models"]}
    base = [run["held_out_loss"] for run in by_name["d8n1"]["runs"]]
    assert by_name["d8n1"]["difference"] is None
    for name in specs[1:]:
        held_out = [run["held_out_loss"] for run in by_name[name]["runs"]]
        assert by_name[name]["held_out_loss"]["mean"] == pytest.approx(statistics.mean(held_out))
        assert by_name[name]["held_out_loss"]["deviation"] == pytest.approx(
            statistics.stdev(held_out)
        )
        differences = [own - other for own, other in zip(held_out, base, strict=True)]
        assert by_name[name]["difference"]["mean"] == pytest.approx(statistics.mean(differences))


def test_the_table_has_a_line_a_model(corpus_file: Path, run_command: RunCommand) -> None:
    options = [corpus_file, *SHORT, "--specs", "d8n1, d16n1", "--eval-every", 0]
    header, *lines, footnote = run_command(compare, *options).stdout.splitlines()
    assert header.split("  ")[0] == "spec"
    assert [line.split()[0] for line in lines] == ["d8n1", "d16n1"]
    assert "±" not in "".join(lines)
    assert footnote.startswith("6 steps, context 6")
    without = run_command(compare, *options, "--val-fraction", 0)
    assert without.exit_code == 0, without.output
    assert len(without.stdout.splitlines()[1].split()) == len(lines[0].split()) - 1


def test_the_plot_is_drawn_with_and_without_held_out_text(
    corpus_file: Path, tmp_path: Path, run_command: RunCommand
) -> None:
    pytest.importorskip("matplotlib")
    options = [corpus_file, *SHORT, "--specs", "d8n1,d16n1", "--seeds", "0,1"]
    for fraction in (0.1, 0):
        picture = tmp_path / f"{fraction}.svg"
        result = run_command(compare, *options, "--val-fraction", fraction, "--plot", picture)
        assert result.exit_code == 0, result.output
        assert picture.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--specs", "d8n1,d8"], 2, "'d8' is not of the form"),
        (["--specs", ""], 2, "'' is not of the form"),
        (["--specs", "d64n2,d4x16n2"], 2, "names the model d4x16n2 twice"),
        (["--specs", "d8n1", "--seeds", "0,x"], 2, "'0,x' is no list of seeds"),
        (["--specs", "d8n1", "--seeds", "1,1"], 2, "'1,1' names a seed twice"),
        (["--specs", "d8n1", "--seeds", "1,2", "--seed", 1], 2, "--seed and --seeds say the same"),
        (["--specs", "d8n1", "--spec", "d8n1"], 2, "--spec is what --specs say"),
        (["--specs", "d8n1", "--heads", 2], 2, "--heads is what --specs say"),
        (["--specs", "d8n1", "--sequences"], 2, "--sequences cannot be compared"),
        (["--specs", "d8n1", "--eval-context", 7], 1, "the context is 7"),
        (
            ["--specs", "d8n1,d8n2", "--lr", 1e30, "--clip-norm", 0, "--optimizer", "sgd"],
            1,
            "with seed 0",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(
    corpus_file: Path,
    run_command: RunCommand,
    options: list[Any],
    exit_code: int,
    message: str,
) -> None:
    assert_fails(run_command(compare, corpus_file, *SHORT, *options), exit_code, message)
