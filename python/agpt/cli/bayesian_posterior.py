"""agpt-bayesian-posterior: how well contexts of one length tell the token before them."""

import dataclasses
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE, open_index
from agpt.cli.output_options import plot_option
from agpt.diagnostics import BackwardPosterior, PosteriorSummary, Spread, backward_posterior
from agpt.plots import new_figure, save_figure

MIN_MASSES = (1, 2, 5, 10, 50)
SHOWN_SUPPORTS = 10
MEASURES = (("support", "support"), ("entropy", "entropy, nats"), ("perplexity", "exp(entropy)"))


@click.command("agpt-bayesian-posterior", cls=Command)
@click.argument("index", type=INPUT_FILE)
@click.argument("d_star", type=int)
@plot_option("supports and entropies")
@common_options
def command(index: Path, d_star: int, plot: Path | None, as_json: bool) -> None:
    """Describe P(token before | context) over the paths of D_STAR tokens of the file INDEX."""
    posterior = backward_posterior(open_index(index), d_star)
    summaries = [posterior.summary(min_mass) for min_mass in MIN_MASSES]
    histogram = posterior.support_histogram()
    if plot is not None:
        _draw(posterior, plot)
    values = {
        "path": str(index),
        "d_star": d_star,
        "n_paths": posterior.n_paths,
        "summaries": [dataclasses.asdict(summary) for summary in summaries],
        "support_histogram": {str(support): n for support, n in histogram.items()},
    }
    emit(as_json, values, "\n".join(_report(posterior, summaries, histogram)))


def _report(
    posterior: BackwardPosterior, summaries: list[PosteriorSummary], histogram: dict[int, int]
) -> list[str]:
    lines = [
        f"{posterior.n_paths:,} paths of {posterior.length} tokens: "
        f"{summaries[0].n_contexts:,} contexts of {posterior.length - 1} and the token before them",
        f"{'mass':>6}{'contexts':>12}{'unary':>8}  {'':14}"
        + "".join(f"{field.name:>10}" for field in dataclasses.fields(Spread)),
    ]
    for summary in summaries:
        head = f"{f'>= {summary.min_mass}':>6}{summary.n_contexts:12,}{summary.unary_share:8.1%}"
        for name, title in MEASURES:
            spread = getattr(summary, name)
            if spread is not None:
                lines.append(f"{head}  {title:14}" + _numbers(spread))
                head = " " * len(head)
    most = sorted(histogram.items())[:SHOWN_SUPPORTS]
    lines.append("contexts by support: " + ", ".join(f"{s}: {n:,}" for s, n in most))
    rest = sum(histogram.values()) - sum(n for _, n in most)
    if rest > 0:
        lines[-1] += f", more: {rest:,} (up to {max(histogram)})"
    return lines


def _numbers(spread: Spread) -> str:
    return "".join(f"{value:10.3f}" for value in dataclasses.astuple(spread))


def _draw(posterior: BackwardPosterior, path: Path) -> None:
    """Left the histogram of the support, right the distribution of the entropy by mass."""
    context = f"contexts of {posterior.length - 1} tokens"
    figure, panels = new_figure([f"Tokens that precede {context}", "How uncertain they are"])
    histogram = posterior.support_histogram()
    panels[0].loglog(list(histogram), list(histogram.values()), "o", markersize=3)
    panels[0].set(xlabel="support", ylabel="contexts")
    for min_mass in MIN_MASSES:
        _draw_entropies(panels[1], posterior.entropy[posterior.mass >= min_mass], min_mass)
    panels[1].set(xlabel="entropy of the token before, nats", ylabel="share of contexts")
    panels[1].set_ylim(0, 1)
    panels[1].legend(title="mass", fontsize="small")
    save_figure(figure, path)


def _draw_entropies(panel: Any, entropies: npt.NDArray[np.float64], min_mass: int) -> None:
    """The empirical distribution function."""
    if entropies.size > 0:
        values, counts = np.unique(entropies, return_counts=True)
        shares = np.cumsum(counts) / entropies.size
        panel.step([0, *values], [0, *shares], where="post", label=f">= {min_mass}")
