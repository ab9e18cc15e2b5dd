"""Speed, launches, memory and correctness of training on a GPU.

    python benchmarks/gpu_speed.py PART CORPUS [--backend cuda] [--small] [--seconds 10]

PART is one of
    trie32, trie16  seconds of one pass over the trie, updates included; launches a step
    windows         tokens a second of window training at 1024 x 32, beside PyTorch eager and
                    compiled on the same GPU where torch is here: the sides take turns
    memory          peak device memory at depth 128 beside that at depth 32
    gradient        the gradient of a pass on the GPU beside the CPU's, relative, as vectors

The model has 108k parameters: 2 layers, width 64, learned positions. Prints one JSON object.
--small shrinks everything to what an emulated GPU does in a moment.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agpt
import numpy as np

Result = dict[str, Any]
SMALL_MODEL: dict[str, Any] = {"d_model": 16, "n_layers": 1, "heads": 2}


class Bench:
    """A corpus, a backend and the sizes of what is run."""

    def __init__(self, path: Path, backend: str, seconds: float, small: bool) -> None:
        text = path.read_text(encoding="utf-8")
        self.corpus = agpt.Corpus.from_text(text[:1500] if small else text)
        self.backend, self.seconds, self.small = backend, seconds, small

    def model(self, context: int, dtype: str = "float32") -> agpt.Model:
        """Return the model for contexts of that length, always with the same weights."""
        sizes = SMALL_MODEL if self.small else {}
        config = agpt.ModelConfig.preset(
            "microgpt", self.corpus.vocab_size, context=context, position="learned", **sizes
        )
        return agpt.Model(config, seed=0, dtype=dtype)

    def trie_trainer(self, depth: int, positions: int, **settings: Any) -> agpt.Trainer:
        """Return a trainer on the trie with steps of so many positions."""
        index = agpt.TrieIndex.build(self.corpus, depth)
        config = agpt.TrainConfig(
            positions_per_step=200 if self.small else positions, epochs=3, **settings
        )
        return agpt.Trainer(self.model(depth), index, config, self.backend)

    def trie(self, depth: int) -> Result:
        """Time one pass with updates, after two steps that warm up."""
        trainer = self.trie_trainer(depth, positions=1 << 18)
        warm = [trainer.step().positions for _ in range(2)]
        in_pass = trainer.total_steps // 3
        before, begin = trainer.device_statistics, time.perf_counter()
        positions = sum(trainer.step().positions for _ in range(max(1, in_pass)))
        seconds, after = time.perf_counter() - begin, trainer.device_statistics
        steps = max(1, in_pass)
        return {
            "depth": depth,
            "pass_seconds": seconds,
            "positions": positions,
            "warm_up_positions": sum(warm),
            "positions_per_second": positions / seconds,
            "steps": steps,
            "launches_per_step": (after.launches - before.launches) / steps,
            "graph_launches_per_step": (after.graph_launches - before.graph_launches) / steps,
            "uploaded_bytes_per_step": (after.uploaded_bytes - before.uploaded_bytes) / steps,
            "peak_device_bytes": after.peak_bytes,
            "rows_of_a_batch": after.batch_rows,
        }

    def windows(self) -> Result:
        """Time window training in turn with PyTorch."""
        windows, context = (8, 16) if self.small else (1024, 32)
        config = agpt.TrainConfig(
            mode="window", windows_per_step=windows, steps=10**9, schedule="constant"
        )
        model = self.model(context)
        trainer = agpt.Trainer(model, self.corpus, config, self.backend)
        sides: dict[str, Callable[[], int]] = {"agpt": lambda: trainer.step().positions}
        missing = add_torch(sides, self.model(context), self.corpus, windows, config)
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for work in sides.values():
            for _ in range(3):
                work()  # compiles, allocates
        rounds = 5
        for _ in range(rounds):
            for name, work in sides.items():
                rates[name].append(rate(work, self.seconds / rounds / len(sides)))
        before = trainer.device_statistics
        trainer.step()
        after = trainer.device_statistics
        medians = {name: statistics.median(found) for name, found in rates.items()}
        ratios = {
            f"agpt_to_{name}": statistics.median(
                ours / theirs for ours, theirs in zip(rates["agpt"], rates[name], strict=True)
            )
            for name in sides
            if name != "agpt"
        }
        return {"windows": windows, "context": context, "tokens_per_second": medians} | {
            "ratios": ratios,
            "torch_missing": missing,
            "launches_per_step": after.launches - before.launches,
            "graph_launches_per_step": after.graph_launches - before.graph_launches,
        }

    def memory(self) -> Result:
        """Compare the peaks of two steps under one cap of batch rows."""
        shallow, deep = (8, 16) if self.small else (32, 128)
        peaks: Result = {}
        for depth in (shallow, deep):
            trainer = self.trie_trainer(depth, positions=1 << 20)
            trainer.step()
            trainer.step()
            peaks[f"peak_bytes_depth_{depth}"] = trainer.device_statistics.peak_bytes
        first, second = peaks.values()
        return peaks | {"ratio": second / first if first else None}

    def gradient(self) -> Result:
        """Return the distance of the gradient to the CPU's in float64, relative to its length."""
        depth = 6 if self.small else 16
        corpus = agpt.Corpus.from_text(self.corpus.decode(self.corpus.tokens[:100_000]))
        index, config = agpt.TrieIndex.build(corpus, depth), agpt.TrainConfig(unit="pass")
        vectors = []
        for backend, dtype in (("cpu", "float64"), (self.backend, "float32"), ("cpu", "float32")):
            model = self.model(depth, dtype)
            _, gradients = agpt.Trainer(model, index, config, backend).gradients()
            vectors.append(np.concatenate([g.ravel().astype(float) for g in gradients.values()]))
        truth, device, cpu = vectors
        length = float(np.linalg.norm(truth))
        return {
            "relative_difference": float(np.linalg.norm(device - truth)) / length,
            "relative_difference_of_cpu_float32": float(np.linalg.norm(cpu - truth)) / length,
            "positions": index.n_positions,
        }


def rate(work: Callable[[], int], seconds: float) -> float:
    """Return what `work` reports a second; it has finished when it returns."""
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        done += work()
    return done / (time.perf_counter() - begin)


def add_torch(
    sides: dict[str, Callable[[], int]],
    model: agpt.Model,
    corpus: agpt.Corpus,
    windows: int,
    settings: agpt.TrainConfig,
) -> str:
    """Add PyTorch's steps on the same weights, or return why they are missing."""
    try:
        import torch
        import torch_rival
    except ImportError as error:
        return str(error)
    if not torch.cuda.is_available():
        return "torch sees no GPU"
    for name in ("torch_eager", "torch_compiled"):
        rival = torch_rival.WindowTraining(model, corpus.tokens, windows, settings)
        rival.text = rival.text.cuda()
        rival.model.cuda()
        rival.optimizer = torch_rival.optimizer_of(rival.model, settings)
        rival.loss = torch.compile(rival.model) if name == "torch_compiled" else rival.model
        sides[name] = lambda rival=rival: torch_step(rival, torch)
    return ""


def torch_step(rival: Any, torch: Any) -> int:
    """Make one step on random windows, all of it on the GPU; the loss is read once, as ours is."""
    starts = torch.randint(len(rival.text) - rival.context, (rival.windows,), device="cuda")
    rows = rival.text[starts[:, None] + torch.arange(rival.context + 1, device="cuda")]
    rival.step(rows)
    return int(rival.windows * rival.context)


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", choices=["trie32", "trie16", "windows", "memory", "gradient"])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--backend", default="cuda")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--small", action="store_true")
    chosen = parser.parse_args()
    bench = Bench(chosen.corpus, chosen.backend, chosen.seconds, chosen.small)
    parts: dict[str, Callable[[], Result]] = {
        "trie32": lambda: bench.trie(8 if chosen.small else 32),
        "trie16": lambda: bench.trie(4 if chosen.small else 16),
        "windows": bench.windows,
        "memory": bench.memory,
        "gradient": bench.gradient,
    }
    print(json.dumps(parts[chosen.part]()))


if __name__ == "__main__":
    main()
