"""What every benchmark shares: the machine, a matrix calibration, fair timing, the report."""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import agpt
import numpy as np


def machine() -> dict[str, object]:
    """Describe processor, cores that this process may use, Python, NumPy and the commit."""
    model = platform.processor()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "commit": commit.stdout.strip() or "unknown",
        "date": time.strftime("%Y-%m-%d"),
    }


def matrix_rate(seconds: float = 0.3) -> float:
    """Return the GFLOP per CPU-second of NumPy's (512, 64) x (64, 256) product.

    It has the engine's typical shape. The machine's own state goes into every figure of a
    benchmark; this one says what that state was.
    """
    a = np.ones((512, 64), np.float32)
    b = np.ones((64, 256), np.float32)
    c = np.empty((512, 256), np.float32)
    n, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for _ in range(50):
            np.matmul(a, b, out=c)
        n += 50
    return n * 2 * 512 * 64 * 256 / (time.process_time() - start) / 1e9


def rate(work: Callable[[], int], seconds: float) -> tuple[float, float]:
    """Return the positions per CPU- and per wall-second of `work`, called for `seconds`.

    `work` returns how many positions it did.
    """
    positions, wall, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        positions += work()
    return positions / (time.process_time() - cpu), positions / (time.perf_counter() - wall)


def interleaved(
    contestants: dict[str, Callable[[], int]], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Time the contestants in turn, `rounds` times: a change of the machine's state meets them all.

    Returns per contestant the median, minimum and maximum of positions per CPU-second, and the
    median per wall-second.
    """
    for work in contestants.values():
        work()
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            samples[name].append(rate(work, seconds))
    result = {}
    for name, pairs in samples.items():
        cpu = [pair[0] for pair in pairs]
        result[name] = {
            "per_cpu_second": statistics.median(cpu),
            "least": min(cpu),
            "most": max(cpu),
            "per_second": statistics.median(pair[1] for pair in pairs),
        }
    return result


def whole_passes(trainers: dict[str, agpt.Trainer], rounds: int) -> dict[str, float]:
    """Return the median CPU-seconds of a gradient over the whole data, by trainer.

    All trainers must have the same loss and gradient, to single precision, or it is an error.
    """
    (first_loss, first), *others = [trainer.gradients() for trainer in trainers.values()]
    for loss, gradients in others:
        assert abs(loss - first_loss) < 1e-5 * first_loss, (loss, first_loss)
        for name, value in gradients.items():
            error = np.linalg.norm(value - first[name]) / np.linalg.norm(first[name])
            assert error < 1e-4, (name, error)
    samples: dict[str, list[float]] = {name: [] for name in trainers}
    for _ in range(rounds):
        for name, trainer in trainers.items():
            start = time.process_time()
            trainer.gradients()
            samples[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in samples.items()}


def report(title: str, result: dict[str, object], path: str | None) -> None:
    """Print the result as JSON on stdout, or write it to `path` and say so on stderr."""
    document = {"benchmark": title, "machine": machine(), **result}
    text = json.dumps(document, indent=1)
    if path is None:
        print(text)
    else:
        pathlib.Path(path).write_text(text + "\n")
        print(f"wrote {path}", file=sys.stderr)
