"""What benchmarks/cpu.py says: a Markdown table, the second thread's worth, and a picture."""

from collections.abc import Iterator
from pathlib import Path

from race import OURS, Result

HEADER = (
    "| work | threads | agpt | rival | | times as fast | by the clock | target | GFLOP |\n"
    "|---|--:|--:|---|--:|--:|--:|--:|--:|"
)
FOOTNOTE = (
    "Rates are per CPU-second, median [least .. most] of the rounds; times as fast: per CPU-second "
    "and by wall-clock time, round by round. GFLOP: NumPy's (512, 64) x (64, 256) product per "
    "CPU-second beside the work, and in brackets which share of it the engine's matrix products "
    "made of useful operations."
)


def table(results: list[Result]) -> str:
    """Return the Markdown table, one line for each rival of each contest."""
    return "\n".join([HEADER, *(line for result in results for line in lines(result))])


def lines(result: Result) -> Iterator[str]:
    """Yield the lines of one contest."""
    share = "" if result.matrix_share is None else f" ({result.matrix_share:.2f})"
    for rival, ratio in result.ratio.items():
        verdict = "" if result.target is None else f"{result.target:g}"
        if result.target is not None and ratio.median < result.target:
            verdict += ", missed"
        yield (
            f"| {result.work} | {result.threads} | {result.per_cpu_second[OURS].text()} "
            f"{result.unit} | {rival} | {result.per_cpu_second[rival].text()} "
            f"| **{ratio.text(2)}** | {result.wall_ratio[rival].median:.2f} | {verdict} "
            f"| {result.matrix_gflops.median:.0f}{share} |"
        )


def second_thread(results: list[Result]) -> str:
    """Return a table of what more threads were worth to each side.

    By the clock, which counts only on an idle machine; and in brackets what the CPU time of a unit
    says: the number of threads, less what a unit costs more than on one.
    """
    single = {result.work: result for result in results if result.threads == 1}
    rows = ["| work | threads | agpt | PyTorch eager |", "|---|--:|--:|--:|"]
    for result in results:
        if result.threads == 1 or result.work not in single:
            continue
        alone = single[result.work]
        gains = [
            f"{result.per_second[name].median / alone.per_second[name].median:.2f} "
            f"({result.threads * cost.median / alone.per_cpu_second[name].median:.2f})"
            for name, cost in result.per_cpu_second.items()
            if name in (OURS, "PyTorch eager")
        ]
        rows.append(f"| {result.work} | {result.threads} | {' | '.join(gains)} |")
    return "\n".join(rows)


def draw(results: list[Result], path: Path) -> None:
    """Draw how many times as fast as each rival the engine is, with the spread and the target."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {
        "svg.hashsalt": "agpt",
        "svg.fonttype": "none",
    }  # same picture, same file
    from matplotlib import pyplot

    bars = [
        (f"{result.work}, {result.threads} thread{'s' if result.threads > 1 else ''}", rival, ratio)
        for result in results
        for rival, ratio in result.ratio.items()
    ]
    figure, axes = pyplot.subplots(figsize=(9, 0.8 + 0.26 * len(bars)), layout="constrained")
    colours = {"PyTorch eager": "#d9772b", "torch.compile": "#8c4a97", "NumPy": "#4b83b8"}
    for place, (_, rival, ratio) in enumerate(bars):
        error = [[ratio.median - ratio.least], [ratio.most - ratio.median]]
        axes.barh(place, ratio.median, color=colours.get(rival, "#777777"), xerr=error, height=0.7)
        axes.text(ratio.most * 1.03, place, f"{ratio.median:.1f}", va="center", fontsize=7)
    axes.set_yticks(range(len(bars)), [f"{work}: {rival}" for work, rival, _ in bars], fontsize=7)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as the rival, per CPU-second")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
