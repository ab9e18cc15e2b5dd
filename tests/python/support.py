"""Checks that several test modules make."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from agpt import DeviceError, Model, _engine
from click.testing import Result

ROOT = Path(__file__).parents[2]


def assert_fails(result: Result, exit_code: int, *parts: str) -> None:
    """The command ended with one line on standard error that has all parts, and no traceback."""
    assert result.exit_code == exit_code, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for part in parts:
        assert part in lines[0]
    assert result.stdout == ""


def equal_parameters(a: Model, b: Model) -> bool:
    return np.array_equal(a.flat_parameters, b.flat_parameters)


def data_file(name: str) -> Path:
    """A public data set where it is at hand; the test is skipped where it is not."""
    folder = Path(os.environ.get("AGPT_TEST_DATA", ROOT.parent / "shared/data"))
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not in {folder}: set AGPT_TEST_DATA to a folder that has it")
    return folder / name


def with_right_index_checksums(index: bytes) -> bytes:
    """An index file that was changed, with the checksums of docs/file_format.md computed anew."""
    (header_bytes,) = struct.unpack_from("<I", index, 12)
    changed = bytearray(index)
    content = changed[header_bytes:]
    pieces = [content[at : at + 2**20] for at in range(0, len(content), 2**20)]
    sums = b"".join(struct.pack("<Q", index_checksum(piece)) for piece in pieces)
    struct.pack_into("<Q", changed, 24, index_checksum(sums))
    header = changed[: header_bytes - 8]
    struct.pack_into("<Q", changed, header_bytes - 8, index_checksum(header))
    return bytes(changed)


def index_checksum(content: bytes | bytearray) -> int:
    """What cpp/base/checksum.cpp computes."""
    mask = 2**64 - 1

    def mix(x: int) -> int:
        x = (x + 0x9E3779B97F4A7C15) & mask
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & mask
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & mask
        return x ^ (x >> 31)

    lanes = [1, 2, 3, 4]
    for block in struct.iter_unpack("<4Q", content + bytes(-len(content) % 32)):
        for lane, word in enumerate(block):
            product = (lanes[lane] ^ word) * 0x9FB21C651E98DF25 & mask
            lanes[lane] = product ^ (product >> 32)
    result = mix(len(content))
    for value in lanes:
        result = mix(result ^ value)
    return result


def backends() -> list[str]:
    """The backends that this build and machine have, by which tests are multiplied.

    Those that AGPT_REQUIRED_BACKENDS names (separated by commas) are among them in any case, so
    that their absence fails the tests.
    """
    required = [name for name in os.environ.get("AGPT_REQUIRED_BACKENDS", "").split(",") if name]
    return [name for name in _engine.backend_names() if name in required or _is_usable(name)]


def _is_usable(backend: str) -> bool:
    try:
        _engine.describe_backend(backend)
    except DeviceError:
        return False
    return True
