"""Trees of sequences: their gradient is that of the sequences one by one, weighted and masked."""

import numpy as np
import pytest
from agpt import ArgumentError, Model, ModelConfig, SequenceTrie, TrainConfig, Trainer, TrieIndex
from hypothesis import given, settings
from hypothesis import strategies as st

VOCAB_SIZE = 6


def flat_gradients(model, sequences, weights, token_weights):
    """The weighted mean of the gradients of the sequences, each a trie of its own."""
    total, loss, gradients = 0.0, 0.0, {}
    for i, sequence in enumerate(sequences):
        try:
            trie = TrieIndex.from_sequences(
                [sequence],
                np.array([weights[i]]),
                token_weights=[token_weights[i]],
                vocab_size=VOCAB_SIZE,
            )
        except ArgumentError:
            continue  # nothing to predict
        own_loss, own = Trainer(model, trie, TrainConfig(), "reference").gradients()
        total += trie.total_weight
        loss += trie.total_weight * own_loss
        for name, value in own.items():
            gradients[name] = gradients.get(name, 0) + trie.total_weight * value
    return loss / total, {name: value / total for name, value in gradients.items()}


def random_sequences(rng, n):
    """Prompts of several completions, sequences that are prefixes of others, and equal ones."""
    prompts = [rng.integers(0, VOCAB_SIZE, rng.integers(1, 8)) for _ in range(3)]
    sequences = []
    for _ in range(n):
        prompt = prompts[rng.integers(3)]
        completion = rng.integers(0, VOCAB_SIZE, rng.integers(0, 9))
        sequences.append(np.concatenate([prompt, completion]))
    return [*sequences, sequences[0], sequences[0][:2]]


def model_for(depth, seed=0):
    config = ModelConfig(
        vocab_size=VOCAB_SIZE, context=depth, d_model=8, n_layers=2, heads=(4, 4), d_ff=12
    )
    return Model(config, seed, "float64")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("batch_rows", [1, 13, 256])
def test_the_gradient_of_a_tree_is_that_of_its_sequences_one_by_one(seed, batch_rows):
    rng = np.random.default_rng(seed)
    sequences = random_sequences(rng, 12)
    weights = rng.integers(0, 4, len(sequences)).astype(float)
    weights[-1] = 0.5
    token_weights = [rng.integers(0, 3, len(s)) * 0.5 for s in sequences]
    trie = TrieIndex.from_sequences(
        sequences, weights, token_weights=token_weights, vocab_size=VOCAB_SIZE
    )
    assert trie.n_rows < trie.n_flat_rows
    model = model_for(20)
    config = TrainConfig(batch_rows=batch_rows)
    loss, gradients = Trainer(model, trie, config, "reference").gradients()
    expected_loss, expected = flat_gradients(model, sequences, weights, token_weights)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for name, value in expected.items():
        scale = max(np.abs(value).max(), 1e-3)
        np.testing.assert_allclose(gradients[name], value, rtol=0, atol=1e-12 * scale)


def test_without_sharing_every_sequence_has_its_own_rows_and_the_gradient_is_the_same():
    sequences = random_sequences(np.random.default_rng(1), 12)
    tree, flat = (
        TrieIndex.from_sequences(sequences, vocab_size=VOCAB_SIZE, share=share)
        for share in (True, False)
    )
    assert flat.n_rows == flat.n_flat_rows == tree.n_flat_rows > tree.n_rows
    loss, gradients = Trainer(model_for(20), flat, TrainConfig(), "reference").gradients()
    expected_loss, expected = Trainer(model_for(20), tree, TrainConfig(), "reference").gradients()
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    for name, value in expected.items():
        np.testing.assert_allclose(gradients[name], value, rtol=1e-9, atol=1e-12)


def brute_force(sequences, weights):
    rows = {}
    for sequence, weight in zip(sequences, weights, strict=True):
        last = max((i for i in range(1, len(sequence)) if weight[i] > 0), default=0)
        for i in range(1, last + 1):
            targets = rows.setdefault(tuple(sequence[:i]), {})
            if weight[i] > 0:
                targets[sequence[i]] = targets.get(sequence[i], 0) + weight[i]
    return rows


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=7),
        min_size=1,
        max_size=9,
    )
)
def test_figures_are_those_of_a_dictionary_of_prefixes(pairs):
    sequences = [[token for token, _ in pair] for pair in pairs]
    weights = [[weight for _, weight in pair] for pair in pairs]
    rows = brute_force(sequences, weights)
    if not rows:
        with pytest.raises(ArgumentError, match="nothing to predict"):
            TrieIndex.from_sequences(sequences, token_weights=weights)
        return
    trie = TrieIndex.from_sequences(sequences, token_weights=weights)
    assert trie.n_rows == len(rows)
    assert trie.n_positions == sum(1 for targets in rows.values() if targets)
    assert trie.depth == max(len(path) for path in rows)
    assert trie.total_weight == sum(sum(targets.values()) for targets in rows.values())


def test_sequences_longer_than_an_index_is_deep_are_trained_on(tmp_path):
    rng = np.random.default_rng(0)
    prompts = rng.integers(0, VOCAB_SIZE, (3, 300))
    sequences = [
        np.concatenate([p, rng.integers(0, VOCAB_SIZE, 40)]) for p in prompts for _ in range(15)
    ]
    masks = [np.arange(340) >= 300 for _ in sequences]
    trie = TrieIndex.from_sequences(sequences, token_weights=masks, vocab_size=VOCAB_SIZE)
    assert trie.depth == 339
    assert trie.n_rows <= 3 * (300 + 15 * 39)
    assert trie.n_positions <= 3 * (1 + 15 * 39)  # prompts are context alone
    assert trie.sharing_ratio > 5
    model = model_for(trie.depth)
    config = TrainConfig(positions_per_step=150, steps=8, lr=1e-2)
    trainer = Trainer(model, trie, config)
    assert trainer.steps_per_pass > 1
    before = trainer.evaluate_sequences(trie)
    reports = list(trainer)
    assert sum(r.positions for r in reports[: trainer.steps_per_pass]) == trie.n_positions
    assert trainer.evaluate_sequences(trie) < before
    trainer.save_checkpoint(tmp_path / "model.safetensors")
    resumed = Trainer.resume(tmp_path / "model.safetensors", trie)
    assert resumed.step_count == 8
    other = TrieIndex.from_sequences(sequences, vocab_size=VOCAB_SIZE)
    with pytest.raises(ArgumentError, match="other data"):
        Trainer.resume(tmp_path / "model.safetensors", other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1]],), "nothing to predict"),
        (([],), "nothing to predict"),
        (([[1, 2]], np.array([1.0, 2.0])), "1 sequences, but 2 weights"),
        (([[1, 2]], np.array([-1.0])), "weights are numbers of at least 0"),
        (([[1, 2]], np.array([np.nan])), "weights are numbers of at least 0"),
    ],
)
def test_what_is_no_weighted_sequence_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        TrieIndex.from_sequences(*arguments)


def test_token_weights_and_vocabularies_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="sequence 0 has 2 tokens, but 3 token weights"):
        TrieIndex.from_sequences([[1, 2]], token_weights=[[1, 1, 1]])
    with pytest.raises(ArgumentError, match="token 7 is outside the vocabulary of 3 ids"):
        TrieIndex.from_sequences([[1, 7]], vocab_size=3)


def test_modes_and_units_that_a_tree_of_sequences_does_not_have_are_refused():
    trie = TrieIndex.from_sequences([[1, 2, 3], [1, 2, 4]])
    assert isinstance(trie, SequenceTrie)
    model = Model(ModelConfig(vocab_size=5, context=4), 0)
    for config in (
        TrainConfig(mode="window"),
        TrainConfig(unit="bigram"),
        TrainConfig(tails="none"),
    ):
        with pytest.raises(ArgumentError, match="sequences"):
            Trainer(model, trie, config)
    with pytest.raises(ArgumentError, match="2 tokens long"):
        Trainer(Model(ModelConfig(vocab_size=5, context=1), 0), trie)
    with pytest.raises(ArgumentError, match="evaluate_sequences"):
        Trainer(model, trie).evaluate("val")
