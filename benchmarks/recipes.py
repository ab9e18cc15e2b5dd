"""Held-out loss of training recipes: same model, same start, equal positions or equal CPU time.

    python benchmarks/recipes.py CORPUS [--depth 32] [--positions 6e6 | --cpu-seconds 30]
                                 [--recipes windows,tails 0.25,...] [--seeds 0,1,2] [--jobs 2]

The model has 108k parameters (two layers, width 64) and learns from the first 90 % of the text; the
last 10 %, which no recipe saw, is scored at the trained context: all positions of disjoint
windows, and with the full context before every prediction (stride 1). The difference to the first
recipe is taken seed by seed, which have the same initial weights. With --cpu-seconds each
recipe gets as many steps as it makes in that time, by a calibration beside it.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from typing import Any

import agpt
import numpy as np
from agpt.training_cost import BACKWARD_OVER_FORWARD, forward_flops
from measure import report

COMMON = {
    "lr": 3e-3,
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "clip_norm": 1.0,
    "schedule": "warmup-cosine",
    "warmup_steps": 100,
    "threads": 1,
}
CALIBRATION_STEPS = 40


def recipes(depth: int, positions_per_step: int) -> dict[str, dict[str, Any]]:
    """The recipes by name; each step has about `positions_per_step` positions."""
    windows = {"mode": "window", "windows_per_step": max(1, positions_per_step // depth)}
    trie = {"positions_per_step": positions_per_step}
    sample = {"unit": "sample", "samples_per_step": windows["windows_per_step"]}
    tails = {f"tails {rate:g}": {"tails": "sampled", "tail_rate": rate} for rate in RATES}
    return {
        "windows": windows,
        "windows, trie targets": windows | {"window_targets": "trie"},
        "trie": trie,
        "trie, sqrt mass": trie | {"mass_weight": "sqrt"},
        "trie, log mass": trie | {"mass_weight": "log"},
        "trie, no mass": trie | {"mass_weight": "off"},
        **{name: trie | choice for name, choice in tails.items()},
        "tails first 8": trie | {"tails": "first", "tail_rows": 8},
        "tails to white space": trie | {"tails": "whitespace"},
        "core": trie | {"tails": "none"},
        "paths": sample,
        "bigrams": {"unit": "bigram"},
        "root children": {"unit": "root-child"},
    }


RATES = (0.0625, 0.125, 0.25, 0.5)


def run_one(job: dict[str, Any]) -> dict[str, Any]:
    """Train one model and score it."""
    index = agpt.TrieIndex.open(job["index"])
    depth, seed = index.depth, job["seed"]
    config = agpt.ModelConfig(vocab_size=index.vocab_size, context=depth, init="gpt2")
    settings = COMMON | job["recipe"] | {"seed": seed}
    steps = calibrated_steps(index, config, settings, job)
    trainer = agpt.Trainer(
        agpt.Model(config, seed=seed), index, agpt.TrainConfig(**settings, steps=steps)
    )
    wall, cpu = time.perf_counter(), time.process_time()
    positions = sum(step.positions for step in trainer)
    return {
        "name": job["name"],
        "seed": seed,
        "steps": steps,
        "positions": positions,
        "flops": positions * flops_per_position(config),
        "cpu_seconds": time.process_time() - cpu,
        "seconds": time.perf_counter() - wall,
        "loss": trainer.evaluate("val", stride=depth).loss,
        "loss_full_context": trainer.evaluate("val", stride=1).loss,
    }


def flops_per_position(config: agpt.ModelConfig) -> float:
    """Forward and backward, for positions of all depths alike."""
    of_all_depths = forward_flops(config, np.ones(config.context, np.int64))
    return (1 + BACKWARD_OVER_FORWARD) * of_all_depths / config.context


def calibrated_steps(
    index: agpt.TrieIndex, config: agpt.ModelConfig, settings: dict[str, Any], job: dict[str, Any]
) -> int:
    """How many steps fit: of positions, or of CPU-seconds."""
    trainer = agpt.Trainer(
        agpt.Model(config), index, agpt.TrainConfig(**settings, steps=CALIBRATION_STEPS)
    )
    cpu = time.process_time()
    positions = sum(step.positions for step in trainer)
    cpu = time.process_time() - cpu
    if job["cpu_seconds"] is not None:
        return max(1, round(CALIBRATION_STEPS * job["cpu_seconds"] / cpu))
    return max(1, round(CALIBRATION_STEPS * job["positions"] / positions))


def jobs_of(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One job for each recipe and seed."""
    known = recipes(arguments.depth, arguments.positions_per_step)
    names = list(known) if arguments.recipes is None else arguments.recipes.split(",")
    common = {
        "index": arguments.index,
        "positions": arguments.positions,
        "cpu_seconds": arguments.cpu_seconds,
    }
    return [
        {"name": name, "seed": seed, "recipe": known[name], **common}
        for seed in map(int, arguments.seeds.split(","))
        for name in names
    ]


def summary(results: list[dict[str, Any]]) -> list[str]:
    """A Markdown table: means over the seeds, and differences to the first recipe by seed."""
    names = list(dict.fromkeys(result["name"] for result in results))
    of = {name: [result for result in results if result["name"] == name] for name in names}
    lines = [
        "| recipe | steps | positions | GFLOP | CPU-s | windows of D | difference "
        "| full context | difference |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, runs in of.items():
        cells = [
            name,
            f"{statistics.mean(run['steps'] for run in runs):,.0f}",
            f"{statistics.mean(run['positions'] for run in runs) / 1e6:.2f} M",
            f"{statistics.mean(run['flops'] for run in runs) / 1e9:,.0f}",
            f"{statistics.mean(run['cpu_seconds'] for run in runs):.0f}",
        ]
        for key in ("loss", "loss_full_context"):
            cells.append(spread([run[key] for run in runs]))
            pairs = zip(runs, of[names[0]], strict=True)
            cells.append("" if name == names[0] else spread([a[key] - b[key] for a, b in pairs]))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def spread(values: list[float]) -> str:
    """Mean and standard deviation over the seeds."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.4f} +- {deviation:.4f}"


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--recipes", help="names, with commas (default: all)")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--positions", type=float, default=6e6)
    parser.add_argument("--cpu-seconds", type=float, help="in place of --positions")
    parser.add_argument("--positions-per-step", type=int, default=2048)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    index = agpt.TrieIndex.build(corpus, depth=arguments.depth, val_fraction=0.1)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        arguments.index = f"{folder}/corpus.agpt"
        index.save(arguments.index)
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool:
            for result in pool.map(run_one, jobs_of(arguments)):
                results.append(result)
                print(json.dumps(result), file=sys.stderr, flush=True)
    print("\n".join(summary(results)))
    if arguments.json:
        report("recipes", {"arguments": vars(arguments), "runs": results}, arguments.json)


if __name__ == "__main__":
    main()
