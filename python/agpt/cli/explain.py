"""agpt-explain: what every attention head of a model looks at in a text."""

from pathlib import Path
from typing import Any

import click

from agpt import Model
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.glass_options import chosen_text, text_options
from agpt.cli.output_options import html_option, plot_option
from agpt.cli.tables import table_text
from agpt.inspection.attention import HeadAttention, TextAttention, attention_of
from agpt.inspection.attention_plots import draw_attention
from agpt.inspection.pages import attention_page


@click.command("agpt-explain", cls=Command)
@click.argument("model", type=INPUT_FILE)
@text_options
@click.option("--layer", type=click.IntRange(min=1), show_default="all", help="Only this layer.")
@click.option("--head", type=click.IntRange(min=1), show_default="all", help="Only this head.")
@html_option
@plot_option("the weights")
@common_options
def command(
    model: Path,
    text: str | None,
    tokens: str | None,
    layer: int | None,
    head: int | None,
    html: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show the attention weights of the model file MODEL on a text, head by head.

    Row i says how token i spreads its attention over itself and the tokens before it.
    """
    loaded = Model.load(model)
    attention = attention_of(loaded, chosen_text(loaded, text, tokens))
    heads = [
        h for h in attention.heads if layer in (None, h.layer + 1) and head in (None, h.head + 1)
    ]
    if not heads:
        raise click.UsageError(
            f"the model has layers 1 to {loaded.config.n_layers} and heads 1 to "
            f"{len(loaded.config.head_widths)} in each: choose of these"
        )
    if html is not None:
        attention_page(model.name, attention, heads).write(html)
    if plot is not None:
        draw_attention(plot, attention.text.names, heads)
    values = _values(model, attention, heads) | {
        "html": None if html is None else str(html),
        "plot": None if plot is None else str(plot),
    }
    emit(as_json, values, _text(attention, heads))


def _values(path: Path, attention: TextAttention, heads: list[HeadAttention]) -> dict[str, Any]:
    return {
        "model": str(path),
        "tokens": attention.text.tokens.tolist(),
        "names": attention.text.names,
        "mask": attention.mask.tolist(),
        "row_norms": {name: norms.tolist() for name, norms in attention.row_norms.items()},
        "heads": [
            {
                "layer": h.layer + 1,
                "head": h.head + 1,
                "width": h.width,
                "scale": h.scale,
                "weights": h.weights.tolist(),
                "entropies": h.entropies.tolist(),
                "output_norms": h.output_norms.tolist(),
            }
            for h in heads
        ],
    }


def _text(attention: TextAttention, heads: list[HeadAttention]) -> str:
    names = attention.text.names
    norms = [
        (name, *(float(values[i]) for values in attention.row_norms.values()))
        for i, name in enumerate(names)
    ]
    parts = [table_text(("token", *attention.row_norms), norms, "L2 norm of each row")]
    for h in heads:
        title = (
            f"layer {h.layer + 1}, head {h.head + 1}: width {h.width}, scale {h.scale:.4f}, "
            f"mean entropy {h.entropies.mean():.3f} nats"
        )
        rows = [
            (name, *(f"{w:.3f}" if j <= i else "." for j, w in enumerate(h.weights[i])))
            for i, name in enumerate(names)
        ]
        parts.append(table_text(("", *names), rows, title))
    return "\n\n".join(parts)
