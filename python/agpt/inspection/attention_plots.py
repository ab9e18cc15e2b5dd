"""Draws attention weights with matplotlib: one square for each head."""

import os
from collections.abc import Sequence

from agpt.inspection.attention import HeadAttention
from agpt.plots import new_figure, save_figure


def draw_attention(
    path: str | os.PathLike[str], names: Sequence[str], heads: Sequence[HeadAttention]
) -> None:
    """Writes a picture of the heads, a row of panels for each layer; the ending says the format."""
    titles = [f"layer {head.layer + 1}, head {head.head + 1}" for head in heads]
    n_layers = len({head.layer for head in heads})
    figure, panels = new_figure(titles, n_layers)
    for panel, head in zip(panels, heads, strict=True):
        panel.grid(visible=False)
        panel.imshow(head.weights, cmap="Blues", vmin=0, vmax=1)
        places = range(len(names))
        panel.set_xticks(places, names, fontsize="x-small")
        panel.set_yticks(places, names, fontsize="x-small")
    panels[0].set(xlabel="token that is read", ylabel="token that reads")
    save_figure(figure, path)
