"""What agpt-info says of the backend cuda: built or not, why, and which device there is.

Environment variables of the emulated GPU stand for machines without a driver, without a device and
with an old one; other builds have one sentence to say.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest


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
