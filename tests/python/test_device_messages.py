"""What agpt-info says of the backend cuda: built or not, why, and which device there is.

Environment variables of the emulated GPU stand for machines without a driver, without a device,
with an old one and with little memory; other builds have one sentence to say.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agpt import Corpus, TrieIndex
from conftest import make_text


def cuda_backend(**environment: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "agpt.cli", "info", "--json"]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)["backends"]["cuda"]
    return found


def test_messages_without_cuda_are_one_sentence_with_a_remedy() -> None:
    found = cuda_backend()
    if not found["usable"]:
        assert "--backend cpu" in found["description"] or "pip install" in found["description"]
        assert "\n" not in found["description"]
    else:
        assert found["description"].startswith("cuda (")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AGPT_EMU_DEVICES", "-1", "no usable GPU was found"),
        ("AGPT_EMU_DEVICES", "0", "no usable GPU was found"),
        ("AGPT_EMU_COMPUTE_CAPABILITY", "7.5", "compute capability 7.5, but this backend needs"),
    ],
)
def test_messages_name_what_the_machine_lacks(variable: str, value: str, message: str) -> None:
    if "emulated" not in cuda_backend()["description"]:
        pytest.skip("only the emulated GPU can be another one")
    found = cuda_backend(**{variable: value})
    assert not found["usable"]
    assert message in found["description"]
    assert found["description"].endswith("choose --backend cpu")


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ("300000", "for the parameters, beside the 0 MiB in use, are more than the device has"),
        ("20000000", "a batch of 1024 rows of this model takes"),
    ],
)
def test_messages_of_exhausted_memory_say_what_did_not_fit(
    tmp_path: Path, memory: str, message: str
) -> None:
    if "emulated" not in cuda_backend()["description"]:
        pytest.skip("only the emulated GPU can have that little memory")
    TrieIndex.build_to(tmp_path / "x.agpt", Corpus.from_text(make_text(500)), depth=6)
    command = [sys.executable, "-m", "agpt.cli", "train", str(tmp_path / "x.agpt")]
    done = subprocess.run(
        [*command, "--backend", "cuda", "--steps", "1", "--out", str(tmp_path / "model")],
        env=os.environ | {"AGPT_EMU_MEMORY": memory},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert message in line
    assert "choose" in line
