"""The log of a training run: one JSON object a line, beside the model."""

import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from agpt.files import write_atomically

Event = dict[str, Any]

START, STEP, EVALUATION, SAMPLE, STOPPED = "start", "step", "evaluation", "sample", "stopped"


class TrainingLog:
    """Appends lines; each is on its way to the disk before the next step begins."""

    def __init__(self, path: Path, first_step: int) -> None:
        """Keeps the lines up to `first_step` of an earlier run, none for 0."""
        earlier = read_log(path) if first_step > 0 else []
        kept = [event for event in earlier if event["step"] <= first_step]
        self._written = {(event["event"], event["step"]) for event in kept}
        write_atomically(path, "".join(_line(event) for event in kept).encode())
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
        """Adds a line; `values` has the step."""
        self._file.write(_line({"event": event} | values))
        self._written.add((event, values["step"]))

    def has(self, event: str, step: int) -> bool:
        """Whether the log has that line of that step."""
        return (event, step) in self._written

    @property
    def has_start(self) -> bool:
        """Whether the log says how its run began."""
        return any(event == START for event, _ in self._written)


def read_log(path: Path) -> list[Event]:
    """The lines of a log, none where there is no file; a line that a kill cut off is left out."""
    events = []
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(json.JSONDecodeError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("step"), int):
                    events.append(event)
    return events


def _line(event: Event) -> str:
    return json.dumps(event) + "\n"
