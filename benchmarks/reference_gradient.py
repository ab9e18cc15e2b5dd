"""How far the reference trainer's gradient is from the exact one, and what that costs.

    python benchmarks/reference_gradient.py CORPUS [--depth 8] [--seeds 0,1,2] [--json FILE]

Two errors are told apart: the truncation at the ends of edges, and the means of chunks that are
summed. First the gradients of the whole trie are compared, group of parameters by group: the
cosine with the exact gradient, and the norm over its norm; at the initial parameters of the first
seed, and at those that the exact gradient trained. Then models are trained with each gradient by
the recipe that the reference recommends (RMSProp, root children in order, warm-up of one pass,
linear masses, entropy lambda 1), with the exact one also by weight: steps are normalised by their
mean over the pass, not one by one. The last 10 % of the text, which none of them saw, is scored
at the trained context: with disjoint windows, and with the full context before every prediction.
"""

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Mapping

import agpt
import numpy as np
from agpt import _engine
from agpt.evaluation import evaluate
from agpt.token_text import VALIDATION, text_of_split
from measure import report

GRADIENTS: dict[str, dict[str, bool]] = {
    "exact": {"truncated": False, "chunk_means": False},
    "truncated": {"truncated": True, "chunk_means": False},
    "chunk means": {"truncated": False, "chunk_means": True},
    "reference": {"truncated": True, "chunk_means": True},
}
BY_WEIGHT = ", by weight"


def recipe(epochs: int, seed: int) -> agpt.TrainConfig:
    """Return what the reference recommends."""
    return agpt.TrainConfig(
        unit="root-child",
        order="fixed",
        optimizer="rmsprop",
        lr=3e-3,
        beta2=0.999,
        clip_norm=0.0,
        schedule="warmup-cosine",
        warmup_steps=65,
        min_lr_ratio=0.0,
        entropy_lambda=1.0,
        epochs=float(epochs),
        seed=seed,
    )


class Contestant:
    """A model with the engine that trains it by one of the gradients."""

    def __init__(
        self, index: agpt.TrieIndex, model: agpt.Model, gradient: str, settings: agpt.TrainConfig
    ) -> None:
        if gradient.endswith(BY_WEIGHT):
            settings = dataclasses.replace(settings, normalise="pass")
        source = _engine.reference_source(
            index,
            **GRADIENTS[gradient.removesuffix(BY_WEIGHT)],
            mass_weight=settings.mass_weight,
            entropy_lambda=settings.entropy_lambda,
        )
        per_pass = source.steps_per_pass
        self.model, self.index = model, index
        self.n_steps = settings.total_steps(per_pass)
        self.engine = _engine.Trainer32(
            model.config.engine_config(),
            settings.engine_options(self.n_steps, per_pass),
            source,
            model.flat_parameters,
            "cpu",
        )

    def train(self) -> dict[str, float]:
        """Make all steps; return what they cost and the held-out losses."""
        cpu = time.process_time()
        positions = sum(self.engine.step().positions for _ in range(self.n_steps))
        cpu = time.process_time() - cpu
        return {
            "steps": self.n_steps,
            "positions": positions,
            "cpu_seconds": cpu,
            "loss": self.held_out_loss(stride=self.index.depth),
            "loss_full_context": self.held_out_loss(stride=1),
        }

    def held_out_loss(self, stride: int) -> float:
        """Return the loss at the trained context on the text that the index does not hold."""
        text = text_of_split(self.index, VALIDATION)
        context = self.index.depth
        scored = evaluate(self.model, text, split=VALIDATION, context=context, stride=stride)
        return scored.loss

    def gradient(self) -> dict[str, np.ndarray]:
        """Return the gradient of the whole trie by group of parameters."""
        flat = np.empty(self.model.n_parameters)
        self.engine.parameters_changed()
        self.engine.gradient(flat)
        return grouped(_engine.parameter_layout(self.model.config.engine_config()), flat)


def grouped(layout: list[tuple[str, int, list[int]]], flat: np.ndarray) -> dict[str, np.ndarray]:
    """Return the gradient in groups of parameters with a like part in the model."""
    groups: dict[str, list[np.ndarray]] = {}
    for name, offset, shape in layout:
        tensor = flat[offset : offset + int(np.prod(shape))].reshape(shape)
        if ".qkv." in name:
            parts = dict(zip("qkv", np.split(tensor, 3, axis=-1), strict=True))
        elif "norm" in name:
            parts = {"norms": tensor}
        else:
            parts = {name.rsplit(".", 1)[0].split(".", 2)[-1]: tensor}
        for group, part in parts.items():
            groups.setdefault(group, []).append(part.reshape(-1))
    return {group: np.concatenate(parts) for group, parts in groups.items()}


def compare(
    exact: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Return for each group, and for all parameters, the cosine and the ratio of the norms."""
    result = {}
    everything = "all parameters"
    pairs = {group: (exact[group], other[group]) for group in exact}
    pairs[everything] = tuple(np.concatenate(list(side.values())) for side in (exact, other))
    for group, (a, b) in pairs.items():
        norms = np.linalg.norm(a), np.linalg.norm(b)
        result[group] = {"cosine": float(a @ b / np.prod(norms)), "norm": norms[1] / norms[0]}
    return result


def compare_gradients(
    index: agpt.TrieIndex, model: agpt.Model, settings: agpt.TrainConfig, state: str
) -> dict[str, object]:
    """Print and return the comparison at the parameters that the model has."""
    gradients = {name: Contestant(index, model, name, settings).gradient() for name in GRADIENTS}
    exact = gradients.pop("exact")
    figures = {name: compare(exact, other) for name, other in gradients.items()}
    print(f"{state}: cosine with the exact gradient, norm over its norm")
    print(f"  {'':16s}" + "".join(f"{name:>22s}" for name in figures))
    for group in next(iter(figures.values())):
        cells = (figure[group] for figure in figures.values())
        texts = (f"{cell['cosine']:12.4f}{cell['norm']:10.3g}" for cell in cells)
        print(f"  {group:16s}" + "".join(texts), flush=True)
    return {"state": state, "figures": figures}


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    index = agpt.TrieIndex.build(corpus, depth=arguments.depth, val_fraction=0.1)
    names = [*GRADIENTS, f"exact{BY_WEIGHT}"]
    states, runs = [], []
    for seed in map(int, arguments.seeds.split(",")):
        settings = recipe(arguments.epochs, seed)
        for name in names:
            config = agpt.ModelConfig(vocab_size=index.vocab_size, context=arguments.depth)
            model = agpt.Model(config, seed=seed)
            if not states:
                states.append(compare_gradients(index, model, settings, "at the beginning"))
            result = Contestant(index, model, name, settings).train()
            runs.append({"gradient": name, "seed": seed, **result})
            print(name, seed, result, file=sys.stderr)
            if len(states) == 1 and name == "exact":
                states.append(compare_gradients(index, model, settings, "at the end"))
    baseline = {run["seed"]: run["loss"] for run in runs if run["gradient"] == names[0]}
    for name in names:
        mine = [run for run in runs if run["gradient"] == name]
        gaps = [run["loss"] - baseline[run["seed"]] for run in mine]
        spread = statistics.stdev(gaps) if len(gaps) > 1 else 0.0
        print(
            f"{name:16s} steps {mine[0]['steps']:4d}  positions {mine[0]['positions'] / 1e6:6.2f} M"
            f"  held-out {statistics.mean(run['loss'] for run in mine):.4f}"
            f"  against {names[0]} {statistics.mean(gaps):+.4f} +- {spread:.4f}"
            f"  full context {statistics.mean(run['loss_full_context'] for run in mine):.4f}"
            f"  {statistics.mean(run['cpu_seconds'] for run in mine):5.1f} CPU-s"
        )
    if arguments.json:
        result = {"arguments": vars(arguments), "gradients": states, "runs": runs}
        report("reference_gradient", result, arguments.json)


if __name__ == "__main__":
    main()
