"""Documents made of running text: pieces of equal length that overlap."""

import dataclasses
from collections.abc import Iterable, Iterator

from agpt._engine import ArgumentError, FormatError


@dataclasses.dataclass(frozen=True)
class Chunks:
    """How a text is cut: pieces of `size` characters, of which each repeats the end of the last.

    Runs of white space, line ends included, become one space before, and none is left at either
    end of the text.
    """

    size: int = 128
    overlap: int | None = None
    """Characters that two neighbours share; None is half of `size`."""

    def __post_init__(self) -> None:
        """Raises ArgumentError for a size below 1 and an overlap below 0."""
        if self.size < 1:
            raise ArgumentError(f"chunk_size is {self.size}, but must be at least 1")
        if self.overlap is not None and self.overlap < 0:
            raise ArgumentError(f"chunk_overlap is {self.overlap}, but must be at least 0")

    @property
    def step(self) -> int:
        """Characters between the beginnings of two neighbours, at least 1."""
        overlap = self.size // 2 if self.overlap is None else self.overlap
        return max(1, self.size - overlap)

    def of(self, pieces: Iterable[str]) -> Iterator[str]:
        """The chunks of a text that comes in pieces; the rest that fills none is left out."""
        text = " ".join("".join(pieces).split())
        if len(text) < self.size:
            raise FormatError(
                f"the text has {len(text)} characters with its white space collapsed, fewer than "
                f"one chunk of {self.size}: choose a smaller chunk size"
            )
        for begin in range(0, len(text) - self.size + 1, self.step):
            yield text[begin : begin + self.size]
