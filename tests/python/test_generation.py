"""Generation: each setting by its formula, against the logits of the model; and the command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, Model, ModelConfig
from agpt.cli.generate import command as generate
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_fails

RunCommand = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]

CONTEXT = 7
NAMES = ["anna", "ann", "bob", "bobby", "carla", "carl", "dora", "ed", "eda", "fred"]


@pytest.fixture(scope="module")
def model() -> Model:
    vocabulary = Corpus.from_documents(NAMES).vocabulary
    config = ModelConfig.preset("karpathy-b", vocabulary.size, context=CONTEXT, init="microgpt")
    return Model(config, 5, "float64", vocabulary=vocabulary)


@pytest.fixture
def model_file(model: Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def penalised(logits: np.ndarray, recent: list[int], penalty: float) -> np.ndarray:
    logits = logits.copy()
    for token in recent:
        logits[token] = logits[token] / penalty if logits[token] > 0 else logits[token] * penalty
    return logits


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=20),
    st.floats(0.5, 3),
    st.integers(1, 9),
    st.integers(1, CONTEXT - 1),
    st.sampled_from([None, 10]),
)
def test_the_most_probable_continuation_is_that_of_the_penalised_logits(
    model: Model, prompt: list[int], penalty: float, window: int, again: int, restart: int | None
) -> None:
    def end_of(text: list[int], n: int) -> list[int]:
        return ([] if restart is None else [restart]) + text[len(text) - min(n, len(text)) :]

    text, read = list(prompt), list(prompt)
    if len(prompt) >= CONTEXT:
        read = prompt[-(CONTEXT - 1) :] if restart is None else end_of(prompt, again)
    for _ in range(25):
        logits = penalised(model.logits(read)[-1], text[-window:], penalty)
        text.append(int(logits.argmax()))
        read.append(text[-1])
        if len(read) > CONTEXT:
            read = end_of(text, again)
    sample = model.generate_tokens(
        prompt,
        max_tokens=25,
        temperature=0,
        repetition_penalty=penalty,
        repetition_window=window,
        reread_tokens=again,
        restart_token=restart,
    )[0]
    assert sample.tolist() == text[len(prompt) :]


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 2), st.integers(0, 5), st.floats(0.1, 1), st.floats(0.8, 1.5))
def test_drawn_tokens_follow_the_formula(
    model: Model, temperature: float, top_k: int, top_p: float, penalty: float
) -> None:
    prompt = [10, 0, 3, 3]
    logits = penalised(model.logits(prompt)[-1], prompt, penalty) / temperature
    shares = np.exp(logits - logits.max())
    order = np.argsort(-shares, kind="stable")
    kept = order[: top_k or shares.size]
    reached = np.cumsum(shares[kept]) / shares[kept].sum()
    kept = kept[: 1 + int(np.sum(reached < top_p))]
    expected = np.zeros(shares.size)
    expected[kept] = shares[kept] / shares[kept].sum()
    samples = model.generate_tokens(
        prompt,
        max_tokens=1,
        n_samples=4000,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=penalty,
        seed=1,
    )
    drawn = np.bincount([int(sample[0]) for sample in samples], minlength=shares.size) / 4000
    assert np.all(drawn[expected == 0] == 0)
    assert np.abs(drawn - expected).max() < 5 * 0.5 / np.sqrt(4000)


@given(st.integers(0, 2**64 - 1), st.integers(2, 9))
@settings(max_examples=10, deadline=None)
def test_the_first_samples_are_those_of_fewer_samples(model: Model, seed: int, n: int) -> None:
    samples = model.generate("an", seed=seed, n_samples=n, max_tokens=30)
    assert model.generate("an", seed=seed, n_samples=n - 1, max_tokens=30) == samples[:-1]


def test_an_excluded_token_is_never_drawn(model: Model) -> None:
    samples = model.generate_tokens([10], max_tokens=100, n_samples=5, excluded_token=2)
    assert all(2 not in sample for sample in samples)
    assert any(2 in sample for sample in model.generate_tokens([10], max_tokens=100, n_samples=5))


def test_a_chain_is_longer_than_the_context_and_has_no_ends(model: Model) -> None:
    text = model.generate("ann", chain_context=3, max_tokens=150, stop_at_end=False, seed=3)[0]
    assert len(text) == 150
    assert set(text) <= set("".join(NAMES))
    assert "\n" in model.generate("ann", max_tokens=150, stop_at_end=False, seed=3)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repetition_penalty": 0}, "repetition penalty"),
        ({"repetition_window": 0}, "repetition window"),
        ({"chain_context": CONTEXT}, "cannot be read again: choose at most 6"),
        ({"chain_context": -1}, "read again must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(
    model: Model, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        model.generate("an", **options)


def test_the_command_draws_the_same_text_for_the_same_seed(
    model_file: Path, run_json: RunJson
) -> None:
    options = ["-i", "an", "-n", 4, "--repetition-penalty", 1.2, "--top-k", 5, "--no-stop-at-bos"]
    first = run_json(generate, model_file, *options, "--seed", 8)
    again = run_json(generate, model_file, *options, "--seed", 8)
    other = run_json(generate, model_file, *options, "--seed", 9)
    assert first["samples"] == again["samples"] != other["samples"]
    assert [len(sample) for sample in first["samples"]] == [200] * 4
    assert first["repetition_penalty"] == 1.2
    assert first["stop_at_end"] is False


def test_a_chain_has_as_many_characters_as_asked_for(
    model_file: Path, run_command: RunCommand, run_json: RunJson
) -> None:
    chain = [model_file, "--prompt", "bob", "--chain"]
    printed = run_command(generate, *chain, "--max-chars", 90).stdout
    assert len(printed) == 90 + 1
    assert printed.startswith("bob")
    assert run_command(generate, *chain, "--max-chars", 2).stdout == "bob\n"
    assert len(run_json(generate, *chain)["samples"][0]) == 2000 - len("bob")


def test_samples_with_line_ends_are_told_apart(
    model_file: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    for options in ([], ["--no-stop-at-end", "--max-tokens", 40]):
        samples = run_json(generate, model_file, "-n", 5, *options)["samples"]
        separator = "\n----------\n" if any("\n" in sample for sample in samples) else "\n"
        assert (separator == "\n") == (options == [])
        shown = run_command(generate, model_file, "-n", 5, *options).stdout
        assert shown.removesuffix("\n").split(separator) == samples


def test_options_that_do_nothing_are_refused(model_file: Path, run_command: RunCommand) -> None:
    refused = run_command(generate, model_file, "--max-chars", 9)
    assert_fails(refused, 2, "--max-chars is for long texts: add --chain")
    refused = run_command(generate, model_file, "--chain-context", 2)
    assert_fails(refused, 2, "--chain-context is for long texts")
    refused = run_command(generate, model_file, "--chain", "--max-tokens", 9)
    assert_fails(refused, 2, "--max-tokens has no effect with --chain")


def test_a_chain_of_a_model_without_documents_goes_on(
    make_model: Callable[..., Model],
) -> None:
    model = make_model()
    text = model.generate("the ", chain_context=2, max_tokens=40)[0]
    assert len(text) == 40


def test_every_line_of_a_file_is_continued(
    model_file: Path, tmp_path: Path, run_json: RunJson, run_command: RunCommand
) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("an\n\n bob \n", encoding="utf-8")
    options = [model_file, "--prompts", prompts, "--temperature", 0, "-n", 2, "--max-tokens", 3]
    results = run_json(generate, *options)["results"]
    assert [result["prompt"] for result in results] == ["an", "bob"]
    for result in results:
        alone = [model_file, "-i", result["prompt"], *options[3:]]
        assert result["samples"] == run_json(generate, *alone)["samples"]
    lines = run_command(generate, *options).stdout.splitlines()
    assert [line[:2] for line in lines] == ["an", "an", "bo", "bo"]
    refused = run_command(generate, *options, "-i", "an")
    assert_fails(refused, 2, "--prompt and --prompts say the same")
    prompts.write_text("\n \n", encoding="utf-8")
    assert_fails(run_command(generate, *options), 2, "prompts.txt has no prompt")


@pytest.mark.parametrize("generator", ["engine", "python"])
def test_without_a_seed_every_text_is_another_and_can_be_had_again(
    model_file: Path, run_json: RunJson, run_command: RunCommand, generator: str
) -> None:
    options = [model_file, "--generator", generator, "--max-tokens", 60, "--no-stop-at-end"]
    first, second = (run_json(generate, *options, "--no-seed") for _ in range(2))
    assert first["samples"] != second["samples"]
    again = run_json(generate, *options, "--seed", first["seed"])
    assert again["samples"] == first["samples"]
    refused = run_command(generate, *options, "--no-seed", "--seed", 1)
    assert_fails(refused, 2, "--seed and --no-seed say two things")
