"""agpt.evaluation: the loss is what the logits say, and every choice of window is named."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from agpt import ArgumentError, Corpus, Model, ModelConfig, TrainConfig, Trainer, TrieIndex
from agpt.evaluation import evaluate
from agpt.token_text import TokenText


def loss_of_windows(model: Model, windows: list[tuple[np.ndarray, int]]) -> tuple[float, int]:
    """Mean loss and number of the predictions behind the first `skip` of each window."""
    total, count = 0.0, 0
    for tokens, skip in windows:
        logits = model.logits(tokens[:-1]).astype(np.float64)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        scored = -log_p[np.arange(len(tokens) - 1), tokens[1:].astype(np.int64)][skip:]
        total, count = total + scored.sum(), count + len(scored)
    return total / count, count


def test_disjoint_windows_score_every_token_but_the_first_once(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    model = make_model(dtype="float64")
    tokens = index.held_out
    result = Trainer(model, index).evaluate()
    assert (result.split, result.context, result.stride) == ("val", 6, 6)
    assert result.positions == tokens.size - 1
    ends = [*range(6, tokens.size - 1, 6), tokens.size - 1]
    windows = [(tokens[:7], 0)]
    for before, end in itertools.pairwise(ends):
        windows.append((tokens[end - 6 : end + 1], before - (end - 6)))
    loss, count = loss_of_windows(model, windows)
    assert count == result.positions
    assert result.loss == pytest.approx(loss, rel=1e-9)
    assert result.perplexity == pytest.approx(math.exp(result.loss))
    assert result.bits_per_character == pytest.approx(result.loss / math.log(2))


def test_stride_1_gives_every_prediction_its_full_context(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    model = make_model(dtype="float64")
    tokens = index.held_out[:40]
    result = evaluate(model, TokenText.from_tokens(tokens, None), split="val", stride=1)
    windows = [(tokens[:7], 0)] + [(tokens[i - 6 : i + 1], 5) for i in range(7, 40)]
    loss, count = loss_of_windows(model, windows)
    assert result.loss == pytest.approx(loss, rel=1e-9)
    assert result.positions == count == 39


def test_documents_are_scored_one_by_one(documents_index: TrieIndex) -> None:
    config = ModelConfig.preset("karpathy-b", documents_index.vocab_size)
    model = Model(config, dtype="float64", vocabulary=documents_index.vocabulary)
    boundary = documents_index.vocabulary.boundary
    tokens = documents_index.held_out
    starts = np.flatnonzero(tokens == boundary)[::2]
    documents = np.split(tokens, starts[1:])
    assert all(d[0] == d[-1] == boundary for d in documents)
    loss, count = loss_of_windows(model, [(d, 0) for d in documents])
    result = Trainer(model, documents_index).evaluate()
    assert result.loss == pytest.approx(loss, rel=1e-9)
    assert result.positions == count == tokens.size - len(documents)


def test_the_splits_are_parts_of_the_whole(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    trainer = Trainer(make_model(), index)
    sizes = {split: trainer.evaluate(split).positions for split in ("train", "val", "all")}
    assert sizes["all"] == sizes["train"] + sizes["val"] + 1
    with pytest.raises(ArgumentError, match="split 'test' is unknown: choose from train, val, all"):
        trainer.evaluate("test")


def test_bits_per_character_of_bytes_count_characters() -> None:
    corpus = Corpus.from_text("äöü€" * 20, tokenizer="byte")
    model = Model(ModelConfig(256, context=4), vocabulary=corpus.vocabulary)
    config = TrainConfig(mode="window", windows_per_step=1)
    result = Trainer(model, corpus, config).evaluate("train")
    assert result.bits_per_character == pytest.approx(result.loss / math.log(2) * 9 / 4)


def test_tokens_without_a_text_have_no_bits_per_character() -> None:
    corpus = Corpus.from_tokens(np.arange(50) % 7)
    model = Model(ModelConfig(7, context=4), vocabulary=corpus.vocabulary)
    config = TrainConfig(mode="window", windows_per_step=1)
    result = Trainer(model, corpus, config).evaluate("train")
    assert result.bits_per_character is None
    assert "bits_per_character=none" in str(result)


def test_a_context_beyond_the_models_is_refused(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    with pytest.raises(ArgumentError, match="the context is 7, but the model was made for at most"):
        Trainer(make_model(), index).evaluate(context=7)
    with pytest.raises(ArgumentError, match="stride"):
        Trainer(make_model(), index).evaluate(context=3, stride=4)


def test_nothing_held_out_is_said(make_model: Callable[..., Model], text: str) -> None:
    index = TrieIndex.build(Corpus.from_text(text), depth=6)
    with pytest.raises(ArgumentError, match=r"holds nothing out.*--val-fraction"):
        Trainer(make_model(), index).evaluate()


def test_one_token_cannot_be_scored(make_model: Callable[..., Model]) -> None:
    text = TokenText.from_tokens(np.zeros(1, np.uint8), None)
    with pytest.raises(ArgumentError, match="has 1 tokens: at least 2 are needed"):
        evaluate(make_model(), text, split="all")


@pytest.mark.parametrize(("context", "stride"), [(6, 6), (6, 2), (4, 4), (5, 1)])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_losses_by_depth_are_those_of_the_rows_of_all_windows(
    make_model: Callable[..., Model], index: TrieIndex, context: int, stride: int, backend: str
) -> None:
    model = make_model(dtype="float64")
    tokens = index.held_out[:60]
    result = evaluate(
        model, TokenText.from_tokens(tokens, None), split="val", context=context, stride=stride,
        by_depth=True, backend=backend, threads=2,
    )  # fmt: skip
    expected: dict[int, list[float]] = {depth: [] for depth in range(1, context + 1)}
    scored = 0  # predictions so far; the next window ends `stride` predictions later
    while scored < tokens.size - 1:
        end = min(context if scored == 0 else scored + stride, tokens.size - 1)
        begin = end - min(context, end)
        for target in range(scored + 1, end + 1):
            depth = target - begin
            loss, _ = loss_of_windows(model, [(tokens[begin : target + 1], depth - 1)])
            expected[depth].append(loss)
        scored = end
    assert result.by_depth is not None
    assert [entry.context for entry in result.by_depth] == list(expected)
    for entry in result.by_depth:
        losses = expected[entry.context]
        assert entry.positions == len(losses)
        assert entry.loss == (pytest.approx(np.mean(losses), rel=1e-9) if losses else None)
    total = sum(e.loss * e.positions for e in result.by_depth if e.loss is not None)
    assert total / result.positions == pytest.approx(result.loss, rel=1e-12)


def test_losses_by_depth_are_given_on_request_only(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    trainer = Trainer(make_model(), index)
    plain, by_depth = trainer.evaluate(), trainer.evaluate(by_depth=True)
    assert "by_depth" not in plain.to_dict()
    assert [entry["context"] for entry in by_depth.to_dict()["by_depth"]] == [1, 2, 3, 4, 5, 6]
    assert by_depth.loss == pytest.approx(plain.loss, rel=1e-6)


def test_bits_per_byte_and_per_character_are_the_same_bits_of_the_whole_text() -> None:
    text = "aäö€" * 20
    for tokenizer in ("char", "byte"):
        corpus = Corpus.from_text(text, tokenizer=tokenizer)
        model = Model(ModelConfig(corpus.vocab_size, context=4), vocabulary=corpus.vocabulary)
        config = TrainConfig(mode="window", windows_per_step=1)
        result = Trainer(model, corpus, config).evaluate("train")
        bits = result.loss / math.log(2) * corpus.tokens.size
        assert result.bits_per_character == pytest.approx(bits / len(text))
        assert result.bits_per_byte == pytest.approx(bits / len(text.encode()))


def test_a_trainer_evaluates_at_the_context_that_it_trains(
    make_model: Callable[..., Model], index: TrieIndex
) -> None:
    wide = make_model(context=20)
    assert Trainer(wide, index).evaluate().context == index.depth == 6
    windows = TrainConfig(mode="window", context=9, windows_per_step=1)
    assert Trainer(wide, index, windows).evaluate().context == 9
    assert Trainer(wide, index).evaluate(context=20).context == 20
