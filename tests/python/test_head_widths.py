"""agpt.head_widths: the families of head widths, and the short specs of models."""

from pathlib import Path

import pytest
from agpt import ArgumentError, ModelConfig
from agpt.head_widths import (
    FAMILIES,
    FIXED,
    NAMES,
    head_widths,
    read_heads,
    settings_of_spec,
    spec_of,
)
from agpt.model_config import PRESETS
from hypothesis import given
from hypothesis import strategies as st


@given(st.sampled_from(list(FAMILIES)), st.integers(1, 300))
def test_the_heads_of_a_family_fill_any_width(name: str, d_model: int) -> None:
    if name == "pyramid" and d_model % 32:
        with pytest.raises(ArgumentError, match=f"d_model {d_model} is no multiple of 32"):
            head_widths(name, d_model)
        return
    widths = head_widths(name, d_model)
    assert sum(widths) == d_model
    assert min(widths) >= 1


@pytest.mark.parametrize(
    ("name", "d_model", "widths"),
    [
        ("uniform", 8, [8]),
        ("uniform", 16, [16]),
        ("uniform", 24, [24]),
        ("uniform", 32, [16] * 2),
        ("uniform", 40, [20] * 2),
        ("uniform", 48, [16] * 3),
        ("uniform", 50, [25] * 2),
        ("uniform", 60, [20] * 3),
        ("uniform", 64, [16] * 4),
        ("uniform", 67, [67]),
        ("uniform", 96, [16] * 6),
        ("uniform", 100, [20] * 5),
        ("uniform", 128, [16] * 8),
        ("exponential", 1, [1]),
        ("exponential", 63, [1, 2, 4, 8, 16, 32]),
        ("exponential", 64, [1, 2, 4, 8, 16, 32, 1]),
        ("exponential", 70, [1, 2, 4, 8, 16, 32, 7]),
        ("prime", 1, [1]),
        ("prime", 32, [2, 3, 5, 7, 15]),
        ("prime", 64, [2, 3, 5, 7, 11, 13, 23]),
        ("prime", 128, [2, 3, 5, 7, 11, 13, 17, 19, 51]),
        ("pyramid", 32, [8, 4, 4, 2, 2, 2, 2, *[1] * 8]),
        ("pyramid", 128, [32, 16, 16, 8, 8, 8, 8, *[4] * 8]),
        ("ones", 3, [1, 1, 1]),
    ],
)
def test_families_have_the_widths_of_their_formula(
    name: str, d_model: int, widths: list[int]
) -> None:
    assert list(head_widths(name, d_model)) == widths


@pytest.mark.parametrize(
    ("name", "n_heads", "d_model", "n_parameters"),
    [
        ("compat-exponential", 6, 63, 105_275),
        ("compat-prime", 7, 64, 108_481),
        ("compat-pyramid", 15, 64, 108_481),
        ("compat-ones", 64, 64, 108_481),
    ],
)
def test_the_fixed_lists_decide_the_width_and_have_the_published_parameters(
    name: str, n_heads: int, d_model: int, n_parameters: int
) -> None:
    config = ModelConfig.preset("microgpt", 65, heads=name)
    assert len(config.head_widths) == n_heads
    assert (config.d_model, config.n_parameters) == (d_model, n_parameters)


def test_the_fixed_lists_are_those_of_the_rules_at_their_width() -> None:
    for name, widths in FIXED.items():
        assert head_widths(name.removeprefix("compat-"), sum(widths)) == widths


def test_heads_and_a_width_that_disagree_are_refused() -> None:
    for heads in ([32, 16], "compat-exponential"):
        with pytest.raises(ArgumentError, match="the head widths sum to"):
            ModelConfig.preset("microgpt", 65, heads=heads, d_model=64)
    assert ModelConfig.preset("microgpt", 65, heads=[32, 16]).d_model == 48
    with pytest.raises(ArgumentError, match="choose from uniform, exponential, prime"):
        ModelConfig(65, heads="fibonacci")


def test_a_spec_is_width_or_heads_layers_and_mlp() -> None:
    assert ModelConfig.from_spec("d64n2", 65, context=128).n_parameters == 108_481
    assert ModelConfig.from_spec("d4x16n2ff256", 65) == ModelConfig.from_spec("d64n2", 65)
    config = ModelConfig.from_spec("d1+2+4+8n3ff40", 65)
    assert (config.d_model, config.n_layers, config.d_ff) == (15, 3, 40)
    assert config.head_widths == (1, 2, 4, 8)
    assert ModelConfig.from_spec("d64n1", 27, preset="karpathy-b").activation == "relu"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 9), st.integers(1, 500))
def test_every_shape_has_a_spec_that_means_it(widths: list[int], n_layers: int, d_ff: int) -> None:
    settings = settings_of_spec(spec_of(widths, n_layers, d_ff))
    expected = {"d_model": sum(widths), "n_layers": n_layers, "d_ff": d_ff, "heads": tuple(widths)}
    assert settings == expected


@pytest.mark.parametrize(
    "spec", ["", "64n2", "d64", "d64n", "d4x16x2n1", "d4+n1", "d64n2ff", "d6.4n2"]
)
def test_what_is_no_spec_is_refused(spec: str) -> None:
    with pytest.raises(ArgumentError, match="is not of the form d64n2"):
        settings_of_spec(spec)


@pytest.mark.parametrize("spec", ["d0n2", "d4x0n2", f"d{2**40}n1", f"d{2**40}x{2**40}n1"])
def test_widths_that_no_model_has_are_refused(spec: str) -> None:
    with pytest.raises(ArgumentError, match="must be from 1 to 65536"):
        settings_of_spec(spec)


def test_a_spec_and_settings_that_disagree_are_refused() -> None:
    assert ModelConfig.from_spec("d64n2", 65, d_model=64).spec == "d64n2"
    with pytest.raises(ArgumentError, match="spec d64n2 and other settings disagree"):
        ModelConfig.from_spec("d64n2", 65, n_layers=3)


@pytest.mark.parametrize("name", NAMES)
def test_models_of_every_family_read_back_from_their_spec(name: str) -> None:
    config = ModelConfig.preset("agpt", 65, heads=name)
    assert ModelConfig.from_spec(config.spec, 65) == config


def rows_of(section: str) -> list[list[str]]:
    page = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    lines = page.split(f"## {section}\n")[1].split("\n## ")[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]


def test_the_heads_on_the_page_are_those_of_the_rules() -> None:
    rows = [row for row in rows_of("Heads") if len(row) == 3 and row[2][0].isdigit()]
    assert len(rows) == 7
    for name, _, widths in rows:
        heads = read_heads(name.split("`")[1])
        count, _, rest = widths.partition(" times ")
        expected = [int(rest)] * int(count) if rest else [int(width) for width in widths.split()]
        assert list(head_widths(heads, 64)) == expected, name


def test_the_presets_on_the_page_have_those_sizes() -> None:
    rows = rows_of("Presets")
    assert {row[0].strip("`") for row in rows} == set(PRESETS)
    for name, sizes, *_ in rows:
        config = ModelConfig.preset(name.strip("`"), 27)
        assert sizes == f"{config.spec}, context {config.context}"


@given(st.integers(1, 90), st.integers(1, 99), st.integers(1, 70), st.integers(0, 3))
def test_the_number_of_parameters_is_that_of_the_formula(v: int, d: int, f: int, n: int) -> None:
    config = ModelConfig(v, d_model=d, d_ff=f, n_layers=n)
    block = 4 * (d * d + d) + d * f + f + f * d + d + 4 * d
    assert config.n_parameters == v * d + n * block + 2 * d + d * v + v
