"""agpt.training_report and agpt-report: the page says what the log says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Corpus, Model, ModelConfig, TrainConfig, Trainer, TrieIndex, run_beginning
from agpt.cli.report import command as report
from agpt.cli.train import command as train
from agpt.run_files import best_path_of, log_path_of
from agpt.run_samples import can_write, sample_of
from agpt.training_log import EVALUATION, SAMPLE, START, STEP, TrainingLog, read_log
from agpt.training_report import MOST_POINTS, read_run, report_page
from agpt.training_run import RunOptions, TrainingRun
from click.testing import Result
from support import assert_fails


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.fixture
def finished_run(make_model: Callable[..., Model], index: TrieIndex, out: Path) -> Trainer:
    trainer = Trainer(make_model(), index, TrainConfig(positions_per_step=200, steps=8, threads=1))
    TrainingRun(trainer, RunOptions(out, eval_every=4)).run()
    return trainer


def plots_of(content: str) -> list[dict[str, Any]]:
    import html

    return [json.loads(html.unescape(plot)) for plot in re.findall(r'data-plot="([^"]*)"', content)]


def test_a_log_begins_with_the_run_and_tells_depths_and_samples(
    finished_run: Trainer, out: Path, index: TrieIndex
) -> None:
    start, *events = read_log(log_path_of(out))
    assert start["event"] == START
    assert start["step"] == 0
    assert start["model"] == json.loads(json.dumps(finished_run.model.config.to_dict()))
    assert start["training"] == finished_run.config.to_dict()
    assert sum(start["sharing"]["positions"]) == index.n_positions
    assert sum(start["sharing"]["mass"]) == index.total_mass
    samples = {e["step"]: e["text"] for e in events if e["event"] == SAMPLE}
    assert list(samples) == [0, 4, 8]
    assert samples[8] == sample_of(finished_run.model, finished_run.config.seed)
    last = [e for e in events if e["event"] == EVALUATION][-1]
    assert last["by_depth"] == [
        {"context": d.context, "positions": d.positions, "loss": d.loss}
        for d in finished_run.evaluate(by_depth=True).by_depth or ()
    ]
    positions = sum(d["positions"] for d in last["by_depth"])
    total = sum(d["positions"] * d["loss"] for d in last["by_depth"])
    assert positions == last["positions"]
    assert total / positions == pytest.approx(last["loss"], rel=1e-12)


def test_the_profile_of_a_large_index_does_not_hold_up_the_first_step(
    make_model: Callable[..., Model], index: TrieIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(make_model(), index, TrainConfig(threads=1))
    monkeypatch.setattr(run_beginning, "MOST_NODES", index.n_nodes)
    assert run_beginning.beginning_of(trainer)["sharing"] is not None
    monkeypatch.setattr(run_beginning, "MOST_NODES", index.n_nodes - 1)
    assert run_beginning.beginning_of(trainer)["sharing"] is None


@pytest.mark.parametrize(("every", "steps"), [(0, []), (3, [0, 3, 6, 8]), (None, [0, 4, 8])])
def test_samples_are_drawn_as_often_as_asked_for_and_change_no_bit(
    make_model: Callable[..., Model],
    index: TrieIndex,
    out: Path,
    every: int | None,
    steps: list[int],
) -> None:
    config = TrainConfig(positions_per_step=200, steps=8, threads=1)
    trainer, other = Trainer(make_model(), index, config), Trainer(make_model(), index, config)
    TrainingRun(trainer, RunOptions(out, eval_every=4, sample_every=every)).run()
    other.fit()
    assert (trainer.model.flat_parameters == other.model.flat_parameters).all()
    assert [e["step"] for e in read_log(log_path_of(out)) if e["event"] == SAMPLE] == steps


def test_documents_are_drawn_line_by_line_and_tokens_without_text_not_at_all(
    documents_index: TrieIndex,
) -> None:
    names = Model(
        ModelConfig.preset("karpathy-a", documents_index.vocab_size),
        vocabulary=documents_index.vocabulary,
    )
    assert sample_of(names, 3) == sample_of(names, 3)
    assert sample_of(names, 3).count("\n") == 5
    assert can_write(names)
    assert not can_write(Model(ModelConfig(vocab_size=5)))
    tokens = Corpus.from_tokens([0, 1, 2, 3], 5)
    assert not can_write(Model(ModelConfig(vocab_size=5), vocabulary=tokens.vocabulary))


def test_the_charts_hold_the_numbers_of_the_log(finished_run: Trainer, out: Path) -> None:
    events = read_log(log_path_of(out))
    content = report_page(read_run(out)).html()
    against_steps, against_positions, against_seconds, by_depth, sharing, *_ = plots_of(content)
    evaluations = [e for e in events if e["event"] == EVALUATION]
    steps = [e for e in events if e["event"] == STEP]
    held_out = against_steps["series"][2]
    assert held_out["name"] == "held out"
    assert held_out["x"] == [0, 4, 8]
    assert held_out["y"] == pytest.approx([e["loss"] for e in evaluations], rel=1e-5)
    training = against_steps["series"][0]
    assert training["x"] == list(range(1, 9))
    assert training["y"] == pytest.approx([e["loss"] for e in steps], rel=1e-5)
    assert against_positions["series"][0]["x"][-1] == sum(e["positions"] for e in steps)
    seconds = sum(e["seconds"] for e in steps)
    assert against_seconds["series"][0]["x"][-1] == pytest.approx(seconds, rel=1e-5)
    assert [s["name"] for s in by_depth["series"]] == ["step 4", "step 8"]
    losses = [d["loss"] for d in evaluations[-1]["by_depth"]]
    assert by_depth["series"][-1]["y"] == pytest.approx(losses, rel=1e-5)
    assert sharing["series"][1]["y"] == events[0]["sharing"]["positions"]
    assert sharing["y"]["log"] is True


def test_long_runs_are_drawn_by_means_of_groups(tmp_path: Path) -> None:
    log = tmp_path / "long.log.jsonl"
    with TrainingLog(log, 0) as written:
        for n in range(1, 1002):
            written.write(STEP, {"step": n, "loss": float(n % 3), "positions": 7, "seconds": 0.5})
    content = report_page(read_run(log)).html()
    assert "the mean of 3 steps" in content
    training = plots_of(content)[0]["series"][0]
    assert len(training["x"]) == 334 <= MOST_POINTS
    assert training["x"][:2] == [3, 6]
    assert training["y"][:2] == [1, 1]


def test_a_log_of_steps_alone_has_a_page(tmp_path: Path) -> None:
    log = tmp_path / "old.log.jsonl"
    with TrainingLog(log, 0) as written:
        written.write(STEP, {"step": 1, "loss": 2.0, "positions": 7, "seconds": 0.5})
    page = report_page(read_run(log)).html()
    assert "A training run of 1 steps." in page
    assert "Sharing" not in page


def test_text_of_the_run_cannot_become_markup(finished_run: Trainer, out: Path) -> None:
    with log_path_of(out).open("a", encoding="utf-8") as file:
        sample = {"event": "sample", "step": 8, "text": "<script>alert(1)</script>"}
        file.write(json.dumps(sample) + "\n")
    content = report_page(read_run(out)).html()
    assert "&lt;script&gt;alert(1)" in content
    assert content.count("<script>") == 1


def test_the_command_finds_the_run_by_any_of_its_files(
    run_json: Callable[..., dict[str, Any]], finished_run: Trainer, out: Path
) -> None:
    page = out.with_suffix(".html")
    for name in (out, best_path_of(out), log_path_of(out)):
        values = run_json(report, name)
        assert values["page"] == str(page)
        (run,) = values["runs"]
        assert (run["steps"], run["evaluations"], run["samples"]) == (8, 3, 3)
        content = page.read_text(encoding="utf-8")
        assert not re.search(r"https?:|\bsrc=|url\(|@import|<link", content)
        assert f"{run['best_loss']:.4f}" in content
        page.unlink()
    assert run_json(report, out, "--out", out.with_name("x.html"))["page"].endswith("x.html")


def test_a_run_of_the_command_has_a_page_with_everything(
    run_json: Callable[..., dict[str, Any]], corpus_file: Path, out: Path
) -> None:
    options = ["--d-model", "16", "--heads", "2", "--depth", "5", "--steps", "5", "--threads", "1"]
    run_json(train, corpus_file, "--out", out, *options, "--sample-every", "5")
    values = run_json(report, out)
    assert values["runs"][0]["samples"] == 2
    content = Path(values["page"]).read_text(encoding="utf-8")
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", content)
    assert titles == ["Result", "Loss", "Held-out loss by depth", "Sharing", "Samples",
                      "Learning rate and gradient", "Model", "Training"]  # fmt: skip


def test_a_run_of_one_step_is_a_point(
    run_json: Callable[..., dict[str, Any]], corpus_file: Path
) -> None:
    small = ["--d-model", 16, "--depth", 4, "--steps", 1]
    values = run_json(report, run_json(train, corpus_file, *small)["model"])
    content = Path(values["page"]).read_text(encoding="utf-8")
    assert content.count('<circle class="mark s0') >= 4  # losses on three axes, the rate


def test_what_is_no_run_is_one_sentence(run_command: Callable[..., Result], tmp_path: Path) -> None:
    assert_fails(run_command(report, tmp_path / "m.safetensors"), 1, "m.log.jsonl does not exist")
    log = tmp_path / "m.log.jsonl"
    log.write_text("{}\n", encoding="utf-8")
    assert_fails(run_command(report, log), 1, "m.log.jsonl", "no step")
    twice = run_command(report, log, tmp_path / "m.safetensors")
    assert_fails(twice, 2, "m.log.jsonl is named twice")
    log.write_text('{"event": "step", "step": 1}\n', encoding="utf-8")
    assert_fails(run_command(report, log), 1, "no log of agpt-train", "positions")


def test_a_run_on_sequences_has_a_page_without_what_it_did_not_measure(
    run_json: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    lines = tmp_path / "sums.jsonl"
    sums = [{"prompt": f"{a}+{b}=", "completion": str(a + b)} for a in range(5) for b in range(5)]
    lines.write_text("".join(json.dumps(line) + "\n" for line in sums))
    options = ["--sequences", "--val-fraction", "0.25", "--steps", "4", "--d-model", "16"]
    run_json(train, lines, *options)
    values = run_json(report, lines.with_suffix(".safetensors"))
    (run,) = values["runs"]
    assert run["evaluations"] == run["samples"] == 5
    content = Path(values["page"]).read_text(encoding="utf-8")
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", content)
    assert titles[:3] == ["Result", "Loss", "Samples"]
    assert f"{run['best_loss']:.4f}" in content


@pytest.mark.parametrize(
    "options", [{"eval_every": 3}, {"eval_every": 0}, {"eval_seconds": 0.0}, {}], ids=str
)
def test_samples_stand_beside_evaluations_and_without_any_at_each_tenth(
    make_model: Callable[..., Model], index: TrieIndex, out: Path, options: dict[str, Any]
) -> None:
    config = TrainConfig(positions_per_step=100, steps=8, threads=1)
    steps = {}
    for has_held_out in (True, False):
        run_options = RunOptions(out, has_held_out=has_held_out, **options)
        TrainingRun(Trainer(make_model(), index, config), run_options).run()
        events = read_log(log_path_of(out))
        for kind in (EVALUATION, SAMPLE):
            steps[kind, has_held_out] = [e["step"] for e in events if e["event"] == kind]
    assert steps[SAMPLE, True] == steps[EVALUATION, True] != []
    assert steps[EVALUATION, False] == []
    every = options.get("eval_every", 1)
    assert steps[SAMPLE, False] == [n for n in range(9) if n == 8 or (every and n % every == 0)]
