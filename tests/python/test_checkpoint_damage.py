"""Spoiled checkpoint files: each is read or refused with FormatError, and with nothing else."""

import copy
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
from agpt import FormatError, Model, ModelConfig, TrainConfig, Trainer, TrieIndex
from agpt.checkpoint import METADATA_KEY, read_checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
HOSTILE_NUMBERS = st.sampled_from([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1])
MISSING = object()
HOSTILE_VALUES = [
    *(MISSING, None, True, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**30, 10**400),
    *(math.nan, math.inf, -1e308, "", "x", "1", "\ud800", [], [1, -1], ["x"], {}, {"x": 1}),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, index: TrieIndex) -> bytes:
    """A checkpoint of a training run."""
    path = tmp_path_factory.mktemp("checkpoint") / "good.safetensors"
    settings = {"context": 6, "d_model": 8, "n_layers": 1, "heads": 2}
    config = ModelConfig.preset("microgpt", index.vocab_size, **settings)
    model = Model(config, 0, vocabulary=index.vocabulary)
    trainer = Trainer(model, index, TrainConfig(steps=2, positions_per_step=50, threads=1))
    trainer.step()
    trainer.save_checkpoint(path)
    return path.read_bytes()


@pytest.fixture
def is_read(tmp_path: Path) -> Callable[[bytes], bool]:
    """Whether the bytes are read as a checkpoint; False if they are refused."""
    path = tmp_path / "spoiled.safetensors"

    def read(content: bytes) -> bool:
        path.write_bytes(content)
        try:
            read_checkpoint(path)
        except FormatError:
            return False
        return True

    return read


def header_size(content: bytes) -> int:
    """Bytes of the file before the tensors: a length, then JSON."""
    return 8 + int(struct.unpack_from("<Q", content)[0])


def test_the_spoiled_checkpoints_come_from_a_good_one(
    good: bytes, is_read: Callable[[bytes], bool]
) -> None:
    assert is_read(good)


@many
@given(data=st.data())
def test_a_truncated_checkpoint_is_refused(
    data: st.DataObject, good: bytes, is_read: Callable[[bytes], bool]
) -> None:
    size = data.draw(st.one_of(st.integers(0, header_size(good)), st.integers(0, len(good) - 1)))
    assert not is_read(good[:size])


@many
@given(data=st.data())
def test_a_checkpoint_with_changed_bytes_is_read_or_refused(
    data: st.DataObject, good: bytes, is_read: Callable[[bytes], bool]
) -> None:
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, header_size(good) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    is_read(bytes(changed))


@many
@given(length=HOSTILE_NUMBERS)
def test_a_checkpoint_with_a_hostile_header_length_is_refused(
    length: int, good: bytes, is_read: Callable[[bytes], bool]
) -> None:
    assert not is_read(struct.pack("<Q", length) + good[8:])


@pytest.mark.parametrize("document", ["", "[" * 100_000, "1" + "0" * 5000, '{"format": 1', "null"])
def test_a_checkpoint_whose_document_is_no_json_object_is_refused(
    document: str, is_read: Callable[[bytes], bool]
) -> None:
    assert not is_read(safetensors.numpy.save({}, {METADATA_KEY: document}))


def places_in(value: Any) -> list[tuple[Any, ...]]:
    """The ways to every value inside a JSON document."""
    ways: list[tuple[Any, ...]] = []
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    for key in keys:
        ways += [(key,), *((key, *rest) for rest in places_in(value[key]))]
    return ways


def test_a_checkpoint_with_a_hostile_value_anywhere_in_its_document_is_read_or_refused(
    good: bytes, tmp_path: Path, is_read: Callable[[bytes], bool]
) -> None:
    path = tmp_path / "good.safetensors"
    path.write_bytes(good)
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()[METADATA_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for *way, last in places_in(document):
        for value in HOSTILE_VALUES:
            spoiled = copy.deepcopy(document)
            inside = spoiled
            for key in way:
                inside = inside[key]
            if value is MISSING:
                del inside[last]
            else:
                inside[last] = value
            content = safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(spoiled)})
            try:
                is_read(content)
            except Exception as error:
                raise AssertionError(f"{way} {last} = {value!r}") from error
