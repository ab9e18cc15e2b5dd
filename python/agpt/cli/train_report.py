"""What agpt-train says at the beginning and the end of a run."""

import dataclasses
from typing import Any

from agpt import SequenceTrie, Trainer
from agpt.run_files import log_path_of
from agpt.training_run import RunOptions, RunResult


def first_line(trainer: Trainer) -> str:
    """What is said at the beginning of a run."""
    line = (
        f"{trainer.model.n_parameters:,} parameters, {trainer.backend_description}, "
        f"{trainer.pass_positions:,} positions a pass, {trainer.total_steps} steps, "
        f"mode {trainer.config.mode}"
    )
    if not isinstance(trainer.data, SequenceTrie):
        return line
    tree = trainer.data
    return (
        f"{line}, {tree.n_sequences:,} sequences: {tree.n_rows:,} rows for {tree.n_flat_rows:,}, "
        f"{tree.sharing_ratio:.2f} times less"
    )


def stop_message(options: RunOptions, result: RunResult) -> str:
    """What is said of a run that a signal stopped."""
    assert result.stopped_by is not None
    stopped = f"stopped by {result.stopped_by.name} after step {result.step}"
    if not result.written:
        return f"{stopped}: no step was done, nothing was written"
    return f"{stopped}: continue with --resume {options.out}"


def result_values(trainer: Trainer, options: RunOptions, result: RunResult) -> dict[str, Any]:
    """The fields of --json."""
    evaluation = result.evaluation
    return {
        "model": str(options.out),
        "best_model": str(options.best) if result.best_loss is not None else None,
        "log": str(log_path_of(options.out)),
        "mode": trainer.config.mode,
        "backend": trainer.backend_description,
        "n_parameters": trainer.model.n_parameters,
        "context": trainer.model.config.context,
        "step": result.step,
        "total_steps": trainer.total_steps,
        "positions": result.positions,
        "loss": result.loss,
        "mean_loss": result.mean_loss,
        "evaluation": None if evaluation is None else evaluation.to_dict(),
        "best_loss": result.best_loss,
        "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds,
        "training_seconds": result.training_seconds,
        "positions_per_second": result.positions_per_second,
        "stopped_by": None if result.stopped_by is None else result.stopped_by.name,
        "config": dataclasses.asdict(trainer.config),
    }


def result_text(trainer: Trainer, options: RunOptions, result: RunResult) -> str:
    """What is printed without --json."""
    lines = [
        f"{options.out}: step {result.step} of {trainer.total_steps}, {result.positions:,} "
        f"positions in {result.seconds:.1f} s ({result.cpu_seconds:.1f} CPU s, "
        f"{result.positions_per_second:,.0f} positions/s)"
    ]
    if result.evaluation is not None:
        lines.append(str(result.evaluation))
    if result.best_loss is not None:
        lines.append(f"{options.best}: best held-out loss {result.best_loss:.4f}")
    return "\n".join(lines)


def result_record(
    name: str | None, trainer: Trainer, options: RunOptions, result: RunResult
) -> dict[str, Any]:
    """The line of a table of results; `name` is what to call the run, by default its spec."""
    config, evaluation = trainer.model.config, result.evaluation
    return {
        "id": config.spec if name is None else name,
        "params": trainer.model.n_parameters,
        "steps": result.step,
        "final_loss": result.mean_loss,
        "held_out_loss": None if evaluation is None else evaluation.loss,
        "mode": trainer.config.mode,
        "context": trainer.context,
        "positions": result.positions,
        "seconds": result.training_seconds,
        "lr": trainer.config.lr,
        "seed": trainer.config.seed,
        "dtype": trainer.model.dtype,
        "model": str(options.out),
    }
