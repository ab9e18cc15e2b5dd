"""What all pictures of the package share: the optional library, panels that look alike, saving."""

import importlib
import io
import os
from pathlib import Path
from typing import Any

from agpt._engine import ArgumentError
from agpt.data.extras import require_extra
from agpt.files import require_writable, write_atomically

SUFFIXES = (".png", ".svg", ".pdf")
PANEL_INCHES = (5.2, 3.8)
DOTS_PER_INCH = 150


def require_plotting(path: str | os.PathLike[str]) -> None:
    """Raises now, before long work, what `save_figure` would raise later.

    ArgumentError without matplotlib and for an unknown ending of the name, OSError for a place that
    cannot be written.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ArgumentError(f"{path} is no name for a picture: end it with {', '.join(SUFFIXES)}")
    require_writable(path)
    _figure_class()


def new_figure(titles: list[str], n_rows: int = 1) -> tuple[Any, list[Any]]:
    """A matplotlib figure and its panels, one for each title, in `n_rows` rows of equal length."""
    width, height = PANEL_INCHES
    n_columns = len(titles) // n_rows
    size = (width * n_columns, height * n_rows)
    figure = _figure_class()(figsize=size, layout="constrained")
    panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, fontsize="medium")
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def save_figure(figure: Any, path: str | os.PathLike[str]) -> None:
    """Writes the figure in the format of the file's ending, and renames it into place."""
    content = io.BytesIO()
    kind = Path(path).suffix.lower().lstrip(".")
    figure.savefig(content, format=kind, dpi=DOTS_PER_INCH)
    write_atomically(path, content.getvalue())


def _figure_class() -> Any:
    require_extra("matplotlib", "plot", "drawing a picture")
    return importlib.import_module("matplotlib.figure").Figure
