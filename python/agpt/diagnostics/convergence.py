"""Whether two halves of a text agree about their common paths, and how the agreement ends."""

import dataclasses
import math
import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from agpt import _engine
from agpt._engine import ArgumentError
from agpt.files import atomic_file

CSV_COLUMNS = (
    "depth", "log_pi_a", "log_pi_b", "log_pi_mean", "log_abs_err",
    "count_a", "count_b", "log_pi_min", "path",
)  # fmt: skip
CSV_ROWS_AT_ONCE = 10_000
COVERED_ERROR = 0.10
"""An error that counts as agreement, in nats."""


@dataclasses.dataclass(frozen=True)
class DepthAgreement:
    """How well two texts agree about the shared paths of one depth."""

    depth: int
    n_paths: int
    median_error: float
    """Of |log p_a - log p_b| in nats: element n // 2 of the sorted errors."""
    p90_error: float
    """Element 9 n // 10 of the sorted errors."""
    spearman: float
    """Rank correlation of log p_a and log p_b; NaN where one is constant."""
    coverage: float
    """Share of the paths' mean probability on paths with an error of at most COVERED_ERROR."""
    within_noise: float
    """Share of paths whose counts differ by at most two standard errors of independent draws.

    That is |log(count_a / n_a) - log(count_b / n_b)| <= 2 sqrt(1 / count_a + 1 / count_b), whatever
    the probabilities were made of.
    """


@dataclasses.dataclass(frozen=True)
class SharedPaths:
    """The paths that are common in two texts of bytes, depth first; one element for each.

    The logarithms are natural; what a probability is stands at `compare_texts`.
    """

    text_a: bytes
    text_b: bytes
    depth: npt.NDArray[np.uint8]
    start: npt.NDArray[np.uint32]
    """Where the path stands in `text_a`."""
    count_a: npt.NDArray[np.uint32]
    count_b: npt.NDArray[np.uint32]
    log_p_a: npt.NDArray[np.float64]
    log_p_b: npt.NDArray[np.float64]
    log_p_min: npt.NDArray[np.float64]
    """The smallest factor of the path's probability in either text."""

    def path(self, i: int) -> bytes:
        """The bytes of path number `i`."""
        start = int(self.start[i])
        return self.text_a[start : start + int(self.depth[i])]

    @property
    def log_p_mean(self) -> npt.NDArray[np.float64]:
        """Logarithm of the mean of the two probabilities."""
        return np.logaddexp(self.log_p_a, self.log_p_b) - math.log(2)

    @property
    def log_error(self) -> npt.NDArray[np.float64]:
        """|log p_a - log p_b|."""
        return np.abs(self.log_p_a - self.log_p_b)

    def by_depth(self) -> list[DepthAgreement]:
        """One summary for each depth that has a shared path."""
        error, mean, within = self.log_error, self.log_p_mean, self._within_noise()
        agreements = []
        for depth in np.unique(self.depth):
            at = np.flatnonzero(self.depth == depth)
            errors = np.sort(error[at])
            weight = np.exp(mean[at] - mean[at].max())
            agreements.append(
                DepthAgreement(
                    depth=int(depth),
                    n_paths=int(at.size),
                    median_error=float(errors[at.size // 2]),
                    p90_error=float(errors[9 * at.size // 10]),
                    spearman=rank_correlation(self.log_p_a[at], self.log_p_b[at]),
                    coverage=float(weight[error[at] <= COVERED_ERROR].sum() / weight.sum()),
                    within_noise=float(within[at].mean()),
                )
            )
        return agreements

    def _within_noise(self) -> npt.NDArray[np.bool_]:
        a, b = self.count_a.astype(np.float64), self.count_b.astype(np.float64)
        difference = np.log(a / len(self.text_a)) - np.log(b / len(self.text_b))
        within: npt.NDArray[np.bool_] = np.abs(difference) <= 2 * np.sqrt(1 / a + 1 / b)
        return within

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes a row for each path, with the columns CSV_COLUMNS; renamed into place.

        Bytes of a path outside printable ASCII, and backslashes, are escaped as in Python.
        """
        with atomic_file(path) as file:
            self._write_rows(file)

    def _write_rows(self, file: BinaryIO) -> None:
        columns = (
            self.depth, self.log_p_a, self.log_p_b, self.log_p_mean, self.log_error,
            self.count_a, self.count_b, self.log_p_min, self.start,
        )  # fmt: skip
        text = self.text_a.decode("latin-1")  # one character a byte
        file.write((",".join(CSV_COLUMNS) + "\n").encode())
        for begin in range(0, self.depth.size, CSV_ROWS_AT_ONCE):
            rows = zip(
                *(c[begin : begin + CSV_ROWS_AT_ONCE].tolist() for c in columns), strict=True
            )
            lines = [
                f"{depth},{a:.9g},{b:.9g},{mean:.9g},{error:.9g},{count_a},{count_b},"
                f'{least:.9g},"{text[start : start + depth].translate(_ESCAPES)}"\n'
                for depth, a, b, mean, error, count_a, count_b, least, start in rows
            ]
            file.write("".join(lines).encode())


def _escaped(byte: int) -> str:
    named = {0x22: '""', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}
    return named.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")


_ESCAPES = {byte: _escaped(byte) for byte in range(256)}


def rank_correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Spearman's: the correlation of ranks, ties with their mean rank; NaN if one is constant."""
    rank_a, rank_b = _ranks(a), _ranks(b)
    with np.errstate(invalid="ignore", divide="ignore"):
        rank_a, rank_b = rank_a - rank_a.mean(), rank_b - rank_b.mean()
        return float((rank_a @ rank_b) / np.sqrt((rank_a @ rank_a) * (rank_b @ rank_b)))


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank: npt.NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return mean_rank[inverse]


def compare_texts(
    a: bytes, b: bytes, *, depth: int = 4, min_count: int = 5, reference_bug: bool = False
) -> SharedPaths:
    """The paths of up to `depth` bytes that occur `min_count` times in each of two texts.

    A text gives a path the product over its bytes x of (n + e) / (N + 256 e): N is how often the
    path before x occurs (the empty path as often as there are bytes), n how often with x behind
    it, e = 1e-6. `reference_bug` takes for n how often x stands one place further on, as the
    reference does: its published figures are made of these. ArgumentError for an empty text or a
    setting out of range.
    """
    paths = _engine.shared_paths(
        a, b, depth=depth, min_count=min_count, reference_bug=reference_bug
    )
    return SharedPaths(a, b, **paths)


def compare_halves(text: bytes, *, n_blocks: int = 20, **settings: Any) -> SharedPaths:
    """Compares the `interleaved_halves` of a text, with the settings of `compare_texts`."""
    return compare_texts(*interleaved_halves(text, n_blocks), **settings)


def interleaved_halves(text: bytes, n_blocks: int) -> tuple[bytes, bytes]:
    """Cuts a text into equal blocks, the last with the remainder; joins the even and the odd ones.

    ArgumentError unless each block has a byte and each half a block.
    """
    if not 2 <= n_blocks <= len(text):
        raise ArgumentError(
            f"{n_blocks} blocks of {len(text)} bytes cannot make two halves: "
            "choose from 2 to as many as there are bytes"
        )
    size = len(text) // n_blocks
    ends = [*range(size, size * n_blocks, size), len(text)]
    blocks = [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    return b"".join(blocks[::2]), b"".join(blocks[1::2])
