"""A square of shares as inline SVG: the darker a cell, the larger its value."""

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agpt.html.charts import READING_HELP
from agpt.html.elements import Markup, element

CELL = 14
FEWEST_CELLS = 12  # a text of one token is no giant cell
MOST_LETTERS = 6  # of a name beside the map; the whole name is in what is said of a cell
LETTER_WIDTH = 6.5
LEAST_SCALE = 0.8  # pixels of the screen for one of the map: below, letters cannot be read


def heat_map(label: str, values: npt.NDArray[np.float64], names: Sequence[str]) -> Markup:
    """The lower triangle of `values` (n, n), from 0 to 1; row and column i are called names[i]."""
    n, margin, size = len(names), _margin_of(names), size_of(names)
    cells = [
        element(
            "rect",
            class_="cell",
            x=margin + CELL * column,
            y=margin + CELL * row,
            data_v=f"{values[row, column]:.4f}",
            fill_opacity=f"{values[row, column]:.3f}",
        )
        for row in range(n)
        for column in range(row + 1)
    ]
    edges = [margin + CELL * i for i in range(n + 1)]
    masked = f"M{edges[min(1, n)]} {margin}" + "".join(
        f"H{edges[i + 1]}V{edges[i]}" for i in reversed(range(n))
    )
    return element(
        "svg",
        element("path", class_="masked", d=masked + "Z"),
        *cells,
        element("g", *_names(names, margin), class_="axis"),
        class_="chart heat",
        style=f"min-width:{round(LEAST_SCALE * size)}px",
        viewBox=f"0 0 {size} {size}",
        tabindex="0",
        role="group",
        aria_roledescription="heat map",
        aria_label=f"{label}. {READING_HELP}",
        data_names=json.dumps(list(names), ensure_ascii=False),
    )


def size_of(names: Sequence[str]) -> float:
    """The width and the height of a map in its own units, of which a cell has 14."""
    return _margin_of(names) + CELL * max(len(names), FEWEST_CELLS)


def color_scale(what: str) -> Markup:
    """The legend of all maps: which color is which share, and what is shaded."""
    shades = [element("span", class_="shade", style=f"opacity:{i / 10}") for i in range(11)]
    ramp = element("span", *shades, class_="ramp", aria_hidden="true")
    masked = element("span", class_="masked-shade", aria_hidden="true")
    return element("p", "0 ", ramp, f" 1: {what}; ", masked, " masked", class_="key")


def _margin_of(names: Sequence[str]) -> float:
    return 8 + LETTER_WIDTH * min(MOST_LETTERS, max(len(name) for name in names))


def _names(names: Sequence[str], margin: float) -> list[Markup]:
    """The tokens at the left and on top; on top they are turned where one is longer than one."""
    upright = max(len(name) for name in names) > 1
    texts = []
    for i, name in enumerate(names):
        short, middle = name[:MOST_LETTERS], margin + CELL * (i + 0.75)
        texts.append(element("text", short, x=margin - 4, y=middle, text_anchor="end"))
        turned = f"rotate(-90 {middle:g} {margin - 4:g})" if upright else None
        x, anchor = (middle, "start") if upright else (middle - CELL / 4, "middle")
        texts.append(
            element("text", short, x=x, y=margin - 4, text_anchor=anchor, transform=turned)
        )
    return texts
