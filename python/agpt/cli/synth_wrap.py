"""agpt-synth-wrap: a synthetic corpus from the statistics of a trie."""

from pathlib import Path
from typing import Any

import click

from agpt import Memorisation, Synthesis, TrieIndex, memorisation, synthesize
from agpt._engine import text_hash
from agpt.cli.conventions import Command, common_options, emit, refuse_given
from agpt.cli.data_options import (
    INPUT_FILE,
    default_output,
    open_index,
    text_field_option,
    tokenizer_option,
)
from agpt.cli.index_inputs import build_index
from agpt.cli.progress import FractionProgress
from agpt.files import require_writable, write_atomically
from agpt.synthesis import ARRAY_SUFFIX

STANDARD_OUTPUT = Path("-")
TEXT_SUFFIX = ".synth.txt"
OF_CORPUS = ("depth", "tokenizer", "text_field")
FIGURES = (
    *("n_tokens", "wraps", "cut_wraps", "restarts", "backoffs"),
    *("tokens_per_wrap", "seconds"),
)
SHOWN_TOKENS = 60


@click.command("agpt-synth-wrap", cls=Command)
@click.option(
    "--corpus",
    "corpora",
    type=INPUT_FILE,
    multiple=True,
    help="A text, indexed in memory; several are one after another.",
)
@click.option("--index", type=INPUT_FILE, help="An index file instead.")
@click.option(
    "--depth", type=int, default=32, show_default=True, help="Longest path, with --corpus."
)
@tokenizer_option
@text_field_option
@click.option(
    "--tokens", type=int, default=1_000_000, show_default=True, help="Length of the text."
)
@click.option("--seed", type=int, default=42, show_default=True, help="Seed of the drawing.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    show_default="the input with the ending .synth.txt",
    help="The text file; - is standard output, FILE.npy gets the token ids.",
)
@click.option(
    "--walk",
    type=click.Choice(["bridge", "suffix"]),
    default="bridge",
    show_default=True,
    help="Where a path ends, go on with one that begins with the last token written, or keep "
    "the longest context that the trie knows (a Markov text of order DEPTH).",
)
@click.option(
    "--rng",
    type=click.Choice(["xoshiro", "reference"]),
    default="xoshiro",
    show_default=True,
    help="reference: draw as the reference does, bit for bit.",
)
@click.option("--space-align", is_flag=True, help="Bridge with a space where it is frequent.")
@click.option(
    "--space-align-topk",
    type=int,
    default=3,
    show_default=True,
    help="That is, among so many most frequent tokens.",
)
@click.option("--space-cut", is_flag=True, help="End paths at the last space of the last edge.")
@click.option(
    "--prune-mass1-space",
    is_flag=True,
    help="End last edges that occur once at their first space or line end.",
)
@click.option(
    "--prune-mass1-head", is_flag=True, help="End last edges that occur once at their first token."
)
@click.option("--report", is_flag=True, help="Say how much of the text is copied word for word.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    corpora: tuple[Path, ...],
    index: Path | None,
    tokens: int,
    out: Path | None,
    report: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write a synthetic corpus: pieces of a text, joined where they agree."""
    if (index is None) != bool(corpora):
        raise click.UsageError("name either a text with --corpus or an index with --index", context)
    out = default_output([index] if index else corpora, TEXT_SUFFIX) if out is None else out
    if out == STANDARD_OUTPUT and as_json:
        raise click.UsageError("--out - and --json both want standard output", context)
    if out != STANDARD_OUTPUT:
        require_writable(out)
    if index is not None:
        refuse_given(context, OF_CORPUS, "is for --corpus: an index has its own")
    of_corpus = {name: options.pop(name) for name in OF_CORPUS}
    trie = open_index(index) if index else _build(corpora, options["rng"], **of_corpus)
    with FractionProgress("writing") as progress:
        text = synthesize(trie, tokens, progress=progress.update, **options)
    n_bytes, fnv = _write(text, out)
    values = {"path": str(out), "bytes": n_bytes, "fnv": fnv, "depth": trie.depth, **options}
    values |= {name: getattr(text, name) for name in FIGURES}
    lines = [_summary(out, trie, text, options["walk"])]
    if report:
        with FractionProgress("comparing") as progress:
            overlap = memorisation(text.tokens, trie, progress=progress.update)
        values["memorisation"] = overlap.to_dict()
        lines += _report_lines(overlap, text)
    if out == STANDARD_OUTPUT:
        click.echo("\n".join(lines), err=True)
    else:
        emit(as_json, values, "\n".join(lines))


def _build(corpora: tuple[Path, ...], rng: str, **options: Any) -> TrieIndex:
    """Indexes texts whole, with the corpus end that belongs to the generator."""
    return build_index(
        corpora,
        starts="every",
        val_fraction=0.0,
        corpus_end="reference" if rng == "reference" else "exact",
        **options,
    )


def _write(text: Synthesis, out: Path) -> tuple[int, str | None]:
    """Writes the text; returns its bytes and their hash, which is None for a file of ids."""
    if out.suffix == ARRAY_SUFFIX:
        text.save(out)
        return out.stat().st_size, None
    content = text.to_bytes()
    if out == STANDARD_OUTPUT:
        click.echo(content, nl=False)
    else:
        write_atomically(out, content)
    return len(content), f"{text_hash(content):016x}"


def _summary(out: Path, trie: TrieIndex, text: Synthesis, walk: str) -> str:
    if walk == "bridge":
        mean = text.tokens_per_wrap or 0
        how = f"{text.wraps:,} wraps ({text.cut_wraps:,} cut), {mean:.1f} tokens a wrap"
    else:
        how = f"context shortened by {text.backoffs:,} tokens"
    return (
        f"{out}: {text.n_tokens:,} tokens from depth {trie.depth}, {how}, "
        f"{text.restarts:,} restarts, {text.seconds:.2f} s"
    )


def _report_lines(overlap: Memorisation, text: Synthesis) -> list[str]:
    """What is copied: the longest stretch, the mean, and how many tokens end which lengths."""
    lines = [
        f"longest stretch of the corpus: {overlap.longest:,} tokens, at {overlap.longest_at:,} of "
        f"the text and {overlap.longest_in_corpus:,} of the corpus"
    ]
    if text.vocabulary.kind != "tokens":
        stretch = text.tokens[overlap.longest_at :][: min(overlap.longest, SHOWN_TOKENS)]
        dots = " ..." if overlap.longest > SHOWN_TOKENS else ""
        lines.append(f"  {text.vocabulary.decode(stretch)!r}{dots}")
    lines.append(f"mean over all tokens {overlap.mean:.2f}, median {overlap.median:g}")
    lines.append(f"{'longest stretch that ends there':>32}{'tokens':>14}{'share':>8}")
    for least, most, n in overlap.histogram_by_doubling():
        length = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        lines.append(f"{length:>32}{n:14,}{n / max(1, text.n_tokens):8.1%}")
    return lines
