"""agpt.train_config: defaults that depend on others, what is refused, what the engine gets."""

import os

import pytest
from agpt import ArgumentError, TrainConfig
from agpt.train_config import resolved_threads


def test_a_dictionary_gives_the_same_configuration_back() -> None:
    config = TrainConfig(mode="window", steps=3, lr=1, weight_decay=0.2)
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert isinstance(config.lr, float)


def test_the_length_of_a_run_is_steps_or_epochs_or_one_pass() -> None:
    assert TrainConfig().total_steps(7) == 7
    assert TrainConfig(steps=3).total_steps(7) == 3
    assert TrainConfig(epochs=2.5).total_steps(7) == 18
    assert TrainConfig(epochs=0.01).total_steps(7) == 1


def test_adamw_is_adam_with_weight_decay() -> None:
    options = TrainConfig(optimizer="adamw").engine_options(10, 10)
    assert (options.optimizer, options.weight_decay) == ("adam", 0.1)
    assert TrainConfig(optimizer="adam").engine_options(10, 10).weight_decay == 0
    assert TrainConfig(optimizer="sgd", weight_decay=0.3).engine_options(10, 10).weight_decay == 0.3


def test_warm_up_is_a_twentieth_of_the_run_unless_given() -> None:
    options = TrainConfig(schedule="warmup-cosine").engine_options(100, 100)
    assert (options.schedule, options.warmup_steps, options.total_steps) == ("cosine", 5, 100)
    assert TrainConfig(schedule="cosine").engine_options(100, 100).warmup_steps == 0
    assert TrainConfig(schedule="linear", warmup_steps=9).engine_options(100, 100).warmup_steps == 9


def test_lr_can_be_scaled_to_the_steps_of_a_pass() -> None:
    assert TrainConfig(lr=0.3).base_lr(1000) == 0.3
    config = TrainConfig(lr=0.3, lr_reference_steps=65)
    assert config.base_lr(650) == pytest.approx(0.03)
    assert config.engine_options(5, 650).learning_rate == pytest.approx(0.03)


def test_no_threads_means_every_core_of_the_process() -> None:
    assert resolved_threads(0) == len(os.sched_getaffinity(0))
    assert resolved_threads(3) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "windows"}, "mode 'windows' is unknown: choose from trie, window, hybrid"),
        (
            {"unit": "leaf"},
            "choose from positions, pass, root-child, bigram, ngram, balanced, sample",
        ),
        ({"unit": "sample", "tails": "none"}, "choose tails full or another unit"),
        ({"sampler": "leaf"}, "choose from path, mass-walk, root-child, node"),
        ({"sampler_stop": 0}, "sampler_stop is 0.0, but must be above 0"),
        ({"samples_per_step": 0}, "samples_per_step is 0"),
        ({"curriculum": "4"}, "a stage is DEPTH:STEPS"),
        ({"curriculum": "4:0"}, "both at least 1"),
        ({"curriculum": "4:9", "mode": "window"}, "leave it out"),
        ({"positions_per_step": 0}, "positions_per_step is 0, but must be at least 1"),
        ({"tails": "half"}, "choose from full, first, whitespace, none, sampled"),
        ({"tail_rows": 0}, "tail_rows is 0, but must be at least 1"),
        ({"tail_rate": 0}, "tail_rate is 0.0, but must be above 0"),
        ({"tail_rate": 1.5}, "tail_rate is 1.5, but must be at most 1"),
        ({"units_per_step": 0}, "units_per_step is 0"),
        ({"intermediate_weight": -1}, "intermediate_weight is -1.0"),
        ({"lr_reference_steps": 0}, "lr_reference_steps is 0.0, but must be above 0"),
        ({"ngram": 9}, "ngram is 9, but must be from 1 to 8"),
        ({"lr": "fast"}, "lr is 'fast', but must be a number"),
        ({"lr": 0.0}, "lr is 0.0, but must be above 0"),
        ({"beta1": 1.0}, "beta1 is 1.0, but must be at least 0 and below 1"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 1, "epochs": 1}, "steps and epochs are both given"),
        ({"epochs": 0}, "epochs is 0.0, but must be above 0"),
        ({"optimizer": "adam", "weight_decay": 0.1}, "choose optimizer adamw"),
        ({"seed": -1}, "seed is -1"),
        ({"blend": 1.5}, "blend is 1.5, but must be from 0 to 1"),
        ({"blend_min_mass": 0}, "blend_min_mass is 0, but must be at least 1"),
        ({"blend": 0.5, "mode": "window"}, "choose window_targets trie"),
        ({"unit_lr": "residual"}, "choose from none, inv-depth, inv-sqrt-depth, sqrt-mass"),
        ({"unit_lr": "sqrt-mass"}, "unit sample has no units with rates of their own"),
        ({"unit_lr": "inv-depth", "unit": "bigram", "mode": "window"}, "choose mode trie"),
        ({"min_lr_ratio": 2}, "min_lr_ratio is 2.0, but must be from 0 to 1"),
        ({"clip_norm": -1}, "clip_norm"),
        ({"threads": -2}, "threads"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(settings: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        TrainConfig(**settings)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ArgumentError, match="TrainConfig has no setting 'dropout'"):
        TrainConfig.from_dict({"dropout": 0.1})


@pytest.mark.parametrize(
    ("settings", "unit"),
    [
        ({}, "sample"),
        ({"mass_weight": "sqrt", "blend": 0.5}, "sample"),
        ({"tails": "sampled"}, "positions"),
        ({"order": "fixed"}, "positions"),
        ({"curriculum": "2:3"}, "positions"),
        ({"reference_gradient": True}, "root-child"),
        ({"unit": "bigram", "order": "fixed"}, "bigram"),
    ],
)
def test_a_step_covers_what_the_other_settings_ask_for(settings: dict, unit: str) -> None:
    assert TrainConfig(**settings).unit_of_index == unit
