"""Held-out loss with targets blended from shorter contexts, same model, same start, same steps.

    python benchmarks/blending.py CORPUS [--blend 0,0.5,1] [--seeds 0,1,2] [--json FILE]

One index of the first 90 % of the text; for each share and seed a run in trie mode. The last
10 % of the text, which none of them saw, is scored at the trained context: the mean over all
positions of disjoint windows, and with the full context before every prediction (stride 1).
Differences are between runs of equal seed.
"""

import argparse
import statistics
import sys

import agpt
from held_out import train_and_score
from measure import report


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--blend", default="0,0.5,1", help="shares; the first is compared with")
    parser.add_argument("--blend-min-mass", type=int, default=1)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--positions-per-step", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    index = agpt.TrieIndex.build(corpus, depth=arguments.depth, val_fraction=0.1)
    config = agpt.ModelConfig(vocab_size=index.vocab_size, context=arguments.depth, init="gpt2")
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    baseline: list[dict[str, float]] = []
    runs = []
    for share in map(float, arguments.blend.split(",")):
        results = []
        for seed in seeds:
            settings = agpt.TrainConfig(
                blend=share,
                blend_min_mass=arguments.blend_min_mass,
                steps=arguments.steps,
                positions_per_step=arguments.positions_per_step,
                threads=arguments.threads,
                seed=seed,
            )
            results.append(train_and_score(index, config, settings))
            runs.append({"blend": share, "seed": seed, **results[-1]})
            print(share, seed, results[-1], file=sys.stderr)
        baseline = baseline or results
        for name in ("loss", "loss_full_context"):
            losses = [result[name] for result in results]
            changes = [
                result[name] - base[name] for result, base in zip(results, baseline, strict=True)
            ]
            spread = statistics.stdev(changes) if len(changes) > 1 else 0.0
            print(
                f"blend {share:4.2f}  {name:17s} {statistics.mean(losses):.4f}  "
                f"change {statistics.mean(changes):+.4f} +- {spread:.4f}  "
                f"{statistics.mean(r['cpu_seconds'] for r in results):.1f} CPU s"
            )
    if arguments.json:
        report("blending", {"arguments": vars(arguments), "runs": runs}, arguments.json)


if __name__ == "__main__":
    main()
