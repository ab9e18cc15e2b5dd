"""The files of a training run, by the name of its last checkpoint: best, numbered, log."""

import contextlib
import os
import re
import secrets
from pathlib import Path

from agpt.files import PARTIAL

BEST = ".best"
NUMBERED = re.compile(r"\.step(\d+)$")
DIGITS = 6  # so that file names sort up to a million steps


def best_path_of(last: Path) -> Path:
    """The checkpoint with the least held-out loss: model.best.safetensors."""
    return last.with_name(f"{last.stem}{BEST}{last.suffix}")


def numbered_path_of(last: Path, step: int) -> Path:
    """The checkpoint that is kept of one step: model.step000500.safetensors."""
    return last.with_name(f"{last.stem}.step{step:0{DIGITS}d}{last.suffix}")


def log_path_of(last: Path) -> Path:
    """The log of the run: model.log.jsonl."""
    return last.with_suffix(".log.jsonl")


def last_path_of(checkpoint: Path) -> Path:
    """The last checkpoint of the run that wrote `checkpoint`, be it the best or a numbered one."""
    stem = NUMBERED.sub("", checkpoint.stem.removesuffix(BEST))
    return checkpoint.with_name(stem + checkpoint.suffix)


def numbered_checkpoints(last: Path) -> list[tuple[int, Path]]:
    """Step and path of the run's numbered checkpoints, in the order of their steps."""
    found = []
    for path in last.parent.iterdir() if last.parent.is_dir() else ():
        number = NUMBERED.search(path.stem)
        if number is not None and path.suffix == last.suffix and last_path_of(path) == last:
            found.append((int(number[1]), path))
    return sorted(found)


def resumable_checkpoint(named: Path) -> Path:
    """What to resume where `named` was asked for: itself, or else its newest numbered one."""
    if named.exists():
        return named
    numbered = numbered_checkpoints(named)
    return numbered[-1][1] if numbered else named


def keep_numbered(last: Path, step: int, n_kept: int) -> None:
    """Keeps the last checkpoint under the number of its step too, and removes older numbers.

    The `n_kept` newest stay. Numbers beyond `step` are of an earlier run, or of steps that are
    being made again: they go, too, so that the newest number is always the newest state.
    """
    _link(last, numbered_path_of(last, step))
    numbered = numbered_checkpoints(last)
    kept = {number for number, _ in numbered if number <= step}
    kept = set(sorted(kept)[-n_kept:])
    for number, path in numbered:
        if number not in kept:
            path.unlink(missing_ok=True)


def remove_partial(last: Path) -> None:
    """Removes what a run of this name that was killed while it wrote has left half written."""
    for path in last.parent.glob(f".*{PARTIAL}"):
        written = path.with_name(path.name[1:].removesuffix(path.suffix).rpartition(".")[0])
        if written == log_path_of(last) or last_path_of(written) == last:
            path.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    """Gives a file a second name in one go; a copy where the file system knows no links."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            temporary.write_bytes(source.read_bytes())
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # also where both names were of the same file already
