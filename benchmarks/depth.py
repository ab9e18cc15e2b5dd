"""What depth costs: CPU time per position and peak memory of trie training, from D = 8 to 128.

    python benchmarks/depth.py CORPUS [--depths 8,16,32,64,128] [--threads 1] [--json FILE]

Every depth is a process of its own, so that its peak memory is its own: what training took above
the open index, whose mapped pages are not counted, because they can be dropped at any time. The
operations grow with the keys that attention sees; GFLOP per CPU-second tells whether anything else
does.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy starts its own threads

import agpt  # noqa: E402
from agpt.training_cost import BACKWARD_OVER_FORWARD, forward_flops  # noqa: E402
from measure import machine, matrix_rate, rate, report  # noqa: E402

HEADER = (
    "| D | positions | CPU-µs a position | GFLOP per CPU-s | NumPy's | peak memory, MB |\n"
    "|--:|--:|--:|--:|--:|--:|"
)


def memory() -> dict[str, int]:
    """Bytes of this process: the most that were resident, and the mapped files among those now."""
    status = Path("/proc/self/status").read_text()
    return {
        name: 1024 * int(re.findall(rf"{name}:\s+(\d+)", status)[0])
        for name in ("VmHWM", "VmRSS", "RssFile")
    }


def train_once(path: str, threads: int, seconds: float) -> dict[str, float]:
    """Train on an index in this process and tell what it took; run by measure_depth()."""
    gflops = matrix_rate()
    index = agpt.TrieIndex.open(path)
    config = agpt.ModelConfig(index.vocab_size, context=index.depth)
    model = agpt.Model(config)
    before = memory()
    settings = agpt.TrainConfig(positions_per_step=16384, threads=threads)
    trainer = agpt.Trainer(model, index, settings)
    trainer.step()
    per_cpu_second, _ = rate(lambda: trainer.step().positions, seconds)
    after = memory()
    mapped = after["RssFile"] - before["RssFile"]
    forward = forward_flops(config, index.profile()["positions"])
    flop = forward * (1 + BACKWARD_OVER_FORWARD) / index.n_positions
    return {
        "depth": index.depth,
        "positions": index.n_positions,
        "cpu_microseconds": 1e6 / per_cpu_second,
        "gflops": flop * per_cpu_second / 1e9,
        "matrix_gflops": gflops,
        "peak_bytes": after["VmHWM"] - before["VmRSS"] - mapped,
    }


def measure_depth(
    corpus: agpt.Corpus, depth: int, threads: int, seconds: float
) -> dict[str, float]:
    """Build the index and train on it in another process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.agpt")
        agpt.TrieIndex.build_to(path, corpus, depth)
        command = [sys.executable, __file__, "--one", path, "--threads", threads]
        output = subprocess.run(
            [*map(str, command), "--seconds", str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(output.stdout)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--depths", default="8,16,32,64,128")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="of training at each depth")
    parser.add_argument("--json", help="write the result to this file")
    if sys.argv[1:2] == ["--one"]:
        parser.add_argument("--one", action="store_true")
        arguments = parser.parse_args()
        print(json.dumps(train_once(arguments.corpus, arguments.threads, arguments.seconds)))
        return
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    print(", ".join(f"{name} {value}" for name, value in machine().items()), end="\n\n")
    print(HEADER)
    rows = []
    for depth in map(int, arguments.depths.split(",")):
        row = measure_depth(corpus, depth, arguments.threads, arguments.seconds)
        rows.append(row)
        print(
            f"| {depth} | {row['positions']:,} | {row['cpu_microseconds']:.2f} "
            f"| {row['gflops']:.0f} | {row['matrix_gflops']:.0f} "
            f"| {row['peak_bytes'] / 1e6:.0f} |",
            flush=True,
        )
    if arguments.json:
        report("depth", {"threads": arguments.threads, "rows": rows}, arguments.json)


if __name__ == "__main__":
    main()
