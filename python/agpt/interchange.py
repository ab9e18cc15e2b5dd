"""The files of the reference builders: writing an index as one, reading and checking them."""

import os
from pathlib import Path
from typing import Any

from agpt import _engine
from agpt._engine import ArgumentError, Corpus, TrieIndex
from agpt.files import require_writable

FORMATS = ("radix", "leveled", "single")
BEGINNING_OF_SINGLE_FILE = b"APGT"
PathLike = str | os.PathLike[str]


def is_reference(path: PathLike) -> bool:
    """Whether this is a folder, or a file that begins as the single-file format does."""
    path = Path(path)
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(len(BEGINNING_OF_SINGLE_FILE)) == BEGINNING_OF_SINGLE_FILE


def export_index(
    index: TrieIndex,
    path: PathLike,
    file_format: str = "radix",
    *,
    order: str = "a",
    subtree_level: int = 0,
    prune_min_mass: int = 1,
    prune_min_depth: int = 4,
) -> dict[str, int]:
    """Writes the folder or file `path`, byte for byte as a reference builder would.

    Only "radix" has an order ("a" or "b"), files of subtrees (level 1 or 2) and pruning. Returns
    n_records and edge_tokens of a radix directory, else n_nodes. An ArgumentError says which index
    the format asks for, or that `path` exists.
    """
    if file_format not in FORMATS:
        raise ArgumentError(f"format {file_format!r} is unknown: choose from {', '.join(FORMATS)}")
    if file_format == "radix":
        return _engine.export_radix(
            index,
            path,
            order=order,
            subtree_level=subtree_level,
            prune_min_mass=prune_min_mass,
            prune_min_depth=prune_min_depth,
        )
    if file_format == "leveled":
        return {"n_nodes": _engine.export_leveled(index, path)}
    require_writable(path)
    return {"n_nodes": _engine.export_single(index, path)}


def import_index(path: PathLike, corpus: Corpus | None = None, threads: int = 0) -> TrieIndex:
    """The index of a trie that a reference builder wrote.

    With the corpus, every byte is proved to be what that text gives, and the index is that of the
    text. Without it the trie alone is kept: its starts are "imported" and it has no text. A
    FormatError says what is damaged, inconsistent or different.
    """
    if corpus is None:
        return _engine.import_reference(path)
    return _engine.index_of_text(path, corpus, threads)


def verify_reference(path: PathLike) -> dict[str, Any]:
    """Format, depth, n_records and violations of the files of a reference builder.

    A FormatError says why they cannot be read at all.
    """
    return _engine.verify_reference(path)
