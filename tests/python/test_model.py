"""agpt.model: initial values, views, logits, generation."""

from collections.abc import Callable

import numpy as np
import pytest
from agpt import ArgumentError, Model, ModelConfig, TrieIndex
from support import equal_parameters


def test_the_seed_decides_the_initial_values(make_model: Callable[..., Model]) -> None:
    assert equal_parameters(make_model(seed=3), make_model(seed=3))
    assert not equal_parameters(make_model(seed=3), make_model(seed=4))


def test_parameters_are_writable_views_of_the_model(make_model: Callable[..., Model]) -> None:
    model = make_model()
    views = model.parameters()
    assert sum(view.size for view in views.values()) == model.n_parameters
    before = model.logits([1, 2, 3])
    for view in views.values():
        view[...] = 0
    assert not model.flat_parameters.any()
    assert np.array_equal(model.logits([1, 2, 3]), np.zeros_like(before))


def test_logits_of_a_token_do_not_see_later_tokens(make_model: Callable[..., Model]) -> None:
    model = make_model(dtype="float64")
    whole = model.logits("the ca")
    np.testing.assert_allclose(model.logits("the"), whole[:3], rtol=1e-12)
    assert whole.shape == (6, model.config.vocab_size)


def test_more_tokens_than_the_context_are_refused(make_model: Callable[..., Model]) -> None:
    with pytest.raises(ArgumentError, match=r"7 tokens.*6"):
        make_model().logits("the cat")


@pytest.mark.parametrize("tokens", [[[1, 2]], [0.5], [-1], [2**31], ["a"]])
def test_what_are_no_tokens_is_refused(make_model: Callable[..., Model], tokens: list) -> None:
    with pytest.raises(ArgumentError, match="tokens must be"):
        make_model().logits(tokens)


def test_a_token_outside_the_vocabulary_is_refused(make_model: Callable[..., Model]) -> None:
    with pytest.raises(ArgumentError, match="token 99 is not in the model's vocabulary"):
        make_model().logits([99])


def test_generation_repeats_with_its_seed_and_differs_between_samples(
    make_model: Callable[..., Model],
) -> None:
    model = make_model()
    first = model.generate("the ", max_tokens=20, seed=5, n_samples=3)
    assert first == model.generate("the ", max_tokens=20, seed=5, n_samples=3)
    assert first != model.generate("the ", max_tokens=20, seed=6, n_samples=3)
    assert len(set(first)) == 3
    assert all(len(sample) == 20 for sample in first)


def test_temperature_0_takes_the_most_probable_token(make_model: Callable[..., Model]) -> None:
    model = make_model()
    sample = model.generate_tokens([1, 2], max_tokens=4, temperature=0)[0]
    tokens = [1, 2]
    for token in sample:
        tokens.append(int(model.logits(tokens)[-1].argmax()))
        assert tokens[-1] == token
    assert np.array_equal(sample, model.generate_tokens([1, 2], max_tokens=4, top_k=1)[0])


def test_an_empty_prompt_starts_a_line_or_a_document(
    make_model: Callable[..., Model], documents_index: TrieIndex
) -> None:
    model = make_model()
    assert model.generate("", max_tokens=9) == model.generate("\n", max_tokens=9)
    config = ModelConfig.preset("karpathy-a", documents_index.vocab_size)
    names = Model(config, vocabulary=documents_index.vocabulary)
    samples = names.generate(n_samples=20, max_tokens=30)
    assert any(len(sample) < 30 for sample in samples)  # stopped at the end of the document
    through = names.generate(n_samples=20, max_tokens=30, stop_at_end=False)
    assert any("\n" in sample for sample in through)


def test_a_prompt_is_the_beginning_of_a_document(documents_index: TrieIndex) -> None:
    config = ModelConfig.preset("karpathy-a", documents_index.vocab_size)
    names = Model(config, vocabulary=documents_index.vocabulary)
    boundary = documents_index.vocabulary.boundary
    tokens = names.generate_tokens(
        [boundary, *names.encode("an")], max_tokens=5, stop_token=boundary
    )
    assert names.generate("an", max_tokens=5) == [names.vocabulary.decode(tokens[0])]


def test_an_unknown_character_in_the_prompt_is_named(make_model: Callable[..., Model]) -> None:
    with pytest.raises(ArgumentError, match="Ω"):
        make_model().generate("Ω")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"n_samples": 0}, "samples"),
        ({"max_tokens": -1}, "tokens"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_of_generation_out_of_range_are_refused(
    make_model: Callable[..., Model], settings: dict, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_model().generate("the", **settings)


def test_a_model_without_a_vocabulary_speaks_tokens_only() -> None:
    model = Model(ModelConfig(vocab_size=5, context=8))
    assert len(model.generate_tokens([0], max_tokens=3)[0]) == 3
    with pytest.raises(ArgumentError, match="no vocabulary"):
        model.generate("a")
    with pytest.raises(ArgumentError, match="no vocabulary"):
        model.logits("a")


def test_a_vocabulary_of_another_size_is_refused(index: TrieIndex) -> None:
    with pytest.raises(ArgumentError, match=f"vocab_size={index.vocab_size}"):
        Model(ModelConfig(vocab_size=5), vocabulary=index.vocabulary)


def test_an_unknown_type_of_numbers_is_refused() -> None:
    with pytest.raises(ArgumentError, match="dtype 'float16' is unknown"):
        Model(ModelConfig(vocab_size=5), dtype="float16")
