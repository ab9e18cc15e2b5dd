"""How far recipes are from windows in held-out loss, from files that recipes.py wrote with --json.

    python benchmarks/recipes_plot.py eq8.json et8.json eq32.json et32.json --out docs/results.svg

One panel for each depth, with the recipes that all have. A mark is the mean over the seeds of the
difference to the first recipe with the same seed, full context; its line is one standard deviation
to both sides.
"""

import argparse
import json
import pathlib
import statistics
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

RECIPES = ("windows, trie targets", "paths", "tails 0.5", "trie")
KINDS = {"equal CPU time": ("o", "C0", 0.12), "equal positions": ("s", "C1", -0.12)}
LOSS = "loss_full_context"


def main() -> None:
    """Draw the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="+")
    parser.add_argument("--out", default="results.svg")
    arguments = parser.parse_args()
    documents = [json.loads(pathlib.Path(name).read_text()) for name in arguments.files]
    depths = sorted({document["arguments"]["depth"] for document in documents})
    figure = Figure(figsize=(3.6 * len(depths), 2.8), layout="constrained")
    panels = figure.subplots(1, len(depths), squeeze=False, sharex=True, sharey=True)[0]
    for axes, depth in zip(panels, depths, strict=True):
        axes.set_title(f"D = {depth}")
        axes.axvline(0, color="grey", linewidth=1)
        axes.grid(axis="x", alpha=0.3)
        for document in documents:
            if document["arguments"]["depth"] == depth:
                draw(axes, document)
    panels[0].set_yticks(range(len(RECIPES)), RECIPES)
    panels[0].invert_yaxis()
    figure.supxlabel("held-out loss with full context, minus that of windows, nats", fontsize=10)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(KINDS), frameon=False)
    figure.savefig(arguments.out)


def draw(axes: Axes, document: dict[str, Any]) -> None:
    """The marks of one file."""
    runs = document["runs"]
    kind = "equal CPU time" if document["arguments"]["equal_time"] else "equal positions"
    marker, color, shift = KINDS[kind]
    first = {run["seed"]: run[LOSS] for run in runs if run["name"] == runs[0]["name"]}
    places, means, deviations = [], [], []
    for place, recipe in enumerate(RECIPES):
        gains = [run[LOSS] - first[run["seed"]] for run in runs if run["name"] == recipe]
        if gains:
            places.append(place - shift)
            means.append(statistics.mean(gains))
            deviations.append(statistics.stdev(gains))
    axes.errorbar(means, places, xerr=deviations, fmt=marker, color=color, label=kind)


if __name__ == "__main__":
    main()
