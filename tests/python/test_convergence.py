"""agpt.diagnostics.convergence and its command: published figures, the corrected ones, the CSV."""

import csv
import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError
from agpt.cli.convergence import command as convergence
from agpt.diagnostics import (
    DepthAgreement,
    SharedPaths,
    compare_halves,
    compare_texts,
    interleaved_halves,
)
from agpt.diagnostics.convergence import CSV_COLUMNS, rank_correlation
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from support import assert_fails, data_file

# Depth -> paths that occur five times in both halves, and once.
PATHS_OF_FIVE = {
    1: 63, 2: 1_082, 3: 5_551, 4: 12_840, 5: 16_831, 6: 15_012,
    8: 7_177, 12: 676, 16: 155, 20: 41, 26: 1,
}  # fmt: skip
PATHS_OF_ONE = {4: 29_463, 8: 93_476, 16: 7_338}
# Depth -> median error, Spearman, percent covered within 0.10: as published, with the bug.
PUBLISHED = {
    4: ("0.454", "0.895", "27.9"),
    8: ("1.786", "0.869", "2.4"),
    16: ("6.898", "0.815", "0.0"),
}
CORRECTED = {
    4: ("0.236", "0.864", "41.9"),
    8: ("0.288", "0.643", "16.9"),
    16: ("0.586", "0.534", "2.9"),
}


@pytest.fixture(scope="module")
def shakespeare() -> bytes:
    return data_file("tinyshakespeare.txt").read_bytes()


def by_depth(paths: SharedPaths) -> dict[int, DepthAgreement]:
    return {agreement.depth: agreement for agreement in paths.by_depth()}


def printed(agreement: DepthAgreement) -> tuple[str, str, str]:
    return (
        f"{agreement.median_error:.3f}",
        f"{agreement.spearman:.3f}",
        f"{100 * agreement.coverage:.1f}",
    )


def test_the_halves_of_tinyshakespeare_have_the_published_sizes(shakespeare: bytes) -> None:
    a, b = interleaved_halves(shakespeare, 20)
    assert (len(a), len(b)) == (557_690, 557_704)


def test_published_figures_with_the_bug_of_the_reference(shakespeare: bytes) -> None:
    paths = compare_halves(shakespeare, depth=26, reference_bug=True)
    figures = by_depth(paths)
    assert {depth: figures[depth].n_paths for depth in PATHS_OF_FIVE} == PATHS_OF_FIVE
    assert {depth: printed(figures[depth]) for depth in PUBLISHED} == PUBLISHED
    assert f"{figures[1].median_error:.3f}" == "0.026"
    assert f"{figures[4].p90_error:.2f}" == "13.96"
    assert f"{figures[8].p90_error:.1f}" == "15.3"
    deepest = int(np.argmax(paths.depth))
    assert paths.path(deepest) == b" lord.\n\nKING RICHARD III:\n"
    assert (paths.count_a[deepest], paths.count_b[deepest]) == (5, 7)


def test_published_figures_of_all_shared_paths_with_the_bug_of_the_reference(
    shakespeare: bytes,
) -> None:
    paths = compare_halves(shakespeare, depth=16, min_count=1, reference_bug=True)
    figures = by_depth(paths)
    assert paths.depth.size == 646_981
    assert {depth: figures[depth].n_paths for depth in PATHS_OF_ONE} == PATHS_OF_ONE
    assert [f"{figures[d].spearman:.3f}" for d in (4, 8, 16)] == ["0.851", "0.803", "0.890"]
    assert [f"{figures[d].median_error:.1f}" for d in (4, 8, 16)] == ["0.5", "2.5", "8.1"]


def test_figures_of_the_same_paths_counted_right(shakespeare: bytes) -> None:
    figures = by_depth(compare_halves(shakespeare, depth=26))
    assert {depth: figures[depth].n_paths for depth in PATHS_OF_FIVE} == PATHS_OF_FIVE
    assert {depth: printed(figures[depth]) for depth in CORRECTED} == CORRECTED
    assert [f"{figures[d].p90_error:.2f}" for d in (4, 8, 16)] == ["0.69", "0.73", "1.08"]


@given(st.binary(min_size=2, max_size=100), st.data())
def test_halves_take_turns_block_by_block(text: bytes, data: st.DataObject) -> None:
    n_blocks = data.draw(st.integers(2, len(text)))
    a, b = interleaved_halves(text, n_blocks)
    size = len(text) // n_blocks
    rest: dict[bool, bytes] = {False: b, True: a}
    for block in range(n_blocks):
        end = (block + 1) * size if block < n_blocks - 1 else len(text)
        piece, is_even = text[block * size : end], block % 2 == 0
        assert rest[is_even].startswith(piece)
        rest[is_even] = rest[is_even][len(piece) :]
    assert rest == {False: b"", True: b""}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20))
def test_a_rank_correlation_is_the_correlation_of_mean_ranks(pairs: list[tuple[int, int]]) -> None:
    def mean_ranks(values: list[int]) -> list[float]:
        return [
            sum(other < v for other in values) + sum(other == v for other in values) / 2
            for v in values
        ]

    a, b = [p[0] for p in pairs], [p[1] for p in pairs]
    found = rank_correlation(np.array(a, float), np.array(b, float))
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(found)
    else:
        expected = np.corrcoef(mean_ranks(a), mean_ranks(b))[0, 1]
        assert found == pytest.approx(expected, abs=1e-12)


def test_equal_texts_agree_in_everything() -> None:
    for agreement in compare_texts(b"abracadabra", b"abracadabra", min_count=1).by_depth():
        assert agreement.median_error == agreement.p90_error == 0
        assert agreement.coverage == agreement.within_noise == 1
        assert agreement.spearman == pytest.approx(1)


def test_shares_of_a_case_done_by_hand() -> None:
    # "a" 3 and 1 of 4 bytes, "b" 1 and 3: errors ln 3, means equal, standard error sqrt(4 / 3).
    (first, *_) = compare_texts(b"aaab", b"bbba", depth=1, min_count=1).by_depth()
    assert first.n_paths == 2
    assert first.median_error == pytest.approx(math.log(3), abs=1e-5)
    assert first.spearman == pytest.approx(-1)
    assert first.coverage == 0
    assert first.within_noise == 1


@given(st.binary(min_size=4, max_size=60))
def test_the_csv_has_every_path_as_it_is(tmp_path_factory: Any, text: bytes) -> None:
    path = tmp_path_factory.mktemp("csv") / "paths.csv"
    paths = compare_halves(text * 2, n_blocks=2, min_count=1)
    paths.write_csv(path)
    with path.open(encoding="ascii", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == CSV_COLUMNS
    assert len(rows) == paths.depth.size
    for i, row in enumerate(rows):
        values = dict(zip(header, row, strict=True))
        assert values["path"].encode().decode("unicode_escape").encode("latin-1") == paths.path(i)
        assert int(values["depth"]) == len(paths.path(i))
        assert (int(values["count_a"]), int(values["count_b"])) == (
            paths.count_a[i],
            paths.count_b[i],
        )
        a, b = float(values["log_pi_a"]), float(values["log_pi_b"])
        assert a == pytest.approx(paths.log_p_a[i], rel=1e-8, abs=1e-8)
        assert float(values["log_abs_err"]) == pytest.approx(abs(a - b), abs=1e-6)
        mean = math.log((math.exp(a) + math.exp(b)) / 2)
        assert float(values["log_pi_mean"]) == pytest.approx(mean, abs=1e-6)
        assert float(values["log_pi_min"]) == pytest.approx(paths.log_p_min[i], rel=1e-8, abs=1e-8)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ArgumentError, match="1 blocks of 4 bytes"):
        interleaved_halves(b"abcd", 1)
    with pytest.raises(ArgumentError, match="5 blocks of 4 bytes"):
        interleaved_halves(b"abcd", 5)
    with pytest.raises(ArgumentError, match="depth is 254"):
        compare_texts(b"ab", b"ab", depth=254)
    with pytest.raises(ArgumentError, match="least count is 0"):
        compare_texts(b"ab", b"ab", min_count=0)


def test_the_command_prints_what_the_library_measures(
    corpus_file: Path,
    tmp_path: Path,
    text: str,
    run_json: Callable[..., dict[str, Any]],
    run_command: Callable[..., Result],
) -> None:
    out = tmp_path / "paths.csv"
    options = ["--corpus", corpus_file, "--depth", 6, "--min-count", 3, "--blocks", 10]
    values = run_json(convergence, *options, "--out", out)
    paths = compare_halves(text.encode(), n_blocks=10, depth=6, min_count=3)
    assert values["n_paths"] == paths.depth.size
    assert [d["median_error"] for d in values["depths"]] == [
        a.median_error for a in paths.by_depth()
    ]
    assert len(out.read_text().splitlines()) == paths.depth.size + 1
    wrong = run_json(convergence, *options, "--reference-bug")
    assert wrong["reference_bug"]
    assert wrong["depths"] != values["depths"]
    table = run_command(convergence, *options).stdout.splitlines()
    assert len(table) == 2 + len(values["depths"])


def test_the_command_reads_compressed_texts(
    corpus_file: Path, tmp_path: Path, run_json: Callable[..., dict[str, Any]]
) -> None:
    compressed = tmp_path / "text.txt.gz"
    compressed.write_bytes(gzip.compress(corpus_file.read_bytes()))
    plain = run_json(convergence, "--corpus", corpus_file)
    assert run_json(convergence, "--corpus", compressed)["depths"] == plain["depths"]


def test_the_command_draws_what_it_prints(
    corpus_file: Path, tmp_path: Path, run_json: Callable[..., dict[str, Any]]
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    run_json(convergence, "--corpus", corpus_file, "--plot", tmp_path / "agreement.svg")
    assert (tmp_path / "agreement.svg").read_bytes().startswith(b"<?xml")


def test_mistakes_are_one_line(
    corpus_file: Path, tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    def run(*options: object) -> Result:
        return run_command(convergence, "--corpus", corpus_file, *options)

    assert_fails(run_command(convergence), 2, "--corpus")
    assert_fails(run_command(convergence, "--corpus", "no.txt"), 1, "no.txt: no such file")
    assert_fails(run("--depth", 0), 1, "depth is 0")
    assert_fails(run("--blocks", 1), 1, "1 blocks")
    assert_fails(run("--out", tmp_path / "no" / "x.csv"), 1, "does not exist")
    assert_fails(run("--plot", "x.gif"), 1, "x.gif")
