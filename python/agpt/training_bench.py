"""How fast a configuration trains here: steps for a while, where their time goes, what is left."""

import dataclasses
import time
from collections.abc import Callable

from agpt._engine import SequenceTrie
from agpt.sequence_evaluation import evaluate_tree
from agpt.step_report import StepReport
from agpt.token_text import VALIDATION
from agpt.trainer import Trainer
from agpt.training_run import default_eval_every

FEWEST_STEPS = 3


@dataclasses.dataclass(frozen=True)
class StepSeconds:
    """Wall-clock seconds of a mean step by what it does; they sum up to the step.

    Threads make batches and pass over them side by side, so their time is divided by the threads.
    """

    batches: float
    """Making the batches."""
    passes: float
    """Forward and backward."""
    update: float
    """The optimizer's update of the parameters."""
    other: float
    """Adding up gradients, checks, and threads that wait for the last one."""


@dataclasses.dataclass(frozen=True)
class TrainingSpeed:
    """What some steps of a run measured, and what they say of all of it."""

    backend: str
    n_parameters: int
    threads: int
    steps: int
    """Steps that were measured; one more was made before them, to warm up."""
    positions: int
    seconds: float
    cpu_seconds: float
    step_seconds: StepSeconds
    evaluation_seconds: float | None
    """One held-out evaluation; None where nothing is held out."""
    total_steps: int
    """Of the whole run."""
    total_positions: int
    """Positions that the whole run computes."""
    evaluations: int
    """Held-out evaluations of the whole run, as often as agpt-train makes them by default."""

    @property
    def steps_per_second(self) -> float:
        """Optimizer steps."""
        return self.steps / self.seconds

    @property
    def positions_per_second(self) -> float:
        """Predictions that are learned from; each reads one token."""
        return self.positions / self.seconds

    @property
    def eta_seconds(self) -> float:
        """The whole run at this speed, evaluations included; checkpoints and samples are not."""
        training = self.total_positions / self.positions_per_second
        return training + self.evaluations * (self.evaluation_seconds or 0.0)


def measure_training(
    trainer: Trainer,
    seconds: float,
    *,
    has_held_out: bool,
    held_out_sequences: SequenceTrie | None = None,
    on_step: Callable[[StepReport], None] | None = None,
) -> TrainingSpeed:
    """Makes steps for about `seconds`, at least three and one before them; writes nothing.

    The trainer and its model are used up: they have made those steps.
    """
    trainer.step()
    reports: list[StepReport] = []
    start, cpu_start = time.perf_counter(), time.process_time()
    while len(reports) < FEWEST_STEPS or time.perf_counter() - start < seconds:
        reports.append(trainer.step())
        if on_step is not None:
            on_step(reports[-1])
    measured, cpu_measured = time.perf_counter() - start, time.process_time() - cpu_start
    evaluation = _evaluation_seconds(trainer, held_out_sequences) if has_held_out else None
    passes = trainer.total_steps / trainer.steps_per_pass
    return TrainingSpeed(
        backend=trainer.backend_description,
        n_parameters=trainer.model.n_parameters,
        threads=trainer.n_workers,
        steps=len(reports),
        positions=sum(report.positions for report in reports),
        seconds=measured,
        cpu_seconds=cpu_measured,
        step_seconds=_step_seconds(reports, trainer.n_workers, measured),
        evaluation_seconds=evaluation,
        total_steps=trainer.total_steps,
        total_positions=round(passes * trainer.pass_positions),
        evaluations=_n_evaluations(trainer.total_steps) if has_held_out else 0,
    )


def _step_seconds(reports: list[StepReport], threads: int, measured: float) -> StepSeconds:
    n = len(reports)
    batches = sum(report.building_seconds for report in reports) / threads / n
    passes = sum(report.computing_seconds for report in reports) / threads / n
    update = sum(report.update_seconds for report in reports) / n
    return StepSeconds(batches, passes, update, measured / n - batches - passes - update)


def _evaluation_seconds(trainer: Trainer, held_out_sequences: SequenceTrie | None) -> float:
    start = time.perf_counter()
    if held_out_sequences is not None:
        evaluate_tree(trainer, held_out_sequences)
    else:
        trainer.evaluate(VALIDATION)
    return time.perf_counter() - start


def _n_evaluations(total_steps: int) -> int:
    """Those of agpt-train by default: before the first step, at each tenth, at the end."""
    every = default_eval_every(total_steps)
    return 1 + total_steps // every + (total_steps % every > 0)
