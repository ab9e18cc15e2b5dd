"""agpt-trie-profile: what an index holds at each depth, and how much of the text it shares."""

from pathlib import Path
from typing import Any

import click

from agpt import TrieIndex
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE

COLUMNS = ("depth", "positions", "predictions", "shared", "endpoints", "targets", "mean edge")


@click.command("agpt-trie-profile", cls=Command)
@click.argument("index", type=INPUT_FILE)
@common_options
def command(index: Path, as_json: bool) -> None:
    """Print the profile of the index file INDEX by depth."""
    trie = TrieIndex.open(str(index))
    profile = trie.profile()
    values: dict[str, Any] = {
        "path": str(index),
        "depth": trie.depth,
        "n_tokens": trie.n_tokens,
        "n_nodes": trie.n_nodes,
        "n_positions": trie.n_positions,
        "n_entries": trie.n_entries,
        "total_mass": trie.total_mass,
    }
    for key, value in profile.items():
        values[key] = value.tolist() if hasattr(value, "tolist") else value
    emit(as_json, values, "\n".join(_table(trie, profile)))


def _table(trie: TrieIndex, profile: dict[str, Any]) -> list[str]:
    """Lines of the table and its summary. `shared` is predictions for each position."""
    lines = ["".join(f"{name:>13}" for name in COLUMNS)]
    for k in range(trie.depth):
        positions, mass = int(profile["positions"][k]), int(profile["mass"][k])
        nodes, edges = int(profile["nodes"][k]), int(profile["edge_tokens"][k])
        lines.append(
            f"{k + 1:13}{positions:13,}{mass:13,}{mass / max(1, positions):13.2f}"
            f"{nodes:13,}{int(profile['entries'][k]):13,}{edges / max(1, nodes):13.2f}"
        )
    unshared = trie.n_positions - int(profile["shared_positions"].sum())
    lines += [
        f"{trie.n_nodes:,} endpoints, {trie.n_positions:,} positions, {trie.n_entries:,} targets",
        f"{trie.total_mass:,.0f} predictions of all windows, "
        f"{profile['sharing_ratio']:.2f} for each position",
        f"{unshared:,} positions ({unshared / max(1, trie.n_positions):.1%}) occur once",
    ]
    return lines
