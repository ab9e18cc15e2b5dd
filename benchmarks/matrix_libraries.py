"""The engine's matrix products beside those of libraries, at the shapes of training steps.

    python benchmarks/matrix_libraries.py PRODUCTS [--rounds 3] [--json FILE]

PRODUCTS is the program build/dev/benchmarks/roofline/products of a Release build. One thread,
float32, GFLOP per CPU-second; a figure is the best of its rounds, which take turns. NumPy comes
with OpenBLAS; torch (optional) multiplies with MKL, and with oneDNN where the weights were packed
for it beforehand, as the engine's are.
"""

import argparse
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from measure import machine, report  # noqa: E402

SHAPES = [
    (256, 64, 192),
    (256, 64, 64),
    (256, 64, 256),
    (256, 256, 64),
    (768, 128, 384),
    (768, 128, 512),
    (768, 512, 128),
]
PRODUCTS = ("y = x W", "dx = dy W'", "dW = x' dy")
SECONDS = 0.1
Rates = dict[tuple[str, str, str], float]  # by shape, product and library


def best_rate(flop: int, work: Callable[[], object]) -> float:
    """Return the GFLOP per CPU-second of `work`, the best of five."""
    best = 0.0
    for _ in range(5):
        calls, start, used = 0, time.process_time(), 0.0
        while used < SECONDS / 5:
            for _ in range(10):
                work()
            calls += 10
            used = time.process_time() - start
        best = max(best, calls * flop / used / 1e9)
    return best


def engine(program: str) -> Iterator[tuple[tuple[str, str, str], float]]:
    """Rates of the engine's kernels, of every instruction set."""
    shapes = ["x".join(map(str, shape)) for shape in SHAPES]
    out = subprocess.run([program, *shapes], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        shape, kernels, *rates = line.split()
        for product, value in zip(PRODUCTS, rates, strict=True):
            yield (shape, product, f"agpt {kernels}"), float(value)


def numpy_work(m: int, k: int, n: int) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Products of NumPy, into memory that is there."""
    x, w, dy = (np.ones(shape, np.float32) for shape in ((m, k), (k, n), (m, n)))
    y, dx, dw = (np.empty(shape, np.float32) for shape in ((m, n), (m, k), (k, n)))
    yield PRODUCTS[0], "OpenBLAS", lambda: np.matmul(x, w, out=y)
    yield PRODUCTS[1], "OpenBLAS", lambda: np.matmul(dy, w.T, out=dx)
    yield PRODUCTS[2], "OpenBLAS", lambda: np.matmul(x.T, dy, out=dw)


def torch_work(m: int, k: int, n: int) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Products of torch with MKL; those by weights also with oneDNN and packed weights."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    x, w, dy = (torch.ones(shape) for shape in ((m, k), (k, n), (m, n)))
    y, dx, dw = (torch.empty(shape) for shape in ((m, n), (m, k), (k, n)))
    yield PRODUCTS[0], "MKL", lambda: torch.mm(x, w, out=y)
    yield PRODUCTS[1], "MKL", lambda: torch.mm(dy, w.T, out=dx)
    yield PRODUCTS[2], "MKL", lambda: torch.mm(x.T, dy, out=dw)
    pack, linear = torch.ops.mkldnn._reorder_linear_weight, torch.ops.mkldnn._linear_pointwise
    forward, backward = (pack(matrix.contiguous(), m) for matrix in (w.T, w))
    yield PRODUCTS[0], "oneDNN", lambda: linear(x, forward, None, "none", [], "")
    yield PRODUCTS[1], "oneDNN", lambda: linear(dy, backward, None, "none", [], "")


def print_table(rates: Rates) -> None:
    """Print a row for every shape and product, a column for every library."""
    libraries = list(dict.fromkeys(library for _, _, library in rates))
    print(f"| rows x inputs x outputs | product | {' | '.join(libraries)} |")
    print("|---|---|" + "--:|" * len(libraries))
    for shape, product in dict.fromkeys((shape, product) for shape, product, _ in rates):
        values = (rates.get((shape, product, library)) for library in libraries)
        cells = (f"{value:.0f}" if value is not None else "" for value in values)
        print(f"| {shape} | {product} | {' | '.join(cells)} |")


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("products")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    rates: Rates = defaultdict(float)
    for _ in range(arguments.rounds):
        for key, value in engine(arguments.products):
            rates[key] = max(rates[key], value)
        for shape in SHAPES:
            name, (m, k, n) = "x".join(map(str, shape)), shape
            for work in (numpy_work, torch_work):
                for product, library, call in work(m, k, n):
                    key = (name, product, library)
                    rates[key] = max(rates[key], best_rate(2 * m * k * n, call))
    print(machine())
    print_table(rates)
    if arguments.json:
        figures = {" ".join(key): value for key, value in rates.items()}
        report("matrix products", {"gflop_per_cpu_second": figures}, arguments.json)


if __name__ == "__main__":
    main()
