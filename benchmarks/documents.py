"""CPU-seconds per pass over documents: their trie against the documents one by one.

    python benchmarks/documents.py NAMES [--rounds N] [--threads N] [--json FILE]

NAMES is a text whose lines are documents. All contestants are the same engine with the same
model. Their gradients are compared before they run in turn, a whole pass at a time.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy starts its own threads

import agpt  # noqa: E402
import numpy as np  # noqa: E402
from measure import matrix_rate, report, whole_passes  # noqa: E402


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.names, documents=True)
    boundaries = np.flatnonzero(corpus.tokens == corpus.vocabulary.boundary)
    depth = int(np.diff(boundaries).max())  # the boundary and the longest document
    index = agpt.TrieIndex.build(corpus, depth=depth, starts="documents")
    model = agpt.Model(agpt.ModelConfig(vocab_size=corpus.vocab_size, context=depth), seed=0)

    def trainer(data: object, **options: object) -> agpt.Trainer:
        return agpt.Trainer(model, data, agpt.TrainConfig(threads=arguments.threads, **options))

    contestants = {"one by one": trainer(corpus, mode="window"), "trie": trainer(index)}
    before = matrix_rate()
    seconds = whole_passes(contestants, arguments.rounds)
    after = matrix_rate()
    positions = {name: contestant.pass_positions for name, contestant in contestants.items()}
    for name, value in seconds.items():
        print(f"{name:12s} {positions[name]:9,} positions  {value:.3f} CPU-s a pass")
    ratios = {
        "positions": positions["one by one"] / positions["trie"],
        "cpu_seconds": seconds["one by one"] / seconds["trie"],
    }
    print(
        f"the trie: {ratios['positions']:.2f} times fewer positions, "
        f"{ratios['cpu_seconds']:.2f} times fewer CPU-seconds"
    )
    print(f"matrix calibration {before:.0f} GFLOP per CPU-s before, {after:.0f} after")
    document = {
        "threads": arguments.threads,
        "depth": depth,
        "positions": positions,
        "cpu_seconds": seconds,
        "ratios": ratios,
        "matrix_gflops": [before, after],
    }
    if arguments.json:
        report("documents", document, arguments.json)


if __name__ == "__main__":
    main()
