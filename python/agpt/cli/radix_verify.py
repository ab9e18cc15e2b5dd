"""agpt-radix-verify: proves an index file, or shows where it is wrong."""

import time
from pathlib import Path
from typing import Any

import click

from agpt import TrieIndex
from agpt.cli.conventions import (
    EXIT_DATA,
    Command,
    CommandFailure,
    common_options,
    emit,
    refuse_given,
)
from agpt.cli.data_options import INPUT_FILE
from agpt.interchange import is_reference, verify_reference

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

    INDEX may also be a folder or file of a reference builder, of which the invariants are checked
    that hold without its text.
    """
    start = time.perf_counter()
    if is_reference(index):
        refuse_given(context, {"deep"}, "is about index files")
        return _verify_reference(context, index, as_json)
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
    summary = (
        f"{trie.n_nodes:,} nodes, {trie.n_positions:,} positions, "
        f"{trie.n_entries:,} entries, depth {trie.depth}"
    )
    _report(context, as_json, values, summary)


def _verify_reference(context: click.Context, path: Path, as_json: bool) -> None:
    start = time.perf_counter()
    found = verify_reference(path)
    values = {"path": str(path), "valid": not found["violations"], **found}
    values["seconds"] = time.perf_counter() - start
    summary = f"{found['n_records']:,} records, depth {found['depth']}, format {found['format']}"
    _report(context, as_json, values, summary)


def _report(context: click.Context, as_json: bool, values: dict[str, Any], summary: str) -> None:
    path, violations = values["path"], values["violations"]
    valid = f"{path}: valid; {summary}, {values['seconds']:.1f} s"
    emit(as_json, values, "\n".join(violations[:SHOWN_VIOLATIONS]) if violations else valid)
    if violations:
        raise CommandFailure(
            context,
            f"{path} is damaged, {len(violations)} violations: build it anew with agpt-build",
            EXIT_DATA,
        )
