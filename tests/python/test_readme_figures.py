"""Figures in README and docs that follow from the code or from a public text: they are computed."""

import re
from pathlib import Path

import pytest
from agpt import ArgumentError, Corpus, ModelConfig, TrieIndex
from agpt.head_widths import FIXED
from agpt.model_config import PRESETS
from agpt.train_config import TRAINING_PRESETS
from support import data_file

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def found(pattern: str, text: str) -> tuple[str, ...]:
    """What the groups of the one place that fits have."""
    matches = re.findall(pattern, text)
    assert len(matches) == 1, (pattern, matches)
    groups = matches[0]
    return groups if isinstance(groups, tuple) else (groups,)


def test_the_measured_model_is_the_default_one() -> None:
    numbers = found(
        r"the model of ([\d,]+) parameters \((\d+) layers, width (\d+), (\d+) heads\)",
        page("README.md"),
    )
    config = ModelConfig.preset("microgpt", 65)
    sizes = (config.n_layers, config.d_model, len(config.head_widths))
    assert numbers == (f"{config.n_parameters:,}", *map(str, sizes))


def test_the_largest_depth_is_the_one_that_is_refused_beyond() -> None:
    (depth,) = map(int, found(r"indexes up to depth (\d+)", page("README.md")))
    corpus = Corpus.from_text("abracadabra" * 100)
    assert TrieIndex.build(corpus, depth=depth).depth == depth
    with pytest.raises(ArgumentError):
        TrieIndex.build(corpus, depth=depth + 1)


@pytest.mark.parametrize("depth", [8, 16, 32])
def test_the_sharing_of_tinyshakespeare_is_that_of_its_trie(depth: int) -> None:
    corpus = Corpus.from_file(data_file("tinyshakespeare.txt"))
    index = TrieIndex.build(corpus, depth=depth, val_fraction=0)
    readme, design = page("README.md"), page("docs/design.md")
    ratio = f"{index.total_mass / index.n_positions:.1f}"
    shares = found(
        r"has ([\d.]+) times fewer positions than the windows have at depth 8, ([\d.]+) times at "
        r"16, and ([\d.]+) times at 32",
        readme,
    )
    assert shares[(8, 16, 32).index(depth)] == ratio
    assert found(rf"([\d.]+) at `D = {depth}` \(([\d,]+)", design) in (
        (ratio, f"{index.n_positions:,}"),
    )
    assert found(r"On a text of ([\d,]+) characters", design) == (f"{corpus.n_tokens:,}",)
    if depth == 32:
        assert found(r"for ([\d,]+) positions, and its file", readme) == (f"{index.n_positions:,}",)


def test_the_parameters_of_karpathys_presets_are_those_on_the_pages() -> None:
    counts = tuple(
        f"{ModelConfig.preset(name, 27).n_parameters:,}" for name in ("karpathy-a", "karpathy-b")
    )
    karpathy = page("docs/from_karpathy.md")
    assert found(r"parameters on the names \| ([\d,]+) \| ([\d,]+)", karpathy) == counts
    assert found(r"revision A has ([\d,]+) parameters and one of revision B ([\d,]+)",
                 page("docs/contracts.md")) == counts  # fmt: skip
    a, b = (PRESETS[name] | TRAINING_PRESETS[name] for name in ("karpathy-a", "karpathy-b"))
    rows = found(r"context, steps \| ([\d, ]+) \| ([\d, ]+) \|", karpathy)
    assert rows == tuple(f"{p['context']}, {p['steps']}" for p in (a, b))
    rates = found(r"\| Adam \| ([\d., a-z]+) \| ([\d., a-z]+) \|", karpathy)
    assert rates == tuple(f"{p['lr']}, betas {p['beta1']} and {p['beta2']}" for p in (a, b))


def test_every_fixed_list_of_heads_is_64_wide_but_one() -> None:
    assert {name: sum(widths) for name, widths in FIXED.items() if sum(widths) != 64} == {
        "compat-exponential": 63
    }
