"""Charts as inline SVG: lines and points over two scales, bars, each with values on hover."""

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from agpt.html.elements import Markup, element, joined
from agpt.html.scales import Scale, scale_of, tick_texts
from agpt.number_texts import number_text

WIDTH, HEIGHT = 560, 300
LEAST_LEFT, RIGHT, TOP, BOTTOM = 42, 24, 32, 44
DIGIT_WIDTH = 9.5  # of the letters that phones get
COLORS = 8
READING_HELP = "Arrow keys read the values."


@dataclasses.dataclass(frozen=True)
class Series:
    """Values of y at values of x; `marks` draws a point at each, `faint` stays in the background.

    `color` is one of 0 to 7, the place among the series unless given. Points that are not finite,
    and on a logarithmic scale those that are not above 0, are left out.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    marks: bool = False
    faint: bool = False
    color: int | None = None


def line_chart(
    label: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    legend: bool = False,
) -> Markup:
    """A chart, with a legend where it has several series or `legend`.

    `label` says to those who do not see it what it is.
    """
    series = [_drawable(one, log_x, log_y) for one in series]
    y = scale_of([v for one in series for v in one.y], HEIGHT - BOTTOM, TOP, log=log_y)
    x = scale_of([v for one in series for v in one.x], _left_of(y), WIDTH - RIGHT, log=log_x)
    plot = {
        "x": dataclasses.asdict(x) | {"label": x_label},
        "y": dataclasses.asdict(y) | {"label": y_label},
        "series": [{"name": s.name, "x": _short(s.x), "y": _short(s.y)} for s in series],
    }
    drawing = element(
        "svg",
        *_axes(x, y, x_label, y_label),
        *(_drawn(one, number, x, y) for number, one in enumerate(series)),
        element("line", class_="cursor", x1=0, x2=0, y1=TOP, y2=HEIGHT - BOTTOM),
        class_="chart lines",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        tabindex="0",
        role="group",
        aria_roledescription="chart",
        aria_label=f"{label}. {READING_HELP}",
        data_plot=json.dumps(plot, separators=(",", ":")),
    )
    return joined((_legend(series) if legend or len(series) > 1 else "", drawing))


def bar_chart(
    label: str, edges: Sequence[float], counts: Sequence[int], *, small: bool = False
) -> Markup:
    """A histogram: counts[i] values lie from edges[i] to edges[i + 1]; `small` is without axes."""
    width, height = (168, 36) if small else (WIDTH, HEIGHT)
    bottom = height if small else height - BOTTOM
    y = scale_of(counts, bottom, 1 if small else TOP, zero=True)
    x = Scale(edges[0], edges[-1], *((0, width) if small else (_left_of(y), width - RIGHT)))
    bars = [
        element(
            "rect",
            class_="mark s0",
            x=round(x(low), 2),
            width=round(max(0.5, x(high) - x(low) - 0.6), 2),
            y=round(y(count), 2),
            height=round(bottom - y(count), 2),
            data_tip=f"{count:,} from {number_text(low)} to {number_text(high)}",
        )
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return element(
        "svg",
        *([] if small else _axes(x, y, "value", "count")),
        *bars,
        class_="chart bars" + (" small" if small else ""),
        viewBox=f"0 0 {width} {height}",
        tabindex="0",
        role="group",
        aria_roledescription="chart",
        aria_label=f"{label}. {READING_HELP}",
    )


def _drawable(series: Series, log_x: bool, log_y: bool) -> Series:
    kept = [
        (x, y)
        for x, y in zip(series.x, series.y, strict=True)
        if math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y)
    ]
    return dataclasses.replace(series, x=[x for x, _ in kept], y=[y for _, y in kept])


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _drawn(series: Series, number: int, x: Scale, y: Scale) -> Markup:
    points = [(round(x(a), 2), round(y(b), 2)) for a, b in zip(series.x, series.y, strict=True)]
    kind = _kind(series, number)
    path = "M" + "L".join(f"{px:g} {py:g}" for px, py in points) if points else ""
    parts: list[Any] = [element("path", class_=f"line {kind}", d=path)]
    if series.marks or len(points) == 1:  # a line needs two
        parts += [element("circle", class_=f"mark {kind}", cx=px, cy=py, r=3) for px, py in points]
    parts.append(element("circle", class_=f"spot {kind}", r=4.5))
    return element("g", *parts, data_series=series.name)


def _kind(series: Series, number: int) -> str:
    color = f"s{(number if series.color is None else series.color) % COLORS}"
    return f"{color} faint" if series.faint else color


def _left_of(y: Scale) -> float:
    """Where a chart begins so that the numbers at its left find room."""
    return max(LEAST_LEFT, 10 + DIGIT_WIDTH * max(map(len, tick_texts(y)), default=0))


def _axes(x: Scale, y: Scale, x_label: str, y_label: str) -> list[Markup]:
    grid = [
        element("line", x1=x.start, x2=x.end, y1=y(tick), y2=y(tick)) for tick in y.ticks()
    ]  # fmt: skip
    numbers = [
        *(element("text", text, x=x.start - 8, y=y(tick) + 4, text_anchor="end")
          for tick, text in zip(y.ticks(), tick_texts(y), strict=True)),
        *(element("text", text, x=x(tick), y=y.start + 18, text_anchor="middle")
          for tick, text in zip(x.ticks(), tick_texts(x), strict=True)),
    ]  # fmt: skip
    names = [
        element("text", x_label, class_="name", x=x.end, y=y.start + 37, text_anchor="end"),
        element("text", y_label, class_="name", x=2, y=13),
    ]
    return [element("g", *grid, class_="grid"), element("g", *numbers, *names, class_="axis")]


def _legend(series: Sequence[Series]) -> Markup:
    entries = (
        element("li", element("span", class_=f"swatch {_kind(s, i)}"), s.name)
        for i, s in enumerate(series)
    )
    return element("ul", *entries, class_="legend")
