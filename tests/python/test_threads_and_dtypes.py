"""Every architecture and way of training, at each precision, backend and number of threads."""

from typing import Any

import numpy as np
import pytest
from agpt import Corpus, Model, ModelConfig, TrainConfig, Trainer, TrieIndex
from agpt.model_config import PRESETS
from support import backends

NAMES = ["anna", "ann", "bob", "bobby", "carla", "carl", "dora", "ed", "eda", "fred"]
CONTEXT = 5
WAYS: dict[str, dict[str, Any]] = {
    "trie": {"unit": "pass"},
    "windows": {"mode": "window", "window_order": "sequential"},
    "windows without ends": {"mode": "window", "document_ends": False},
}
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


@pytest.fixture(scope="module")
def names() -> TrieIndex:
    corpus = Corpus.from_documents(NAMES)
    return TrieIndex.build(corpus, depth=CONTEXT, starts="documents", val_fraction=0.0)


def model_of(preset: str, names: TrieIndex, dtype: str) -> Model:
    """A small model of which no matrix is 0, so that every tensor has a gradient."""
    config = ModelConfig.preset(
        preset, names.vocab_size, context=CONTEXT, d_model=16, n_layers=2, heads=[10, 5, 1]
    )
    model = Model(config, dtype=dtype, vocabulary=names.vocabulary)
    values = np.random.default_rng(3).normal(0, 0.3, model.n_parameters)
    model.flat_parameters = values.astype(dtype)
    return model


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("backend", backends())
@pytest.mark.parametrize("preset", PRESETS)
def test_the_gradient_of_every_tensor_is_that_of_the_reference_in_double(
    names: TrieIndex, preset: str, backend: str, dtype: str, way: str
) -> None:
    config = TrainConfig(**WAYS[way])
    truth_model = model_of(preset, names, "float64")
    truth_loss, truth = Trainer(truth_model, names, config, "reference").gradients()
    loss, gradient = Trainer(model_of(preset, names, dtype), names, config, backend).gradients()
    assert loss == pytest.approx(truth_loss, rel=TOLERANCE[dtype])
    assert gradient.keys() == truth.keys()
    for name, value in truth.items():
        size = np.linalg.norm(value)
        assert size > 0, name
        assert np.linalg.norm(gradient[name] - value) <= TOLERANCE[dtype] * size, name


@pytest.mark.parametrize(
    "settings",
    [
        {"positions_per_step": 9},
        {"mode": "window", "windows_per_step": 3, "window_order": "shuffled"},
        {"mode": "window", "windows_per_step": 3, "document_ends": False},
        {
            "mode": "window",
            "windows_per_step": 1,
            "window_order": "shuffled",
            "generator": "python",
        },
    ],
)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_any_number_of_threads_gives_the_same_bits(
    names: TrieIndex, settings: dict[str, Any], dtype: str
) -> None:
    def trained(threads: int) -> tuple[bytes, list[float]]:
        config = TrainConfig(steps=7, batch_rows=4, threads=threads, **settings)
        model = model_of("karpathy-a", names, dtype)
        losses = [report.loss for report in Trainer(model, names, config)]
        return model.flat_parameters.tobytes(), losses

    alone = trained(1)
    assert trained(2) == alone
    assert trained(5) == alone
