"""agpt-radix-verify: proves an index file, or shows where it is wrong."""

import time
from pathlib import Path

import click

from agpt import TrieIndex
from agpt.cli.conventions import EXIT_DATA, Command, CommandFailure, common_options, emit
from agpt.cli.data_options import INPUT_FILE

SHOWN_VIOLATIONS = 10


@click.command("agpt-radix-verify", cls=Command)
@click.argument("index", type=INPUT_FILE)
@click.option(
    "--deep", is_flag=True, help="Also build the index again from its text and compare the bytes."
)
@common_options
@click.pass_context
def command(context: click.Context, index: Path, deep: bool, as_json: bool) -> None:
    """Check the index file INDEX against the text inside it; exit 1 with the first violations.

    Every path, mass and target is counted again, by other means than the builder's.
    """
    start = time.perf_counter()
    trie = TrieIndex.open(str(index))
    violations = trie.verify(deep)
    seconds = time.perf_counter() - start
    values = {
        "path": str(index),
        "deep": deep,
        "valid": not violations,
        "violations": violations,
        "depth": trie.depth,
        "n_nodes": trie.n_nodes,
        "n_positions": trie.n_positions,
        "n_entries": trie.n_entries,
        "seconds": seconds,
    }
    if not violations:
        text = (
            f"{index}: valid; {trie.n_nodes:,} nodes, {trie.n_positions:,} positions, "
            f"{trie.n_entries:,} entries, depth {trie.depth}, {seconds:.1f} s"
        )
    else:
        text = "\n".join(violations[:SHOWN_VIOLATIONS])
    emit(as_json, values, text)
    if violations:
        raise CommandFailure(
            context,
            f"{index} is damaged, {len(violations)} violations: build it anew with agpt-build",
            EXIT_DATA,
        )
