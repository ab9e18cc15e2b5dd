"""The reference trainer's gradient, against finite differences in which ancestors are frozen."""

import collections
import dataclasses
import itertools
import math

import agpt
import numpy as np
import pytest
from agpt import ArgumentError, TrainConfig, Trainer, TrieIndex, _engine
from test_gradients import (
    build,
    gradient_of,
    make_config,
    make_trainer,
    random_parameters,
    repetitive_text,
    worst_error,
)

DEPTH, VOCAB, HEADS = 6, 4, [4, 4]


@dataclasses.dataclass(frozen=True)
class Edge:
    """The rows of path[first:], with the mass of each and the counts of what follows the last."""

    path: tuple
    first: int
    level: int  # edges above it
    masses: list
    targets: dict

    @property
    def n_rows(self):
        return len(self.path) - self.first


def edges_of(tokens, depth):
    """The radix trie by a dictionary of all substrings; edges in pre-order."""
    follows = collections.defaultdict(collections.Counter)
    for begin in range(len(tokens)):
        for end in range(begin + 1, min(begin + depth, len(tokens) - 1) + 1):
            follows[tuple(int(t) for t in tokens[begin:end])][int(tokens[end])] += 1

    def is_endpoint(path):
        nexts = list(follows[path])
        return len(path) == depth or len(nexts) > 1 or (*path, nexts[0]) not in follows

    edges = []
    for path in sorted(follows):
        if is_endpoint(path):
            above = [k for k in range(1, len(path)) if is_endpoint(path[:k])]
            first = max(above, default=0)
            masses = [sum(follows[path[:k]].values()) for k in range(first + 1, len(path) + 1)]
            edges.append(Edge(path, first, len(above), masses, dict(follows[path])))
    return edges


def chunks_of(edges, chunk_positions):
    """Of each first token: edges by the depth of endpoints and level, as many as fit."""
    chunks = []
    for _, group in itertools.groupby(edges, key=lambda edge: edge.path[0]):
        full = math.inf
        for edge in sorted(group, key=lambda edge: (len(edge.path), edge.level)):
            if full + edge.n_rows > chunk_positions:
                chunks.append([])
                full = 0
            chunks[-1].append(edge)
            full += edge.n_rows
    return chunks


def row_weights(edge, masses, mass_function, entropy_lambda, intermediate):
    """w of each row of an edge, whose masses are given."""
    weights = [intermediate * mass_function(mass) for mass in masses]
    p = np.array(list(edge.targets.values())) / sum(edge.targets.values())
    entropy = -np.sum(p * np.log(p))
    weights[-1] = mass_function(masses[-1]) * (1 + entropy_lambda * entropy / math.log(VOCAB))
    return weights


def layer_norm(x, tensors, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    return x * tensors[f"{name}.gain"] + tensors[f"{name}.bias"]


def linear(x, tensors, name):
    return x @ tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def rotated(x, first):
    """Each pair of numbers turned by the angle of its row's position, `first` for row 0."""
    width = x.shape[1]
    angle = np.outer(np.arange(first, first + len(x)), 10000.0 ** (-np.arange(0, width, 2) / width))
    turned = (x[:, ::2] + 1j * x[:, 1::2]) * np.exp(1j * angle)
    return np.stack([turned.real, turned.imag], -1).reshape(x.shape)


def forward(tensors, path, first, frozen):
    """Logits of the rows path[first:], and the keys and values of all rows, layer by layer.

    The keys and values of the rows before `first` are those of `frozen`.
    """
    x = tensors["embedding.weight"][list(path[first:])]
    memory = []
    for layer in range(2):
        block = f"blocks.{layer}"
        a = layer_norm(x, tensors, f"{block}.norm1")
        q, k, v = np.split(linear(a, tensors, f"{block}.attention.qkv"), 3, axis=1)
        widths = np.cumsum(HEADS)[:-1]
        q = np.hstack([rotated(head, first) for head in np.split(q, widths, axis=1)])
        k = np.hstack([rotated(head, first) for head in np.split(k, widths, axis=1)])
        if first:
            k = np.vstack([frozen[layer][0][:first], k])
            v = np.vstack([frozen[layer][1][:first], v])
        memory.append((k, v))
        hidden = np.arange(len(path))[None, :] > np.arange(first, len(path))[:, None]
        heads = []
        for hq, hk, hv in zip(*(np.split(m, widths, axis=1) for m in (q, k, v)), strict=True):
            scores = np.where(hidden, -np.inf, hq @ hk.T / math.sqrt(hq.shape[1]))
            p = np.exp(scores - scores.max(1, keepdims=True))
            heads.append(p / p.sum(1, keepdims=True) @ hv)
        x = x + linear(np.hstack(heads), tensors, f"{block}.attention.output")
        wide = linear(layer_norm(x, tensors, f"{block}.norm2"), tensors, f"{block}.mlp.up")
        x = x + linear(np.maximum(wide, 0), tensors, f"{block}.mlp.down")
    return linear(layer_norm(x, tensors, "final_norm"), tensors, "head"), memory


def edge_loss(tensors, edge, frozen, weights):
    """Weighted cross-entropy of the rows of an edge, the rows above it frozen."""
    logits, _ = forward(tensors, edge.path, edge.first, frozen)
    largest = logits.max(1, keepdims=True)
    log_p = logits - largest - np.log(np.exp(logits - largest).sum(1, keepdims=True))
    loss = sum(-w * log_p[i, edge.path[edge.first + i + 1]] for i, w in enumerate(weights[:-1]))
    total = sum(edge.targets.values())
    return loss - weights[-1] * sum(n / total * log_p[-1, t] for t, n in edge.targets.items())


def named(config, flat):
    return {
        name: flat[offset : offset + math.prod(shape)].reshape(shape)
        for name, offset, shape in _engine.parameter_layout(config)
    }


def is_divided(name):
    """Whether the reference divides the gradient of the tensor by the positions of the chunk."""
    return "norm" not in name and "embedding" not in name


def expected_slope(config, flat, direction, chunks, frozen, weights, chunk_means):
    """Slope of the reference's loss along `direction`, which moves one tensor, by differences."""
    step = 1e-5
    moved = [named(config, flat + sign * step * direction) for sign in (1, -1)]
    (name,) = (n for n, part in named(config, direction).items() if part.any())
    slope, total = 0.0, 0.0
    for chunk in chunks:
        part = 0.0
        for edge in chunk:
            fixed = frozen[edge.path], weights[edge.path]
            ahead, behind = (edge_loss(tensors, edge, *fixed) for tensors in moved)
            part += (ahead - behind) / (2 * step)
            total += sum(weights[edge.path])
        divided = chunk_means and is_divided(name)
        slope += part / sum(edge.n_rows for edge in chunk) if divided else part
    return slope if chunk_means else slope / total


@pytest.mark.parametrize(
    ("chunk_means", "mass_weight", "entropy_lambda", "intermediate"),
    [
        (True, "linear", 1.0, 1.0),
        (True, "log", 0.0, 0.5),
        (False, "linear", 0.0, 1.0),
        (False, "sqrt", 0.7, 0.5),
    ],
)
def test_the_gradient_is_that_of_a_loss_whose_ancestors_are_frozen(
    chunk_means, mass_weight, entropy_lambda, intermediate
):
    tokens = repetitive_text(VOCAB, 32)
    edges = edges_of(tokens, DEPTH)
    assert len(edges) == build(tokens, DEPTH).n_nodes
    mass_function = {"linear": float, "sqrt": math.sqrt, "log": math.log1p}[mass_weight]
    chunks = chunks_of(edges, 16)
    weights = {}
    for chunk in chunks:
        heads = {edge.path: mass_function(edge.masses[0]) for edge in chunk}
        mean = sum(heads[e.path] * e.n_rows for e in chunk) / sum(e.n_rows for e in chunk)
        for edge in chunk:
            relative = [heads[edge.path] / mean] * edge.n_rows
            masses, function = (relative, float) if chunk_means else (edge.masses, mass_function)
            args = (function, entropy_lambda, intermediate)
            weights[edge.path] = row_weights(edge, masses, *args)

    config = make_config(VOCAB, DEPTH, d_model=8, d_ff=12, heads=HEADS)
    flat = random_parameters(config)
    source = _engine.reference_source(
        build(tokens, DEPTH),
        chunk_positions=16,
        chunk_means=chunk_means,
        batch_rows=9,
        mass_weight=mass_weight,
        entropy_lambda=entropy_lambda,
        intermediate_weight=intermediate,
    )
    _, gradient = gradient_of(config, source, flat)
    start = named(config, flat)
    frozen = {edge.path: forward(start, edge.path, 0, None)[1] for edge in edges}
    rng = np.random.default_rng(0)
    largest = np.abs(gradient).max()
    for _, offset, shape in _engine.parameter_layout(config):
        part = slice(offset, offset + math.prod(shape))
        direction = np.zeros(len(flat))
        direction[part] = rng.normal(size=math.prod(shape))
        expected = expected_slope(config, flat, direction, chunks, frozen, weights, chunk_means)
        assert gradient @ direction == pytest.approx(expected, rel=1e-5, abs=1e-7 * largest)


def reference_like(index, **options):
    settings = {"chunk_positions": 100, "mass_weight": "linear", "entropy_lambda": 1.0}
    return _engine.reference_source(index, **settings | options)


def test_it_depends_on_chunks_but_not_on_batches_threads_or_backends():
    tokens = repetitive_text(5, 300)
    index, config = build(tokens, 9), make_config(5, 9, heads=[8, 8])
    parameters = random_parameters(config)
    truth = gradient_of(config, reference_like(index), parameters)
    backends = ["reference", *(f"cpu:{kernels}" for kernels in _engine.available_kernels())]
    for backend, batch_rows in itertools.product(backends, [1, 7, 1000]):
        source = reference_like(index, batch_rows=batch_rows)
        loss, gradient = gradient_of(config, source, parameters, backend, threads=2)
        assert loss == pytest.approx(truth[0], rel=1e-12)
        assert worst_error(config, gradient, truth[1]) < 1e-10, (backend, batch_rows)
    other = gradient_of(config, reference_like(index, chunk_positions=50), parameters)
    assert worst_error(config, other[1], truth[1]) > 0.01


def test_without_truncation_and_chunks_it_is_the_exact_gradient():
    tokens = repetitive_text(5, 300)
    index, config = build(tokens, 9), make_config(5, 9)
    parameters = random_parameters(config)
    truth = gradient_of(config, _engine.trie_source(index), parameters)
    same = _engine.reference_source(index, truncated=False, chunk_means=False)
    got = gradient_of(config, same, parameters)
    assert got[0] == pytest.approx(truth[0], rel=1e-12)
    assert worst_error(config, got[1], truth[1]) < 1e-10
    truncated = _engine.reference_source(index, chunk_means=False)
    got = gradient_of(config, truncated, parameters)
    assert got[0] == pytest.approx(truth[0], rel=1e-12)
    assert worst_error(config, got[1], truth[1]) > 0.01


@pytest.mark.parametrize("order", ["fixed", "shuffled"])
def test_steps_of_root_children_sum_to_the_accumulated_gradient(order):
    tokens = repetitive_text(5, 300)
    index, config = build(tokens, 7), make_config(5, 7)
    parameters = random_parameters(config)
    _, whole = gradient_of(config, reference_like(index, whole=True), parameters)
    source = reference_like(index, order=order, seed=3)
    assert source.steps_per_pass == 5
    start, total = parameters.copy(), np.zeros(len(parameters))
    trainer = make_trainer(config, source, parameters, optimizer="sgd", learning_rate=1e-9)
    children, positions = [], 0
    for step in range(5):
        children.append(source.place(step).unit_paths)
        positions += trainer.step().positions
        total += trainer.last_gradient
        parameters[:] = start
        trainer.parameters_changed()
    assert positions == index.n_positions
    assert sorted(children) == [[[token]] for token in range(5)]
    assert (children == sorted(children)) == (order == "fixed")
    assert worst_error(config, total, whole) < 1e-10


def small_trainer(**settings):
    index = TrieIndex.build(agpt.Corpus.from_text("to be, or not to be: that is " * 4), depth=6)
    config = agpt.ModelConfig(
        vocab_size=index.vocab_size, context=6, d_model=16, n_layers=1, heads=2, d_ff=16
    )
    return Trainer(agpt.Model(config, seed=0), index, TrainConfig(**settings))


def test_a_trainer_follows_it_when_told_to():
    common = {"unit": "pass", "optimizer": "rmsprop", "lr": 1e-3, "steps": 20}
    exact, reference = small_trainer(**common), small_trainer(**common, reference_gradient=True)
    for trainer in (exact, reference):
        before = trainer.evaluate("train").loss
        trainer.fit()
        assert trainer.evaluate("train").loss < before
    assert exact.evaluate("train").loss != reference.evaluate("train").loss


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"unit": "positions"},
            "unit is positions, but the reference gradient is defined for unit root-child or pass",
        ),
        ({"mode": "window"}, "mode is window, but the reference gradient is defined for mode trie"),
        ({"unit": "pass", "tails": "none"}, "defined for tails full alone"),
        ({"unit": "root-child", "order": "mass"}, "defined for order fixed or shuffled alone"),
        ({"unit": "root-child", "normalise": "pass"}, "defined for normalise step alone"),
        ({"unit": "root-child", "units_per_step": 2}, "defined for units_per_step 1 alone"),
        ({"unit": "root-child", "curriculum": "2:3"}, "defined for curriculum none alone"),
        ({"unit": "root-child", "blend": 0.5}, "defined for blend 0 alone"),
        ({"unit": "root-child", "unit_lr": "sqrt-mass"}, "defined for unit_lr none alone"),
    ],
)
def test_other_ways_of_training_are_refused_with_it(settings, message):
    with pytest.raises(ArgumentError, match=message):
        TrainConfig(reference_gradient=True, **settings)


def test_sequences_are_refused():
    sequences = agpt.TrieIndex.from_sequences([[0, 1, 2], [0, 1, 1]])
    model = agpt.Model(agpt.ModelConfig(vocab_size=3, context=4))
    with pytest.raises(ArgumentError, match="that of an index, not of sequences"):
        Trainer(model, sequences, TrainConfig(unit="pass", reference_gradient=True))
