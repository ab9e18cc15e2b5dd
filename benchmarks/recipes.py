"""Held-out loss of training recipes: same model, same start, equal positions or equal CPU time.

    python benchmarks/recipes.py CORPUS [--depth 32] [--positions 6e6] [--equal-time FILE]
                                 [--recipes "windows|tails 0.25"] [--seeds 0,1,2] [--jobs 2]
                                 [--settings "lr=3e-3|lr=6e-3,positions_per_step=1024"]

The model has 108k parameters (two layers, width 64) and learns from the first 90 % of the text; the
last 10 %, which no recipe saw, is scored at the trained context: all positions of disjoint
windows, and with the full context before every prediction (stride 1). The difference to the first
recipe is taken seed by seed, which have the same initial weights. Equal time: the first recipe
gets that many positions, and each other one as many as it makes in the same CPU time, by the
rates of the runs in FILE, which an earlier call wrote with --json. With --settings every recipe
runs with each of them: fields of TrainConfig, and init of the model.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import pathlib
import statistics
import sys
import tempfile
from typing import Any

import agpt
import numpy as np
from held_out import train_and_score
from measure import report

COMMON = {
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "clip_norm": 1.0,
    "schedule": "warmup-cosine",
    "warmup_steps": 100,
    "lr": 3e-3,
    "threads": 1,
}
CALIBRATION_STEPS = 40
POSITIONS_PER_STEP = 2048
UNITS_OF_THE_TRIE = ("bigram", "root-child")


def recipes(window: float, positions_per_step: int) -> dict[str, dict[str, Any]]:
    """The recipes by name; each step has about `positions_per_step` positions.

    `window` is the mean number of positions of a window, or of a document.
    """
    windows_per_step = max(1, round(positions_per_step / window))
    windows = {"mode": "window", "windows_per_step": windows_per_step}
    paths = {"unit": "sample", "positions_per_step": positions_per_step}
    trie = {"unit": "positions", "positions_per_step": positions_per_step}
    tails = {f"tails {rate:g}": {"tails": "sampled", "tail_rate": rate} for rate in RATES}
    return {
        "windows": windows,
        "windows, trie targets": windows | {"window_targets": "trie"},
        "paths": paths,
        "paths, sqrt mass": paths | {"mass_weight": "sqrt"},
        "trie": trie,
        "trie, sqrt mass": trie | {"mass_weight": "sqrt"},
        "trie, log mass": trie | {"mass_weight": "log"},
        "trie, no mass": trie | {"mass_weight": "off"},
        **{name: trie | choice for name, choice in tails.items()},
        "tails 0.5, sqrt mass": trie | tails["tails 0.5"] | {"mass_weight": "sqrt"},
        "tails first 8": trie | {"tails": "first", "tail_rows": 8},
        "tails to white space": trie | {"tails": "whitespace"},
        "core": trie | {"tails": "none"},
        "bigrams": {"unit": "bigram"},
        "root children": {"unit": "root-child"},
    }


RATES = (0.0625, 0.125, 0.25, 0.5)


def run_one(job: dict[str, Any]) -> dict[str, Any]:
    """Train one model and score it."""
    index = agpt.TrieIndex.open(job["index"])
    settings = COMMON | {"seed": job["seed"]} | job["recipe"]
    init = settings.pop("init", "gpt2")
    config = agpt.ModelConfig(vocab_size=index.vocab_size, context=index.depth, init=init)
    steps = calibrated_steps(index, config, settings, job["positions"])
    result = train_and_score(index, config, agpt.TrainConfig(**settings, steps=steps))
    return {"name": job["name"], "seed": job["seed"], **result}


def calibrated_steps(
    index: agpt.TrieIndex, config: agpt.ModelConfig, settings: dict[str, Any], positions: float
) -> int:
    """How many steps have that many positions together."""
    trainer = agpt.Trainer(
        agpt.Model(config), index, agpt.TrainConfig(**settings, steps=CALIBRATION_STEPS)
    )
    if settings.get("unit") in UNITS_OF_THE_TRIE:  # of very different sizes
        a_step = trainer.pass_positions / trainer.steps_per_pass
    else:
        a_step = sum(step.positions for step in trainer) / CALIBRATION_STEPS
    return max(1, round(positions / a_step))


def rates(path: str) -> dict[str, float]:
    """Positions per CPU-second of each recipe in an earlier run of this benchmark."""
    runs = json.loads(pathlib.Path(path).read_text())["runs"]
    names = {run["name"] for run in runs}
    total = {
        name: [
            sum(r[key] for r in runs if r["name"] == name) for key in ("positions", "cpu_seconds")
        ]
        for name in names
    }
    return {name: positions / seconds for name, (positions, seconds) in total.items()}


def jobs_of(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One job for each recipe, each of the settings and each seed."""
    runs: dict[str, dict[str, Any]] = {}
    for text in arguments.settings.split("|"):
        settings = settings_of(text)
        known = recipes(arguments.window, settings.pop("positions_per_step", POSITIONS_PER_STEP))
        names = list(known) if arguments.recipes is None else arguments.recipes.split("|")
        for name in names:
            runs[f"{name}, {text}" if text else name] = known[name] | settings
    positions = dict.fromkeys(runs, arguments.positions)
    if arguments.equal_time:
        rate = rates(arguments.equal_time)
        first = next(iter(runs))
        positions = {name: arguments.positions * rate[name] / rate[first] for name in runs}
    return [
        {
            "name": name,
            "seed": seed,
            "recipe": recipe,
            "positions": positions[name],
            "index": arguments.index,
        }
        for seed in map(int, arguments.seeds.split(","))
        for name, recipe in runs.items()
    ]


def settings_of(text: str) -> dict[str, Any]:
    """The settings in a text such as lr=3e-3,positions_per_step=1024; a word is a string."""
    pairs = (pair.split("=") for pair in text.split(",") if pair)
    return {name: number(value) for name, value in pairs}


def number(text: str) -> int | float | str:
    """The number that a text says, or the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


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
    parser.add_argument(
        "--documents", action="store_true", help="lines are documents; depth: the longest"
    )
    parser.add_argument("--recipes", help="names, with | between them (default: all)")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--positions", type=float, default=6e6)
    parser.add_argument("--equal-time", metavar="FILE", help="with the rates of these runs")
    parser.add_argument("--settings", default="", help="NAME=VALUE,... | NAME=VALUE,... | ...")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus, documents=arguments.documents)
    starts = "documents" if arguments.documents else "every"
    arguments.window = arguments.depth
    if arguments.documents:
        lengths = np.diff(np.flatnonzero(corpus.tokens == corpus.vocabulary.boundary))
        arguments.depth, arguments.window = int(lengths.max()), float(lengths.mean())
    index = agpt.TrieIndex.build(corpus, depth=arguments.depth, val_fraction=0.1, starts=starts)
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
