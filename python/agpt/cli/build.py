"""agpt-build: a text becomes an index file."""

import time
from pathlib import Path
from typing import Any

import click

from agpt import TrieIndex
from agpt.cli.byte_size import ByteSize, in_units
from agpt.cli.conventions import Command, common_options, emit, refuse_given
from agpt.cli.data_options import INDEX_SUFFIX, INPUT_FILE, default_output, index_options, one_index
from agpt.cli.index_inputs import build_index_file, plan_index, read_texts
from agpt.files import require_writable
from agpt.interchange import import_index

IMPORT_OPTIONS = {"tokenizer", "text_field", "threads"}


@click.command("agpt-build", cls=Command)
@click.argument("corpus", type=INPUT_FILE, nargs=-1)
@click.option(
    "--import",
    "imported",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Read the trie of a reference builder, a folder or file; with CORPUS prove it to be that "
    "of the text, without keep the trie alone.",
)
@click.option("--depth", type=int, default=32, show_default=True, help="Longest path.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    show_default="CORPUS with the ending .agpt; corpus.agpt for several files or -",
    help="The index file.",
)
@index_options
@click.option(
    "--threads", type=int, default=0, show_default="0: all cores", help="Threads of the build."
)
@click.option(
    "--memory",
    type=ByteSize(),
    default=0,
    show_default="no cap",
    metavar="SIZE",
    help="Most that the arrays of the build may take, the texts included (500MB, 2GiB). If that is "
    "too little for the whole, finished parts wait in the folder OUT.build, and a build that was "
    "stopped goes on from there when it is started again.",
)
@click.option("--plan", is_flag=True, help="Print what the build would cost, and do not build.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    corpus: tuple[Path, ...],
    imported: Path | None,
    out: Path | None,
    plan: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Build the prefix trie of the texts CORPUS..., read in the order given.

    A text is a file of text, or of JSON objects, one a line (.jsonl); either may be compressed
    (.gz, .zst); - is standard input.
    """
    if not corpus and imported is None:
        raise click.UsageError("Missing argument 'CORPUS...'.", context)
    if (index_file := one_index(corpus)) is not None:
        raise click.UsageError(f"{index_file} is an index already: name the texts to build from")
    if imported is not None:
        not_asked = {"plan", *options} - IMPORT_OPTIONS
        refuse_given(context, not_asked, "is not asked for by --import")
    if plan:
        return _print_plan(as_json, plan_index(corpus, **options))
    if out is None:
        out = default_output(corpus or [imported or Path()], INDEX_SUFFIX)
    require_writable(out)
    start = time.perf_counter()
    if imported is None:
        index = build_index_file(out, corpus, **options)
    else:
        index = _import(imported, corpus, **{name: options[name] for name in IMPORT_OPTIONS})
        index.save(str(out))
    seconds = time.perf_counter() - start
    held_out = int(index.held_out.size)
    values = {
        "path": str(out),
        "bytes": out.stat().st_size,
        "depth": index.depth,
        "n_tokens": index.n_tokens,
        "held_out_tokens": held_out,
        "vocab_size": index.vocab_size,
        "n_nodes": index.n_nodes,
        "n_positions": index.n_positions,
        "n_entries": index.n_entries,
        "total_mass": index.total_mass,
        "sharing": index.total_mass / max(1, index.n_positions),
        "hash": str(index.hash),
        "seconds": seconds,
    }
    emit(
        as_json,
        values,
        f"{out}: depth {index.depth}, {index.n_tokens:,} tokens ({held_out:,} held out), "
        f"vocabulary {index.vocab_size}\n"
        f"{index.n_positions:,} positions for {index.total_mass:,.0f} predictions "
        f"({values['sharing']:.2f} shared), {index.n_nodes:,} nodes, {index.n_entries:,} entries, "
        f"{values['bytes']:,} bytes, {seconds:.1f} s",
    )


def _print_plan(as_json: bool, plan: dict[str, Any]) -> None:
    folder = ", finished parts wait in files" if plan["uses_folder"] else ""
    emit(
        as_json,
        plan,
        f"{plan['n_tokens']:,} tokens, {plan['n_starts']:,} starts\n"
        f"expected: {plan['n_positions']:,.0f} positions, {plan['n_nodes']:,.0f} nodes, "
        f"an index of {in_units(plan['index_bytes'])}, {plan['seconds']:.1f} s\n"
        f"{in_units(plan['peak_memory_bytes'])} of memory, "
        f"sorted in {plan['n_groups']} groups{folder}",
    )


def _import(
    path: Path, corpus: tuple[Path, ...], tokenizer: str, text_field: str, threads: int
) -> TrieIndex:
    if not corpus:
        return import_index(path)
    text = read_texts(corpus, tokenizer, documents=False, text_field=text_field)
    return import_index(path, text, threads)
