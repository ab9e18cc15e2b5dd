"""Time to a held-out loss in nanoGPT's CPU configuration: the engine beside PyTorch.

    python benchmarks/nanogpt.py CORPUS [--runs "agpt|PyTorch eager|agpt, paths"] [--threads 2]
                                 [--target 1.907] [--json FILE]

4 layers, 4 heads, width 128, context 64, 12 windows a step, no dropout, no biases, GELU, learned
positions, tied head; AdamW with 1e-3 falling to 1e-4 along a cosine after 100 steps of warm-up,
beta2 0.99, weight decay 0.1 on matrices, clipping at 1. All start from the same weights, learn
from the first 90 % of the text, and are scored on the last 10 % in disjoint windows. They take
turns, one stretch of steps after the other; evaluations, and building the index (under a second),
are not part of the times. Other runs have a higher rate and fewer steps, paths of an index in
place of windows, or rotary positions: see RUNS. The engine's side of the first as a command:

    agpt-train CORPUS --val-fraction 0.1 --mode window --preset nanogpt --d-model 128 --n-layers 4
      --heads 4 --context 64 --windows-per-step 12 --steps 2000 --lr 1e-3 --min-lr-ratio 0.1
      --warmup-steps 100 --beta2 0.99 --weight-decay 0.1 --clip-norm 1
"""

import argparse
import dataclasses
import math
import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy starts its own threads; PyTorch is told its number

import agpt  # noqa: E402
import torch_rival  # noqa: E402
from cpu_contests import NANOGPT, copy_of  # noqa: E402
from measure import machine, matrix_rate, report  # noqa: E402

WINDOWS = 12


class Run:
    """One side: steps, with the time that they took, and held-out losses on the way."""

    def __init__(self) -> None:
        self.cpu_seconds = self.seconds = 0.0
        self.curve: list[dict[str, float]] = []

    def advance(self, n_steps: int) -> None:
        """Make steps on the clock, then score the model off it."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.make_steps(n_steps)
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu
        done = n_steps + (self.curve[-1]["step"] if self.curve else 0)
        times = {"cpu_seconds": self.cpu_seconds, "seconds": self.seconds}
        self.curve.append({"step": done, "loss": self.held_out_loss(), **times})

    def make_steps(self, n_steps: int) -> None:
        """Train."""
        raise NotImplementedError

    def held_out_loss(self) -> float:
        """Mean loss of the held-out text, nats."""
        raise NotImplementedError

    def reaching(self, loss: float) -> dict[str, float] | None:
        """Return the first point of the curve with no more than that loss."""
        return next((point for point in self.curve if point["loss"] <= loss), None)


class EngineRun(Run):
    """The engine's side."""

    def __init__(self, model: agpt.Model, index: agpt.TrieIndex, settings: agpt.TrainConfig):
        super().__init__()
        self.trainer = agpt.Trainer(copy_of(model), index, settings)

    def make_steps(self, n_steps: int) -> None:
        """Train."""
        for _ in range(n_steps):
            self.trainer.step()

    def held_out_loss(self) -> float:
        """Mean loss of the held-out text, nats."""
        return self.trainer.evaluate("val").loss


class TorchRun(Run):
    """PyTorch's side, on windows, at the same rates."""

    def __init__(self, model: agpt.Model, index: agpt.TrieIndex, settings: agpt.TrainConfig):
        super().__init__()
        self.training = torch_rival.WindowTraining(model, index.tokens, WINDOWS, settings)
        self.held_out, self.context = index.held_out, model.config.context
        self.settings, self.done = settings, 0

    def make_steps(self, n_steps: int) -> None:
        """Train."""
        for _ in range(n_steps):
            self.done += 1
            for group in self.training.optimizer.param_groups:
                group["lr"] = learning_rate(self.settings, self.done)
            self.training()

    def held_out_loss(self) -> float:
        """Mean loss of the held-out text, nats."""
        return torch_rival.mean_loss(self.training.model, self.held_out, self.context)


def learning_rate(settings: agpt.TrainConfig, step: int) -> float:
    """Return the rate of a step, from 1: a linear warm-up, then a cosine."""
    done = step - 1 - settings.warmup_steps
    if done < 0:
        return settings.lr * step / settings.warmup_steps
    left = (1 + math.cos(math.pi * done / (settings.steps - settings.warmup_steps))) / 2
    return settings.lr * (settings.min_lr_ratio + (1 - settings.min_lr_ratio) * left)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Who trains how."""

    side: type[Run]
    lr: float = 1e-3
    steps: int = 2000
    warmup_steps: int = 100
    paths: bool = False
    """Draw paths of an index of depth 64 in place of windows."""
    position: str = "learned"

    def run(self, corpus: agpt.Corpus, threads: int) -> Run:
        """Return a run that has not begun."""
        changes = NANOGPT | {"position": self.position}
        config = agpt.ModelConfig.preset(vocab_size=corpus.vocab_size, **changes)
        index = agpt.TrieIndex.build(
            corpus, depth=config.context if self.paths else 1, val_fraction=0.1
        )
        if self.paths:
            unit = {"unit": "sample", "sampler": "path", "samples_per_step": WINDOWS}
        else:
            unit = {"mode": "window", "windows_per_step": WINDOWS}
        settings = agpt.TrainConfig(
            **unit,
            steps=self.steps,
            lr=self.lr,
            warmup_steps=self.warmup_steps,
            beta2=0.99,
            weight_decay=0.1,
            clip_norm=1.0,
            threads=threads,
        )
        return self.side(agpt.Model(config, seed=0), index, settings)


RUNS = {
    "agpt": Recipe(EngineRun),
    "PyTorch eager": Recipe(TorchRun),
    "agpt, 3e-3": Recipe(EngineRun, lr=3e-3, steps=1100),
    "PyTorch eager, 3e-3": Recipe(TorchRun, lr=3e-3, steps=1100),
    "agpt, paths": Recipe(EngineRun, lr=3e-3, steps=1100, paths=True),
    "agpt, paths, rotary": Recipe(
        EngineRun, lr=2e-3, steps=800, warmup_steps=70, paths=True, position="rope"
    ),
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--runs", default="|".join(RUNS), help="which, separated by |")
    parser.add_argument("--stretches", type=int, default=8, help="evaluations of each run")
    parser.add_argument("--target", type=float, default=1.907)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    torch_rival.set_threads(arguments.threads)
    recipes = {name: RUNS[name] for name in arguments.runs.split("|")}
    runs = {name: recipe.run(corpus, arguments.threads) for name, recipe in recipes.items()}
    before = matrix_rate()
    for stretch in range(arguments.stretches):
        for name, run in runs.items():
            steps = recipes[name].steps
            done = steps * stretch // arguments.stretches
            run.advance(steps * (stretch + 1) // arguments.stretches - done)
            print(name, run.curve[-1], flush=True)
    calibration = [before, matrix_rate()]

    setting = machine() | {"torch": torch_rival.VERSION, "load": round(os.getloadavg()[0], 1)}
    print("\n" + ", ".join(f"{name} {value}" for name, value in setting.items()), end="\n\n")
    print("| | steps | CPU-seconds | seconds | held-out loss ", end="")
    print(f"| CPU-seconds to {arguments.target} | seconds |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, run in runs.items():
        last, reached = run.curve[-1], run.reaching(arguments.target)
        print(f"| {name} | {last['step']} | {last['cpu_seconds']:.1f} ", end="")
        print(f"| {last['seconds']:.1f} | {last['loss']:.3f} | ", end="")
        print(
            f"{reached['cpu_seconds']:.1f} | {reached['seconds']:.1f} |" if reached else "- | - |"
        )
    print(f"\nMatrix calibration {calibration[0]:.0f} GFLOP per CPU-s before, ", end="")
    print(f"{calibration[1]:.0f} after; {arguments.threads} threads.")
    if arguments.json:
        curves = {name: run.curve for name, run in runs.items()}
        document = {"setting": setting, "threads": arguments.threads, "curves": curves}
        report("nanogpt", document | {"matrix_gflops": calibration}, arguments.json)


if __name__ == "__main__":
    main()
