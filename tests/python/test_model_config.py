"""agpt.model_config: presets, the forms of heads and d_ff, what is refused."""

import dataclasses

import pytest
from agpt import ArgumentError, ModelConfig
from agpt.model_config import PRESETS


def test_microgpt_has_the_published_number_of_parameters() -> None:
    assert ModelConfig.preset("microgpt", 65, context=128).n_parameters == 108_481
    assert ModelConfig.preset("microgpt", 65, d_model=32, heads=2).n_parameters == 29_697
    assert ModelConfig.preset("microgpt", 65, d_model=128, heads=8).n_parameters == 413_505


def test_the_default_preset_is_microgpt_with_other_initial_weights() -> None:
    ours, microgpt = (ModelConfig.preset(name, 65) for name in ("agpt", "microgpt"))
    assert ours == ModelConfig(vocab_size=65) == dataclasses.replace(microgpt, init="gpt2")
    assert microgpt.init == "microgpt"


def test_karpathys_models_have_their_published_number_of_parameters() -> None:
    assert ModelConfig.preset("karpathy-a", 27).n_parameters == 4_064
    assert ModelConfig.preset("karpathy-b", 27).n_parameters == 4_192


def test_nanogpt_has_a_tied_head_and_no_biases() -> None:
    d, v, t = 64, 65, 32
    expected = v * d + t * d + 2 * (12 * d * d + 2 * d) + d
    assert ModelConfig.preset("nanogpt", v, context=t).n_parameters == expected


def test_heads_are_a_number_or_widths() -> None:
    config = ModelConfig(vocab_size=5, heads=4)
    assert config.heads == config.head_widths == (16, 16, 16, 16)
    assert config == ModelConfig(vocab_size=5, heads=[16, 16, 16, 16])
    assert ModelConfig(vocab_size=5, heads=[1, 2, 61]).head_widths == (1, 2, 61)


def test_the_width_of_the_mlp_follows_the_model() -> None:
    assert ModelConfig(vocab_size=5, d_model=8).d_ff == 32
    assert ModelConfig(vocab_size=5, d_model=8, d_ff=7).d_ff == 7


@pytest.mark.parametrize("name", PRESETS)
def test_a_dictionary_gives_the_same_configuration_back(name: str) -> None:
    config = ModelConfig.preset(name, 30)
    assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"context": 0}, "context is 0"),
        ({"d_model": "wide"}, "d_model is 'wide', but must be a whole number"),
        ({"d_model": 2**40}, "d_model"),
        ({"heads": 3}, "3 equal heads do not divide d_model 64"),
        ({"heads": 0}, "at least one head"),
        ({"heads": [32, 16]}, "sum to 48"),
        ({"heads": ["32", 32]}, "must be whole numbers"),
        ({"heads": "4"}, "number of heads or their widths"),
        ({"norm": "batchnorm"}, "norm 'batchnorm' is unknown: choose from layernorm, rmsnorm"),
        ({"activation": "tanh"}, "choose from relu, relu2, gelu"),
        ({"norm_gain": False}, "norm_gain"),
        ({"norm_gain": 1}, "norm_gain is 1, but must be true or false"),
        ({"rope_base": float("nan")}, "rope_base"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(settings: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message.replace("[", r"\[")):
        ModelConfig(**({"vocab_size": 65} | settings))


def test_unknown_and_missing_settings_are_refused() -> None:
    with pytest.raises(ArgumentError, match="no setting 'dropout'"):
        ModelConfig.from_dict({"vocab_size": 5, "dropout": 0.1})
    with pytest.raises(ArgumentError, match="needs the setting 'vocab_size'"):
        ModelConfig.from_dict({})
    with pytest.raises(ArgumentError, match="preset 'gpt5' is unknown: choose from agpt, microgpt"):
        ModelConfig.preset("gpt5", 65)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig(vocab_size=5).d_model = 3  # type: ignore[misc]
