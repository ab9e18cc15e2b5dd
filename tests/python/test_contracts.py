"""The contracts of docs/contracts.md, each on inputs that Hypothesis chooses."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from agpt import ArgumentError, Corpus, Model, ModelConfig, TrainConfig, Trainer
from agpt.checkpoint import read_checkpoint
from agpt.model_config import PRESETS
from hypothesis import assume, given, settings
from hypothesis import strategies as st

PAGE = (Path(__file__).parents[2] / "docs/contracts.md").read_text(encoding="utf-8")
VOCAB_SIZE = 11
SMALL = {"context": 8, "d_model": 8, "heads": 2, "n_layers": 2, "d_ff": 12}
FEW = settings(max_examples=15)

texts = st.lists(st.text("abcdefghij", min_size=1, max_size=6), min_size=1, max_size=5)
tokens = st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=1, max_size=8)
seeds = st.integers(0, 2**32 - 1)


def random_model(preset: str = "microgpt", seed: int = 0, **changes: Any) -> Model:
    """Every parameter is drawn, so that nothing is left out by a zero."""
    config = ModelConfig.preset(preset, VOCAB_SIZE, **(SMALL | changes))
    model = Model(config, seed, "float64")
    values = np.random.default_rng(seed).normal(0, 0.4, model.n_parameters)
    model.flat_parameters[:] = values
    return model


def log_softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def gradient_of(model: Model, document: list[int], backend: str = "cpu") -> Trainer:
    """A trainer whose one step is the document."""
    corpus = Corpus.from_documents([document], vocab_size=VOCAB_SIZE - 1)
    config = TrainConfig(
        mode="window", windows_per_step=1, window_order="sequential", optimizer="sgd", lr=1e-30,
        clip_norm=0.0, steps=2,
    )  # fmt: skip
    return Trainer(model, corpus, config, backend)


def test_the_page_and_the_tests_name_the_same_contracts() -> None:
    named = re.findall(r"\| `(test_\w+)` \|", PAGE)
    here = [name for name in globals() if name.startswith("test_")]
    here.remove("test_the_page_and_the_tests_name_the_same_contracts")
    assert sorted(named) == sorted(here)
    assert len(named) == 7


@FEW
@given(st.lists(st.integers(0, VOCAB_SIZE - 2), min_size=1, max_size=7), seeds)
def test_the_target_of_a_row_is_one_token(document: list[int], seed: int) -> None:
    model = random_model(seed=seed)
    boundary = VOCAB_SIZE - 1
    inputs, targets = [boundary, *document], [*document, boundary]
    trainer = gradient_of(model, document)
    log_shares = log_softmax(model.logits(inputs))
    one_hot = np.eye(VOCAB_SIZE)[targets]
    assert (one_hot.sum(axis=1) == 1).all()
    report = trainer.step()
    assert report.positions == len(targets)
    assert report.loss == pytest.approx(-(one_hot * log_shares).sum(axis=1).mean(), rel=1e-12)
    by_logits = (np.exp(log_shares) - one_hot) / len(targets)
    np.testing.assert_allclose(
        trainer.last_gradient()["head.bias"], by_logits.sum(axis=0), rtol=0, atol=1e-12
    )


@FEW
@given(tokens, seeds, st.sampled_from(["rmsnorm", "layernorm"]), st.floats(-3, 3))
def test_norms_are_their_formula_row_by_row(
    text: list[int], seed: int, norm: str, magnitude: float
) -> None:
    # Without blocks and positions the logits are norm(embedding) @ head.
    model = random_model(
        seed=seed, n_layers=0, norm=norm, norm_gain=False, norm_bias=False, bias=False,
        position="none",
    )  # fmt: skip
    embedding = model.parameters()["embedding.weight"]
    embedding *= 10**magnitude
    rows = embedding[text]
    centred = rows - rows.mean(axis=1, keepdims=True) if norm == "layernorm" else rows
    normed = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    logits = model.logits(text)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(logits, normed @ model.parameters()["head.weight"], atol=1e-10)
    np.testing.assert_array_equal(logits[0], model.logits(text[:1])[0])

    trainer = gradient_of(model, [token % (VOCAB_SIZE - 1) for token in text[:6]], "reference")
    direction = np.random.default_rng(seed).normal(size=embedding.shape)
    trainer.step()
    gradient = trainer.last_gradient()["embedding.weight"]
    slope, largest = float((gradient * direction).sum()), float(np.abs(gradient).max())
    before, step = embedding.copy(), 1e-5 * 10**magnitude
    losses = []
    for sign in (1, -1):
        embedding[...] = before + sign * step * direction
        losses.append(trainer.gradients()[0])
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-5 * largest + 1e-9)


@FEW
@given(
    st.sampled_from([*PRESETS, "odd heads"]),
    seeds,
    st.integers(1, 7),
    st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=8, max_size=8),
    st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=8, max_size=8),
)
def test_later_tokens_move_no_earlier_logit(
    preset: str, seed: int, n_kept: int, text: list[int], other: list[int]
) -> None:
    if preset == "odd heads":
        model = random_model(seed=seed, heads=[1, 2, 5], activation="relu2")
    else:
        model = random_model(preset, seed)
    changed = [*text[:n_kept], *other[n_kept:]]
    assume(changed != text)
    first, second = model.logits(text), model.logits(changed)
    np.testing.assert_array_equal(first[:n_kept], second[:n_kept])
    assert not np.array_equal(first, second)


@FEW
@given(texts, st.characters(exclude_characters="abcdefghij", exclude_categories=["Cs"]))
def test_text_comes_back_from_its_tokens(documents: list[str], foreign: str) -> None:
    corpus = Corpus.from_documents(documents)
    vocabulary = corpus.vocabulary
    boundary = vocabulary.boundary
    assert boundary == len(set("".join(documents)))
    expected: list[int] = []
    for document in documents:
        ids = vocabulary.encode(document).tolist()
        assert vocabulary.decode(ids) == document
        assert vocabulary.decode([boundary, *ids, boundary]) == document
        expected += [boundary, *ids, boundary]
    assert corpus.tokens.tolist() == expected
    with pytest.raises(ArgumentError, match="not in the vocabulary"):
        vocabulary.encode(documents[0] + foreign)


@FEW
@given(seeds, tokens, st.floats(0, 1, exclude_max=True), st.floats(0.1, 3))
def test_a_draw_inverts_the_cumulative_distribution(
    seed: int, text: list[int], number: float, temperature: float
) -> None:
    class Fixed:
        def random(self) -> float:
            return number

    model = random_model(seed=seed)

    def draw() -> int:
        options: dict[str, Any] = {"max_tokens": 1, "temperature": temperature}
        (sample,) = model.generate_tokens(text[-7:], generator=Fixed(), **options)  # type: ignore[arg-type]
        return int(sample[0])

    shares = np.exp(log_softmax(model.logits(text[-7:])[-1:] / temperature))[0]
    ends = np.cumsum(shares)
    assume(np.abs(ends - number).min() > 1e-9)
    first = int(np.argmax(ends > number)) if ends[-1] > number else VOCAB_SIZE - 1
    assert draw() == draw() == first


@FEW
@given(
    st.lists(st.integers(0, VOCAB_SIZE - 2), min_size=1, max_size=7),
    seeds,
    st.floats(0, 0.99),
    st.floats(0, 0.999),
    st.floats(1e-4, 0.1),
)
def test_a_step_of_adam_is_its_formula(
    tmp_path_factory: pytest.TempPathFactory,
    document: list[int],
    seed: int,
    beta1: float,
    beta2: float,
    lr: float,
) -> None:
    model = random_model(seed=seed)
    corpus = Corpus.from_documents([document], vocab_size=VOCAB_SIZE - 1)
    config = TrainConfig(
        mode="window", windows_per_step=1, window_order="sequential", optimizer="adam", lr=lr,
        beta1=beta1, beta2=beta2, clip_norm=0.0, schedule="constant", steps=3,
    )  # fmt: skip
    trainer = Trainer(model, corpus, config)
    path = tmp_path_factory.mktemp("adam") / "c.safetensors"
    m = {name: np.zeros_like(value) for name, value in model.parameters().items()}
    v = {name: np.zeros_like(value) for name, value in model.parameters().items()}
    for t in (1, 2, 3):
        before = {name: value.copy() for name, value in model.parameters().items()}
        assert trainer.step().step == trainer.step_count == t
        for name, gradient in trainer.last_gradient().items():
            m[name] = beta1 * m[name] + (1 - beta1) * gradient
            v[name] = beta2 * v[name] + (1 - beta2) * gradient**2
            assert min(1 - beta1**t, 1 - beta2**t) > 0
            move = m[name] / (1 - beta1**t) / (np.sqrt(v[name] / (1 - beta2**t)) + 1e-8)
            after = before[name] - lr * move
            np.testing.assert_allclose(model.parameters()[name], after, rtol=1e-9, atol=1e-12)
    trainer.save_checkpoint(path)
    state = read_checkpoint(path).training
    assert state is not None
    for name, value in state.moments.items():
        assert not name.startswith("v.") or (value >= 0).all()
    unused = sorted(set(range(VOCAB_SIZE - 1)) - set(document))
    np.testing.assert_array_equal(
        model.parameters()["embedding.weight"][unused],
        random_model(seed=seed).parameters()["embedding.weight"][unused],
    )


@FEW
@given(st.sampled_from(list(PRESETS)), seeds, tokens, st.sampled_from(["float32", "float64"]))
def test_a_forward_pass_has_a_finite_row_for_each_token(
    preset: str, seed: int, text: list[int], dtype: str
) -> None:
    config = ModelConfig.preset(preset, VOCAB_SIZE, **SMALL)
    model = Model(config, seed, dtype)
    logits = model.logits(text)
    assert logits.shape == (len(text), VOCAB_SIZE)
    assert logits.dtype == dtype
    assert np.isfinite(logits).all()
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    reference = model.logits(text, backend="reference")
    np.testing.assert_allclose(logits, reference, rtol=tolerance, atol=tolerance)
