"""Fails when a CUDA kernel needs more registers than its budget, or spills: both cost speed unseen.

Usage: python tools/kernel_budget.py LOG [--budget cuda/kernel_budget.txt] [--write]. LOG is what a
build with -DAGPT_CUDA_RESOURCES=ON printed. The budget has a line "kernel registers spilled-bytes"
for each kernel, the most of all its instances; --write makes it from the log.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SUFFIX = "_kernel"
ENTRY = re.compile(r"Compiling entry function '(\w+)'")
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")


class Resources(NamedTuple):
    """What a kernel takes: registers of a thread, and bytes that did not fit into them."""

    registers: int = 0
    spilled: int = 0

    def most(self, other: "Resources") -> "Resources":
        """Return the larger of each."""
        return Resources(max(self.registers, other.registers), max(self.spilled, other.spilled))


def kernel_name(mangled: str) -> str:
    """Return the name that ends with _kernel in a mangled symbol, or the symbol itself.

    A name stands behind its length there, which may follow other digits.
    """
    end = mangled.find(SUFFIX) + len(SUFFIX)
    for start in range(end - len(SUFFIX) - 1, 0, -1):
        name = mangled[start:end]
        if not name[0].isdigit() and mangled[:start].endswith(str(len(name))):
            return name
    return mangled


def used_resources(log: str) -> dict[str, Resources]:
    """Return the resources of each kernel, the most of its instances, from ptxas's report."""
    used: dict[str, Resources] = {}
    name, spilled = "", 0
    for line in log.splitlines():
        if entry := ENTRY.search(line):
            name, spilled = kernel_name(entry[1]), 0
        elif spill := SPILL.search(line):
            spilled = int(spill[1]) + int(spill[2])
        elif (registers := REGISTERS.search(line)) and name:
            found = Resources(int(registers[1]), spilled)
            used[name] = found.most(used.get(name, found))
    return used


def read_budget(text: str) -> dict[str, Resources]:
    """Return the budget's lines; # begins a comment."""
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    return {name: Resources(int(most), int(spill)) for name, most, spill in filter(None, lines)}


def faults(used: dict[str, Resources], budget: dict[str, Resources]) -> Iterator[str]:
    """Yield a sentence for each kernel above its budget, without one, or gone."""
    for name, resources in sorted(used.items()):
        if name not in budget:
            yield f"{name} has no line in the budget: it takes {resources.registers} registers"
            continue
        for what, got, most in zip(Resources._fields, resources, budget[name], strict=True):
            if got > most:
                yield f"{name}: {what} {got}, budget {most}"
    for name in sorted(budget.keys() - used.keys()):
        yield f"{name} is in the budget, but was not compiled"


def main() -> int:
    """Compare or write; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("log", type=Path)
    root = Path(__file__).parents[1]
    parser.add_argument("--budget", type=Path, default=root / "cuda" / "kernel_budget.txt")
    parser.add_argument("--write", action="store_true", help="make the budget from the log")
    arguments = parser.parse_args()
    used = used_resources(arguments.log.read_text(encoding="utf-8", errors="replace"))
    if not used:
        sys.exit(f"{arguments.log} reports no kernel: build with -DAGPT_CUDA_RESOURCES=ON, afresh")
    if arguments.write:
        # A warp gets registers in units of 8 a thread, so rounding up to these costs nothing.
        lines = [
            f"{name} {-(-r.registers // 8) * 8} {r.spilled}" for name, r in sorted(used.items())
        ]
        head = "# kernel, registers of a thread at most, bytes spilled at most (sm_90)"
        arguments.budget.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        return 0
    found = list(faults(used, read_budget(arguments.budget.read_text(encoding="utf-8"))))
    for line in found:
        print(line)
    print(f"kernel_budget: {len(used)} kernels, {len(found)} faults", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
