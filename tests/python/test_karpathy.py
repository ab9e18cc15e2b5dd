"""The presets karpathy-a and karpathy-b: the runs of Karpathy's two scripts, digit by digit."""

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, Model, ModelConfig, TrainConfig, Trainer, _engine
from agpt.checkpoint import read_checkpoint
from agpt.cli.generate import command as generate
from agpt.cli.train import command as train
from agpt.python_random import (
    generator_behind_shuffle,
    generator_from_json,
    shuffled_numbers,
    state_to_json,
)
from agpt.token_text import TRAIN, text_of_split
from click.testing import Result
from support import assert_fails, data_file, equal_parameters

NAMES = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "zoe"]
LOSSES = {
    "karpathy-a": {
        1: "3.363009",
        2: "3.291749",
        10: "3.276258",
        100: "4.009268",
        200: "2.180249",
        500: "2.085912",
    },
    "karpathy-b": {
        1: "3.365967",
        2: "3.424273",
        3: "3.177802",
        100: "3.366931",
        1000: "2.649694",
    },
}
LAST_HUNDRED = {"karpathy-a": "2.4587", "karpathy-b": "2.2761"}
N_PARAMETERS = {"karpathy-a": 4064, "karpathy-b": 4192}
SAMPLES = {
    "karpathy-a": "kalia ameli aayme kanni mayein kanlian haria dadka danzea kanel donfel amamai "
    "donn suerme aman anuty aulie akanie jaylie karli",
    "karpathy-b": "kamon ann karai jaire vialan karia yeran anna areli kaina konna keylen liole "
    "alerin earan lenne kana lara alela anton",
}


def preset_run(name: str, corpus: Corpus, **changes: Any) -> Trainer:
    config = TrainConfig.preset(name, **changes)
    n_documents = int(np.sum(corpus.tokens == corpus.vocabulary.boundary)) // 2
    generator = generator_behind_shuffle(config.seed, n_documents)
    model_config = ModelConfig.preset(name, corpus.vocab_size)
    model = Model(model_config, dtype="float64", vocabulary=corpus.vocabulary, generator=generator)
    return Trainer(model, corpus, config)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_samples_are_those_of_the_script(
    name: str, tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    out = tmp_path / "names.safetensors"
    arguments = [data_file("names.txt"), "--preset", name, "--out", out, "--save-every", "0"]
    result = run_command(train, *arguments)
    assert result.exit_code == 0, result.output
    assert Model.load(out).n_parameters == N_PARAMETERS[name]
    events = map(json.loads, (tmp_path / "names.log.jsonl").read_text().splitlines())
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert {step: f"{losses[step - 1]:.6f}" for step in LOSSES[name]} == LOSSES[name]
    assert f"{sum(losses[-100:]) / 100:.4f}" == LAST_HUNDRED[name]
    options = ["-n", 20, "--temperature", 0.5, "--generator", "python"]
    context = ModelConfig.preset(name, 27).context
    names = run_command(generate, out, *options, "--max-tokens", context).stdout
    assert names.split() == SAMPLES[name].split()


def test_losses_in_the_order_of_the_file_are_those_of_the_script_without_shuffle() -> None:
    """The run of the Rust port with upstream's tokens and exact gradients."""
    corpus = Corpus.from_file(data_file("names.txt"), documents=True)
    config = TrainConfig.preset("karpathy-b", window_order="sequential", steps=5000)
    model_config = ModelConfig.preset("karpathy-b", corpus.vocab_size)
    model = Model(model_config, dtype="float64", generator=random.Random(42))
    losses = [report.loss for report in Trainer(model, corpus, config)]
    found = {step: f"{losses[step - 1]:.6f}" for step in (1, 100, 5000)}
    assert found == {1: "3.225185", 100: "1.794139", 5000: "1.916630"}
    assert f"{sum(losses[-100:]) / 100:.4f}" == "2.1393"


@pytest.mark.parametrize("n_layers", [1, 2])
def test_order_and_weights_take_the_draws_of_a_plain_script(n_layers: int) -> None:
    script = random.Random(7)
    documents = list(NAMES)
    script.shuffle(documents)
    config = ModelConfig.preset("karpathy-b", 17, n_layers=n_layers)

    def matrix(n_out: int, n_in: int) -> np.ndarray:
        return np.array([[script.gauss(0, 0.08) for _ in range(n_in)] for _ in range(n_out)])

    expected = {
        "embedding.weight": matrix(17, 16),
        "position_embedding.weight": matrix(16, 16),
        "head.weight": matrix(17, 16).T,
    }
    for layer in range(n_layers):
        qkv = [matrix(16, 16).T for _ in range(3)]
        expected[f"blocks.{layer}.attention.qkv.weight"] = np.hstack(qkv)
        expected[f"blocks.{layer}.attention.output.weight"] = matrix(16, 16).T
        expected[f"blocks.{layer}.mlp.up.weight"] = matrix(64, 16).T
        expected[f"blocks.{layer}.mlp.down.weight"] = matrix(16, 64).T

    generator = random.Random(7)
    order = shuffled_numbers(generator, len(NAMES))
    model = Model(config, dtype="float64", generator=generator)
    assert [NAMES[number] for number in order] == documents
    assert model.parameters().keys() == expected.keys()
    for name, values in model.parameters().items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    assert generator.random() == script.random()


def test_a_deviation_of_zero_still_takes_draws() -> None:
    generator, script = random.Random(1), random.Random(1)
    model = Model(ModelConfig.preset("karpathy-a", 5), dtype="float64", generator=generator)
    for _ in range(model.n_parameters):
        script.gauss(0, 1)
    assert not model.parameters()["blocks.0.mlp.down.weight"].any()
    assert generator.random() == script.random()


def test_tied_heads_are_drawn_once_and_vectors_not_at_all() -> None:
    config = ModelConfig.preset("nanogpt", 5, context=4, d_model=8, n_layers=1)
    generator, script = random.Random(1), random.Random(1)
    model = Model(config, dtype="float64", generator=generator)
    vectors = [value for value in model.parameters().values() if value.ndim == 1]
    for _ in range(model.n_parameters - sum(vector.size for vector in vectors)):
        script.gauss(0, 1)
    assert vectors
    assert all((vector == 1).all() for vector in vectors)
    assert generator.random() == script.random()


def test_samples_are_those_of_random_choices() -> None:
    corpus = Corpus.from_documents(NAMES)
    model = Model(ModelConfig.preset("karpathy-b", corpus.vocab_size), 3, "float64")
    boundary = corpus.vocabulary.boundary
    assert boundary is not None

    def sample(script: random.Random) -> list[int]:
        tokens = [boundary]
        for _ in range(16):
            logits = model.logits(tokens)[-1] / 0.7
            shares = np.exp(logits - logits.max())
            token = script.choices(range(corpus.vocab_size), weights=shares / shares.sum())[0]
            if token == boundary:
                break
            tokens.append(token)
        return tokens[1:]

    script = random.Random(11)
    expected = [sample(script) for _ in range(20)]
    options: dict[str, Any] = {"max_tokens": 16, "temperature": 0.7, "stop_token": boundary}
    samples = model.generate_tokens(
        [boundary], n_samples=20, generator=random.Random(11), **options
    )
    assert [sample.tolist() for sample in samples] == expected


def test_passes_repeat_one_shuffle_and_resume_with_the_same_bits(tmp_path: Path) -> None:
    corpus = Corpus.from_documents(NAMES)
    whole = preset_run("karpathy-a", corpus, steps=16)
    n_rows = [report.positions for report in whole]
    order = shuffled_numbers(random.Random(42), len(NAMES))
    expected = [min(8, len(NAMES[number]) + 1) for number in order]
    assert n_rows == list(itertools.islice(itertools.cycle(expected), 16))
    half = preset_run("karpathy-a", corpus, steps=16)
    for _ in range(9):
        half.step()
    half.save_checkpoint(tmp_path / "half.safetensors")
    resumed = Trainer.resume(tmp_path / "half.safetensors", corpus)
    resumed.fit()
    assert equal_parameters(resumed.model, whole.model)
    states = [
        trainer.model.generator and state_to_json(trainer.model.generator)
        for trainer in (resumed, whole)
    ]
    assert states[0] == states[1] is not None


def test_a_damaged_state_of_the_generator_is_refused() -> None:
    state = state_to_json(random.Random(5))
    assert generator_from_json(state).random() == random.Random(5).random()
    for damaged in (
        [2, *state[1:]],
        state[:2],
        [3, [1, 2], None],
        [3, state[1], "x"],
        [3, None, 1.0],
    ):
        with pytest.raises(ArgumentError, match="state of Python's generator is damaged"):
            generator_from_json(damaged)


def test_a_preset_gives_way_to_what_the_user_says() -> None:
    config = TrainConfig.preset("karpathy-b", steps=3, lr=0.5)
    assert (config.steps, config.lr, config.beta1) == (3, 0.5, 0.85)
    assert TrainConfig.preset("karpathy-b", epochs=2).steps is None
    assert TrainConfig.preset("microgpt") == TrainConfig()


def test_the_command_takes_specs_and_overrides_of_presets(
    tmp_path: Path, run_command: Callable[..., Result]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(NAMES), encoding="utf-8")
    arguments = [names, "--preset", "karpathy-b", "--spec", "d2x4n2ff9", "--steps", 2]
    result = run_command(train, *arguments, "--dtype", "float32")
    assert result.exit_code == 0, result.output
    saved = read_checkpoint(tmp_path / "names.safetensors")
    assert saved.model_config.spec == "d2x4n2ff9"
    assert (saved.model_config.position, saved.dtype) == ("learned", "float32")
    assert_fails(run_command(train, *arguments, "--heads", "2"), 2, "--heads is in the --spec")
    assert_fails(run_command(train, names, "--spec", "wide"), 2, "'wide' is not of the form d64n2")


def test_what_python_did_not_draw_needs_a_seed(
    tmp_path: Path, make_model: Callable[..., Model], run_command: Callable[..., Result]
) -> None:
    make_model().save(tmp_path / "m.safetensors")
    options = ["--generator", "python", "--max-tokens", 5]
    result = run_command(generate, tmp_path / "m.safetensors", *options)
    assert_fails(result, 2, "--generator python needs a --seed")
    result = run_command(generate, tmp_path / "m.safetensors", *options, "--seed", 1)
    assert result.exit_code == 0


def test_python_shuffles_documents_alone() -> None:
    with pytest.raises(ArgumentError, match="choose mode window and window_order shuffled, or seq"):
        TrainConfig(generator="python")
    text = Corpus.from_text("running text, no documents")
    model = Model(ModelConfig.preset("karpathy-b", text.vocab_size, context=4))
    with pytest.raises(ArgumentError, match="generator python shuffles documents"):
        Trainer(model, text, TrainConfig.preset("karpathy-b"))


@pytest.mark.parametrize(
    ("order", "numbers", "message"),
    [
        ("listed", [0, 7], "the list has window 7, but there are only the windows from 0 to 6"),
        ("listed", [-1], "the list has window -1"),
        ("listed", [], "go together"),
        ("sequential", [0], "go together"),
    ],
)
def test_a_list_of_windows_that_are_not_there_is_refused(
    order: str, numbers: list[int], message: str
) -> None:
    text = text_of_split(Corpus.from_documents(NAMES), TRAIN)
    with pytest.raises(ArgumentError, match=message):
        _engine.window_source(
            text.tokens, text.document_starts, context=4, order=order, list=numbers
        )
