"""The log of a training run: one JSON object a line, beside the model."""

import contextlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from agpt.files import write_atomically


def log_path_of(model_path: str | os.PathLike[str]) -> Path:
    """Where the log of a model stands: model.safetensors has model.log.jsonl."""
    return Path(model_path).with_suffix(".log.jsonl")


class TrainingLog:
    """Appends lines; each is on its way to the disk before the next step begins."""

    def __init__(self, path: Path, first_step: int) -> None:
        """Keeps the lines up to `first_step` of an earlier run, none for 0."""
        kept = _lines_up_to(path, first_step) if first_step > 0 else []
        write_atomically(path, "".join(kept).encode())
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def __enter__(self) -> "TrainingLog":
        """Nothing to do: the file is open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self._file.close()

    def write(self, event: str, values: dict[str, Any]) -> None:
        """Adds a line."""
        self._file.write(json.dumps({"event": event} | values) + "\n")


def _lines_up_to(path: Path, step: int) -> list[str]:
    """The whole lines of a log that a resumed run does not write again."""
    kept = []
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(json.JSONDecodeError, AttributeError, TypeError):
                if line.endswith("\n") and json.loads(line).get("step", 0) <= step:
                    kept.append(line)
    return kept
