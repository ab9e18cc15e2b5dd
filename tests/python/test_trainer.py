"""agpt.trainer: steps, gradients, modes, resuming with the same bits, what does not fit."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import (
    ArgumentError,
    Corpus,
    FormatError,
    Model,
    ModelConfig,
    NonFiniteError,
    StepReport,
    TrainConfig,
    Trainer,
    TrieIndex,
)
from support import equal_parameters


def losses(reports: list[StepReport]) -> list[float]:
    return [report.loss for report in reports]


def test_iterating_makes_the_configured_steps(
    make_model: Callable[..., Model], index: TrieIndex, quick: TrainConfig
) -> None:
    trainer = Trainer(make_model(), index, quick)
    reports = list(trainer)
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert trainer.step_count == trainer.total_steps == 6
    assert reports[-1].loss < reports[0].loss
    assert all(report.positions > 0 and report.grad_norm > 0 for report in reports)
    assert list(trainer) == []


@pytest.mark.parametrize("unit", ["positions", "pass", "root-child", "bigram", "ngram", "balanced"])
def test_every_unit_goes_through_all_positions_in_a_pass(
    make_model: Callable[..., Model], index: TrieIndex, unit: Any
) -> None:
    trainer = Trainer(make_model(), index, TrainConfig(unit=unit, epochs=1))
    assert sum(report.positions for report in trainer) == index.n_positions
    assert trainer.pass_positions == index.n_positions


@pytest.mark.parametrize("order", ["random", "sequential", "shuffled"])
def test_windows_come_from_an_index_or_a_corpus(
    make_model: Callable[..., Model], index: TrieIndex, text: str, order: Any
) -> None:
    config = TrainConfig(mode="window", window_order=order, windows_per_step=8, steps=5)
    on_index = list(Trainer(make_model(), index, config))
    corpus = Corpus.from_text(text)
    training_part = Corpus.from_tokens(index.tokens, corpus.vocab_size)
    model = Model(make_model().config)
    on_tokens = list(Trainer(model, training_part, config))
    assert losses(on_index) == losses(on_tokens)
    assert on_index[0].positions == 8 * 6
    assert len(list(Trainer(make_model(), corpus, config))) == 5


def test_documents_are_trained_on_as_a_trie_and_as_windows(documents_index: TrieIndex) -> None:
    config = ModelConfig.preset("karpathy-a", documents_index.vocab_size, init="karpathy-b")
    trie = Trainer(
        Model(config, dtype="float64", vocabulary=documents_index.vocabulary),
        documents_index,
        TrainConfig(unit="pass", steps=1),
    )
    window = Trainer(
        Model(config, dtype="float64", vocabulary=documents_index.vocabulary),
        documents_index,
        TrainConfig(mode="window", window_order="sequential", windows_per_step=100, steps=1),
    )
    assert window.pass_positions == documents_index.total_mass
    (trie_loss, trie_gradient), (loss, gradient) = trie.gradients(), window.gradients()
    assert trie_loss == pytest.approx(loss, rel=1e-12)
    for name, value in gradient.items():
        np.testing.assert_allclose(trie_gradient[name], value, rtol=1e-9, atol=1e-12)
    assert trie.evaluate("val").positions > 0


def test_gradients_are_of_the_whole_pass_and_change_nothing(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    model = make_model(dtype="float64")
    before = model.flat_parameters.copy()
    trainer = Trainer(model, index, TrainConfig(optimizer="sgd", unit="pass", clip_norm=0, lr=0.5,
                                                schedule="constant"))  # fmt: skip
    loss, gradients = trainer.gradients()
    assert np.array_equal(model.flat_parameters, before)
    assert gradients.keys() == model.parameters().keys()
    report = trainer.step()
    assert report.loss == pytest.approx(loss, rel=1e-12)
    flat = np.concatenate([gradient.ravel() for gradient in gradients.values()])
    np.testing.assert_allclose(model.flat_parameters, before - 0.5 * flat, rtol=1e-9, atol=1e-12)
    assert report.grad_norm == pytest.approx(np.linalg.norm(flat), rel=1e-9)


def test_changes_of_the_model_from_outside_are_seen(
    make_model: Callable[..., Model], index: TrieIndex, quick: TrainConfig
) -> None:
    model = make_model()
    trainer = Trainer(model, index, quick)
    trainer.step()
    for view in model.parameters().values():
        view[...] = 0
    assert trainer.evaluate("train").loss == pytest.approx(math.log(index.vocab_size), rel=1e-5)
    assert trainer.step().loss == pytest.approx(math.log(index.vocab_size), rel=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"optimizer": "sgd"},
        {"optimizer": "momentum"},
        {"optimizer": "rmsprop-corrected", "schedule": "linear"},
        {"mode": "window", "windows_per_step": 8},
        {"unit": "bigram", "normalise": "pass", "mass_weight": "sqrt", "entropy_lambda": 1.0},
        {"mode": "window", "windows_per_step": 4, "window_targets": "trie"},
        {"mode": "hybrid", "windows_per_step": 4},
        {"unit": "sample", "sampler": "mass-walk", "samples_per_step": 4},
        {"tails": "sampled", "positions_per_step": 2000},
        {"curriculum": "2:3,4:4", "order": "fixed"},
        {"unit": "bigram", "units_per_step": 3, "unit_lr": "sqrt-mass", "blend": 0.5},
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_resumed_run_has_the_same_bits_as_one_without_a_break(
    tmp_path: Path, make_model: Callable[..., Model], index: TrieIndex, config: Any, dtype: str
) -> None:
    settings = TrainConfig(**({"positions_per_step": 100, "steps": 12} | config))
    whole = Trainer(make_model(dtype=dtype), index, settings)
    expected = losses(list(whole))
    broken = Trainer(make_model(dtype=dtype), index, settings)
    first = losses(list(itertools.islice(broken, 5)))
    broken.best_loss = 1.5
    broken.save_checkpoint(tmp_path / "run.safetensors")
    resumed = Trainer.resume(tmp_path / "run.safetensors", index)
    assert resumed.best_loss == 1.5
    assert first + losses(list(resumed)) == expected
    assert equal_parameters(resumed.model, whole.model)
    for name, moment in whole._moments().items():
        assert np.array_equal(moment, resumed._moments()[name])


@pytest.mark.parametrize(
    "settings",
    [
        {"positions_per_step": 100},
        {"unit": "root-child"},
        {"unit": "sample"},
        {"mode": "hybrid", "windows_per_step": 4},
        {"mode": "window", "windows_per_step": 4, "window_targets": "trie"},
    ],
)
def test_blending_changes_the_targets_and_nothing_that_is_counted(
    make_model: Callable[..., Model], index: TrieIndex, settings: dict[str, Any]
) -> None:
    trainers = [
        Trainer(make_model(), index, TrainConfig(steps=1, **settings, **blend))
        for blend in ({}, {"blend": 0.0}, {"blend": 0.5, "blend_min_mass": 10**9}, {"blend": 0.5})
    ]
    own, none, too_light, blended = (trainer.step() for trainer in trainers)
    assert equal_parameters(trainers[0].model, trainers[1].model)
    assert equal_parameters(trainers[0].model, trainers[2].model)
    assert own.loss == none.loss == too_light.loss != blended.loss
    assert own.positions == blended.positions
    assert blended.weight == pytest.approx(own.weight, rel=1e-12)


def test_the_number_of_threads_does_not_change_the_bits(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    one, two = make_model(), make_model()
    for model, threads in ((one, 1), (two, 2)):
        config = TrainConfig(steps=3, positions_per_step=1000, threads=threads)
        list(Trainer(model, index, config))
    assert equal_parameters(one, two)


def test_resuming_refuses_other_data(
    tmp_path: Path, make_model: Callable[..., Model], index: TrieIndex, text: str
) -> None:
    path = tmp_path / "run.safetensors"
    trainer = Trainer(make_model(), index, TrainConfig(steps=3))
    trainer.save_checkpoint(path)
    corpus = Corpus.from_text(text)
    for other in (
        TrieIndex.build(corpus, depth=6, val_fraction=0.2),
        TrieIndex.build(corpus, depth=5, val_fraction=0.1),
    ):
        with pytest.raises(ArgumentError, match="was trained on other data"):
            Trainer.resume(path, other)
    with pytest.raises(ArgumentError, match="vocabulary"):
        Trainer.resume(path, TrieIndex.build(Corpus.from_text("abcab" * 20), depth=6))
    make_model().save(path)
    with pytest.raises(FormatError, match="without the state of a training run"):
        Trainer.resume(path, index)


def test_a_run_on_a_corpus_is_resumed_on_the_same_corpus_only(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    corpus = Corpus.from_text("abcab" * 20)
    model = Model(ModelConfig(corpus.vocab_size, context=4), vocabulary=corpus.vocabulary)
    config = TrainConfig(mode="window", windows_per_step=2, steps=4)
    Trainer(model, corpus, config).save_checkpoint(path)
    assert len(list(Trainer.resume(path, Corpus.from_text("abcab" * 20)))) == 4
    with pytest.raises(ArgumentError, match="was trained on other data"):
        Trainer.resume(path, Corpus.from_text("abcba" * 20))


def test_an_index_deeper_than_the_context_is_refused(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    with pytest.raises(ArgumentError, match="the index is 6 deep, but the model's context is 5"):
        Trainer(make_model(context=5), index)


def test_windows_longer_than_the_context_are_refused(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    with pytest.raises(ArgumentError, match="windows of 7 tokens are longer"):
        Trainer(make_model(), index, TrainConfig(mode="window", context=7))


def test_another_vocabulary_is_refused(make_model: Callable[..., Model], index: TrieIndex) -> None:
    other = TrieIndex.build(Corpus.from_text("xyz" * 30), depth=4)
    with pytest.raises(ArgumentError, match="a vocabulary of 3 tokens, but the model has"):
        Trainer(make_model(), other)
    shifted = "".join(chr(ord(c) + 1) for c in index.vocabulary.characters) * 3
    other = TrieIndex.build(Corpus.from_text(shifted), depth=4)
    with pytest.raises(ArgumentError, match="different vocabularies of the same size"):
        Trainer(make_model(), other)


def test_a_corpus_cannot_be_trained_on_as_a_trie(
    make_model: Callable[..., Model], text: str
) -> None:
    with pytest.raises(ArgumentError, match=r"make one with TrieIndex\.build"):
        Trainer(make_model(), Corpus.from_text(text))


def test_a_text_shorter_than_the_context_is_refused() -> None:
    corpus = Corpus.from_text("abc")
    model = Model(ModelConfig(3, context=8), vocabulary=corpus.vocabulary)
    with pytest.raises(ArgumentError, match="has 3 tokens, but a window needs 9"):
        Trainer(model, corpus, TrainConfig(mode="window"))


def test_a_type_of_numbers_that_is_not_the_models_is_refused(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    Trainer(make_model(dtype="float64"), index, dtype="float64")
    with pytest.raises(ArgumentError, match="make the model with dtype='float64'"):
        Trainer(make_model(), index, dtype="float64")


def test_an_unknown_backend_is_refused(make_model: Callable[..., Model], index: TrieIndex) -> None:
    with pytest.raises(ArgumentError, match="backend"):
        Trainer(make_model(), index, backend="abacus")


def test_a_loss_that_is_not_finite_leaves_the_model_as_it_was(
    make_model: Callable[..., Model], index: TrieIndex, quick: TrainConfig
) -> None:
    model = make_model()
    trainer = Trainer(model, index, quick)
    trainer.step()
    model.parameters()["embedding.weight"][...] = np.nan
    before = model.flat_parameters.copy()
    with pytest.raises(NonFiniteError, match="step 2"):
        trainer.step()
    assert np.array_equal(model.flat_parameters, before, equal_nan=True)
    assert trainer.step_count == 1


def test_the_times_of_a_step_s_parts_fit_into_it(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    trainer = Trainer(make_model(), index, TrainConfig(positions_per_step=400, steps=3, threads=1))
    for report in trainer:
        parts = (report.building_seconds, report.computing_seconds, report.update_seconds)
        assert min(parts) > 0
        assert sum(parts) <= report.seconds
