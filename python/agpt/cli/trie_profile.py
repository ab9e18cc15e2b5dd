"""agpt-trie-profile: what an index holds at each depth, what it shares, what training will cost."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from agpt import ModelConfig, TrainConfig, TrieIndex
from agpt.cli.config_options import config_options, given
from agpt.cli.conventions import Command, common_options, emit, refuse_given
from agpt.cli.data_options import INPUT_FILE, open_index
from agpt.cli.output_options import plot_option
from agpt.cli.preset_options import MODEL_PREFIX
from agpt.cli.training_options import TRAIN_PREFIX
from agpt.index_profile import (
    Profile,
    Sharing,
    UnitBalance,
    endpoint_columns,
    sharing,
    uniqueness,
    unit_balance,
)
from agpt.model_config import PRESETS
from agpt.profile_plots import draw_profile
from agpt.training_cost import TrainingCost, predict_cost

TRAIN_OPTIONS = ("epochs", "unit", "positions_per_step", "ngram", "batch_rows", "threads")
SKIPPED_OPTIONS = {field.name for field in dataclasses.fields(TrainConfig)} - {*TRAIN_OPTIONS}
DEFAULT_RULE = "unigram"


@click.command("agpt-trie-profile", cls=Command)
@click.argument("index", type=INPUT_FILE)
@click.option(
    "--partition",
    "rule",
    metavar="RULE",
    help="Balance of the units of unigram, bigram, ngram=N or balanced=SIZE.",
)
@plot_option("the profile")
@click.option(
    "--predict",
    is_flag=True,
    help="Predict positions, operations, memory and seconds of training the model below.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Positions per second to predict with.  [default: measured in some training steps]",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="agpt",
    show_default=True,
    help="The architecture that the options of the model change.",
)
@config_options(
    ModelConfig,
    MODEL_PREFIX,
    skip={"vocab_size", "init"},
    defaults={"context": "the depth of the index"},
)
@config_options(TrainConfig, TRAIN_PREFIX, skip=SKIPPED_OPTIONS)
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    index: Path,
    rule: str | None,
    plot: Path | None,
    predict: bool,
    rate: float | None,
    preset: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Print the profile of the index file INDEX by depth."""
    if not predict:
        refuse_given(context, {"rate", "preset", *options}, "needs --predict")
    trie = open_index(index)
    profile = trie.profile()
    shared = sharing(trie, profile)
    balance = None if rule is None else unit_balance(trie, rule)
    cost = _cost(trie, preset, options, rate) if predict else None
    if plot is not None:
        draw_profile(plot, trie, profile, rule or DEFAULT_RULE)
    lines = [*_table(profile), "", *_summary(trie, profile, shared)]
    if balance is not None:
        lines.append(_balance_line(balance))
    if cost is not None:
        lines += _cost_lines(cost)
    values = _values(index, trie, profile, shared) | {
        "partition": None if balance is None else _record(balance),
        "prediction": None if cost is None else _record(cost),
        "plot": None if plot is None else str(plot),
    }
    emit(as_json, values, "\n".join(lines))


def _cost(
    trie: TrieIndex, preset: str, options: dict[str, Any], rate: float | None
) -> TrainingCost:
    settings = {"context": trie.depth} | given(options, MODEL_PREFIX)
    model = ModelConfig.preset(preset, trie.vocab_size, **settings)
    training = TrainConfig.from_dict(given(options, TRAIN_PREFIX))
    return predict_cost(trie, model, training, rate=rate)


def _record(values: UnitBalance | TrainingCost | Sharing) -> dict[str, Any]:
    """Fields and properties of a dataclass."""
    properties = [name for name, of in vars(type(values)).items() if isinstance(of, property)]
    return dataclasses.asdict(values) | {name: getattr(values, name) for name in properties}


def _values(path: Path, trie: TrieIndex, profile: Profile, shared: Sharing) -> dict[str, Any]:
    names = ("depth", "n_tokens", "n_nodes", "n_positions", "n_entries", "n_bytes", "total_mass")
    values = {"path": str(path)} | {name: getattr(trie, name) for name in names}
    for key, value in (profile | endpoint_columns(profile)).items():
        values[key] = value.tolist() if isinstance(value, np.ndarray) else value
    values["sharing"] = _record(shared)
    values["uniqueness"] = dataclasses.asdict(uniqueness(profile))
    return values


Cell = Callable[[Any], str]


def _column(name: str, values: Any, cell: Cell = "{:,}".format) -> list[str]:
    """A column of a table, aligned to the right."""
    cells = [name, *(cell(value) for value in values)]
    width = max(map(len, cells)) + 2
    return [f"{text:>{width}}" for text in cells]


def _table(profile: Profile) -> list[str]:
    """A line for each depth: what its positions share, then its endpoints."""
    two = "{:,.2f}".format
    means = endpoint_columns(profile)
    depths = range(1, len(profile["positions"]) + 1)
    columns = [
        _column("depth", depths),
        _column("positions", profile["positions"]),
        _column("mass", profile["mass"]),
        _column("shared", profile["mass"] / np.maximum(profile["positions"], 1), two),
        _column("unique", profile["unique_leaves"]),
        _column("nodes", profile["nodes"]),
        _column("total", profile["node_mass"]),
        _column("median", profile["median_node_mass"]),
        _column("mean", means["mean_node_mass"], two),
        _column("max", profile["largest_node_mass"]),
        _column("branch", means["mean_targets"], two),
        _column("edge", means["mean_edge"], two),
        _column("absorbed", means["absorbed"]),
    ]
    return ["".join(cells) for cells in zip(*columns, strict=True)]


def _summary(trie: TrieIndex, profile: Profile, shared: Sharing) -> list[str]:
    absorbed = trie.n_positions - trie.n_nodes
    unique = uniqueness(profile)
    single = endpoint_columns(profile)["single_target_share"][-1]
    against = f"{shared.all_windows:.2f} against all windows, {shared.disjoint_windows:.3f} against"
    against += " windows side by side"
    if shared.documents is not None:
        against += f", {shared.documents:.2f} against documents"
    return [
        f"{trie.n_nodes:,} endpoints, {trie.n_positions:,} positions "
        f"({trie.n_positions / max(1, trie.n_nodes):.2f} for each endpoint, "
        f"{absorbed:,} or {absorbed / max(1, trie.n_positions):.2%} absorbed), "
        f"{trie.n_entries:,} targets, {trie.total_mass:,.0f} predictions",
        f"sharing: {against}",
        f"positions of mass 1: {shared.single_positions:,} ({shared.single_share:.2%}); "
        f"above 1: {shared.core_positions:,}",
        f"unique after {unique.mean:.2f} tokens on average, median {unique.median}, "
        f"mode {unique.mode} ({unique.leaves:,} leaves)",
        f"endpoints of full depth with one target: {single:.2%}",
    ]


def _balance_line(balance: UnitBalance) -> str:
    return (
        f"partition {balance.rule}: {balance.n_units:,} units, positions {balance.smallest:,} to "
        f"{balance.largest:,}, median {balance.median:,}, mean {balance.mean:,.1f} "
        f"(largest {balance.imbalance:.1f} times the mean, "
        f"heaviest {balance.largest_mass_share:.1%} of all predictions)"
    )


def _cost_lines(cost: TrainingCost) -> list[str]:
    return [
        f"training {cost.n_parameters:,} parameters for {cost.passes:g} passes: "
        f"{cost.positions:,} positions in {cost.steps:,} steps, {cost.flops:.3g} operations",
        f"memory {cost.memory_bytes / 1e6:,.0f} MB beside the index of "
        f"{cost.index_bytes / 1e6:,.0f} MB; {cost.seconds:,.0f} s at "
        f"{cost.positions_per_second:,.0f} positions per second ({cost.rate_source})",
    ]
