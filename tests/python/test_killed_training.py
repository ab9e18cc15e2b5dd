"""agpt-train killed without warning: a valid checkpoint is left, and going on loses no bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agpt import Model
from agpt.checkpoint import read_checkpoint
from agpt.cli.build import command as build
from agpt.cli.train import command as train
from agpt.run_files import log_path_of, numbered_checkpoints
from support import equal_parameters

RunJson = Callable[..., dict[str, Any]]
N_STEPS, N_KILLS = 402, 4
OPTIONS = ["--d-model", "16", "--n-layers", "1", "--heads", "2", "--positions-per-step", "200",
           "--steps", str(N_STEPS), "--threads", "1"]  # fmt: skip
RUN = ["--save-every", "3", "--keep", "2", "--eval-every", "100"]


@pytest.fixture
def index_file(corpus_file: Path, run_json: RunJson) -> Path:
    return Path(run_json(build, corpus_file, "--depth", "6")["path"])


def kill_training(arguments: list[object], out: Path, delay: float) -> None:
    """Starts a run and kills it `delay` seconds after it has written its first new checkpoint."""
    before = out.stat().st_mtime_ns if out.exists() else 0
    process = subprocess.Popen(
        [sys.executable, "-m", "agpt.cli", "train", *(str(a) for a in arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (out.exists() and out.stat().st_mtime_ns > before) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGKILL, 0), stderr


def told(event: dict[str, Any]) -> tuple[Any, ...]:
    """What a line of the log says that does not depend on the clock."""
    return tuple(event.get(name) for name in ("event", "step", "loss", "text", "by_depth"))


def test_a_run_killed_at_random_moments_ends_with_the_bits_of_one_that_was_not(
    index_file: Path, run_json: RunJson
) -> None:
    whole = index_file.with_name("whole.safetensors")
    run_json(train, index_file, *OPTIONS, "--eval-every", "100", "--out", whole)
    out = index_file.with_name("killed.safetensors")
    chooser = random.Random(0)
    steps = [0]
    arguments: list[object] = [index_file, *OPTIONS, *RUN, "--out", out]
    for _ in range(N_KILLS):
        kill_training(arguments, out, chooser.uniform(0, 0.15))
        state = read_checkpoint(out).training
        assert state is not None
        assert state.step > steps[-1]
        steps.append(state.step)
        for number, path in numbered_checkpoints(out):
            kept = read_checkpoint(path).training
            assert kept is not None
            assert kept.step == number
        arguments = [index_file, "--resume", out, *RUN]
        if state.step == N_STEPS:
            break
    run_json(train, *arguments)
    assert equal_parameters(Model.load(out), Model.load(whole))
    assert read_checkpoint(out).training.best_loss == read_checkpoint(whole).training.best_loss  # type: ignore[union-attr]
    events = [json.loads(line) for line in log_path_of(out).read_text().splitlines()]
    expected = [json.loads(line) for line in log_path_of(whole).read_text().splitlines()]
    assert [told(event) for event in events] == [told(event) for event in expected]
    assert [step for step, _ in numbered_checkpoints(out)] == [N_STEPS - 3, N_STEPS]
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".")]
