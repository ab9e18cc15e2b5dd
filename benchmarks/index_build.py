"""Building an index: CPU-seconds, wall time, memory, size; beside suffix sorters alone.

    python benchmarks/index_build.py CORPUS [--text FOLDER]... [--size MB]... [--out TABLE.md]

CORPUS is the small text (tinyshakespeare); mixed real text is gathered from the FOLDERs (by default
the Python library and /usr/share/doc), exact duplicates of files dropped; repetitive texts are made
on the fly. Every build is a process of its own, from the text file to the saved index, so that its
peak memory is its own. The gain of a second thread is given twice: by wall time, which means
nothing on a machine with other work, and as the CPU time of one thread over that of the busier
of two.
"""

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import machine

REPETITIVE_SIZE = 1_000_000


def gather_text(folders: list[Path], size: int) -> bytes:
    """The text files of folders one after the other, up to `size` bytes."""
    seen: set[bytes] = set()
    parts: list[bytes] = []
    total = 0
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if total >= size:
                break
            if path.is_symlink() or not path.is_file():
                continue
            data = path.read_bytes()
            key = hashlib.sha256(data).digest()
            if key in seen or b"\0" in data[:4096]:
                continue
            seen.add(key)
            parts.append(data)
            total += len(data)
    return b"".join(parts)[:size]


def repetitive_texts() -> Iterator[tuple[str, bytes]]:
    """The worst cases of suffix sorters, 1 MB each."""
    n = REPETITIVE_SIZE
    yield "all equal", b"a" * n
    yield "period 2", b"ab" * (n // 2)
    a, b = b"a", b"ab"
    while len(b) < n:
        a, b = b, b + a
    yield "Fibonacci", b[:n]
    rng = random.Random(1)
    yield "rare b", bytes(98 if rng.random() < 0.001 else 97 for _ in range(n))


def peak_memory() -> int:
    """Most bytes that this process had resident; getrusage() would count its parent's, too."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", status)[0])


def build_once(
    text: Path, out: Path, depth: int, threads: int, documents: bool
) -> dict[str, float]:
    """Build in this process and tell what it took; run by measure_build()."""
    from agpt import Corpus, TrieIndex

    idle = peak_memory()
    cpu, wall, own = time.process_time(), time.perf_counter(), time.thread_time()
    corpus = Corpus.from_file(text, tokenizer="byte", documents=documents)
    starts = "documents" if documents else "every"
    index = TrieIndex.build_to(out, corpus, depth, starts=starts, threads=threads)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    own = time.thread_time() - own
    peak = peak_memory() - idle
    return {
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "busier_thread_seconds": max(own, cpu - own),
        "peak_bytes": peak,
        "n_tokens": corpus.n_tokens,
        "n_nodes": index.n_nodes,
        "n_positions": index.n_positions,
        "index_bytes": out.stat().st_size,
    }


def in_a_process(*arguments: object) -> dict[str, float]:
    """Run this file with other arguments and read what it prints."""
    command = [sys.executable, __file__, *map(str, arguments)]
    output = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(output.stdout)


def measure_build(text: Path, depth: int, rounds: int, documents: bool = False) -> dict[str, float]:
    """The least of several runs with one thread and with two, which must write the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        out, threaded = Path(folder, "1.agpt"), Path(folder, "2.agpt")
        runs, pairs = [], []
        for _ in range(rounds):
            runs.append(in_a_process("--one", text, out, depth, 1, int(documents)))
            pairs.append(in_a_process("--one", text, threaded, depth, 2, int(documents)))
        if out.read_bytes() != threaded.read_bytes():
            raise AssertionError("two threads wrote other bytes than one")
    best = min(runs, key=lambda run: run["cpu_seconds"])
    wall = min(run["wall_seconds"] for run in runs)
    threaded_wall = min(pair["wall_seconds"] for pair in pairs)
    busier = min(pair["busier_thread_seconds"] for pair in pairs)
    return best | {
        "wall_seconds": wall,
        "gain_of_wall": wall / threaded_wall,
        "gain_of_cpu": best["cpu_seconds"] / busier,
    }


def measure_walk(text: Path, depth: int) -> float:
    """Rows per CPU-second of a walk over all nodes in order (the profile of the index)."""
    from agpt import Corpus, TrieIndex

    index = TrieIndex.build(Corpus.from_file(text, tokenizer="byte"), depth)
    start, rows = time.process_time(), 0
    while time.process_time() - start < 1:
        index.profile()
        rows += index.n_positions
    return rows / (time.process_time() - start)


def measure_open(text: Path) -> float:
    """Seconds to open an index of more than 64 MiB, whose content is not read; else of any."""
    from agpt import Corpus, TrieIndex

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.agpt")
        TrieIndex.build_to(path, Corpus.from_file(text, tokenizer="byte"), 32)
        start = time.perf_counter()
        TrieIndex.open(path)
        return time.perf_counter() - start


def measure_suffix_sorter(text: Path) -> float | None:
    """CPU-seconds of pydivsufsort's suffix array of the text; None without the package."""
    try:
        import pydivsufsort
    except ImportError:
        return None
    data = text.read_bytes()
    start = time.process_time()
    pydivsufsort.divsufsort(data)
    return time.process_time() - start


def row(name: str, depth: int, figures: dict[str, float], sorter: float | None) -> str:
    """One line of the table."""
    tokens = figures["n_tokens"]
    return (
        f"| {name} | {depth} | {figures['cpu_seconds']:.3f} | {figures['wall_seconds']:.3f} "
        f"| {figures['gain_of_wall']:.2f} | {figures['gain_of_cpu']:.2f} "
        f"| {figures['peak_bytes'] / tokens:.1f} "
        f"| {figures['n_nodes']:,.0f} | {figures['n_positions']:,.0f} "
        f"| {figures['index_bytes'] / 1e6:.1f} "
        f"| {figures['index_bytes'] / max(1, figures['n_nodes']):.1f} "
        f"| {'-' if sorter is None else f'{sorter:.3f}'} |"
    )


HEAD = (
    "| text | depth | CPU-s | wall s | gain, wall | gain, CPU | peak B/token | nodes | positions "
    "| index MB | B/node | suffix array alone, CPU-s |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def run(arguments: argparse.Namespace) -> list[str]:
    """The lines of the table, printed as they come."""
    lines = [HEAD]

    def add(name: str, path: Path, depths: list[int], rounds: int, documents: bool = False) -> None:
        sorter = measure_suffix_sorter(path)
        for depth in depths:
            lines.append(row(name, depth, measure_build(path, depth, rounds, documents), sorter))
            print(lines[-1], flush=True)

    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text")
        add("small text", arguments.corpus, [8, 16, 32, 64, 128], 5)
        add("small text, lines as documents", arguments.corpus, [32], 5, documents=True)
        for name, text in repetitive_texts():
            path.write_bytes(text)
            add(f"{name}, 1 MB", path, [128], 3)
        mixed = gather_text(arguments.text, max(arguments.size) * 10**6)
        for size in arguments.size:
            path.write_bytes(mixed[: size * 10**6])
            n = path.stat().st_size
            add(f"mixed text, {n / 1e6:.0f} MB", path, [32], 1 if n > 50e6 else 3)
            if size == max(arguments.size):
                opening = f"Opening the index of the last: {1000 * measure_open(path):.2f} ms."
    rate = measure_walk(arguments.corpus, 32) / 1e6
    walk = f"Profiling the small text's index, a walk over all its rows: {rate:.0f} M rows/CPU-s."
    lines += ["", walk, opening]
    print("", walk, opening, sep="\n")
    return lines


def main() -> None:
    """Measure and print, and write the table if asked."""
    if sys.argv[1:2] == ["--one"]:
        text, out, depth, threads, documents = sys.argv[2:]
        figures = build_once(Path(text), Path(out), int(depth), int(threads), documents == "1")
        print(json.dumps(figures))
        return
    library = Path(sysconfig.get_paths()["stdlib"])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--text", type=Path, action="append", help="a folder of text files")
    parser.add_argument("--size", type=int, action="append", help="MB of mixed text")
    parser.add_argument("--out", type=Path, help="write the table here")
    arguments = parser.parse_args()
    arguments.text = arguments.text or [library, Path("/usr/share/doc"), Path("/usr/lib/python3")]
    arguments.size = sorted(arguments.size or [1, 10, 22, 100])
    facts = ", ".join(f"{key} {value}" for key, value in machine().items())
    lines = [f"{facts}; load {os.getloadavg()[0]:.1f}", "", *run(arguments)]
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
