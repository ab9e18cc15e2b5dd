"""agpt.inspection: figures of tensors, attention weights, traces; and the commands that show it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agpt import ArgumentError, Model, ModelConfig, TrieIndex
from agpt.cli.explain import command as explain
from agpt.cli.inspect import command as inspect
from agpt.cli.trace import command as trace
from agpt.inspection.attention import attention_of
from agpt.inspection.forward_trace import MEANINGS, trace_of
from agpt.inspection.pages import attention_page
from agpt.inspection.tensors import role_of, tensor_histogram, tensor_summaries
from agpt.inspection.tokens import read_text, read_tokens, token_name
from agpt.model_config import PRESETS
from click.testing import Result
from support import assert_fails


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model(seed=4, dtype="float64", heads=[4, 2, 10], n_layers=2)


@pytest.fixture
def model_file(tmp_path: Path, model: Model) -> Path:
    path = tmp_path / "model.safetensors"
    model.save(path)
    return path


@pytest.fixture
def names_model(documents_index: TrieIndex) -> Model:
    config = ModelConfig.preset("karpathy-a", documents_index.vocab_size)
    return Model(config, 42, "float64", vocabulary=documents_index.vocabulary)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_tensor_of_every_preset_has_a_role_and_right_figures(preset: str) -> None:
    model = Model(ModelConfig.preset(preset, 7), 3)
    summaries = tensor_summaries(model)
    assert sum(s.count for s in summaries) == model.n_parameters
    for s in summaries:
        values = [float(v) for v in model.parameters()[s.name].ravel()]
        mean = math.fsum(values) / len(values)
        assert (s.min, s.max) == (min(values), max(values))
        assert s.mean == pytest.approx(mean, abs=1e-12)
        assert s.std == pytest.approx(
            math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values)), abs=1e-12
        )
        assert s.role


def test_a_tied_embedding_is_the_head_too_and_unknown_names_have_no_role() -> None:
    assert "head" in role_of("embedding.weight", tied_head=True)
    assert "head" not in role_of("embedding.weight")
    with pytest.raises(KeyError):
        role_of("blocks.0.attention.weight")


def test_histograms_count_every_finite_number() -> None:
    counts, edges = tensor_histogram(np.array([1.0, 2.0, 2.0, 3.0, np.nan, np.inf]))
    assert sum(counts) == 4
    assert (edges[0], edges[-1]) == (1.0, 3.0)
    assert len(edges) == len(counts) + 1


@pytest.mark.parametrize("position", ["rope", "learned"])
def test_rows_of_attention_are_causal_and_sum_to_one(
    make_model: Callable[..., Model], position: str
) -> None:
    model = make_model(dtype="float64", heads=[4, 2, 10], n_layers=2, position=position)
    attention = attention_of(model, read_text(model, "the ca"))
    assert [(h.layer, h.head, h.width) for h in attention.heads] == [
        (layer, head, width) for layer in range(2) for head, width in enumerate([4, 2, 10])
    ]
    for head in attention.heads:
        np.testing.assert_allclose(head.weights.sum(axis=1), 1, rtol=1e-12)
        assert (head.weights >= 0).all()
        assert not head.weights[~attention.mask].any()
        assert head.scale == 1 / math.sqrt(head.width)
        assert (head.entropies <= np.log(np.arange(1, 7)) + 1e-12).all()
        assert head.weights[0, 0] == 1


def test_the_weights_times_the_values_are_what_the_engine_reads(model: Model) -> None:
    text = read_text(model, "the ca")
    stages, attention = model.stages(text.tokens), attention_of(model, text)
    for layer in range(2):
        values = np.split(stages[f"blocks.{layer}.attention.qkv"], 3, axis=1)[2]
        heads = [h for h in attention.heads if h.layer == layer]
        ends = np.cumsum(model.config.head_widths)
        outputs = [
            h.weights @ values[:, end - h.width : end] for h, end in zip(heads, ends, strict=True)
        ]
        np.testing.assert_allclose(
            np.hstack(outputs), stages[f"blocks.{layer}.attention.heads"], rtol=1e-10, atol=1e-12
        )
        for head, output in zip(heads, outputs, strict=True):
            np.testing.assert_allclose(head.output_norms, np.linalg.norm(output, axis=1))


def test_predictions_are_the_softmax_of_the_logits(model: Model) -> None:
    text = read_text(model, "the ca")
    logits = model.logits(text.tokens)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    result = trace_of(model, text)
    losses = []
    for i, prediction in enumerate(result.predictions):
        best = int(logits[i].argmax())
        assert prediction.position == i + 1
        assert prediction.argmax == token_name(model.vocabulary, best)
        assert prediction.argmax_probability == pytest.approx(probabilities[i, best], rel=1e-9)
        if i == 5:
            assert prediction.target is None
            assert prediction.loss is None
            continue
        target = int(text.tokens[i + 1])
        assert prediction.target == text.names[i + 1]
        assert prediction.target_probability == pytest.approx(probabilities[i, target], rel=1e-9)
        assert prediction.target_rank == 1 + sum(probabilities[i] > probabilities[i, target])
        losses.append(-math.log(probabilities[i, target]))
    assert result.loss == pytest.approx(sum(losses) / 5, rel=1e-9)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_stage_is_summed_up_with_its_meaning(preset: str) -> None:
    model = Model(ModelConfig.preset(preset, 7, n_layers=2, context=8), 3, "float64")
    text = read_tokens(model, np.array([1, 0, 6], np.uint32))
    stages = model.stages(text.tokens)
    for summary in trace_of(model, text).stages:
        values = stages[summary.name]
        assert summary.shape == values.shape
        assert summary.l2 == pytest.approx(math.sqrt(math.fsum(values.ravel() ** 2)))
        assert (summary.min, summary.max) == (values.min(), values.max())
        assert summary.zeros == (values == 0).sum()
        assert summary.meaning in MEANINGS.values()


def test_a_document_is_read_whole_and_a_norm_leaves_rows_of_length_one(names_model: Model) -> None:
    text = read_text(names_model, "anna")
    boundary = names_model.vocabulary.boundary
    assert text.names == ("⊥", "a", "n", "n", "a")
    assert text.targets == (*(int(t) for t in text.tokens[1:]), boundary)
    stages = {stage.name: stage for stage in trace_of(names_model, text).stages}
    assert stages["embedding_norm"].l2 == pytest.approx(math.sqrt(5 * 16), rel=1e-2)


def test_tokens_are_shown_as_what_they_are(names_model: Model, model: Model) -> None:
    vocabulary = model.vocabulary
    assert token_name(vocabulary, int(model.encode(" ")[0])) == "␣"
    assert token_name(vocabulary, int(model.encode("\n")[0])) == "⏎"
    assert token_name(names_model.vocabulary, names_model.vocabulary.boundary) == "⊥"
    assert token_name(None, 7) == "7"


def test_inspect_prints_what_the_file_holds(
    run_json: Callable[..., dict[str, Any]],
    run_command: Callable[..., Result],
    model_file: Path,
    model: Model,
) -> None:
    values = run_json(inspect, model_file)
    assert values["n_parameters"] == model.n_parameters
    assert values["config"]["heads"] == [4, 2, 10]
    assert [t["name"] for t in values["tensors"]] == list(model.parameters())
    lines = run_command(inspect, model_file).stdout.splitlines()
    for name, values_of in model.parameters().items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.split()[1] == "x".join(map(str, values_of.shape))


def test_trace_and_explain_print_numbers_that_agree_with_the_library(
    run_json: Callable[..., dict[str, Any]],
    run_command: Callable[..., Result],
    model_file: Path,
    model: Model,
) -> None:
    text = read_text(model, "the c")
    traced = run_json(trace, model_file, "--text", "the c")
    assert traced["loss"] == trace_of(model, text).loss
    assert [s["name"] for s in traced["stages"]] == list(model.stages(text.tokens))
    explained = run_json(explain, model_file, "--text", "the c")
    for told, head in zip(explained["heads"], attention_of(model, text).heads, strict=True):
        assert told["weights"] == head.weights.tolist()
    assert explained["mask"] == np.tri(5, dtype=bool).tolist()
    by_tokens = ",".join(map(str, text.tokens))
    assert run_json(explain, model_file, "--tokens", by_tokens)["heads"] == explained["heads"]
    one = run_json(explain, model_file, "--text", "the c", "--layer", "2", "--head", "3")["heads"]
    assert one == [h for h in explained["heads"] if (h["layer"], h["head"]) == (2, 3)]
    shown = run_command(explain, model_file, "--text", "the c").stdout
    assert "layer 2, head 3: width 10, scale 0.3162" in shown
    assert f"{explained['heads'][0]['weights'][2][1]:.3f}" in shown
    assert f"{traced['predictions'][0]['argmax_probability']:.5g}" in (
        run_command(trace, model_file, "--text", "the c").stdout
    )


def test_a_page_of_attention_holds_the_heads_that_were_chosen_and_not_too_many(
    make_model: Callable[..., Model],
) -> None:
    model = make_model(context=200, n_layers=2, heads=[4, 12])
    attention = attention_of(model, read_tokens(model, np.zeros(200, np.uint32)))
    with pytest.raises(ArgumentError, match=r"8 heads on 200 tokens has 160,800 cells, more than"):
        attention_page("m", attention, attention.heads * 2)
    content = attention_page("m", attention, attention.heads[2:3]).html()
    assert content.count("data-v=") == 200 * 201 // 2
    assert "Layer 2</h2>" in content
    assert "Layer 1</h2>" not in content


def test_the_commands_write_pages(
    run_json: Callable[..., dict[str, Any]], model_file: Path
) -> None:
    for command, options in (
        (inspect, []),
        (trace, ["--text", "the"]),
        (explain, ["--text", "the"]),
    ):
        page = model_file.with_suffix(".html")
        assert run_json(command, model_file, *options, "--html", page)["html"] == str(page)
        content = page.read_text(encoding="utf-8")
        assert content.startswith("<!doctype html>")
        assert "http" not in content.replace("http-equiv", "")
        page.unlink()


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_attention_is_drawn(
    run_json: Callable[..., dict[str, Any]], model_file: Path, suffix: str
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    picture = model_file.with_suffix(f".{suffix}")
    run_json(explain, model_file, "--text", "the", "--layer", "1", "--plot", picture)
    assert picture.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])


def test_mistakes_are_one_sentence(
    run_command: Callable[..., Result], model_file: Path, tmp_path: Path
) -> None:
    assert_fails(run_command(trace, model_file), 2, "one of --text and --tokens")
    assert_fails(run_command(trace, model_file, "--tokens", "1,b"), 2, "no list of numbers")
    assert_fails(run_command(trace, model_file, "--tokens", "1,99"), 2, "99 is not in")
    assert_fails(run_command(trace, model_file, "--text", "the cat"), 1, "context is 6")
    assert_fails(run_command(trace, model_file, "--text", ""), 1, "at least one")
    assert_fails(run_command(explain, model_file, "--text", ""), 1, "at least one")
    assert_fails(run_command(trace, model_file, "--text", "Ω"), 1, "Ω")
    assert_fails(
        run_command(explain, model_file, "--text", "a", "--head", 9),
        2,
        "layers 1 to 2 and heads 1 to 3",
    )
    assert_fails(run_command(explain, model_file, "--text", "a", "--plot", "a.gif"), 1, "picture")
    assert_fails(run_command(inspect, tmp_path / "no"), 1, "no such file")
    nowhere = tmp_path / "no/page.html"
    assert_fails(run_command(inspect, model_file, "--html", nowhere), 1, "does not exist")


def test_a_model_that_is_not_finite_can_be_inspected(
    run_command: Callable[..., Result], tmp_path: Path, model: Model
) -> None:
    model.flat_parameters[:] = np.nan
    model.save(tmp_path / "nan.safetensors")
    page = tmp_path / "nan.html"
    result = run_command(inspect, tmp_path / "nan.safetensors", "--json", "--html", page)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["tensors"][0]["mean"] is None
