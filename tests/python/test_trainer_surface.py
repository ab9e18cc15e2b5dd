"""What research loops need of a Trainer: callbacks, the learning rate, arrays without copies."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from agpt import ArgumentError, Model, StepReport, TrainConfig, Trainer, TrieIndex
from support import equal_parameters


@pytest.fixture
def make_trainer(make_model: Callable[..., Model], index: TrieIndex) -> Callable[..., Trainer]:
    def make(dtype: str = "float32", **settings: object) -> Trainer:
        options = {"positions_per_step": 200, "steps": 8, "threads": 1} | settings
        return Trainer(make_model(dtype=dtype), index, TrainConfig(**options))  # type: ignore[arg-type]

    return make


def test_fit_makes_all_steps_and_tells_each_callback(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer()
    first: list[int] = []
    second: list[float] = []

    def note_step(seen: Trainer, report: StepReport) -> None:
        assert seen is trainer
        first.append(report.step)

    def note_loss(seen: Trainer, report: StepReport) -> None:
        second.append(report.loss)

    last = trainer.fit([note_step, note_loss])
    assert first == [1, 2, 3, 4, 5, 6, 7, 8]
    assert last is not None
    assert second[-1] == last.loss
    assert trainer.fit() is None


def test_a_callback_ends_the_training_and_iterating_goes_on(
    make_trainer: Callable[..., Trainer],
) -> None:
    whole, parts = make_trainer(), make_trainer()
    whole.fit()
    parts.fit([lambda trainer, report: report.step == 3])
    assert parts.step_count == 3
    assert [report.step for report in itertools.islice(parts, 2)] == [4, 5]
    parts.fit()
    assert equal_parameters(whole.model, parts.model)


@pytest.mark.parametrize("rule", ["inv-depth", "inv-sqrt-depth", "sqrt-mass"])
def test_reports_have_the_rates_of_units_and_a_pass_has_the_mean_rate_of_the_schedule(
    make_trainer: Callable[..., Trainer], index: TrieIndex, rule: str
) -> None:
    settings = {"unit": "bigram", "schedule": "constant", "warmup_steps": 0, "steps": None}
    trainer = make_trainer(unit_lr=rule, epochs=1, lr=1e-3, **settings)
    rates = []
    for report in trainer:
        rates.append(report.lr)
        assert trainer.lr > 0
    assert np.mean(rates) == pytest.approx(1e-3)
    if rule == "sqrt-mass":
        roots = np.sqrt(index.partition("bigram")["mass"])
        assert np.sort(rates) == pytest.approx(np.sort(roots / roots.mean()) * 1e-3)
    else:  # the first bigram of each token has the token's own position too, at half the depth
        ratio = {"inv-depth": 2, "inv-sqrt-depth": np.sqrt(2)}[rule]
        assert np.max(rates) / np.min(rates) == pytest.approx(ratio)
        assert np.sum(np.isclose(rates, np.max(rates))) == len(index.partition("unigram")["mass"])


def test_the_rate_of_the_next_step_holds_that_of_its_units_when_read_and_when_set(
    make_trainer: Callable[..., Trainer],
) -> None:
    trainer = make_trainer(unit="bigram", unit_lr="sqrt-mass")
    for rate in (trainer.lr, 2e-4, 5e-4):
        trainer.lr = rate
        assert trainer.step().lr == pytest.approx(rate)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "warmup-cosine", "linear"])
def test_a_learning_rate_that_is_set_is_the_next_steps_and_scales_the_rest(
    make_trainer: Callable[..., Trainer], schedule: str
) -> None:
    plain, halved = (make_trainer(schedule=schedule, min_lr_ratio=0.1) for _ in range(2))
    for _ in range(3):
        plain.step()
        halved.step()
    halved.lr /= 2
    for _ in range(5):
        assert halved.lr == pytest.approx(plain.lr / 2, rel=1e-12)
        assert halved.step().lr == pytest.approx(plain.step().lr / 2, rel=1e-12)


def test_a_learning_rate_that_was_set_survives_a_checkpoint(
    make_trainer: Callable[..., Trainer], index: TrieIndex, tmp_path: Path
) -> None:
    trainer = make_trainer()
    trainer.step()
    trainer.lr = 0.00123
    trainer.save_checkpoint(tmp_path / "model.safetensors")
    resumed = Trainer.resume(tmp_path / "model.safetensors", index)
    assert resumed.lr == trainer.lr == pytest.approx(0.00123, rel=1e-12)
    trainer.fit()
    resumed.fit()
    assert equal_parameters(trainer.model, resumed.model)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_is_no_positive_number_is_refused(
    make_trainer: Callable[..., Trainer], rate: float
) -> None:
    trainer = make_trainer()
    before = trainer.lr
    with pytest.raises(ArgumentError, match="learning rate"):
        trainer.lr = rate
    assert trainer.lr == before


def test_no_learning_rate_is_set_where_the_schedule_is_at_0(
    make_trainer: Callable[..., Trainer],
) -> None:
    trainer = make_trainer(schedule="linear", min_lr_ratio=0.0)
    trainer.fit()
    with pytest.raises(ArgumentError, match="schedule linear is at 0 after step 8"):
        trainer.lr = 0.1


def test_the_last_gradient_is_what_sgd_subtracts(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer("float64", optimizer="sgd", lr=0.5, schedule="constant", clip_norm=0)
    assert all(np.all(view == 0) for view in trainer.last_gradient().values())
    for _ in range(2):
        before = trainer.model.flat_parameters.copy()
        report = trainer.step()
        gradient = trainer.last_gradient()
        assert gradient.keys() == trainer.model.parameters().keys()
        flat = np.concatenate([view.ravel() for view in gradient.values()])
        np.testing.assert_array_equal(trainer.model.flat_parameters, before - 0.5 * flat)
        assert report.grad_norm == pytest.approx(np.linalg.norm(flat), rel=1e-12)


def test_the_last_gradient_of_a_whole_pass_is_the_gradient_of_the_pass(
    make_trainer: Callable[..., Trainer],
) -> None:
    trainer = make_trainer("float64", unit="pass", clip_norm=1e-6)
    _, gradients = trainer.gradients()
    trainer.step()
    for name, view in trainer.last_gradient().items():
        np.testing.assert_allclose(view, gradients[name], rtol=1e-12, atol=1e-15)


def test_the_last_gradient_is_a_view_that_the_next_step_overwrites(
    make_trainer: Callable[..., Trainer],
) -> None:
    trainer = make_trainer()
    trainer.step()
    view = trainer.last_gradient()["embedding.weight"]
    kept = view.copy()
    trainer.step()
    assert not np.array_equal(view, kept)
    assert np.shares_memory(view, trainer.last_gradient()["embedding.weight"])
    del trainer
    assert np.isfinite(view).all()  # the view keeps the engine's memory


def test_parameters_and_gradients_go_through_dlpack_without_a_copy(
    make_trainer: Callable[..., Trainer],
) -> None:
    trainer = make_trainer()
    trainer.step()
    parameters, gradient = trainer.model.parameters(), trainer.last_gradient()
    for name, view in parameters.items():
        assert np.shares_memory(np.from_dlpack(view), trainer.model.flat_parameters)
        assert np.shares_memory(np.from_dlpack(gradient[name]), gradient[name])
    np.from_dlpack(parameters["embedding.weight"])[...] = 0.25
    assert np.all(trainer.model.parameters()["embedding.weight"] == 0.25)


def test_torch_writes_through_to_the_parameters(make_trainer: Callable[..., Trainer]) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    trainer = make_trainer()
    before = trainer.evaluate("train").loss
    torch.from_dlpack(trainer.model.parameters()["embedding.weight"]).mul_(3)
    assert trainer.evaluate("train").loss != before
