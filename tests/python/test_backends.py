"""Every backend that is here trains, resumes, evaluates and writes as the reference does."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import (
    ArgumentError,
    Corpus,
    Model,
    NonFiniteError,
    TrainConfig,
    Trainer,
    TrieIndex,
    _engine,
)
from agpt.evaluation import evaluate
from agpt.token_text import text_of_split
from conftest import make_text
from support import backends

BACKENDS = backends()
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
OPTIMIZERS: list[Any] = ["adamw", "adam", "sgd", "momentum", "rmsprop", "rmsprop-corrected"]


@pytest.fixture(scope="module")
def index() -> TrieIndex:
    """A small one: an emulated device takes its time."""
    return TrieIndex.build(Corpus.from_text(make_text(600)), depth=6, val_fraction=0.1)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def close(got: Any, truth: Any, tolerance: float) -> bool:
    """Whether the difference is small beside the truth, as vectors."""
    got, truth = np.asarray(got, np.float64).ravel(), np.asarray(truth, np.float64).ravel()
    return bool(np.linalg.norm(got - truth) <= tolerance * np.linalg.norm(truth))


def ten_steps(model: Model, index: TrieIndex, backend: str, **settings: Any) -> Trainer:
    trainer = Trainer(model, index, TrainConfig(steps=10, **settings), backend)
    assert len(list(trainer)) == 10
    return trainer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ten_steps_of_every_optimizer_are_those_of_the_reference(
    make_model: Callable[..., Model], index: TrieIndex, optimizer: Any, dtype: str, backend: str
) -> None:
    settings = {"optimizer": optimizer, "lr": 1e-3, "clip_norm": 0.5, "eps": 1e-4}
    settings |= {"weight_decay": None if optimizer == "adam" else 0.1, "positions_per_step": 300}
    truth = ten_steps(make_model(dtype="float64"), index, "reference", **settings)
    model = make_model(dtype=dtype)
    start = model.flat_parameters.copy()
    trainer = ten_steps(model, index, backend, **settings)
    tolerance = 20 * TOLERANCE[dtype]
    moved = truth.model.flat_parameters - start
    if dtype == "float64":
        assert close(model.flat_parameters - start, moved, tolerance)
    assert close(model.flat_parameters, truth.model.flat_parameters, tolerance)
    for name, moment in trainer._moments().items():
        assert close(moment, truth._moments()[name], 100 * tolerance), name


@pytest.mark.parametrize(
    "settings",
    [
        {"unit": "pass"},
        {"mode": "window", "window_order": "shuffled"},
        {"mode": "hybrid", "context": 6},
        {"unit": "pass", "tails": "first", "tail_rows": 2, "mass_weight": "log"},
        {"unit": "pass", "reference_gradient": True, "order": "fixed"},
    ],
)
def test_the_gradient_of_a_pass_is_that_of_the_reference(
    make_model: Callable[..., Model], index: TrieIndex, settings: dict[str, Any], backend: str
) -> None:
    config = TrainConfig(**settings)
    model = make_model()
    truth_loss, truth = Trainer(in_float64(model), index, config, "reference").gradients()
    loss, gradient = Trainer(model, index, config, backend).gradients()
    assert loss == pytest.approx(truth_loss, rel=1e-5)
    largest = max(float(np.linalg.norm(value)) for value in truth.values())
    for name, value in truth.items():
        assert np.linalg.norm(gradient[name] - value) <= 1e-5 * max(
            float(np.linalg.norm(value)), 1e-3 * largest
        ), name


def in_float64(model: Model) -> Model:
    wide = Model(model.config, dtype="float64", vocabulary=model.vocabulary)
    wide.flat_parameters = model.flat_parameters
    return wide


@pytest.mark.parametrize("first", BACKENDS)
@pytest.mark.parametrize("second", BACKENDS)
def test_a_run_goes_on_where_a_checkpoint_of_another_backend_stands(
    make_model: Callable[..., Model], index: TrieIndex, tmp_path: Path, first: str, second: str
) -> None:
    config = TrainConfig(steps=8, positions_per_step=300, lr=1e-3)
    whole = Trainer(make_model(), index, config, first)
    reports = list(whole)
    begun = Trainer(make_model(), index, config, first)
    for _ in range(4):
        begun.step()
    begun.save_checkpoint(tmp_path / "run.safetensors")
    resumed = Trainer.resume(tmp_path / "run.safetensors", index, second)
    rest = list(resumed)
    assert [report.step for report in rest] == [5, 6, 7, 8]
    same_bits = first == second
    got, truth = resumed.model.flat_parameters, whole.model.flat_parameters
    assert np.array_equal(got, truth) if same_bits else close(got, truth, 1e-4)
    for ours, theirs in zip(rest, reports[4:], strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-12 if same_bits else 1e-4)


def test_every_run_has_the_same_bits(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    runs = [
        ten_steps(make_model(), index, backend, positions_per_step=500, threads=threads)
        for threads in (1, 3)
    ]
    assert np.array_equal(runs[0].model.flat_parameters, runs[1].model.flat_parameters)


def test_evaluation_is_that_of_the_reference_by_depth_and_by_stride(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    model = make_model(seed=3)
    text = text_of_split(index, "val")
    for stride in (1, 4, 6):
        how: dict[str, Any] = {"split": "val", "stride": stride, "by_depth": True}
        truth = evaluate(model, text, backend="reference", **how)
        scratch = evaluate(model, text, backend=backend, **how)
        trainer = Trainer(model, index, TrainConfig(steps=1), backend)
        for got in (scratch, trainer.evaluate(**how)):
            assert got.positions == truth.positions
            assert got.loss == pytest.approx(truth.loss, rel=1e-5)
            for depth, depth_truth in zip(got.by_depth or (), truth.by_depth or (), strict=True):
                assert depth.positions == depth_truth.positions
                assert depth.loss == pytest.approx(depth_truth.loss, rel=1e-4)


def test_text_is_the_same_with_a_cache_of_keys_and_beyond_the_context(
    make_model: Callable[..., Model], backend: str
) -> None:
    model = make_model(seed=5, dtype="float64")
    options: dict[str, Any] = {"max_tokens": 30, "n_samples": 3, "seed": 7, "temperature": 0.8}
    truth = model.generate("the ", backend="reference", **options)
    assert model.generate("the ", backend=backend, **options) == truth
    logits = model.logits("the ca", backend=backend)
    assert logits.shape == (6, model.config.vocab_size)
    np.testing.assert_allclose(logits, model.logits("the ca", backend="reference"), rtol=1e-9)


def test_parameters_and_gradients_are_what_the_last_step_made_of_them(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    config = TrainConfig(optimizer="sgd", schedule="constant", clip_norm=0, lr=0.5, steps=9)
    trainer = Trainer(make_model(dtype="float64"), index, config, backend)
    for _ in range(3):
        before = trainer.model.flat_parameters.copy()
        trainer.step()
        gradient = np.concatenate([value.ravel() for value in trainer.last_gradient().values()])
        np.testing.assert_allclose(
            trainer.model.flat_parameters, before - 0.5 * gradient, rtol=1e-12, atol=1e-15
        )


def test_an_array_of_parameters_that_is_kept_is_right_after_and_before_every_step(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    config = TrainConfig(steps=6, positions_per_step=300)
    truth = Trainer(make_model(), index, config, "cpu")
    trainer = Trainer(make_model(), index, config, backend)
    for step in range(6):
        if step == 2:  # two steps in which nobody looks
            kept = trainer.model.parameters()["embedding.weight"][3:]
            kept_truth = truth.model.parameters()["embedding.weight"][3:]
        trainer.step()
        truth.step()
        if step >= 2:
            assert close(kept, kept_truth, 1e-4)
            kept[1], kept_truth[1] = 0.25, 0.25
    assert close(trainer.model.flat_parameters, truth.model.flat_parameters, 1e-4)
    assert np.all(trainer.model.parameters()["embedding.weight"][4] == 0.25)


def test_two_trainers_of_one_model_see_the_steps_of_each_other(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    config = TrainConfig(steps=6, positions_per_step=300, optimizer="sgd", lr=0.1)
    truth, model = make_model(), make_model()
    alone = [Trainer(truth, index, config, "cpu") for _ in range(2)]
    mixed = [Trainer(model, index, config, name) for name in (backend, "cpu")]
    for number in (0, 0, 1, 0, 1, 1):
        assert mixed[number].step().loss == pytest.approx(alone[number].step().loss, rel=1e-4)
        text = text_of_split(index, "val")
        assert evaluate(model, text, split="val").loss == pytest.approx(
            evaluate(truth, text, split="val").loss, rel=1e-4
        )
    assert close(copy.deepcopy(model.parameter_buffer).lend(), truth.flat_parameters, 1e-4)


def test_a_loss_that_is_not_finite_leaves_parameters_and_moments_as_they_were(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    trainer = Trainer(make_model(), index, TrainConfig(steps=9), backend)
    trainer.step()
    trainer.model.parameters()["head.weight"][0, 0] = np.nan
    before = trainer.model.flat_parameters.copy()
    moments = {name: value.copy() for name, value in trainer._moments().items()}
    with pytest.raises(NonFiniteError, match="step 2"):
        trainer.step()
    np.testing.assert_array_equal(trainer.model.flat_parameters, before)
    for name, value in trainer._moments().items():
        np.testing.assert_array_equal(value, moments[name])
    trainer.model.parameters()["head.weight"][0, 0] = 0
    assert np.isfinite(trainer.step().loss)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_lower_precision_is_for_cuda_alone(
    make_model: Callable[..., Model], index: TrieIndex, precision: Any, backend: str
) -> None:
    config = TrainConfig(steps=3, precision=precision)
    if backend != "cuda":
        with pytest.raises(ArgumentError, match="precisions of the backend cuda"):
            Trainer(make_model(), index, config, backend)
        return
    (_, gradient), (_, truth) = (
        Trainer(make_model(), index, settings, backend).gradients()
        for settings in (config, TrainConfig(steps=3))
    )
    whole = [np.concatenate([value.ravel() for value in g.values()]) for g in (gradient, truth)]
    assert close(*whole, tolerance=2e-3 if precision == "tf32" else 2e-2)


def test_a_step_that_nobody_looks_at_moves_no_parameters(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    model = make_model(d_model=64, heads=4)
    config = TrainConfig(mode="window", windows_per_step=2, steps=20)
    trainer = Trainer(model, index, config, backend)
    trainer.step()
    trainer.step()
    before = trainer.device_statistics
    trainer.step()
    after = trainer.device_statistics
    if backend != "cuda":
        assert (after.launches, after.uploaded_bytes, after.batch_rows) == (0, 0, 0)
        return
    assert after.launches > before.launches
    assert after.uploaded_bytes - before.uploaded_bytes < model.n_parameters * 4
    assert model.n_parameters * 4 * 3 < after.peak_bytes < 1.01 * before.peak_bytes
    assert after.batch_rows > 0


def test_window_steps_are_replayed_as_graphs_with_the_same_bits(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    flats, launches = [], []
    for graphs in (True, False):
        model = make_model()
        config = TrainConfig(mode="window", windows_per_step=8, steps=9, graphs=graphs)
        trainer = Trainer(model, index, config, backend)
        for _ in range(8):
            trainer.step()
        before = trainer.device_statistics
        trainer.step()
        after = trainer.device_statistics
        launches.append(after.launches - before.launches)
        replayed = backend == "cuda" and graphs
        assert after.graph_launches - before.graph_launches == int(replayed)
        flats.append(np.concatenate([value.ravel() for value in model.parameters().values()]))
    assert np.array_equal(*flats)
    if backend == "cuda":
        assert launches[0] < 10 < launches[1]


def test_a_cap_of_memory_bounds_the_device_by_smaller_batches(
    make_model: Callable[..., Model], index: TrieIndex, backend: str
) -> None:
    cap = 256 * 2**20
    model, config = make_model(d_model=128), TrainConfig(steps=1)
    free = Trainer(model, index, config, backend)
    _engine.set_memory_cap(cap)
    try:
        capped = Trainer(model, index, config, backend)
        capped.step()
    finally:
        _engine.set_memory_cap(0)
    assert capped.device_statistics.peak_bytes <= cap
    rows = capped.device_statistics.batch_rows
    assert 1024 <= rows < free.device_statistics.batch_rows if backend == "cuda" else rows == 0
