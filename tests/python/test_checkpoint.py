"""agpt.checkpoint: what is saved is loaded, and everything else is refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from agpt import FormatError, Model, ModelConfig, TrainConfig, Trainer, TrieIndex
from agpt.checkpoint import METADATA_KEY, read_checkpoint
from safetensors import safe_open
from support import equal_parameters


@pytest.fixture
def saved(tmp_path: Path, make_model: Callable[..., Model], index: TrieIndex) -> Path:
    """A checkpoint of a training run."""
    path = tmp_path / "model.safetensors"
    trainer = Trainer(make_model(), index, TrainConfig(steps=3, positions_per_step=100))
    trainer.step()
    trainer.save_checkpoint(path)
    return path


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Lets `change` edit the JSON document and the tensors of a checkpoint."""
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()[METADATA_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(document, tensors)
    path.write_bytes(safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(document)}))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("heads", [2, [1, 2, 5, 8]])
def test_a_loaded_model_equals_the_saved_one(
    tmp_path: Path, make_model: Callable[..., Model], dtype: str, heads: Any
) -> None:
    model = make_model(seed=1, dtype=dtype, heads=heads)
    model.save(tmp_path / "a.safetensors")
    loaded = Model.load(tmp_path / "a.safetensors")
    assert loaded.config == model.config
    assert loaded.dtype == dtype
    assert equal_parameters(loaded, model)
    assert loaded.generate("the", seed=1) == model.generate("the", seed=1)


def test_a_model_of_tokens_is_loaded_without_a_vocabulary(tmp_path: Path) -> None:
    Model(ModelConfig(vocab_size=5)).save(tmp_path / "a.safetensors")
    assert Model.load(tmp_path / "a.safetensors").vocabulary is None


def test_documents_keep_their_boundary(tmp_path: Path, documents_index: TrieIndex) -> None:
    config = ModelConfig.preset("karpathy-a", documents_index.vocab_size)
    Model(config, vocabulary=documents_index.vocabulary).save(tmp_path / "a.safetensors")
    vocabulary = Model.load(tmp_path / "a.safetensors").vocabulary
    assert vocabulary is not None
    assert vocabulary.boundary == documents_index.vocabulary.boundary
    assert vocabulary.characters == documents_index.vocabulary.characters


def test_a_checkpoint_of_a_run_has_one_file_with_its_whole_state(saved: Path) -> None:
    checkpoint = read_checkpoint(saved)
    assert checkpoint.training is not None
    assert checkpoint.training.step == 1
    assert set(checkpoint.training.moments) == {
        f"{moment}.{name}" for moment in "mv" for name in checkpoint.parameters
    }
    assert list(saved.parent.iterdir()) == [saved]


def test_every_truncation_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for size in [0, 1, 7, 8, 9, 100, len(content) // 2, len(content) - 1]:
        saved.write_bytes(content[:size])
        with pytest.raises(FormatError, match=r"model\.safetensors is truncated or no checkpoint"):
            Model.load(saved)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_text("To be, or not to be" * 100, encoding="utf-8")
    with pytest.raises(FormatError, match="name a file that agpt-train wrote"):
        Model.load(path)
    path.write_bytes(safetensors.numpy.save({"w": np.zeros(3)}))
    with pytest.raises(FormatError, match="no checkpoint of agpt"):
        Model.load(path)
    path.write_bytes(safetensors.numpy.save({"w": np.zeros(3)}, {METADATA_KEY: "{"}))
    with pytest.raises(FormatError, match="no checkpoint of agpt"):
        Model.load(path)
    with pytest.raises(FileNotFoundError):
        Model.load(tmp_path / "missing.safetensors")


def test_another_version_is_refused(saved: Path) -> None:
    rewrite(saved, lambda document, tensors: document.update(version=99))
    with pytest.raises(FormatError, match="has format 99, this agpt reads 1"):
        Model.load(saved)


def change_shape(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    tensors["embedding.weight"] = tensors["embedding.weight"][:-1]


def change_dtype(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    tensors["embedding.weight"] = tensors["embedding.weight"].astype(np.float64)


def drop_tensor(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    del tensors["embedding.weight"]


def drop_moment(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    del tensors["optimizer.v.embedding.weight"]


def add_tensor(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    tensors["surprise"] = np.zeros(1)


def drop_entry(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    del document["training"]["step"]


def spoil_entry(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    document["training"]["step"] = "many"


def spoil_config(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    document["model"]["heads"] = [3, 4]


def unknown_setting(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    document["training"]["config"]["dropout"] = 0.5


def shorten_vocabulary(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    document["vocabulary"]["definition"] = document["vocabulary"]["definition"][:-1]


def no_model(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    document["model"] = None


@pytest.mark.parametrize(
    "damage",
    [
        change_shape, change_dtype, drop_tensor, drop_moment, add_tensor, drop_entry, spoil_entry,
        spoil_config, unknown_setting, shorten_vocabulary, no_model,
    ],
)  # fmt: skip
def test_every_damage_is_one_sentence_with_the_name_of_the_file(
    saved: Path, damage: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    rewrite(saved, damage)
    with pytest.raises(FormatError, match=r"checkpoint .*model\.safetensors is damaged: ") as error:
        Model.load(saved)
    assert "\n" not in str(error.value)
