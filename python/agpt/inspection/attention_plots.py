"""Draws attention weights with matplotlib: one square for each head."""

import os
from collections.abc import Sequence

from agpt.inspection.attention import HeadAttention
from agpt.plots import new_figure, save_figure

LARGEST_NAMES, POINTS_OF_A_SIDE = 8.0, 190.0  # so that the names of neighbours stay apart


def draw_attention(
    path: str | os.PathLike[str], names: Sequence[str], heads: Sequence[HeadAttention]
) -> None:
    """Writes a picture of the heads, a row of panels for each layer; the ending says the format."""
    titles = [f"layer {head.layer + 1}, head {head.head + 1}" for head in heads]
    n_layers = len({head.layer for head in heads})
    figure, panels = new_figure(titles, n_layers)
    points = min(LARGEST_NAMES, POINTS_OF_A_SIDE / len(names))
    for panel, head in zip(panels, heads, strict=True):
        panel.grid(visible=False)
        image = panel.imshow(head.weights, cmap="Blues", vmin=0, vmax=1)
        panel.set_xticks(range(len(names)), names, fontsize=points)
        panel.set_yticks(range(len(names)), names, fontsize=points)
        panel.set(xlabel="token that is read", ylabel="token that reads")
        figure.colorbar(image, ax=panel, shrink=0.8, label="weight")
    save_figure(figure, path)
