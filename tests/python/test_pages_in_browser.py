"""The pages in a real browser, offline: nothing is loaded, values on hover and by keyboard, both
palettes readable, no page wider than a phone.

Needs the extra `browser` and Chromium: the one of `playwright install chromium`, or one on the
path, or the program that AGPT_CHROMIUM names.
"""

import dataclasses
import html
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import Corpus, Model, ModelConfig, TrainConfig, Trainer, TrieIndex
from agpt.inspection.attention import TextAttention, attention_of
from agpt.inspection.forward_trace import trace_of
from agpt.inspection.pages import attention_page, tensor_page, trace_page
from agpt.inspection.tensors import tensor_histogram
from agpt.inspection.tokens import read_text
from agpt.run_comparison import comparison_page
from agpt.run_files import log_path_of
from agpt.training_log import EVALUATION, STEP, read_log
from agpt.training_report import read_run, report_page
from agpt.training_run import RunOptions, TrainingRun
from conftest import make_text

pytestmark = pytest.mark.browser

PHONE, DESK = 360, 1200
PAGES = ("report", "comparison", "inspect", "trace", "explain")
LEAST_CONTRAST = 4.5  # WCAG 2.2, AA

# Of every element that has text of its own: its contrast against the nearest background, by the
# formula of WCAG.
CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const background = (e) => {
    for (; e; e = e.parentElement) {
      const color = channels(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .filter((e) => !["SCRIPT", "STYLE"].includes(e.tagName))
    .map((e) => {
      const style = getComputedStyle(e);
      const ink = luminance(channels(e instanceof SVGElement ? style.fill : style.color));
      const paper = luminance(background(e));
      const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      return [ratio, e.textContent.slice(0, 40)];
    });
}"""


def chromium_of(playwright: Any) -> str:
    """The program to use; skips where there is none."""
    own = playwright.chromium.executable_path
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = [os.environ.get("AGPT_CHROMIUM"), own, *map(shutil.which, names)]
    for program in found:
        if program and Path(program).is_file():
            return str(program)
    pytest.skip("no Chromium: run `playwright install chromium`, or install the system's chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    module = "playwright.sync_api"
    api = pytest.importorskip(module, reason="pip install '.[browser]' brings playwright")
    with api.sync_playwright() as playwright:
        # Containers have no user namespaces for Chromium's sandbox; the pages are ours.
        launched = playwright.chromium.launch(
            executable_path=chromium_of(playwright), args=["--no-sandbox"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def index() -> TrieIndex:
    return TrieIndex.build(Corpus.from_text(make_text()), depth=6, val_fraction=0.1)


@pytest.fixture(scope="module")
def model(index: TrieIndex) -> Model:
    config = ModelConfig(index.vocab_size, context=6, d_model=16, n_layers=2, heads=[4, 12])
    return Model(config, 1, vocabulary=index.vocabulary)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, index: TrieIndex, model: Model) -> Path:
    """The pages of one small model."""
    folder = tmp_path_factory.mktemp("pages")
    out = folder / "model.safetensors"
    trainer = Trainer(model, index, TrainConfig(positions_per_step=200, steps=12, threads=1))
    TrainingRun(trainer, RunOptions(out, eval_every=4)).run()
    text = read_text(model, "the ca")
    run = read_run(out)
    others = [dataclasses.replace(run, name=f"run {n}") for n in range(8)]
    comparison_page(others).write(folder / "comparison.html")
    report_page(run).write(folder / "report.html")
    tensor_page(model, out.name).write(folder / "inspect.html")
    trace_page(model, out.name, text, trace_of(model, text)).write(folder / "trace.html")
    attention_page(out.name, attention_of(model, text)).write(folder / "explain.html")
    return folder


@pytest.fixture
def open_page(browser: Any, folder: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page without a network; whatever it asks for or complains of fails the test."""
    contexts: list[Any] = []
    troubles: list[str] = []

    def open_one(name: str, width: int = DESK, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        url = (folder / f"{name}.html").as_uri()
        page.on("request", lambda asked: asked.url == url or troubles.append(asked.url))
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert troubles == []


def shown(value: float) -> float:
    """A number as the page shows it: the chart holds six digits, five are told."""
    return float(f"{float(f'{value:.6g}'):.5g}")


def tip_of(page: Any) -> str:
    assert page.locator("#tip").is_visible()
    return str(page.locator("#tip").text_content())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_offline_and_asks_for_nothing(
    open_page: Callable[..., Any], name: str
) -> None:
    page = open_page(name)
    assert page.locator("h1").is_visible()
    assert page.locator("section h2").count() >= 2
    for chart in page.locator("svg.chart").all():
        assert chart.get_attribute("aria-label")
        assert chart.get_attribute("tabindex") == "0"
    for link in page.locator("nav a").all():
        link.click()
        assert page.locator(page.evaluate("location.hash")).count() == 1


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_no_wider_than_a_phone(open_page: Callable[..., Any], name: str) -> None:
    page = open_page(name, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    for text in page.locator("svg.lines:visible text").all()[:20]:
        assert text.bounding_box()["height"] >= 9


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_can_be_read_in_both_palettes(
    open_page: Callable[..., Any], name: str, scheme: str
) -> None:
    page = open_page(name, scheme=scheme)
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    assert is_dark == (scheme == "dark")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [told for told in contrasts if told[0] < LEAST_CONTRAST] == []


def test_the_held_out_losses_are_marks_with_their_values(
    open_page: Callable[..., Any], folder: Path
) -> None:
    log = read_log(log_path_of(folder / "model.safetensors"))
    evaluations = [event for event in log if event["event"] == EVALUATION]
    page = open_page("report")
    chart = page.locator("svg.lines:visible").first
    marks = chart.locator("[data-series='held out'] .mark").all()
    assert len(marks) == len(evaluations) == 4
    for mark, event in zip(marks, evaluations, strict=True):
        mark.hover()
        told = tip_of(page).splitlines()
        assert told[0] == f"steps {event['step']}"
        assert told[-1] == f"held out  {shown(event['loss'])}"
    heights = [mark.bounding_box()["y"] for mark in marks]
    losses = [event["loss"] for event in evaluations]
    assert np.argsort(heights).tolist() == np.argsort([-loss for loss in losses]).tolist()
    page.locator("h1").hover()
    assert not page.locator("#tip").is_visible()


def test_values_are_read_and_axes_changed_by_keyboard(
    open_page: Callable[..., Any], folder: Path
) -> None:
    log = read_log(log_path_of(folder / "model.safetensors"))
    steps = [event for event in log if event["event"] == STEP]
    page = open_page("report")
    page.locator("svg.lines:visible").first.focus()
    page.keyboard.press("End")
    assert tip_of(page).startswith("steps 12\n")
    page.keyboard.press("ArrowLeft")
    told = tip_of(page).splitlines()
    assert told[:2] == ["steps 11", f"training  {shown(steps[-2]['loss'])}"]
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()
    page.locator("#against-0").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#against-1").is_checked()
    chart = page.locator("svg.lines:visible").first
    assert "positions" in chart.get_attribute("aria-label")
    chart.focus()
    page.keyboard.press("End")
    total = sum(event["positions"] for event in steps)
    assert tip_of(page).splitlines()[0] == f"positions {total:,}"


def test_samples_unfold_and_stand_there_as_they_were_written(
    open_page: Callable[..., Any], folder: Path
) -> None:
    samples = [e for e in read_log(log_path_of(folder / "model.safetensors")) if "text" in e]
    page = open_page("report")
    section = page.locator("section", has=page.locator("h2", has_text="Samples"))
    shown = section.locator("pre").all()
    assert [pre.text_content() for pre in shown] == [event["text"] for event in samples]
    assert not shown[0].is_visible()
    section.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert shown[0].is_visible()


def test_cells_of_the_heat_maps_tell_the_weights(
    open_page: Callable[..., Any], model: Model
) -> None:
    attention: TextAttention = attention_of(model, read_text(model, "the ca"))
    page = open_page("explain")
    maps = page.locator("svg.heat").all()
    assert len(maps) == len(attention.heads) == 4
    for drawn, head in zip(maps, attention.heads, strict=True):
        cells = drawn.locator(".cell").all()
        assert len(cells) == 21
        for number, (i, j) in ((0, (0, 0)), (4, (2, 1)), (18, (5, 3))):
            cells[number].hover()
            names = attention.text.names
            expected = f"{names[i]} ({i + 1}) reads {names[j]} ({j + 1})  {head.weights[i, j]:.4f}"
            assert tip_of(page) == expected
            opacity = float(cells[number].get_attribute("fill-opacity"))
            assert opacity == pytest.approx(head.weights[i, j], abs=1e-3)
    maps[0].focus()
    for key in ("ArrowLeft",) * 20:
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")
    assert tip_of(page).startswith("h (2) reads t (1)")


def test_bars_of_the_histograms_tell_their_counts(
    open_page: Callable[..., Any], model: Model
) -> None:
    page = open_page("inspect")
    charts = page.locator("svg.bars").all()
    assert len(charts) == len(model.parameters())
    counts, _ = tensor_histogram(model.parameters()["embedding.weight"])
    bars = charts[0].locator(".mark").all()
    told = [
        int(re.match(r"[\d,]+", bar.get_attribute("data-tip"))[0].replace(",", "")) for bar in bars
    ]
    assert told == counts
    tallest = int(np.argmax(counts))
    bars[tallest].hover()
    assert tip_of(page) == html.unescape(bars[tallest].get_attribute("data-tip"))
