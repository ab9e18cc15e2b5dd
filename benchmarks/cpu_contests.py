"""The contests of benchmarks/cpu.py. Both sides start from the same weights and see the same rows.

Before a contest is timed, its sides make the same steps, or score the same text, and their losses
must agree: of windows to 1e-9 in float64, of documents and texts to 1e-4 in float32.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import agpt
import numpy as np
import numpy_rival
import torch_rival
from agpt.evaluation import evaluate
from agpt.token_text import TokenText, text_of_split
from race import OURS, Contest

EAGER, COMPILED, NUMPY = "PyTorch eager", "torch.compile", "NumPy"
DOCUMENTS = "names, 4,192 parameters, a document a step"
EVALUATION = "evaluation, context 32, stride 1"

# Learned positions where nothing else is said: PyTorch does them faster than rotary ones.
OF_108K: dict[str, Any] = {"name": "microgpt", "position": "learned", "heads": 4}
NANOGPT: dict[str, Any] = {
    "name": "nanogpt",
    "context": 64,
    "d_model": 128,
    "n_layers": 4,
    "heads": 4,
}
WIDE: dict[str, Any] = OF_108K | {"context": 128, "d_model": 256, "n_layers": 6, "heads": 8}
WIDEST: dict[str, Any] = WIDE | {"d_model": 512, "n_layers": 8}
Making = tuple[str, Callable[[], Contest]]
STEPS_COMPARED = 3


def plain_adam(threads: int, **options: object) -> agpt.TrainConfig:
    """Return Adam at a constant rate, nothing else; the steps of a speed contest never end."""
    common = {"optimizer": "adam", "clip_norm": 0.0, "schedule": "constant", "lr": 1e-3}
    return agpt.TrainConfig(**common, steps=10**9, threads=threads, **options)


def model_of_108k(vocab: int, context: int, position: str = "learned") -> agpt.Model:
    """Return the model of most contests."""
    changes = OF_108K | {"context": context, "position": position}
    config = agpt.ModelConfig.preset(vocab_size=vocab, **changes)
    return agpt.Model(config, seed=0)


def copy_of(model: agpt.Model, dtype: str = "float32") -> agpt.Model:
    """Return a model with parameters of its own."""
    copied = agpt.Model(model.config, dtype=dtype)
    copied.flat_parameters[...] = model.flat_parameters
    return copied


def flop_of_position(config: agpt.ModelConfig) -> float:
    """Return the operations of forward and backward pass in the matrices of linear layers."""
    layer = 4 * config.d_model**2 + 2 * config.d_model * config.d_ff
    return 6 * (config.n_layers * layer + config.d_model * config.vocab_size)


def require_equal(ours: float, theirs: float, difference: float = 1e-4) -> None:
    """Refuse to time sides that do not compute the same."""
    if abs(ours - theirs) > difference:
        raise AssertionError(f"the losses {ours} and {theirs} differ: this is not the same work")


def require_equal_windows(model: agpt.Model, corpus: agpt.Corpus) -> None:
    """Make the same steps on both sides, in float64, where rounding hides nothing."""
    context, windows = model.config.context, 4
    settings = plain_adam(1, mode="window", windows_per_step=windows, window_order="sequential")
    trainer = agpt.Trainer(copy_of(model, "float64"), corpus, settings)
    rival = torch_rival.WindowTraining(model, corpus.tokens, windows, settings)
    rival.model.double()
    for step in range(STEPS_COMPARED):
        first = np.arange(step * windows, (step + 1) * windows) * context
        rows = rival.text[first[:, None] + np.arange(context + 1)]
        require_equal(trainer.step().loss, rival.step(rows), 1e-9)


def windows_contest(
    work: str,
    corpus: agpt.Corpus,
    model: agpt.Model,
    windows: int,
    threads: int,
    *,
    compiled: bool,
    target: float,
) -> Contest:
    """Train on random windows of the text."""
    require_equal_windows(model, corpus)
    settings = plain_adam(threads, mode="window", windows_per_step=windows)
    trainer = agpt.Trainer(copy_of(model), corpus, settings)
    torch_rival.set_threads(threads)
    contestants: dict[str, Callable[[], int]] = {OURS: lambda: trainer.step().positions}
    for name in (EAGER, COMPILED) if compiled else (EAGER,):
        contestants[name] = torch_rival.WindowTraining(
            model, corpus.tokens, windows, settings, compiled=name == COMPILED
        )
    flop = flop_of_position(model.config)
    return Contest(work, "positions", contestants, threads, target, flop)


def trie_contest(
    work: str, corpus: agpt.Corpus, depth: int, threads: int, position: str
) -> Contest:
    """Train on the trie; the rival has as many rows a step, as windows."""
    index = agpt.TrieIndex.build(corpus, depth)
    model = model_of_108k(corpus.vocab_size, depth, position)
    windows = 512
    settings = plain_adam(threads, positions_per_step=windows * depth)
    trainer = agpt.Trainer(copy_of(model), index, settings)
    contest = windows_contest(work, corpus, model, windows, threads, compiled=False, target=2.5)
    contest.contestants[OURS] = lambda: trainer.step().positions
    return contest


def documents_contest(names: agpt.Corpus) -> Contest:
    """Train Karpathy's model of 4,192 parameters on one name a step."""
    model = agpt.Model(agpt.ModelConfig.preset("karpathy-b", names.vocab_size), seed=0)
    settings = plain_adam(
        1, mode="window", windows_per_step=1, window_order="sequential", beta1=0.85
    )
    text = text_of_split(names, "all")
    ends = [*text.document_starts[1:].tolist(), names.n_tokens]
    starts, longest = text.document_starts.tolist(), model.config.context + 1
    documents = [
        names.tokens[begin : min(end, begin + longest)].astype(np.int64)
        for begin, end in zip(starts, ends, strict=True)
    ]
    trainer = agpt.Trainer(copy_of(model), names, settings)
    torch_rival.set_threads(1)
    in_torch = torch_rival.DocumentTraining(model, documents, settings)
    in_numpy = numpy_rival.DocumentTraining(model, documents, settings)
    for step in range(STEPS_COMPARED):
        loss = trainer.step().loss
        require_equal(loss, in_torch.step(in_torch.documents[step]))
        require_equal(loss, in_numpy.step(documents[step]))
    contestants = {OURS: lambda: bool(trainer.step()), NUMPY: in_numpy, EAGER: in_torch}
    return Contest(DOCUMENTS, "steps", contestants, target=20)


def evaluation_contest(corpus: agpt.Corpus, threads: int, n_tokens: int) -> Contest:
    """Score a text with the full context of 32 tokens before every prediction."""
    model, tokens = model_of_108k(corpus.vocab_size, 32), corpus.tokens[-n_tokens:]
    text = TokenText.from_tokens(tokens, None)

    def ours(stride: int = 1) -> agpt.evaluation.Evaluation:
        return evaluate(model, text, split="all", context=32, stride=stride, threads=threads)

    torch_rival.set_threads(threads)
    rival = torch_rival.Evaluation(model, tokens)
    rival()
    context = model.config.context
    first = evaluate(
        model, TokenText.from_tokens(tokens[: context + 1], None), split="all", threads=1
    )
    scored = ours()
    rest = scored.loss * scored.positions - first.loss * first.positions
    last = float(np.log(np.exp(model.logits(tokens[:context])[-1]).sum()))
    rest += last - float(model.logits(tokens[:context])[-1, tokens[context]])
    require_equal(rest / (scored.positions - first.positions + 1), rival.loss)
    contestants = {OURS: lambda: ours().positions, EAGER: rival}
    return Contest(EVALUATION, "positions", contestants, threads, 5)


def generation_contest(work: str, vocab: int, context: int, samples: int) -> Contest:
    """Sample new text with a cache of keys and values, one thread; samples go side by side."""
    model, tokens = model_of_108k(vocab, context), max(32, 512 // samples)
    prompt = [1, 2, 3]
    torch_rival.set_threads(1)

    def ours() -> int:
        written = model.generate_tokens(prompt, max_tokens=tokens, n_samples=samples)
        return sum(map(len, written))

    rival = torch_rival.Generation(model, prompt, samples, tokens)
    state = rival.model.states(rival.prompt[:1])
    difference = model.logits(prompt) - rival.model.head(state)[0].detach().numpy()
    require_equal(0, float(np.abs(difference).max()))
    return Contest(work, "tokens", {OURS: ours, EAGER: rival}, target=5)


def contests(
    corpus: agpt.Corpus,
    names: agpt.Corpus | None,
    thread_counts: list[int],
    *,
    quick: bool,
    only: str = "",
) -> Iterator[Contest]:
    """Yield the contests whose name has `only` in it, each made when the one before is done."""
    vocab, compiled = corpus.vocab_size, not quick

    def windows(work: str, n: int, threads: int, target: float, **options: object) -> Making:
        def make() -> Contest:
            model = agpt.Model(agpt.ModelConfig.preset(vocab_size=vocab, **options), seed=0)
            with_compiler = compiled and target > 1
            return windows_contest(
                work, corpus, model, n, threads, compiled=with_compiler, target=target
            )

        return work, make

    def trie(kind: str, position: str, threads: int) -> Making:
        work = f"trie, D = 32, {kind} positions"
        return work, partial(trie_contest, work, corpus, 32, threads, position)

    makings: list[Making] = []
    for threads in thread_counts:
        makings += [
            trie("rotary", "rope", threads),
            trie("learned", "learned", threads),
            windows("windows of 32 x 64", 64, threads, 2, context=32, **OF_108K),
            windows("windows of 128 x 64", 64, threads, 2, context=128, **OF_108K),
            windows("nanoGPT, windows of 64 x 12", 12, threads, 2, **NANOGPT),
            windows("d = 256, 6 layers, windows of 128 x 8", 8, threads, 1, **WIDE),
            windows("d = 512, 8 layers, windows of 128 x 8", 8, threads, 1, **WIDEST),
            (EVALUATION, partial(evaluation_contest, corpus, threads, 4_000 if quick else 20_000)),
        ]
    if names is not None:
        makings.append((DOCUMENTS, partial(documents_contest, names)))
    for context in (32, 128):
        for samples in (1, 16, 64):
            work = f"generation, context {context}, {samples} sample{'s' if samples > 1 else ''}"
            makings.append((work, partial(generation_contest, work, vocab, context, samples)))
    yield from (make() for work, make in makings if only in work)
