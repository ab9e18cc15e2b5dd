"""Queries per CPU-second of an index, beside a Python dictionary of the same paths.

    python benchmarks/index_queries.py CORPUS [--depth N] [--queries N] [--rounds N] [--json FILE]

Paths are pieces of the text at random places. The dictionary maps the bytes of each path of one
length to its count; it answers that length alone, and only counts. Contestants run in turn.
"""

import argparse
import collections
import time
from collections.abc import Callable

import agpt
import numpy as np
from measure import interleaved, report

DICTIONARY_LENGTHS = (4, 8, 16)
SAMPLED_TOKENS = 200
CONTEXTS = 500
WORDS = ("e", "the ", "KING RICHARD III:\n")


def random_paths(index: agpt.TrieIndex, length: int, n: int) -> np.ndarray:
    """Return n pieces of the text, (n, length)."""
    starts = np.random.default_rng(length).integers(0, index.n_tokens - length - 1, n)
    return index.tokens[starts[:, None] + np.arange(length)]


def dictionary_rival(index: agpt.TrieIndex, paths: np.ndarray) -> tuple[Callable[[], int], float]:
    """Return a contestant that counts `paths` with a dictionary, and the seconds to make it."""
    length = paths.shape[1]
    start = time.process_time()
    text = index.tokens[:-1].tobytes()
    counts = collections.Counter(text[i : i + length] for i in range(len(text) - length + 1))
    seconds = time.process_time() - start
    keys = [path.tobytes() for path in paths]

    def count() -> int:
        return len([counts[key] for key in keys])

    return count, seconds


def contestants_for(
    index: agpt.TrieIndex, n: int
) -> tuple[dict[str, Callable[[], int]], dict[str, float]]:
    """Return what is timed, by name, and the seconds to make each dictionary."""
    contestants: dict[str, Callable[[], int]] = {}
    setup: dict[str, float] = {}
    for length in sorted({*DICTIONARY_LENGTHS, index.depth}):
        paths = random_paths(index, length, n)
        rows = list(paths[: n // 10])
        contestants |= {
            f"count_batch, {length} tokens": lambda p=paths: len(index.count_batch(p)),
            f"longest_match_batch, {length} tokens": lambda p=paths: len(
                index.longest_match_batch(p)
            ),
            f"next_counts_batch, {length} tokens": lambda p=paths: len(
                index.next_counts_batch(p)[0]
            ),
            f"count one by one, {length} tokens": lambda r=rows: len([index.count(p) for p in r]),
        }
        if length in DICTIONARY_LENGTHS and index.vocab_size <= 256:
            name = f"dictionary, {length} tokens"
            contestants[name], setup[name] = dictionary_rival(index, paths)
    contexts = random_paths(index, 8, CONTEXTS)
    contestants["sampled tokens"] = lambda: index.sample_batch(contexts, SAMPLED_TOKENS).size
    for word in WORDS:
        path = index.encode(word)
        contestants[f"occurrences of {word!r}"] = lambda p=path: len([index.occurrences(p)])
    contestants["nodes of node_table"] = lambda: len(index.node_table()["mass"])
    return contestants, setup


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--queries", type=int, default=100_000, help="of a batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each round and contestant")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    index = agpt.TrieIndex.build(agpt.Corpus.from_file(arguments.corpus), depth=arguments.depth)
    contestants, setup = contestants_for(index, arguments.queries)
    rates = interleaved(contestants, arguments.rounds, arguments.seconds)
    for name, values in rates.items():
        made = f", made in {setup[name]:.1f} s" if name in setup else ""
        print(f"{name:40} {values['per_cpu_second']:14,.0f} per CPU-s{made}")
    if arguments.json:
        result = {"rates": rates, "setup_seconds": setup, "arguments": vars(arguments)}
        report("index_queries", result, arguments.json)


if __name__ == "__main__":
    main()
