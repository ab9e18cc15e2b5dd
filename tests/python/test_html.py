"""agpt.html: escaping, scales with round ticks, what charts and pages are made of."""

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from agpt.html.charts import Series, bar_chart, line_chart
from agpt.html.elements import Markup, element, setting_text, switched, table
from agpt.html.heat_map import heat_map
from agpt.html.page import Page
from agpt.html.scales import Scale, linear_ticks, scale_of, tick_text, tick_texts
from hypothesis import given
from hypothesis import strategies as st

WICKED = "</script><b>&\"'\u2028"
VOID = {"meta", "input", "br", "line", "rect", "circle", "path"}


class Elements(HTMLParser):
    """Collects elements with their attributes and holds the nesting to account."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [a for _, a in self.found if name in (a.get("class") or "").split()]


def test_text_is_escaped_wherever_it_stands() -> None:
    content = table(
        [WICKED],
        [
            [
                WICKED,
            ],
            [element("i", WICKED, title=WICKED)],
        ],
        WICKED,
    )
    parsed = Elements(content)
    assert [tag for tag, _ in parsed.found if tag in ("script", "b")] == []
    assert ("i", {"title": WICKED}) in parsed.found
    assert "".join(parsed.text).count(WICKED) == 4


def test_markup_is_left_as_it_is() -> None:
    assert element("p", Markup("<i>x</i>"), "<", class_="a", aria_label="b", id=None) == (
        '<p class="a" aria-label="b"><i>x</i>&lt;</p>'
    )


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e9))
def test_ticks_are_round_and_lie_inside(low: float, width: float) -> None:
    high = low + width
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    ticks = linear_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    slack = 1e-6 * (high - low)
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    step = ticks[1] - ticks[0]
    leading = step / 10 ** math.floor(math.log10(step) + 1e-6)
    assert min(abs(leading - round_one) for round_one in (1, 2, 5, 10)) < 1e-2


@given(st.floats(0.01, 1e6), st.floats(1.1, 1e6), st.booleans())
def test_scales_map_their_ends_to_the_ends_and_keep_order(
    low: float, ratio: float, log: bool
) -> None:
    scale = Scale(low, low * ratio, 50, 500, log)
    assert scale(low) == pytest.approx(50)
    assert scale(low * ratio) == pytest.approx(500)
    assert 50 < scale(low * math.sqrt(ratio)) < 500


def test_scales_of_one_value_or_none_have_a_width() -> None:
    for values in ([], [3.0], [0.0], [math.nan], [math.inf]):
        for log in (False, True):
            scale = scale_of(values, 0, 1, log=log)
            assert scale.low < scale.high
            assert scale.ticks()


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (1500, "1,500"), (15000, "15k"), (2.5e6, "2.5M")]
)
def test_ticks_are_written_short(value: float, text: str) -> None:
    assert tick_text(value) == text


@given(st.floats(-1e7, 1e7), st.floats(1e-3, 1e9))
def test_the_ticks_of_a_scale_are_told_apart_in_one_unit_with_as_many_decimals(
    low: float, width: float
) -> None:
    if width < 1e-4 * abs(low):
        return
    scale = Scale(low, low + width, 0, 1)
    texts = tick_texts(scale)
    assert len(set(texts)) == len(texts)
    numbers = [text for text in texts if text != "0"]
    assert len({text.lstrip("-0123456789.,") for text in numbers}) == 1
    assert len({len(text.partition(".")[2]) for text in numbers}) == 1
    size = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}
    for text, tick in zip(texts, scale.ticks(), strict=True):
        letter = text.lstrip("-0123456789.,")
        told = float(text.removesuffix(letter).replace(",", "")) * size[letter]
        assert told == pytest.approx(tick, rel=1e-5, abs=1e-9 * width)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 3, ["0", "1", "2", "3"]),
        (1.9, 3.1, ["2.0", "2.5", "3.0"]),
        (0, 20_000, ["0", "5k", "10k", "15k", "20k"]),
        (0, 4e-5, ["0", "1e-05", "2e-05", "3e-05", "4e-05"]),
    ],
)
def test_ticks_stand_below_each_other_digit_by_digit(
    low: float, high: float, texts: list[str]
) -> None:
    assert tick_texts(Scale(low, high, 0, 1)) == texts


def test_a_list_that_repeats_is_told_by_its_runs() -> None:
    pyramid = (16, 8, 8, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2)
    assert setting_text(pyramid) == "16, 2 \u00d7 8, 4 \u00d7 4, 8 \u00d7 2"
    assert setting_text([1] * 64) == "64 \u00d7 1"
    assert setting_text([12, 4]) == "12, 4"


def test_a_line_chart_holds_its_numbers_and_a_mark_for_each() -> None:
    chart = line_chart(
        "losses",
        [Series("a", [1, 2, 3], [4.0, 3.5, math.nan], marks=True), Series("b", [2], [7.25])],
        "steps",
        "nats",
    )
    parsed = Elements(chart)
    (svg,) = [attributes for tag, attributes in parsed.found if tag == "svg"]
    plot = json.loads(svg["data-plot"] or "")
    assert plot["series"] == [
        {"name": "a", "x": [1, 2], "y": [4.0, 3.5]}, {"name": "b", "x": [2], "y": [7.25]},
    ]  # fmt: skip
    assert (plot["y"]["low"], plot["y"]["high"]) == (3.5, 7.25)
    assert len(parsed.of_class("mark")) == 2 + 1  # a line of one point is a point
    assert svg["tabindex"] == "0"
    assert "losses" in (svg["aria-label"] or "")
    assert len(parsed.of_class("swatch")) == 2


def test_values_at_or_below_0_are_left_out_of_a_logarithmic_scale() -> None:
    chart = line_chart("x", [Series("a", [1, 2, 3], [0, 10, 100])], "x", "y", log_y=True)
    (svg,) = [attributes for tag, attributes in Elements(chart).found if tag == "svg"]
    assert json.loads(svg["data-plot"] or "")["series"][0]["y"] == [10, 100]


def test_an_empty_chart_is_drawn() -> None:
    Elements(line_chart("nothing", [Series("a", [], [])], "x", "y"))


def test_the_heights_of_bars_are_in_proportion_to_the_counts() -> None:
    bars = Elements(bar_chart("h", [0.0, 1.0, 2.0, 3.0], [2, 0, 4])).of_class("mark")
    heights = [float(bar["height"] or 0) for bar in bars]
    assert heights[0] == pytest.approx(heights[2] / 2)
    assert heights[1] == 0
    assert bars[2]["data-tip"] == "4 from 2 to 3"


def test_a_heat_map_has_a_cell_for_each_pair_that_the_mask_lets_through() -> None:
    weights = np.tri(4) / np.arange(1, 5)[:, None]
    parsed = Elements(heat_map("h", weights, ["a", "b", WICKED, "long token"]))
    cells = parsed.of_class("cell")
    assert [float(c["data-v"] or 0) for c in cells] == pytest.approx(
        [weights[i, j] for i in range(4) for j in range(i + 1)], abs=1e-4
    )
    (svg,) = [attributes for tag, attributes in parsed.found if tag == "svg"]
    assert json.loads(svg["data-names"] or "") == ["a", "b", WICKED, "long token"]


def test_a_page_is_one_file_that_refers_to_nothing(tmp_path: Path) -> None:
    page = Page(WICKED, WICKED)
    page.add(WICKED, element("p", WICKED))
    page.add("Second", switched("axis", {"one": element("p", 1), "two": element("p", 2)}))
    page.write(tmp_path / "page.html")
    content = (tmp_path / "page.html").read_text(encoding="utf-8")
    parsed = Elements(content)
    assert not re.search(r"https?:|\bsrc=|url\(|@import|<link", content)
    links = [a["href"] for tag, a in parsed.found if tag == "a"]
    ids = {f"#{a['id']}" for _, a in parsed.found if a.get("id")}
    assert len(links) == 3
    assert set(links) <= ids
    labels = [a["for"] for tag, a in parsed.found if tag == "label"]
    assert {f"#{name}" for name in labels} <= ids
    assert sum(a.get("checked") is not None for _, a in parsed.found) == 1
