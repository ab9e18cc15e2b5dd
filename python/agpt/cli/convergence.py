"""agpt-convergence: whether two halves of a text agree about their common paths, by depth."""

import dataclasses
from pathlib import Path

import click

from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.output_options import output_option, plot_option
from agpt.data.decompression import read_chunks
from agpt.diagnostics import DepthAgreement, compare_halves
from agpt.plots import new_figure, save_figure

COLUMNS = ("depth", "paths", "median", "p90", "spearman", "coverage", "in noise")


@click.command("agpt-convergence", cls=Command)
@click.option(
    "--corpus",
    type=INPUT_FILE,
    required=True,
    help="The text, whose bytes are compared; .gz and .zst are decompressed, - is standard input.",
)
@click.option("--depth", type=int, default=4, show_default=True, help="Longest path, in bytes.")
@click.option(
    "--min-count",
    type=int,
    default=5,
    show_default=True,
    help="Occurrences that a path needs in both halves.",
)
@click.option(
    "--blocks",
    type=int,
    default=20,
    show_default=True,
    help="Equal blocks of the text; the even ones are one half, the odd ones the other.",
)
@click.option(
    "--reference-bug",
    is_flag=True,
    help="Count the token after the next one, as the reference does, to get its figures.",
)
@output_option("--out", show_default="no table", help="Write a CSV row for each path.")
@plot_option("the agreement by depth")
@common_options
def command(
    corpus: Path,
    depth: int,
    min_count: int,
    blocks: int,
    reference_bug: bool,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Compare the probabilities that two interleaved halves of a text give to their paths."""
    paths = compare_halves(
        b"".join(read_chunks(str(corpus))),
        n_blocks=blocks,
        depth=depth,
        min_count=min_count,
        reference_bug=reference_bug,
    )
    agreements = paths.by_depth()
    if out is not None:
        paths.write_csv(out)
    if plot is not None:
        _draw(agreements, plot)
    values = {
        "corpus": str(corpus),
        "out": None if out is None else str(out),
        "bytes_a": len(paths.text_a),
        "bytes_b": len(paths.text_b),
        "reference_bug": reference_bug,
        "n_paths": int(paths.depth.size),
        "depths": [dataclasses.asdict(agreement) for agreement in agreements],
    }
    text = [
        f"{len(paths.text_a):,} and {len(paths.text_b):,} bytes, {paths.depth.size:,} paths that "
        f"occur at least {min_count} times in both",
        *_table(agreements),
    ]
    emit(as_json, values, "\n".join(text))


def _table(agreements: list[DepthAgreement]) -> list[str]:
    """Lines of the table: errors in nats, coverage is of probability, in noise of paths."""
    lines = ["".join(f"{name:>10}" for name in COLUMNS)]
    for a in agreements:
        lines.append(
            f"{a.depth:10}{a.n_paths:10,}{a.median_error:10.3f}{a.p90_error:10.3f}"
            f"{a.spearman:10.3f}{a.coverage:10.1%}{a.within_noise:10.1%}"
        )
    return lines


def _draw(agreements: list[DepthAgreement], path: Path) -> None:
    """Left the errors, right the shares and the rank correlation, by depth."""
    figure, (errors, shares) = new_figure(["Error of log probability", "Agreement"])
    depths = [a.depth for a in agreements]
    errors.plot(depths, [a.median_error for a in agreements], "o-", label="median")
    errors.plot(depths, [a.p90_error for a in agreements], "o-", label="90 %")
    errors.set(xlabel="depth, bytes", ylabel="nats")
    shares.plot(depths, [a.spearman for a in agreements], "o-", label="rank correlation")
    shares.plot(depths, [a.coverage for a in agreements], "o-", label="coverage within 0.1")
    shares.plot(depths, [a.within_noise for a in agreements], "o-", label="within 2 std. errors")
    shares.set(xlabel="depth, bytes")
    for panel in (errors, shares):
        panel.set_ylim(bottom=0)
        panel.legend(fontsize="small")
    save_figure(figure, path)
