"""Tokens per CPU-second of writing synthetic corpora and of the memorisation report.

    python benchmarks/synthesis_speed.py CORPUS [--tokens N] [--depth D ...] [--rounds N]

Contestants run in turn on one core; the preparation of a walk counts, the building of the index
does not. The last column is the time of all N tokens.
"""

import argparse
from collections.abc import Callable

import agpt
from measure import interleaved, matrix_rate, report

WALKS: dict[str, dict[str, object]] = {
    "bridge": {},
    "bridge, reference": {"rng": "reference"},
    "bridge, reference, head": {"rng": "reference", "prune_mass1_head": True},
    "suffix": {"walk": "suffix"},
}


def writing(index: agpt.TrieIndex, n_tokens: int, options: dict[str, object]) -> Callable[[], int]:
    """Return what writes a text and says how long it is."""
    return lambda: agpt.synthesize(index, n_tokens, **options).n_tokens  # type: ignore[arg-type]


def comparing(text: agpt.Synthesis, corpus: agpt.Corpus) -> Callable[[], int]:
    """Return what compares a text with the corpus and says how long it is."""
    return lambda: len(agpt.memorisation(text.tokens, corpus).lengths)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--depth", type=int, nargs="+", default=[32, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    contestants: dict[str, Callable[[], int]] = {}
    for depth in arguments.depth:
        index = agpt.TrieIndex.build(corpus, depth, corpus_end="reference")
        for name, options in WALKS.items():
            contestants[f"depth {depth}, {name}"] = writing(index, arguments.tokens, options)
        text = agpt.synthesize(index, arguments.tokens)
        contestants[f"depth {depth}, bridge, memorisation"] = comparing(text, corpus)

    before = matrix_rate()
    rates = interleaved(contestants, arguments.rounds, seconds=0.01)
    after = matrix_rate()
    for name, values in rates.items():
        rate = values["per_cpu_second"]
        print(
            f"{name:35s} {rate / 1e6:8.1f} M per CPU-s [{values['least'] / 1e6:.1f} .. "
            f"{values['most'] / 1e6:.1f}] {arguments.tokens / rate:8.3f} CPU-s"
        )
    print(f"matrix calibration {before:.0f} GFLOP per CPU-s before, {after:.0f} after")
    document = {
        "tokens": arguments.tokens,
        "tokens_per_second": rates,
        "matrix_gflops": [before, after],
    }
    if arguments.json:
        report("synthesis_speed", document, arguments.json)


if __name__ == "__main__":
    main()
