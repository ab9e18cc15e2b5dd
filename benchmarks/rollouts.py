"""CPU-seconds per pass over prompts with several completions: their tree against one by one.

    python benchmarks/rollouts.py CORPUS [--completions N] [--prompts N] [--rounds N] [--json FILE]

Prompts and completions are pieces of the text; prompts are context alone. Both contestants are the
same engine with the same model; without sharing each sequence has rows of its own. Their
gradients are compared before they run in turn, a whole pass at a time. What sharing can save of
the time is bounded by the ratio of rows, and by that of floating point operations, which is less:
the rows that are shared, the beginnings of sequences, attend to the fewest keys.
"""

import argparse
import os
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy starts its own threads

import agpt  # noqa: E402
import numpy as np  # noqa: E402
from agpt.training_cost import forward_flops  # noqa: E402
from measure import matrix_rate, report, whole_passes  # noqa: E402

LENGTHS = ((64, 32), (64, 64), (256, 32), (256, 64))


def rollouts(
    corpus: agpt.Corpus, lengths: tuple[int, int], n_prompts: int, n_completions: int
) -> np.ndarray:
    """Return made-up rollouts: (sequences, tokens)."""
    rng = np.random.default_rng(0)
    tokens = corpus.tokens

    def piece(length: int) -> np.ndarray:
        start = rng.integers(0, tokens.size - length)
        return tokens[start : start + length].astype(np.uint32)

    prompt_length, completion_length = lengths
    sequences = []
    for _ in range(n_prompts):
        prompt = piece(prompt_length)
        sequences += [
            np.concatenate([prompt, piece(completion_length)]) for _ in range(n_completions)
        ]
    return np.array(sequences)


def flops_ratio(config: agpt.ModelConfig, sequences: np.ndarray) -> float:
    """Return the floating point operations without sharing for each one with it."""
    n, depth = len(sequences), sequences.shape[1] - 1
    distinct = [len(np.unique(sequences[:, :k], axis=0)) for k in range(1, depth + 1)]
    return forward_flops(config, np.full(depth, n)) / forward_flops(config, np.array(distinct))


def compare(
    corpus: agpt.Corpus, sequences: np.ndarray, prompt: int, rounds: int, threads: int
) -> dict[str, Any]:
    """Return sizes, bounds and CPU-seconds of the tree of sequences and of the sequences alone."""
    masks = [np.arange(sequences.shape[1]) >= prompt] * len(sequences)
    flat, tree = (
        agpt.TrieIndex.from_sequences(
            list(sequences), token_weights=masks, vocabulary=corpus.vocabulary, share=share
        )
        for share in (False, True)
    )
    config = agpt.ModelConfig(vocab_size=corpus.vocab_size, context=flat.depth)
    model, settings = agpt.Model(config, seed=0), agpt.TrainConfig(threads=threads)
    trainers = {"flat": flat, "tree": tree}
    seconds = whole_passes(
        {name: agpt.Trainer(model, data, settings) for name, data in trainers.items()}, rounds
    )
    return {
        "prompt": prompt,
        "completion": sequences.shape[1] - prompt,
        "rows": {"flat": flat.n_rows, "tree": tree.n_rows},
        "rows_ratio": tree.sharing_ratio,
        "flops_ratio": flops_ratio(config, sequences),
        "cpu_seconds": seconds,
        "cpu_seconds_ratio": seconds["flat"] / seconds["tree"],
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--completions", type=int, default=8, help="of each prompt")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    before = matrix_rate()
    results = []
    print("prompt  completion  rows ratio  FLOPs ratio  CPU-s flat  CPU-s tree  ratio")
    for prompt, completion in LENGTHS:
        sequences = rollouts(corpus, (prompt, completion), arguments.prompts, arguments.completions)
        result = compare(corpus, sequences, prompt, arguments.rounds, arguments.threads)
        print(
            f"{prompt:6d}  {completion:10d}  {result['rows_ratio']:10.2f}  "
            f"{result['flops_ratio']:11.2f}  {result['cpu_seconds']['flat']:10.3f}  "
            f"{result['cpu_seconds']['tree']:10.3f}  {result['cpu_seconds_ratio']:5.2f}",
            flush=True,
        )
        results.append(result)
    after = matrix_rate()
    print(f"matrix calibration {before:.0f} GFLOP per CPU-s before, {after:.0f} after")
    document = {
        "threads": arguments.threads,
        "completions": arguments.completions,
        "prompts": arguments.prompts,
        "rollouts": results,
        "matrix_gflops": [before, after],
    }
    if arguments.json:
        report("rollouts", document, arguments.json)


if __name__ == "__main__":
    main()
