"""Held-out loss of trie against window training: same model, same start, equal positions.

    python benchmarks/trie_against_windows.py CORPUS [--depths 16,32] [--seeds 0,1,2] [--json FILE]

For each depth D: an index of the first 90 % of the text; one pass over its positions in trie
mode, with each weighting of the mass; then windows of D tokens until as many positions were
processed as the first trie run did. All have the same schedule and learning rate. The last
10 % of the text, which none of them saw, is scored at the trained context: the mean over all
positions of disjoint windows, and with the full context before every prediction (stride 1).
"""

import argparse
import statistics
import sys
import time

import agpt
from measure import report


def train_and_score(
    data: agpt.TrieIndex, depth: int, seed: int, settings: agpt.TrainConfig
) -> dict[str, float]:
    """Train one model and return its held-out losses with what they cost."""
    config = agpt.ModelConfig(vocab_size=data.vocab_size, context=depth, init="gpt2")
    trainer = agpt.Trainer(agpt.Model(config, seed=seed), data, settings)
    wall, cpu = time.perf_counter(), time.process_time()
    positions = sum(step.positions for step in trainer)
    return {
        "positions": positions,
        "steps": trainer.step_count,
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "loss": trainer.evaluate("val", stride=depth).loss,
        "loss_full_context": trainer.evaluate("val", stride=1).loss,
    }


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--depths", default="16,32")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--positions-per-step", type=int, default=2048)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--mass-weight", default="linear,sqrt", help="one trie run for each")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    runs = []
    for depth in map(int, arguments.depths.split(",")):
        index = agpt.TrieIndex.build(corpus, depth=depth, val_fraction=0.1)
        common = {
            "lr": arguments.lr,
            "schedule": "warmup-cosine",
            "warmup_steps": 100,
            "weight_decay": 0.1,
            "optimizer": "adamw",
            "clip_norm": 1.0,
        }
        variants = {
            f"trie, mass {weight}": {
                "mode": "trie",
                "positions_per_step": arguments.positions_per_step,
                "mass_weight": weight,
                "epochs": 1.0,
            }
            for weight in arguments.mass_weight.split(",")
        }
        variants["windows"] = {
            "mode": "window",
            "windows_per_step": arguments.positions_per_step // depth,
        }
        trie_positions = 0.0
        for name, variant in variants.items():
            results = []
            if variant["mode"] == "window":
                variant["steps"] = round(trie_positions / (variant["windows_per_step"] * depth))
            for seed in map(int, arguments.seeds.split(",")):
                settings = agpt.TrainConfig(**common, **variant, seed=seed)
                result = train_and_score(index, depth, seed, settings)
                results.append(result)
                runs.append({"depth": depth, "variant": name, "seed": seed, **result})
                print(depth, name, seed, result, file=sys.stderr)
            trie_positions = trie_positions or results[0]["positions"]
            losses = [r["loss"] for r in results]
            full = [r["loss_full_context"] for r in results]
            spread = statistics.stdev(losses) if len(losses) > 1 else 0.0
            print(
                f"D={depth:3d}  {name:18s} steps {results[0]['steps']:5d}  "
                f"positions {results[0]['positions'] / 1e6:6.2f} M  "
                f"held-out {statistics.mean(losses):.4f} +- {spread:.4f}  "
                f"full context {statistics.mean(full):.4f}  "
                f"{statistics.mean(r['seconds'] for r in results):5.1f} s"
            )
    if arguments.json:
        report("trie_against_windows", {"arguments": vars(arguments), "runs": runs}, arguments.json)


if __name__ == "__main__":
    main()
