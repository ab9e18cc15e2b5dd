"""Documents: the trie of names trains exactly like the names one by one, on fewer positions."""

from typing import Any

import numpy as np
import pytest
from agpt import Corpus, Model, ModelConfig, TrainConfig, Trainer, TrieIndex
from support import data_file


@pytest.fixture(scope="module")
def names() -> list[str]:
    return data_file("names.txt").read_text().split()


def test_the_trie_of_names_has_few_of_their_positions(names: list[str]) -> None:
    corpus = Corpus.from_documents(names)
    depth = max(map(len, names)) + 1
    index = TrieIndex.build(corpus, depth=depth, starts="documents")
    model = Model(ModelConfig.preset("karpathy-a", corpus.vocab_size, context=depth))
    shared = Trainer(model, index, TrainConfig())
    one_by_one = Trainer(model, corpus, TrainConfig(mode="window"))
    assert (one_by_one.pass_positions, shared.pass_positions) == (228146, 59184)


@pytest.mark.parametrize("arrangement", [{}, {"positions": "learned", "norm": "layernorm"}])
def test_the_gradient_of_the_trie_is_that_of_the_names_one_by_one(
    names: list[str], arrangement: dict[str, Any]
) -> None:
    some = names[::100]
    corpus = Corpus.from_documents(some)
    depth = max(map(len, some)) + 1
    index = TrieIndex.build(corpus, depth=depth, starts="documents")
    config = ModelConfig(
        vocab_size=corpus.vocab_size, context=depth, d_model=16, n_layers=2, heads=2, d_ff=32
    )
    model = Model(config, 3, "float64")
    loss, gradients = Trainer(model, index, TrainConfig()).gradients()
    expected_loss, expected = Trainer(model, corpus, TrainConfig(mode="window")).gradients()
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for name, value in expected.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(gradients[name], value, rtol=0, atol=1e-10 * scale)
