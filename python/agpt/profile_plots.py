"""Draws the profile of an index: its depths, where contexts become unique, its units."""

import os
from typing import Any

import numpy as np

from agpt._engine import TrieIndex
from agpt.index_profile import Profile, uniqueness
from agpt.plots import new_figure, save_figure


def draw_profile(
    path: str | os.PathLike[str], index: TrieIndex, profile: Profile, rule: str
) -> None:
    """Writes a picture of three panels; the ending of `path` says png, svg or pdf.

    Positions, mass and endpoints by depth; leaves by the depth at which they become unique; the
    units of the partition by `rule`, largest first.
    """
    units = index.partition(rule)["positions"]
    titles = ["by depth", "contexts become unique", f"units of the partition {rule}"]
    figure, (depths, unique, balance) = new_figure(titles)
    _draw_depths(depths, profile)
    _draw_uniqueness(unique, profile)
    _draw_units(balance, np.sort(units)[::-1])
    save_figure(figure, path)


def _draw_depths(panel: Any, profile: Profile) -> None:
    depth = np.arange(1, len(profile["positions"]) + 1)
    for name, label in (
        ("mass", "predictions (mass)"),
        ("positions", "positions"),
        ("shared_positions", "positions of mass above 1"),
        ("nodes", "endpoints"),
    ):
        panel.plot(depth, profile[name], label=label)
    panel.set(xlabel="depth, tokens", yscale="log")
    panel.legend(fontsize="small")


def _draw_uniqueness(panel: Any, profile: Profile) -> None:
    counts = profile["unique_leaves"]
    panel.bar(np.arange(1, len(counts) + 1), counts)
    panel.axvline(uniqueness(profile).mean, color="black", linestyle=":", label="mean")
    panel.set(xlabel="tokens of context until it is unique", ylabel="leaves")
    panel.legend(fontsize="small")


def _draw_units(panel: Any, largest_first: Any) -> None:
    panel.step(np.arange(1, len(largest_first) + 1), largest_first, where="mid")
    panel.axhline(largest_first.mean(), color="black", linestyle=":", label="mean")
    panel.set(xlabel="unit, largest first", ylabel="positions", xscale="log", yscale="log")
    panel.legend(fontsize="small")
