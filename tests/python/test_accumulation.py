"""Gradient accumulation: several steps of the data as one optimizer step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, Model, ModelConfig, TrainConfig, Trainer, TrieIndex

MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sequential windows": (
        {"mode": "window", "window_order": "sequential", "windows_per_step": 2},
        {"windows_per_step": 6},
    ),
    "shuffled windows": (
        {"mode": "window", "window_order": "shuffled", "windows_per_step": 3},
        {"windows_per_step": 9},
    ),
    "root children": ({"unit": "root-child"}, {"units_per_step": 3}),
    "bigrams by mass": (
        {"unit": "bigram", "order": "mass", "units_per_step": 2},
        {"units_per_step": 6},
    ),
}


@pytest.mark.parametrize("case", MODES)
def test_the_gradient_of_accumulated_steps_is_that_of_one_larger_step(
    case: str, index: TrieIndex, make_model: Callable[..., Model]
) -> None:
    settings, larger = MODES[case]
    plain = {"optimizer": "sgd", "lr": 0.1, "clip_norm": 0.0, "schedule": "linear", "steps": 7}
    small = TrainConfig(**plain, **settings, grad_accum=3)
    large = TrainConfig(**(plain | settings | larger))
    trainers = [Trainer(make_model(dtype="float64"), index, config) for config in (small, large)]
    assert trainers[0].steps_per_pass == trainers[1].steps_per_pass
    for _ in range(7):
        first, second = (trainer.step() for trainer in trainers)
        assert (first.step, first.positions, first.lr) == (second.step, second.positions, second.lr)
        assert first.loss == pytest.approx(second.loss, rel=1e-12)
        for name, gradient in trainers[1].last_gradient().items():
            np.testing.assert_allclose(
                trainers[0].last_gradient()[name], gradient, rtol=0, atol=1e-13, err_msg=name
            )


def test_passes_stay_whole_when_the_steps_do_not_divide(
    index: TrieIndex, make_model: Callable[..., Model]
) -> None:
    settings: dict[str, Any] = {"unit": "root-child", "order": "shuffled", "seed": 3}
    alone = Trainer(make_model(), index, TrainConfig(**settings, epochs=2))
    n = alone.steps_per_pass
    count = n - 1  # the second step of a pass has one unit
    joined = Trainer(make_model(), index, TrainConfig(**settings, epochs=2, grad_accum=count))
    assert (joined.steps_per_pass, joined.total_steps) == (2, 4)
    positions = [alone.step().positions for _ in range(2 * n)]
    expected = [sum(positions[at:end]) for at, end in ((0, count), (count, n), (n, n + count))]
    assert [joined.step().positions for _ in range(3)] == expected
    paths = [path for step in range(1, n) for path in alone.unit(step)["paths"]]
    assert joined.unit(1)["paths"] == paths[:16]
    assert (joined.unit(4)["pass"], joined.unit(4)["part"]) == (2, 2)


def test_documents_of_a_script_accumulate_in_its_order() -> None:
    corpus = Corpus.from_documents(["anna", "bo", "carla", "di", "eduard"])
    config = ModelConfig.preset("karpathy-b", corpus.vocab_size)

    def positions(grad_accum: int, steps: int) -> list[int]:
        training = TrainConfig.preset("karpathy-b", steps=steps, grad_accum=grad_accum)
        return [report.positions for report in Trainer(Model(config), corpus, training)]

    one_by_one = positions(1, 10)
    assert positions(2, 6) == [
        sum(one_by_one[at:end]) for at, end in ((0, 2), (2, 4), (4, 5), (5, 7), (7, 9), (9, 10))
    ]


def test_stages_of_a_curriculum_count_optimizer_steps(
    index: TrieIndex, make_model: Callable[..., Model]
) -> None:
    config = TrainConfig(curriculum="2:2", positions_per_step=50, steps=4, grad_accum=2)
    trainer = Trainer(make_model(), index, config)
    assert [trainer.unit(step)["stage"] for step in (1, 2, 3)] == [1, 1, 2]


def test_the_reference_gradient_adds_up_chunk_by_chunk(
    index: TrieIndex, make_model: Callable[..., Model]
) -> None:
    settings: dict[str, Any] = {"reference_gradient": True, "unit": "root-child", "order": "fixed"}
    settings |= {"optimizer": "sgd", "lr": 1e-12, "clip_norm": 0.0, "schedule": "constant"}
    alone = Trainer(make_model(dtype="float64"), index, TrainConfig(**settings))
    joined = Trainer(make_model(dtype="float64"), index, TrainConfig(**settings, grad_accum=2))
    expected = {name: np.zeros_like(values) for name, values in alone.last_gradient().items()}
    for _ in range(2):
        alone.step()
        for name, values in alone.last_gradient().items():
            expected[name] += values
    joined.step()
    for name, values in joined.last_gradient().items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-10, err_msg=name)


def test_no_steps_cannot_accumulate() -> None:
    with pytest.raises(ArgumentError, match="grad_accum is 0, but must be at least 1"):
        TrainConfig(grad_accum=0)
