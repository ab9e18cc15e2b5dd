"""agpt.diagnostics.backward_posterior and its command: known figures, brute force, refusals."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, TrieIndex
from agpt.cli.bayesian_posterior import MIN_MASSES
from agpt.cli.bayesian_posterior import command as bayesian_posterior
from agpt.diagnostics import Spread, backward_posterior
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from support import assert_fails, data_file

# Length, paths, contexts, mean support, mean entropy, percent of contexts with one token before.
PUBLISHED = [
    (4, 50_712, 11_556, "4.39", "0.740", "34.9"),
    (8, 609_655, 447_349, "1.36", "0.159", "82.3"),
    (12, 991_389, 937_251, "1.06", "0.032", "96.1"),
    (16, 1_081_061, 1_069_425, "1.01", "0.006", "99.2"),
]


@pytest.fixture(scope="module")
def shakespeare() -> TrieIndex:
    corpus = Corpus.from_file(data_file("tinyshakespeare.txt"))
    return TrieIndex.build(corpus, 16, corpus_end="reference")


@pytest.mark.parametrize(("length", "paths", "contexts", "support", "entropy", "unary"), PUBLISHED)
def test_figures_of_tinyshakespeare(
    shakespeare: TrieIndex,
    length: int,
    paths: int,
    contexts: int,
    support: str,
    entropy: str,
    unary: str,
) -> None:
    posterior = backward_posterior(shakespeare, length)
    summary = posterior.summary()
    assert summary.support is not None
    assert summary.entropy is not None
    assert posterior.n_paths == paths
    assert summary.n_contexts == contexts
    assert f"{summary.support.mean:.2f}" == support
    assert f"{summary.entropy.mean:.3f}" == entropy
    assert f"{summary.unary_share:.1%}" == f"{unary}%"


def test_figures_of_the_contexts_of_tinyshakespeare_that_occur_twice(
    shakespeare: TrieIndex,
) -> None:
    summary = backward_posterior(shakespeare, 8).summary(min_mass=2)
    assert summary.support is not None
    assert summary.entropy is not None
    assert summary.n_contexts == 143_620
    assert f"{summary.support.mean:.2f}" == "2.13"
    assert f"{summary.entropy.mean:.3f}" == "0.495"
    assert f"{summary.unary_share:.1%}" == "45.0%"


@given(st.text("ab€", min_size=2, max_size=40), st.integers(1, 6))
def test_every_context_has_the_tokens_that_precede_it(text: str, length: int) -> None:
    posterior = backward_posterior(TrieIndex.build(Corpus.from_text(text), 6), length)
    preceding: dict[str, Counter[str]] = defaultdict(Counter)
    for i in range(len(text) - length):  # each is followed by something
        preceding[text[i + 1 : i + length]][text[i]] += 1
    found = {}
    for i in range(posterior.start.size):
        start = int(posterior.start[i])
        found[text[start : start + length - 1]] = i
    assert list(found) == sorted(preceding)
    assert posterior.n_paths == sum(map(len, preceding.values()))
    for context, i in found.items():
        counts = preceding[context]
        assert posterior.mass[i] == counts.total()
        assert posterior.support[i] == len(counts)
        entropy = -sum(n / counts.total() * math.log(n / counts.total()) for n in counts.values())
        assert posterior.entropy[i] == pytest.approx(entropy, abs=1e-12)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_a_spread_is_the_floored_order_statistics(values: list[int]) -> None:
    ordered, last = sorted(values), len(values) - 1
    spread = Spread.of(np.array(values))
    assert spread == Spread(
        ordered[0],
        ordered[math.floor(0.25 * last)],
        ordered[math.floor(0.5 * last)],
        ordered[math.floor(0.75 * last)],
        ordered[last],
        pytest.approx(sum(values) / len(values)),  # type: ignore[arg-type]
    )


def test_a_summary_of_contexts_that_do_not_occur_is_empty(index: TrieIndex) -> None:
    summary = backward_posterior(index, 2).summary(min_mass=10**6)
    assert summary.n_contexts == 0
    assert summary.support is None


@pytest.mark.parametrize("length", [-1, 0, 7])
def test_a_length_outside_the_index_is_refused(index: TrieIndex, length: int) -> None:
    with pytest.raises(ArgumentError, match=f"length is {length}, but must be from 1 to .* 6"):
        backward_posterior(index, length)


@pytest.fixture
def index_file(tmp_path: Path, index: TrieIndex) -> Path:
    index.save(tmp_path / "text.agpt")
    return tmp_path / "text.agpt"


def test_the_command_prints_what_the_library_measures(
    index: TrieIndex,
    index_file: Path,
    run_json: Callable[..., dict[str, Any]],
    run_command: Callable[..., Result],
) -> None:
    posterior = backward_posterior(index, 4)
    values = run_json(bayesian_posterior, index_file, 4)
    assert values["n_paths"] == posterior.n_paths
    assert [s["min_mass"] for s in values["summaries"]] == list(MIN_MASSES)
    assert values["summaries"][1]["entropy"]["mean"] == posterior.summary(2).entropy.mean  # type: ignore[union-attr]
    histogram = values["support_histogram"]
    assert sum(histogram.values()) == posterior.start.size
    assert sum(int(support) * n for support, n in histogram.items()) == posterior.n_paths
    text = run_command(bayesian_posterior, index_file, 4).stdout
    assert f"{posterior.n_paths:,} paths of 4 tokens" in text
    assert text.count("exp(entropy)") == sum(s["n_contexts"] > 0 for s in values["summaries"])


def test_the_command_draws_what_it_prints(
    index_file: Path, tmp_path: Path, run_json: Callable[..., dict[str, Any]]
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    run_json(bayesian_posterior, index_file, 3, "--plot", tmp_path / "posterior.png")
    assert (tmp_path / "posterior.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_keeps_the_memory_cap(
    index_file: Path, run_command: Callable[..., Result]
) -> None:
    result = run_command(bayesian_posterior, index_file, 3, "--mem-cap", "0.00001")
    assert_fails(result, 1, "the backward posterior", "memory")


def test_mistakes_are_one_line(
    index_file: Path, corpus_file: Path, tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    assert_fails(run_command(bayesian_posterior, index_file, 7), 1, "from 1 to", "6")
    assert_fails(run_command(bayesian_posterior, index_file), 2, "D_STAR")
    assert_fails(run_command(bayesian_posterior, corpus_file, 3), 1, str(corpus_file))
    assert_fails(run_command(bayesian_posterior, tmp_path / "no.agpt", 3), 1, "no.agpt: no such")
    assert_fails(run_command(bayesian_posterior, index_file, 3, "--plot", "x.gif"), 1, "x.gif")
