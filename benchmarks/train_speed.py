"""Positions per CPU-second of training the 108k model: trie, windows, PyTorch on windows.

    python benchmarks/train_speed.py CORPUS [--torch] [--threads N] [--rounds N] [--json FILE]

Contestants run in turn; the unit is positions per CPU-second of this process, because on a
shared machine wall-clock time measures the neighbours. --torch needs `pip install '.[bench]'`.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy and PyTorch start their own threads

import agpt  # noqa: E402
from measure import interleaved, matrix_rate, report  # noqa: E402


def trainer(data: object, threads: int, context: int, **options: object) -> agpt.Trainer:
    """Return a trainer of the 108k model on `data`."""
    config = agpt.ModelConfig(vocab_size=data.vocab_size, context=context)  # type: ignore[attr-defined]
    settings = agpt.TrainConfig(steps=10**9, schedule="constant", threads=threads, **options)
    return agpt.Trainer(agpt.Model(config, seed=0), data, settings)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round and contestant")
    parser.add_argument("--torch", action="store_true", help="measure PyTorch too")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    index = agpt.TrieIndex.build(corpus, depth=arguments.depth)
    trie = trainer(index, arguments.threads, arguments.depth, positions_per_step=16384)
    contestants = {f"trie, depth {arguments.depth}": lambda: trie.step().positions}
    for context in (32, 128):
        windows = trainer(corpus, arguments.threads, context, mode="window", windows_per_step=64)
        contestants[f"windows of {context} x 64"] = lambda windows=windows: windows.step().positions
    if arguments.torch:
        import torch
        from torch_rival import WindowTraining

        torch.set_num_threads(arguments.threads)
        for context in (32, 128):
            rival = WindowTraining(corpus.tokens, corpus.vocab_size, context, 64)
            contestants[f"PyTorch {torch.__version__}, windows of {context} x 64"] = rival

    before = matrix_rate()
    rates = interleaved(contestants, arguments.rounds, arguments.seconds)
    after = matrix_rate()
    for name, values in rates.items():
        print(
            f"{name:45s} {values['per_cpu_second']:9,.0f} per CPU-s "
            f"[{values['least']:,.0f} .. {values['most']:,.0f}], {values['per_second']:9,.0f} per s"
        )
    print(f"matrix calibration {before:.0f} GFLOP per CPU-s before, {after:.0f} after")
    document = {
        "threads": arguments.threads,
        "positions_per_second": rates,
        "matrix_gflops": [before, after],
    }
    if arguments.json:
        report("train_speed", document, arguments.json)


if __name__ == "__main__":
    main()
