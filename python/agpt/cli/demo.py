"""agpt-demo: the whole main job on a text that every Python has, in about a minute."""

import dataclasses
import time
from typing import Any

import click

from agpt import Corpus, Evaluation, Model, ModelConfig, TrainConfig, Trainer, TrieIndex
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.progress import FractionProgress, StepProgress
from agpt.demo_corpus import demo_text

DEPTH = 16
VAL_FRACTION = 0.1
POSITIONS_PER_STEP = 2048
SAMPLE_CHARACTERS = 300
CALIBRATION_STEPS = 3
LEAST_STEPS = 2
SHARE_OF_TIME_FOR_STEPS = 0.85  # the rest is for evaluation, the sample and slower moments
PROFILE_DEPTHS = (1, 2, 4, 8, 12, 16)

OWN_FILE = f"""The same with a file of your own:
  agpt-build FILE.txt --depth {DEPTH} --out FILE.agpt
  agpt-train FILE.agpt --out FILE.safetensors
  agpt-perplexity FILE.safetensors --index FILE.agpt
  agpt-generate FILE.safetensors --prompt "The "
  agpt-report FILE.safetensors"""


@dataclasses.dataclass(frozen=True)
class _Run:
    """One of the two trainings that the demo compares."""

    mode: str
    model: Model
    steps: int
    positions: int
    seconds: float
    evaluation: Evaluation

    def to_dict(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "steps": self.steps,
            "positions": self.positions,
            "seconds": self.seconds,
            "positions_per_second": self.positions / max(self.seconds, 1e-9),
            "evaluation": self.evaluation.to_dict(),
        }


class _Demo:
    """The parts of the demo, in the order in which they run."""

    def __init__(self, seed: int, quiet: bool) -> None:
        self._seed = seed
        self._quiet = quiet
        self._start = time.perf_counter()

    def say(self, text: str = "") -> None:
        """Prints what is going on; on standard error where standard output is for JSON."""
        click.echo(text, err=self._quiet)

    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.perf_counter() - self._start

    def index(self) -> TrieIndex:
        """Builds the index and prints its profile."""
        name, text = demo_text()
        self.say(f"1. Index of {name}: {len(text):,} characters, {VAL_FRACTION:.0%} held out")
        with FractionProgress("indexing") as progress:
            index = TrieIndex.build(
                Corpus.from_text(text),
                depth=DEPTH,
                val_fraction=VAL_FRACTION,
                progress=progress.update,
            )
        self.say(
            f"   depth {index.depth}, {index.n_positions:,} positions stand for "
            f"{index.total_mass:,.0f} predictions of windows: "
            f"{index.total_mass / index.n_positions:.2f} times shared, {self.elapsed():.1f} s"
        )
        self._print_profile(index)
        return index

    def _print_profile(self, index: TrieIndex) -> None:
        profile = index.profile()
        self.say("   depth   positions    predictions   shared")
        for depth in PROFILE_DEPTHS:
            positions, mass = int(profile["positions"][depth - 1]), int(profile["mass"][depth - 1])
            self.say(f"   {depth:5} {positions:11,} {mass:14,} {mass / max(1, positions):8.1f}")

    def steps_for(self, seconds: float, index: TrieIndex) -> int:
        """How many steps both trainings may make, from the measured speed of a few."""
        cost = 0.0
        for mode in ("trie", "window"):
            trainer = self._trainer(mode, index, CALIBRATION_STEPS)
            trainer.step()  # the first step also allocates
            start = time.perf_counter()
            for _ in range(1, CALIBRATION_STEPS):
                trainer.step()
            cost += (time.perf_counter() - start) / (CALIBRATION_STEPS - 1)
        left = (seconds - self.elapsed()) * SHARE_OF_TIME_FOR_STEPS
        return max(LEAST_STEPS, int(left / cost))

    def train(self, mode: str, index: TrieIndex, steps: int) -> _Run:
        """Trains a new model; the seed is the same for every mode, so the first values are too."""
        trainer = self._trainer(mode, index, steps)
        positions, seconds = 0, 0.0
        with StepProgress(mode, trainer.total_steps) as progress:
            for report in trainer:
                positions += report.positions
                seconds += report.seconds
                progress.step(report)
        evaluation = trainer.evaluate()
        self.say(
            f"   {mode:7}{positions:,} positions in {seconds:.1f} s "
            f"({positions / max(seconds, 1e-9):,.0f}/s)\n          held out: {evaluation}"
        )
        return _Run(mode, trainer.model, steps, positions, seconds, evaluation)

    def _trainer(self, mode: str, index: TrieIndex, steps: int) -> Trainer:
        config = ModelConfig(index.vocab_size, context=DEPTH)
        model = Model(config, self._seed, vocabulary=index.vocabulary)
        train_config = TrainConfig.from_dict(
            {
                "mode": mode,
                "positions_per_step": POSITIONS_PER_STEP,
                "windows_per_step": POSITIONS_PER_STEP // DEPTH,
                "steps": steps,
                "seed": self._seed,
            }
        )
        return Trainer(model, index, train_config)


@click.command("agpt-demo", cls=Command)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="About how long the demo may take.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    show_default="as many as --seconds allow",
    help="Optimizer steps of each training: with this, results repeat exactly.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")
@common_options
def command(seconds: float, steps: int | None, seed: int, as_json: bool) -> None:
    """Index, train, evaluate and sample on a built-in text, offline."""
    demo = _Demo(seed, quiet=as_json)
    index = demo.index()
    steps = demo.steps_for(seconds, index) if steps is None else steps
    demo.say(
        f"2. Train twice from the same start, {steps} steps of about {POSITIONS_PER_STEP} "
        f"positions: on the trie, and on windows of {DEPTH} characters"
    )
    runs = [demo.train(mode, index, steps) for mode in ("trie", "window")]
    sample = runs[0].model.generate(
        "The ", max_tokens=SAMPLE_CHARACTERS, temperature=0.8, seed=seed
    )
    demo.say(f"3. What the model of the trie writes:\n\nThe {sample[0]}\n")
    demo.say(OWN_FILE)
    emit_values = {
        "depth": index.depth,
        "n_tokens": index.n_tokens,
        "n_nodes": index.n_nodes,
        "n_positions": index.n_positions,
        "n_entries": index.n_entries,
        "total_mass": index.total_mass,
        "runs": [run.to_dict() for run in runs],
        "sample": sample[0],
        "seconds": demo.elapsed(),
    }
    emit(as_json, emit_values, f"\nDone in {demo.elapsed():.1f} s.")
