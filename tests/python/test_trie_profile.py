"""The profile of an index: sharing against brute force, published figures, prediction, picture."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import Corpus, Model, ModelConfig, TrainConfig, TrieIndex
from agpt.cli.trie_profile import command as trie_profile
from agpt.index_profile import endpoint_columns, sharing, uniqueness, unit_balance
from agpt.training_cost import forward_flops, predict_cost
from click.testing import Result
from support import assert_fails, data_file

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden/tinyshakespeare_trie.json").read_text(encoding="utf-8")
)
SMALL = ["--d-model", "16", "--n-layers", "1", "--heads", "2", "--threads", "1"]


@pytest.fixture
def index_file(tmp_path: Path, index: TrieIndex) -> Path:
    path = tmp_path / "text.agpt"
    index.save(path)
    return path


@pytest.mark.parametrize("depth", [8, 16, 32])
def test_the_printed_table_is_the_published_one_to_the_digit(
    tmp_path: Path, run_command: Callable[..., Result], depth: int
) -> None:
    corpus = Corpus.from_file(data_file("tinyshakespeare.txt"))
    TrieIndex.build(corpus, depth, corpus_end="reference").save(tmp_path / "x.agpt")
    lines = run_command(trie_profile, tmp_path / "x.agpt").stdout.splitlines()
    names = lines[0].split()
    rows = [dict(zip(names, line.split(), strict=True)) for line in lines[1 : depth + 1]]
    published = ["nodes", "total", "median", "mean", "max", "branch", "edge", "absorbed"]
    cap = GOLDEN["caps"][str(depth)]
    cap_row = [*cap[:2], None, *cap[2:-1]]  # the median of the last row was not published
    for k, row in enumerate([*GOLDEN["endpoints"][: depth - 1], cap_row]):
        for name, figure in zip(published, row, strict=True):
            if figure is not None:
                text = f"{figure:,.2f}" if name in ("mean", "branch", "edge") else f"{figure:,}"
                assert rows[k][name] == text, (k + 1, name)
    assert lines[-1] == f"endpoints of full depth with one target: {cap[-1]}%"


def test_contexts_of_tinyshakespeare_are_unique_after_the_published_number_of_tokens() -> None:
    corpus = Corpus.from_file(data_file("tinyshakespeare.txt"))
    profile = TrieIndex.build(corpus, 32, corpus_end="reference").profile()
    unique = uniqueness(profile)
    assert round(unique.mean, 2) == 9.71
    assert (unique.leaves, unique.median, unique.mode) == (1113344, 9, 8)


def test_sharing_compares_the_positions_that_each_way_of_training_computes() -> None:
    text = "abracadabra abracadabra"
    index = TrieIndex.build(Corpus.from_text(text), 4)
    contexts = [text[i : i + k] for i in range(len(text)) for k in range(1, 5) if i + k < len(text)]
    n_positions = len(set(contexts))
    shared = sharing(index, index.profile())
    assert shared.all_windows == len(contexts) / n_positions
    assert shared.disjoint_windows == 20 / n_positions  # 5 windows of 4 predict 20 of 22 tokens
    assert shared.documents is None
    single = sum(contexts.count(context) == 1 for context in set(contexts))
    assert shared.single_positions == single
    assert shared.core_positions == n_positions - single
    assert shared.single_share == single / n_positions


def test_sharing_of_documents_counts_their_first_tokens() -> None:
    names = ["anna", "ann", "bo", "", "annabelle"]
    for starts in ("documents", "every"):
        index = TrieIndex.build(Corpus.from_documents(names), 4, starts=starts)
        expected = sum(min(len(name) + 1, 4) for name in names) / index.n_positions
        assert sharing(index, index.profile()).documents == expected
        if starts == "documents":
            assert index.total_mass / index.n_positions == expected


def test_figures_of_an_index_without_leaves_that_are_unique_are_zero() -> None:
    profile = TrieIndex.build(Corpus.from_text("aaaaaaaaaa"), 3).profile()
    assert uniqueness(profile).leaves == 0
    assert uniqueness(profile).mean == 0.0
    assert endpoint_columns(profile)["mean_edge"].tolist() == [0, 0, 3]


def test_the_balance_of_units_is_that_of_the_partition(index: TrieIndex) -> None:
    positions = index.partition("bigram")["positions"]
    balance = unit_balance(index, "bigram")
    assert balance.n_units == positions.size
    assert (balance.smallest, balance.largest) == (positions.min(), positions.max())
    assert balance.imbalance == positions.max() / positions.mean()
    assert balance.median == sorted(positions)[positions.size // 2]


def test_flops_are_those_of_every_product_counted_one_by_one() -> None:
    config = ModelConfig(vocab_size=11, context=3, d_model=8, n_layers=2, heads=2, d_ff=20)
    shapes = {name: array.shape for name, array in Model(config, 0).parameters().items()}
    matrices = [shape for shape in shapes.values() if len(shape) == 2]
    weights = sum(rows * columns for rows, columns in matrices) - 11 * 8  # embedding: a look-up
    positions = np.array([3, 5, 7])
    attention = sum(n * k * (2 * 8 + 2 * 8) * 2 for k, n in enumerate(positions, start=1))
    assert forward_flops(config, positions) == positions.sum() * 2 * weights + attention


def test_a_prediction_is_for_the_run_that_the_configuration_says(index: TrieIndex) -> None:
    model = ModelConfig(index.vocab_size, context=6, d_model=16, n_layers=1, heads=2)
    training = TrainConfig(epochs=3, positions_per_step=500, threads=1)
    cost = predict_cost(index, model, training, rate=1000.0)
    assert cost.passes == 3
    assert cost.positions == 3 * index.n_positions
    assert cost.seconds == 3 * index.n_positions / 1000
    assert cost.rate_source == "given"
    forward = forward_flops(model, index.profile()["positions"])
    assert cost.flops == 3 * 3 * forward
    assert cost.n_parameters == model.n_parameters
    assert cost.memory_bytes > 20 * model.n_parameters
    measured = predict_cost(index, model, training, seconds=0.01)
    assert measured.rate_source == "measured"
    assert measured.seconds == measured.positions / measured.positions_per_second > 0


def test_the_command_prints_all_figures_as_json(
    run_json: Callable[..., dict[str, Any]], index_file: Path, index: TrieIndex
) -> None:
    values = run_json(trie_profile, index_file, "--partition", "balanced=100", "--predict", *SMALL)
    assert values["sharing"]["all_windows"] == values["sharing_ratio"]
    assert sum(values["unique_leaves"]) == values["uniqueness"]["leaves"]
    assert values["partition"]["largest"] <= 100
    assert values["prediction"]["positions"] == index.n_positions
    assert values["prediction"]["rate_source"] == "measured"
    assert values["n_bytes"] == index_file.stat().st_size == index.n_bytes
    assert values["plot"] is None
    bare = run_json(trie_profile, index_file)
    assert bare["partition"] is None
    assert bare["prediction"] is None


def test_the_command_says_what_it_was_asked_for(
    run_command: Callable[..., Result], index_file: Path
) -> None:
    options = ["--partition", "bigram", "--predict", "--rate", "500", *SMALL]
    output = run_command(trie_profile, index_file, *options).stdout
    for part in ("sharing: ", "windows side by side", "unique after", "partition bigram: ",
                 "500 positions per second (given)", "operations"):  # fmt: skip
        assert part in output


def test_mistakes_are_one_sentence(run_command: Callable[..., Result], index_file: Path) -> None:
    assert_fails(run_command(trie_profile, index_file, "--rate", "5"), 2, "needs --predict")
    assert_fails(run_command(trie_profile, index_file, "--n-layers", "5"), 2, "needs --predict")
    assert_fails(run_command(trie_profile, index_file, "--plot", "x.gif"), 1, "picture")
    no_rule = run_command(trie_profile, index_file, "--partition", "letters")
    assert_fails(no_rule, 1, "'letters' is no partition")
    shallow = ["--predict", "--context", "3"]
    assert_fails(run_command(trie_profile, index_file, *shallow), 1, "the index is 6 deep")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_profile_is_drawn(
    run_json: Callable[..., dict[str, Any]], index_file: Path, suffix: str
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    picture = index_file.with_suffix(f".{suffix}")
    assert run_json(trie_profile, index_file, "--plot", picture)["plot"] == str(picture)
    beginning = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert picture.read_bytes().startswith(beginning)
