"""The pages of the looking glass: tensors of a model, a forward pass, attention on a text."""

import math
from collections.abc import Sequence

from agpt._engine import ArgumentError
from agpt.html.charts import Series, bar_chart, line_chart
from agpt.html.elements import Markup, element, figure, joined, settings, share_bar, table
from agpt.html.heat_map import LEAST_SCALE, color_scale, heat_map, size_of
from agpt.html.page import Page
from agpt.inspection.attention import HeadAttention, TextAttention
from agpt.inspection.forward_trace import ForwardTrace
from agpt.inspection.tensors import (
    TensorSummary,
    parameters_by_part,
    tensor_histogram,
    tensor_summaries,
)
from agpt.inspection.tokens import ReadText
from agpt.model import Model
from agpt.number_texts import counted

LEAST_MAP = 208  # pixels
MOST_CELLS = 100_000  # about 8 MB


def shape_text(shape: tuple[int, ...]) -> str:
    """Rows and columns."""
    return " \u00d7 ".join(map(str, shape))


def tensor_page(model: Model, name: str) -> Page:
    """Architecture and tensors, each with the histogram of its numbers."""
    summaries = tensor_summaries(model)
    parameters = model.parameters()
    page = Page(
        f"Tensors of {name}",
        f"{model.config.spec}: {model.n_parameters:,} parameters of {model.dtype} in "
        f"{len(summaries)} tensors.",
    )
    page.add("Architecture", settings(model.config.to_dict()))
    page.add("Where the parameters are", _parts_table(summaries))
    rows = []
    for s in summaries:
        counts, edges = tensor_histogram(parameters[s.name])
        histogram = bar_chart(f"histogram of {s.name}", edges, counts, small=True)
        figures = (s.count, s.min, s.max, s.mean, s.std, histogram)
        rows.append((_explained(s.name, s.role), shape_text(s.shape), *figures))
    head = ("tensor", "shape", "count", "min", "max", "mean", "std", "values")
    page.add("Tensors", table(head, rows, "Every tensor, in the order of the model"))
    return page


def _parts_table(summaries: Sequence[TensorSummary]) -> Markup:
    parts = parameters_by_part(summaries)
    whole = sum(parts.values())
    rows = [
        (part, n, joined((share_bar(n / whole), f" {n / whole:.1%}"))) for part, n in parts.items()
    ]
    return table(("part", "parameters", "share"), rows)


def _explained(name: str, meaning: str) -> Markup:
    """The name of a tensor or a stage, and below it what it is."""
    return joined((element("span", name, class_="token"), element("span", meaning, class_="about")))


def _text_line(text: ReadText) -> Markup:
    return joined((f"{counted(len(text.tokens), 'token')}: ", element("span", " ".join(text.names),
                                                           class_="token")))  # fmt: skip


def trace_page(model: Model, name: str, text: ReadText, trace: ForwardTrace) -> Page:
    """Every stage of a forward pass and the prediction behind each token."""
    loss = "" if trace.loss is None else f". Mean loss {trace.loss:.4f} nats."
    page = Page(f"A forward pass of {name}", joined((_text_line(text), loss)))
    page.add("Predictions", *_predictions(trace, model.config.vocab_size))
    head = ("stage", "shape", "L2", "min", "max", "mean", "zeros")
    rows = [
        (_explained(s.name, s.meaning), shape_text(s.shape), s.l2, s.min, s.max, s.mean, s.zeros)
        for s in trace.stages
    ]
    page.add("Stages", table(head, rows, "Every stage, in order"))
    page.add("Architecture", settings(model.config.to_dict()))
    return page


def _predictions(trace: ForwardTrace, vocab_size: int) -> list[Markup]:
    known = [p for p in trace.predictions if p.loss is not None]
    parts = []
    if known:
        positions = [float(p.position) for p in known]
        losses = [p.loss for p in known if p.loss is not None]
        guess = [math.log(vocab_size)] * len(positions)
        series = [
            Series("loss", positions, losses, marks=True),
            Series("guessing", positions, guess, faint=True),
        ]
        chart = line_chart("Loss behind each token", series, "tokens seen", "nats")
        caption = (
            "Surprise at each next token: -ln of its probability. Who guesses among all "
            f"{vocab_size:,} tokens loses ln {vocab_size:,} = {math.log(vocab_size):.3f} nats."
        )
        parts.append(figure(caption, chart))
    head = ("tokens seen", "token", "next", "P(next)", "rank", "most probable", "P", "")
    rows = [
        (p.position, p.token, p.target or "", _or_empty(p.target_probability),
         _or_empty(p.target_rank), p.argmax, p.argmax_probability,
         share_bar(p.argmax_probability))
        for p in trace.predictions
    ]  # fmt: skip
    return [*parts, table(head, rows, "What follows each token, and what the model expects")]


def _or_empty(value: float | None) -> float | str:
    return "" if value is None else value


def attention_page(
    name: str, attention: TextAttention, heads: Sequence[HeadAttention] | None = None
) -> Page:
    """A heat map of each of `heads`, by default of all; norms of the residual stream, the mask.

    ArgumentError where the maps have more cells than a browser likes.
    """
    heads = attention.heads if heads is None else heads
    page = Page(f"Attention of {name}", _text_line(attention.text))
    names = attention.text.names
    n_cells = len(heads) * len(names) * (len(names) + 1) // 2
    if n_cells > MOST_CELLS:
        raise ArgumentError(
            f"a page of {len(heads)} heads on {len(names)} tokens has {n_cells:,} cells, more than "
            f"{MOST_CELLS:,}: choose a layer and a head (--layer, --head) or a shorter text"
        )
    page.add("How to read the maps", *_reading())
    column = f"--map:{max(LEAST_MAP, round(LEAST_SCALE * size_of(names)))}px"
    for layer in sorted({head.layer for head in heads}):
        figures = (_head_figure(head, names) for head in heads if head.layer == layer)
        page.add(f"Layer {layer + 1}", element("div", *figures, class_="heads", style=column))
    page.add(
        "Residual stream",
        element("p", "L2 norm of each token's row: behind the embedding and behind each part."),
        table(("token", *attention.row_norms), [
            (names[i], *(float(norms[i]) for norms in attention.row_norms.values()))
            for i in range(len(names))
        ], "Norms of rows"),
    )  # fmt: skip
    return page


def _reading() -> list[Markup]:
    text = (
        "Row: the token that reads. Column: the token that is read. The color is the weight, the "
        "share of the row's attention. A token sees itself and those before it; scores of all "
        "others are masked with -∞ before the softmax, so each row of weights sums to 1. Entropy "
        "is 0 where each token reads one other, and ln i nats where token i reads all alike."
    )
    return [element("p", text), color_scale("the weight")]


def _head_figure(head: HeadAttention, names: tuple[str, ...]) -> Markup:
    label = f"layer {head.layer + 1}, head {head.head + 1}"
    caption = (
        f"Head {head.head + 1}: width {head.width}, scale {head.scale:.4f}, mean entropy "
        f"{head.entropies.mean():.3f} nats"
    )
    drawing = heat_map(f"Attention of {label}", head.weights, names)
    return figure(caption, element("div", drawing, class_="scroll"))
