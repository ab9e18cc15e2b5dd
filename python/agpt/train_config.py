"""How a model is trained: what one step covers, the optimizer, the schedule, how long."""

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any, Literal

from agpt import _engine
from agpt._engine import ArgumentError
from agpt.validation import (
    config_from_dict,
    require_at_least,
    require_at_most,
    require_between,
    require_field_types,
    require_seed,
    setting,
)

Mode = Literal["trie", "window", "hybrid"]
Unit = Literal["positions", "pass", "root-child", "bigram", "ngram", "balanced", "sample"]
Sampler = Literal["path", "mass-walk", "root-child", "node"]
Order = Literal["shuffled", "fixed", "mass"]
Tails = Literal["full", "first", "whitespace", "none", "sampled"]
MassWeight = Literal["linear", "sqrt", "log", "off"]
UnitLr = Literal["none", "inv-depth", "inv-sqrt-depth", "sqrt-mass"]
Normalisation = Literal["step", "pass"]
WindowTargets = Literal["text", "trie"]
WindowOrder = Literal["random", "sequential", "shuffled"]
Generator = Literal["engine", "python"]
Optimizer = Literal["adamw", "adam", "sgd", "momentum", "rmsprop", "rmsprop-corrected"]
Precision = Literal["float32", "tf32", "bf16"]
ScheduleKind = Literal["constant", "cosine", "warmup-cosine", "linear"]

ADAMW_WEIGHT_DECAY = 0.1
LARGEST_NGRAM = 8
UNITS_WITH_RATES = ("root-child", "bigram", "ngram", "balanced")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the result of a training run, apart from the model and the data.

    A pass goes once over all positions of the trie, or once over all windows. `threads`
    changes the speed only; `batch_rows` is also the grain in which the rows of a trie are shuffled,
    on every backend.
    """

    mode: Mode = setting(
        "trie",
        "Train on the positions of the trie, on windows of the text, or on both: the positions "
        "that occur more than once, and windows for the rest.",
    )
    unit: Unit | None = setting(
        None,
        "What one step on the trie covers: a sample of its paths, a number of its positions, some "
        "of its subtrees, or all of it, which is a pass.",
        "sample; positions with order, tails or curriculum, and for sequences",
    )
    positions_per_step: int = setting(
        2048,
        "Positions of a step, for units positions and sample; the most of a unit, for balanced.",
    )
    ngram: int = setting(3, "Tokens that the paths of a unit share, for unit ngram.")
    units_per_step: int = setting(
        1, "Units of a step, for units root-child, bigram, ngram and balanced."
    )
    order: Order = setting(
        "shuffled", "Order of a pass over the trie; mass is the heaviest unit first."
    )
    sampler: Sampler = setting(
        "path",
        "What unit sample draws: paths from starts of the text, or whole subtrees: where a walk by "
        "mass stops, of root children down to a random depth, or of any node.",
    )
    samples_per_step: int | None = setting(
        None, "Draws of a step, for unit sample.", "as positions_per_step says"
    )
    sampler_stop: float = setting(0.3, "Chance that a mass walk stops at a node.")
    sampler_most_mass: int = setting(
        0, "A mass walk stops at no node with more mass than this; 0 is off."
    )
    sampler_corrected: bool = setting(
        True, "Weigh draws so that the expected gradient is the exact one."
    )
    tails: Tails = setting(
        "full",
        "What is trained of the ends of paths that occur once: all, their first rows, up to white "
        "space, nothing, or a sample that stands for all.",
    )
    tail_rows: int = setting(8, "Rows of each tail, for tails first.")
    tail_rate: float = setting(0.125, "Chance of each tail in a pass, for tails sampled.")
    mass_weight: MassWeight = setting(
        "linear", "Weight of a position as a function of its count; linear equals all windows."
    )
    entropy_lambda: float = setting(0.0, "Extra weight of positions with uncertain targets.")
    intermediate_weight: float = setting(
        1.0,
        "Factor of the weights of positions inside an edge: they have one target.",
    )
    spread_heavy: bool = setting(
        True, "Give positions that outweigh a step to many steps of a pass, in equal parts."
    )
    blend: float = setting(
        0.0,
        "Share of the targets of endpoints that comes from the suffixes of their paths; above 0 "
        "it is another objective than all windows.",
    )
    blend_min_mass: int = setting(
        1, "Endpoints that occur less often than this keep their own targets, with blend."
    )
    normalise: Normalisation = setting(
        "step", "Divide gradients by the weight of the step, or by the mean of the pass."
    )
    reference_gradient: bool = setting(
        False,
        "Train with the gradient of the reference trainer, which is truncated and weighs chunks: "
        "for comparisons, with the units pass and root-child.",
    )
    curriculum: str = setting(
        "", "Stages DEPTH:STEPS,... that train on shallow positions first.", "none"
    )
    windows_per_step: int = setting(64, "Windows of a step, for modes window and hybrid.")
    window_targets: WindowTargets = setting(
        "text",
        "What a window's contexts are followed by: the text alone, or everything that follows them "
        "anywhere in the index.",
    )
    context: int | None = setting(None, "Length of windows.", "the model's context")
    stride: int = setting(0, "Tokens between neighbouring windows; 0 is their length.")
    window_order: WindowOrder = setting(
        "random", "Windows drawn at random, or each window of a pass once."
    )
    document_ends: bool = setting(
        True, "Learn where documents end; without, mode window predicts no end."
    )
    grad_accum: int = setting(
        1, "Steps of the data whose gradients add up to one optimizer step, which --steps counts."
    )
    optimizer: Optimizer = setting("adamw", "Update rule.")
    lr: float = setting(3e-3, "Learning rate, which the schedule scales.")
    lr_reference_steps: float | None = setting(
        None,
        "Steps of a pass that lr was found for: lr is scaled by these over the steps of a pass.",
        "off",
    )
    unit_lr: UnitLr = setting(
        "none",
        "Rates of units by their depth or mass, with a mean of 1: for root-child, bigram, ngram "
        "and balanced.",
    )
    beta1: float = setting(0.9, "Decay of the first moment.")
    beta2: float = setting(0.99, "Decay of the second moment.")
    eps: float = setting(1e-8, "Added to the root of the second moment.")
    weight_decay: float | None = setting(
        None,
        "Decoupled weight decay of matrices.",
        f"{ADAMW_WEIGHT_DECAY} for adamw, else 0",
    )
    decay_vectors: bool = setting(False, "Decay biases and norm gains too.")
    clip_norm: float = setting(1.0, "Largest norm of the gradient; 0 is off.")
    schedule: ScheduleKind = setting("warmup-cosine", "Course of the learning rate.")
    warmup_steps: int | None = setting(
        None, "Steps of linear warm-up.", "a twentieth of all for warmup-cosine, else 0"
    )
    min_lr_ratio: float = setting(0.1, "Last learning rate as a share of the first.")
    steps: int | None = setting(None, "Optimizer steps.", "as epochs say")
    epochs: float | None = setting(None, "Passes over the data.", "1 where steps are not given")
    batch_rows: int = setting(
        256, "Rows that a thread computes at once; for a device batches are joined."
    )
    precision: Precision = setting(
        "float32", "Factors of matrix products on backend cuda; sums stay float32."
    )
    deterministic: bool = setting(
        True, "Add in a fixed order on backend cuda, for the same bits in every run."
    )
    graphs: bool = setting(
        True, "Replay steps whose launches repeat as graphs on backend cuda; the bits are the same."
    )
    threads: int = setting(0, "Threads; 0 is every core that the process may use.")
    seed: int = setting(0, "Seed of the order of the data.")
    generator: Generator = setting(
        "engine",
        "What draws the order of documents and the initial weights: the engine, or Python's random "
        "module as scripts use it: one shuffle for all passes, if any, then the weights.",
    )

    def __post_init__(self) -> None:
        """Raises ArgumentError for the first setting that does not fit."""
        require_field_types(self)
        require_seed(self.seed)
        for name in (
            "positions_per_step",
            "units_per_step",
            "tail_rows",
            "windows_per_step",
            "blend_min_mass",
            "batch_rows",
            "grad_accum",
        ):
            require_at_least(name, getattr(self, name), 1)
        for name in (
            "stride",
            "threads",
            "sampler_most_mass",
            "entropy_lambda",
            "intermediate_weight",
            "clip_norm",
        ):
            require_at_least(name, getattr(self, name), 0)
        for name in ("context", "steps", "samples_per_step"):
            if getattr(self, name) is not None:
                require_at_least(name, getattr(self, name), 1)
        require_between("ngram", self.ngram, 1, LARGEST_NGRAM)
        for name in ("sampler_stop", "tail_rate"):
            require_at_most(name, getattr(self, name), 1)
        if self.unit == "sample" and self.tails != "full":
            raise ArgumentError(
                f"tails is {self.tails}, but unit sample draws whole subtrees and paths: "
                "choose tails full or another unit"
            )
        require_between("min_lr_ratio", self.min_lr_ratio, 0, 1)
        require_between("blend", self.blend, 0, 1)
        if self.blend > 0 and self.mode == "window" and self.window_targets == "text":
            raise ArgumentError(
                f"blend is {self.blend}, but windows have the one target of the text: "
                "choose window_targets trie"
            )
        if not self.document_ends and (self.mode != "window" or self.window_targets == "trie"):
            raise ArgumentError(
                "document_ends is off, but only windows with the targets of the text can leave "
                "the ends of documents out: choose mode window with window_targets text"
            )
        if self.unit_lr != "none" and (self.mode != "trie" or self.unit not in UNITS_WITH_RATES):
            raise ArgumentError(
                f"unit_lr is {self.unit_lr}, but mode {self.mode} with unit {self.unit_of_index} "
                "has no units with rates of their own: choose mode trie and "
                f"{', '.join(UNITS_WITH_RATES)}"
            )
        if self.curriculum_stages and (self.mode != "trie" or self.unit == "sample"):
            raise ArgumentError(
                "curriculum is given, but only mode trie with units of the trie has depths to go "
                "through: leave it out"
            )
        if self.generator == "python" and (self.mode != "window" or self.window_order == "random"):
            raise ArgumentError(
                f"generator is python, but mode {self.mode} with window_order {self.window_order} "
                "has no documents to shuffle: choose mode window and window_order shuffled, or "
                "sequential for the order of the text"
            )
        if self.reference_gradient:
            self._require_settings_of_the_reference()
        if self.weight_decay and self.optimizer == "adam":
            raise ArgumentError(
                f"weight_decay is {self.weight_decay}, but adam has none: choose optimizer adamw"
            )
        if self.steps is not None and self.epochs is not None:
            raise ArgumentError("steps and epochs are both given: choose one of the two")
        for name in ("lr", "lr_reference_steps", "eps", "epochs", "sampler_stop", "tail_rate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ArgumentError(f"{name} is {value}, but must be above 0")
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ArgumentError(f"{name} is {value}, but must be at least 0 and below 1")
        if self.warmup_steps is not None:
            require_at_least("warmup_steps", self.warmup_steps, 0)

    def _require_settings_of_the_reference(self) -> None:
        known: dict[str, tuple[Any, ...]] = {
            "mode": ("trie",),
            "unit": (None, "root-child", "pass"),
            "tails": ("full",),
            "units_per_step": (1,),
            "order": ("fixed", "shuffled"),
            "normalise": ("step",),
            "curriculum": ("",),
            "blend": (0,),
            "unit_lr": ("none",),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                choices = " or ".join(str(v) or "none" for v in values if v is not None)
                raise ArgumentError(
                    f"{name} is {getattr(self, name)}, but the reference gradient is defined for "
                    f"{name} {choices} alone"
                )

    @property
    def unit_of_index(self) -> Unit:
        """What a step on an index covers: `unit`, or its default beside the other settings."""
        if self.unit is not None:
            return self.unit
        if self.reference_gradient:
            return "root-child"
        covers_all = self.order == "shuffled" and self.tails == "full" and not self.curriculum
        return "sample" if covers_all else "positions"

    def total_steps(self, steps_per_pass: int) -> int:
        """Optimizer steps of the whole run."""
        if self.steps is not None:
            return self.steps
        return max(1, math.ceil((self.epochs or 1.0) * steps_per_pass))

    @property
    def curriculum_stages(self) -> list[tuple[int, int]]:
        """Depth and number of steps of each stage before training on all positions."""
        stages = []
        for stage in filter(None, self.curriculum.split(",")):
            depth, colon, n_steps = stage.strip().partition(":")
            if not (colon and depth.isdigit() and n_steps.isdigit() and int(depth) * int(n_steps)):
                raise ArgumentError(
                    f"curriculum {self.curriculum!r} has the stage {stage!r}, but a stage is "
                    "DEPTH:STEPS, both at least 1, such as 4:500,8:1000"
                )
            stages.append((int(depth), int(n_steps)))
        return stages

    def base_lr(self, steps_per_pass: int) -> float:
        """The rate that the schedule scales: lr, or lr * lr_reference_steps / steps_per_pass.

        More steps in a pass are smaller steps: keeping rate times steps constant keeps the length
        of the path, as long as the rate is too small for the steps to disturb each other. It says
        nothing about steps that are noisier because they cover less.
        """
        if self.lr_reference_steps is None:
            return self.lr
        return self.lr * self.lr_reference_steps / steps_per_pass

    def engine_options(self, total_steps: int, steps_per_pass: int) -> _engine.TrainerConfig:
        """The settings of the optimizer and the schedule for the engine."""
        options = _engine.TrainerConfig()
        options.optimizer = "adam" if self.optimizer == "adamw" else self.optimizer
        options.beta1, options.beta2, options.epsilon = self.beta1, self.beta2, self.eps
        default_decay = ADAMW_WEIGHT_DECAY if self.optimizer == "adamw" else 0.0
        options.weight_decay = default_decay if self.weight_decay is None else self.weight_decay
        options.decay_vectors, options.clip_norm = self.decay_vectors, self.clip_norm
        options.schedule = "cosine" if self.schedule == "warmup-cosine" else self.schedule
        options.learning_rate = self.base_lr(steps_per_pass)
        options.min_ratio = self.min_lr_ratio
        default_warmup = math.ceil(total_steps / 20) if self.schedule == "warmup-cosine" else 0
        warmup = default_warmup if self.warmup_steps is None else self.warmup_steps
        options.warmup_steps, options.total_steps = warmup, total_steps
        options.normalise = self.normalise
        options.precision, options.deterministic = self.precision, self.deterministic
        options.graphs = self.graphs
        options.threads = resolved_threads(self.threads)
        return options

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "TrainConfig":
        """How the model of `agpt.model_config.PRESETS[name]` is trained, with some changes."""
        settings = TRAINING_PRESETS.get(name, {})
        if changes.get("epochs") is not None:
            settings = {key: value for key, value in settings.items() if key != "steps"}
        return config_from_dict(cls, settings | changes)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """The inverse of `to_dict()`; unknown keys are refused."""
        return config_from_dict(cls, values)


_KARPATHY: dict[str, Any] = {
    "mode": "window",
    "windows_per_step": 1,
    "window_order": "shuffled",
    "optimizer": "adam",
    "lr": 0.01,
    "eps": 1e-8,
    "clip_norm": 0.0,
    "min_lr_ratio": 0.0,
    "generator": "python",
    "seed": 42,
}

TRAINING_PRESETS: dict[str, dict[str, Any]] = {
    "karpathy-a": _KARPATHY | {"beta1": 0.9, "beta2": 0.95, "schedule": "cosine", "steps": 500},
    "karpathy-b": _KARPATHY | {"beta1": 0.85, "beta2": 0.99, "schedule": "linear", "steps": 1000},
}
"""How known systems train their model, as differences from the defaults of TrainConfig."""


def resolved_threads(threads: int) -> int:
    """The number of threads to use; 0 asks for every core that the process may use."""
    if threads > 0:
        return threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
