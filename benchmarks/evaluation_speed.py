"""Positions per CPU-second of held-out evaluation of the 108k model on one core.

    python benchmarks/evaluation_speed.py CORPUS [--rounds N] [--seconds S] [--json FILE]

With stride 1 every prediction but the first few sees the whole context, so a window of 32 tokens
is computed for each of them; with stride = context each row is a prediction. A last contestant
gives the losses by depth, too. The weights are the initial ones: speed does not depend on them.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy starts its own threads

import agpt  # noqa: E402
from agpt.evaluation import evaluate  # noqa: E402
from agpt.token_text import TokenText  # noqa: E402
from measure import interleaved, matrix_rate, report  # noqa: E402

CONTESTANTS = (  # context, stride, tokens of one call, by depth
    (32, 1, 2_000, False),
    (32, 32, 40_000, False),
    (32, 32, 40_000, True),
    (128, 1, 500, False),
    (128, 128, 40_000, False),
)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round and contestant")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    model = agpt.Model(agpt.ModelConfig(vocab_size=corpus.vocab_size, context=128))

    def score(context: int, stride: int, n_tokens: int, by_depth: bool) -> int:
        text = TokenText.from_tokens(corpus.tokens[:n_tokens], None)
        result = evaluate(
            model, text, split="all", context=context, stride=stride, by_depth=by_depth, threads=1
        )
        return result.positions

    contestants = {
        f"context {context}, stride {stride}{', by depth' if by_depth else ''}": (
            lambda values=(context, stride, n_tokens, by_depth): score(*values)
        )
        for context, stride, n_tokens, by_depth in CONTESTANTS
    }
    before = matrix_rate()
    rates = interleaved(contestants, arguments.rounds, arguments.seconds)
    after = matrix_rate()
    for name, values in rates.items():
        print(
            f"{name:35s} {values['per_cpu_second']:9,.0f} per CPU-s "
            f"[{values['least']:,.0f} .. {values['most']:,.0f}], {values['per_second']:9,.0f} per s"
        )
    print(f"matrix calibration {before:.0f} GFLOP per CPU-s before, {after:.0f} after")
    document = {"positions_per_second": rates, "matrix_gflops": [before, after]}
    if arguments.json:
        report("evaluation_speed", document, arguments.json)


if __name__ == "__main__":
    main()
