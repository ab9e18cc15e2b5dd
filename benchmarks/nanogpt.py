"""Time to a held-out loss in nanoGPT's CPU configuration: the engine beside PyTorch.

    python benchmarks/nanogpt.py CORPUS [--steps 2000] [--target 1.89] [--threads 2] [--json FILE]

4 layers, 4 heads, width 128, context 64, 12 windows a step, no dropout, no biases, GELU, learned
positions, tied head; AdamW with 1e-3 falling to 1e-4 along a cosine after 100 steps of warm-up,
beta2 0.99, weight decay 0.1 on matrices, clipping at 1. Both sides start from the same weights,
draw windows of the first 90 % of the text, and are scored on the last 10 % in disjoint windows.
They take turns, one stretch of steps after the other; evaluations are not part of the times.
The engine's side as a command:

    agpt-train CORPUS --val-fraction 0.1 --mode window --preset nanogpt --d-model 128 --n-layers 4
      --heads 4 --context 64 --windows-per-step 12 --steps 2000 --lr 1e-3 --min-lr-ratio 0.1
      --warmup-steps 100 --beta2 0.99 --weight-decay 0.1 --clip-norm 1
"""

import argparse
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
    """The engine's side; remembers the learning rate of every step."""

    def __init__(self, model: agpt.Model, index: agpt.TrieIndex, settings: agpt.TrainConfig):
        super().__init__()
        self.trainer = agpt.Trainer(copy_of(model), index, settings)
        self.rates: list[float] = []

    def make_steps(self, n_steps: int) -> None:
        """Train."""
        for _ in range(n_steps):
            self.rates.append(self.trainer.step().lr)

    def held_out_loss(self) -> float:
        """Mean loss of the held-out text, nats."""
        return self.trainer.evaluate("val").loss


class TorchRun(Run):
    """PyTorch's side; takes the learning rates of the engine's."""

    def __init__(
        self,
        model: agpt.Model,
        index: agpt.TrieIndex,
        settings: agpt.TrainConfig,
        leader: EngineRun,
    ):
        super().__init__()
        self.training = torch_rival.WindowTraining(model, index.tokens, WINDOWS, settings)
        self.held_out, self.context, self.leader = index.held_out, model.config.context, leader

    def make_steps(self, n_steps: int) -> None:
        """Train."""
        for rate in self.leader.rates[-n_steps:]:
            for group in self.training.optimizer.param_groups:
                group["lr"] = rate
            self.training()

    def held_out_loss(self) -> float:
        """Mean loss of the held-out text, nats."""
        return torch_rival.mean_loss(self.training.model, self.held_out, self.context)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--every", type=int, default=250, help="steps between evaluations")
    parser.add_argument("--target", type=float, default=1.89)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write the result to this file")
    arguments = parser.parse_args()

    corpus = agpt.Corpus.from_file(arguments.corpus)
    index = agpt.TrieIndex.build(corpus, depth=1, val_fraction=0.1)
    model = agpt.Model(agpt.ModelConfig.preset(vocab_size=corpus.vocab_size, **NANOGPT), seed=0)
    settings = agpt.TrainConfig(
        mode="window",
        windows_per_step=WINDOWS,
        steps=arguments.steps,
        lr=1e-3,
        warmup_steps=100,
        beta2=0.99,
        weight_decay=0.1,
        clip_norm=1.0,
        threads=arguments.threads,
    )
    torch_rival.set_threads(arguments.threads)
    engine = EngineRun(model, index, settings)
    runs = {"agpt": engine, "PyTorch eager": TorchRun(model, index, settings, engine)}
    before = matrix_rate()
    for done in range(0, arguments.steps, arguments.every):
        for name, run in runs.items():
            run.advance(min(arguments.every, arguments.steps - done))
            print(name, run.curve[-1], flush=True)
    calibration = [before, matrix_rate()]

    setting = machine() | {"torch": torch_rival.VERSION, "load": round(os.getloadavg()[0], 1)}
    print("\n" + ", ".join(f"{name} {value}" for name, value in setting.items()), end="\n\n")
    print(f"| | CPU-seconds for {arguments.steps} steps | seconds | held-out loss ", end="")
    print(f"| CPU-seconds to {arguments.target} | seconds |\n|---|--:|--:|--:|--:|--:|")
    for name, run in runs.items():
        last, reached = run.curve[-1], run.reaching(arguments.target)
        print(f"| {name} | {last['cpu_seconds']:.1f} | {last['seconds']:.1f} ", end="")
        print(f"| {last['loss']:.3f} | ", end="")
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
