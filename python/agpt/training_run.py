"""A whole training run: steps, held-out evaluations, a log, checkpoints, an end that is safe."""

import collections
import dataclasses
import math
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agpt._engine import SequenceTrie
from agpt.evaluation import Evaluation, resolved_window
from agpt.run_beginning import beginning_of
from agpt.run_files import best_path_of, keep_numbered, log_path_of, remove_partial
from agpt.run_samples import can_write, sample_of
from agpt.sequence_evaluation import SequenceEvaluation, evaluate_tree
from agpt.step_report import StepReport
from agpt.step_sources import require_context_for
from agpt.stop_signals import StopRequested, StopSignals
from agpt.token_text import VALIDATION
from agpt.trainer import Trainer
from agpt.training_log import EVALUATION, SAMPLE, START, STEP, STOPPED, TrainingLog

EVALUATIONS_BY_DEFAULT = 10
STEPS_OF_MEAN = 100

HeldOutEvaluation = Evaluation | SequenceEvaluation


@dataclasses.dataclass(frozen=True)
class SaveEvery:
    """When the last checkpoint is written on the way: every so many steps, or seconds."""

    steps: int | None = None
    seconds: float | None = None

    def is_due(self, step: int, seconds_since: float) -> bool:
        """Whether to write after step number `step`, `seconds_since` the last time."""
        if self.steps is not None:
            return step % self.steps == 0
        return self.seconds is not None and seconds_since >= self.seconds


EVERY_MINUTE = SaveEvery(seconds=60.0)


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Where a run writes and how often it looks at the held-out part."""

    out: Path
    """The last checkpoint."""
    eval_every: int | None = None
    """Steps between evaluations; None is a tenth of the run, 0 evaluates at its end only."""
    eval_context: int | None = None
    """Context of evaluations; None is the trained one."""
    has_held_out: bool = True
    """False where the data hold nothing out: then nothing is evaluated."""
    held_out_sequences: SequenceTrie | None = None
    """What is evaluated on where the data are sequences: they hold nothing out themselves."""
    save_every: SaveEvery = EVERY_MINUTE
    """When the last checkpoint is written, apart from the end; neither means at the end only."""
    keep: int = 0
    """How many checkpoints are also kept under the numbers of their steps, the newest ones."""
    sample_every: int | None = None
    """Steps between samples that go into the log; None is as often as evaluations, 0 is never."""
    eval_seconds: float | None = None
    """Seconds from the end of an evaluation to the next one, in place of `eval_every`; the first is
    made before the first step."""

    @property
    def best(self) -> Path:
        """The checkpoint with the least held-out loss: model.best.safetensors."""
        return best_path_of(self.out)


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What a run did; a run that was stopped has the signal."""

    step: int
    positions: int
    loss: float | None
    """Of the last step, nats."""
    mean_loss: float | None
    """Of the last 100 steps."""
    seconds: float
    cpu_seconds: float
    training_seconds: float
    evaluation: HeldOutEvaluation | None
    best_loss: float | None
    stopped_by: signal.Signals | None
    written: bool

    @property
    def positions_per_second(self) -> float:
        """Speed of the steps, evaluations and files excluded."""
        return self.positions / self.training_seconds if self.training_seconds > 0 else 0.0


class TrainingRun:
    """Runs a trainer to its configured end.

    `on_step` and `on_evaluation` are called after each; they may print. NonFiniteError ends the
    run; the checkpoints written before it stay.
    """

    def __init__(
        self,
        trainer: Trainer,
        options: RunOptions,
        *,
        on_step: Callable[[StepReport], None] | None = None,
        on_evaluation: Callable[[str], None] | None = None,
    ) -> None:
        """Prepares a run from where the trainer stands."""
        resolved_window(trainer.model, options.eval_context, None)  # refuses it before the work
        if options.held_out_sequences is not None:
            require_context_for(trainer.model, options.held_out_sequences)
        self._trainer = trainer
        self._options = options
        self._on_step = on_step
        self._on_evaluation = on_evaluation
        self._first_step = trainer.step_count
        self._positions = 0
        self._training_seconds = 0.0
        self._losses: collections.deque[float] = collections.deque(maxlen=STEPS_OF_MEAN)
        self._evaluation: HeldOutEvaluation | None = None
        self._evaluated_step: int | None = None
        self._can_write = can_write(trainer.model)
        self._start = self._cpu_start = self._saved_at = self._evaluated_at = 0.0
        self._saved_step: int | None = None

    @property
    def has_written(self) -> bool:
        """Whether a last checkpoint was written in this run."""
        return self._saved_step is not None

    def run(self) -> RunResult:
        """Makes all steps that are left."""
        self._start, self._cpu_start = time.perf_counter(), time.process_time()
        self._saved_at = self._evaluated_at = self._start
        remove_partial(self._options.out)
        with (
            StopSignals() as signals,
            TrainingLog(log_path_of(self._options.out), self._first_step) as log,
        ):
            try:
                self._make_steps(signals, log)
            except StopRequested:
                log.write(STOPPED, {"step": self._trainer.step_count})
            if self._trainer.step_count > self._first_step or signals.received is None:
                self._save_last()
            return self._result(signals.received)

    def _make_steps(self, signals: StopSignals, log: TrainingLog) -> None:
        trainer = self._trainer
        if not log.has_start:
            log.write(START, beginning_of(trainer))
        self._evaluate_if_due(signals, log)
        self._sample_if_due(signals, log)
        while trainer.step_count < trainer.total_steps:
            self._make_step(signals, log)
            self._evaluate_if_due(signals, log)
            self._sample_if_due(signals, log)
            seconds = time.perf_counter() - self._saved_at
            if self._options.save_every.is_due(trainer.step_count, seconds):
                self._save_last()
        self._evaluate(signals, log)
        self._sample(signals, log)

    def _evaluate_if_due(self, signals: StopSignals, log: TrainingLog) -> None:
        """Also before the first step of a run that was stopped before its evaluation."""
        step = self._trainer.step_count
        if self._is_evaluation_due(step) and not log.has(EVALUATION, step):
            self._evaluate(signals, log)

    def _is_evaluation_due(self, step: int) -> bool:
        seconds, every = self._options.eval_seconds, self._eval_every()
        if seconds is not None:
            return step == 0 or time.perf_counter() - self._evaluated_at >= seconds
        return every > 0 and step % every == 0

    def _make_step(self, signals: StopSignals, log: TrainingLog) -> None:
        cpu_start = time.process_time()
        with signals.interruptible():
            report = self._trainer.step()
        self._positions += report.positions
        self._training_seconds += report.seconds
        self._losses.append(report.loss)
        values = report._asdict() | {"unit": self._trainer.unit(report.step)}
        values["positions_per_second"] = report.positions / max(report.seconds, 1e-9)
        values["cpu_seconds"] = time.process_time() - cpu_start
        log.write(STEP, values)
        if self._on_step is not None:
            self._on_step(report)

    def _evaluate(self, signals: StopSignals, log: TrainingLog) -> None:
        trainer, options = self._trainer, self._options
        if not options.has_held_out or self._evaluated_step == trainer.step_count:
            return
        with signals.interruptible():
            evaluation = self._held_out_evaluation()
        self._evaluation, self._evaluated_step = evaluation, trainer.step_count
        if not log.has(EVALUATION, trainer.step_count):  # the run was killed right behind it
            log.write(EVALUATION, {"step": trainer.step_count} | evaluation.to_dict())
        if self._on_evaluation is not None:
            elapsed = time.perf_counter() - self._start
            self._on_evaluation(
                evaluation_line(trainer.config.mode, elapsed, trainer.step_count, evaluation)
            )
        if trainer.best_loss is None or evaluation.loss < trainer.best_loss:
            trainer.best_loss = evaluation.loss
            trainer.save_checkpoint(options.best)
        self._evaluated_at = time.perf_counter()

    def _sample_if_due(self, signals: StopSignals, log: TrainingLog) -> None:
        step, every = self._trainer.step_count, self._options.sample_every
        if every is None and self._options.has_held_out:
            is_due = log.has(EVALUATION, step)
        else:
            every = self._eval_every() if every is None else every
            is_due = every > 0 and step % every == 0
        if is_due:
            self._sample(signals, log)

    def _sample(self, signals: StopSignals, log: TrainingLog) -> None:
        step = self._trainer.step_count
        if self._options.sample_every == 0 or not self._can_write or log.has(SAMPLE, step):
            return
        with signals.interruptible():
            text = sample_of(self._trainer.model, self._trainer.config.seed)
        log.write(SAMPLE, {"step": step, "text": text})

    def _held_out_evaluation(self) -> HeldOutEvaluation:
        options = self._options
        if options.held_out_sequences is not None:
            return evaluate_tree(self._trainer, options.held_out_sequences)
        return self._trainer.evaluate(VALIDATION, options.eval_context, by_depth=True)

    def _eval_every(self) -> int:
        every = self._options.eval_every
        if every is None:
            return default_eval_every(self._trainer.total_steps)
        return every

    def _save_last(self) -> None:
        if self._saved_step != self._trainer.step_count:
            self._trainer.save_checkpoint(self._options.out)
            if self._options.keep > 0:
                keep_numbered(self._options.out, self._trainer.step_count, self._options.keep)
        self._saved_step = self._trainer.step_count
        self._saved_at = time.perf_counter()

    def _result(self, stopped_by: signal.Signals | None) -> RunResult:
        return RunResult(
            step=self._trainer.step_count,
            positions=self._positions,
            loss=self._losses[-1] if self._losses else None,
            mean_loss=statistics.fmean(self._losses) if self._losses else None,
            seconds=time.perf_counter() - self._start,
            cpu_seconds=time.process_time() - self._cpu_start,
            training_seconds=self._training_seconds,
            evaluation=self._evaluation,
            best_loss=self._trainer.best_loss,
            stopped_by=stopped_by,
            written=self.has_written,
        )


def default_eval_every(total_steps: int) -> int:
    """Steps between evaluations where nothing else is said: a tenth of the run."""
    return math.ceil(total_steps / EVALUATIONS_BY_DEFAULT)


def evaluation_line(mode: str, elapsed: float, step: int, evaluation: HeldOutEvaluation) -> str:
    """The line of a held-out evaluation; scripts read it by its names."""
    fields: dict[str, Any] = {
        "mode": mode,
        "t": f"{elapsed:.3f}",
        "step": step,
        "held_out_ce": f"{evaluation.loss:.4f}",
        "eval_secs": f"{evaluation.seconds:.3f}",
        "context": evaluation.context,
    }
    return "[val] " + " ".join(f"{name}={value}" for name, value in fields.items())
