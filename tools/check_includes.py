"""Fails when a C++ file includes what its folder may not, or prints: the table is the architecture.

Usage: python tools/check_includes.py [ROOT]. Prints one line for each fault; exit code 1 if any.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# A file belongs to the longest name here that is its path or a folder above it. Files of one layer
# may always include each other.
ENGINE = {"cpp/base", "cpp/corpus", "cpp/trie", "cpp/rows", "cpp/model", "cpp/backend", "cpp/train"}
MAY_INCLUDE: dict[str, set[str]] = {
    "cpp/base": set(),
    "cpp/corpus": {"cpp/base"},
    "cpp/trie": {"cpp/base", "cpp/corpus"},
    "cpp/interchange": {"cpp/base", "cpp/corpus", "cpp/trie"},
    "cpp/rows": {"cpp/base", "cpp/corpus", "cpp/trie"},
    "cpp/diagnostics": {"cpp/base", "cpp/corpus", "cpp/trie"},
    "cpp/synth": {"cpp/base", "cpp/corpus", "cpp/trie"},
    "cpp/model": {"cpp/base"},
    "cpp/backend": {"cpp/base"},
    "cpp/backend/reference": {"cpp/base", "cpp/backend"},
    "cpp/backend/cpu": {"cpp/base", "cpp/backend", "cpp/backend/cpu/kernels"},
    "cpp/backend/cpu/kernels": {"cpp/base", "cpp/backend", "cpp/backend/cpu"},
    # The only file that names every backend.
    "cpp/backend/registry.cpp": {
        "cpp/base",
        "cpp/backend",
        "cpp/backend/reference",
        "cpp/backend/cpu",
        "cuda",
    },
    "cpp/train": ENGINE - {"cpp/train"},
    "cuda": {"cpp/base", "cpp/backend"},
    "python/src": ENGINE | {"cpp/backend/cpu", "cpp/diagnostics", "cpp/interchange", "cpp/synth"},
}
FOLDERS = ("cpp", "cuda", "python/src")
SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}

QUOTED_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.MULTILINE)
CUDA_HEADER = re.compile(
    r"^(cuda|cublas|cudnn|curand|cusparse|nccl|nv|cub/|thrust/|mma\.h|cooperative_groups)"
)
PYTHON_HEADER = re.compile(r"^(Python\.h|nanobind/|pybind11/)")
PRINTING = re.compile(
    r"\b(?:std::)?(?:cout|cerr|clog)\b\s*<<|\b(?:std::)?(?:f|v|vf)?printf\s*\(|\b(?:puts|fputs|putchar|perror)\s*\("
)
ENDING_THE_PROCESS = re.compile(r"\b(?:std::)?(?:abort|exit|_Exit|quick_exit)\s*\(")
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def layer_of(path: str) -> str | None:
    """Return the layer that a repository path belongs to, or None if the table has none for it."""
    names = [name for name in MAY_INCLUDE if path == name or path.startswith(f"{name}/")]
    return max(names, key=len, default=None)


def include_faults(path: str, text: str) -> Iterator[str]:
    """Yield what is wrong with the includes of one file."""
    mine = layer_of(path)
    if mine is None:
        yield "the folder is in no layer: add it to MAY_INCLUDE of tools/check_includes.py"
        return
    for included in QUOTED_INCLUDE.findall(text):
        theirs = layer_of(included)
        if theirs is None:
            yield f'"{included}" is no path from the root of the repository into a known layer'
        elif theirs != mine and theirs not in MAY_INCLUDE[mine]:
            yield f"{mine} may not include {theirs} ({included})"
    for included in SYSTEM_INCLUDE.findall(text):
        if CUDA_HEADER.match(included) and not path.startswith("cuda/"):
            yield f"<{included}> is a CUDA header, and those stay below cuda/"
        if PYTHON_HEADER.match(included) and not path.startswith("python/"):
            yield f"<{included}> is a Python header, and those stay in python/src"
        if included == "iostream":
            yield "<iostream> is for printing, and the library never prints"


def code_faults(text: str) -> Iterator[str]:
    """Yield calls that a library must not make: printing, and ending the process of its host."""
    code = COMMENT_OR_STRING.sub(lambda match: '""' if match[0].startswith('"') else " ", text)
    for found in PRINTING.findall(code):
        yield f"'{found.strip()}' prints, and the library never prints"
    for found in ENDING_THE_PROCESS.findall(code):
        yield f"'{found.strip()}' ends the process: throw an error of cpp/base/error.h instead"


def faults(root: Path) -> list[str]:
    """Return one line for each fault in the C++ sources below root."""
    lines = []
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in SUFFIXES:
                path = file.relative_to(root).as_posix()
                text = file.read_text(encoding="utf-8")
                found = [*include_faults(path, text), *code_faults(text)]
                lines += [f"{path}: {fault}" for fault in found]
    return lines


def main() -> int:
    """Print the faults and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1])
    root: Path = parser.parse_args().root
    found = faults(root)
    for line in found:
        print(line)
    print(f"check_includes: {len(found)} faults", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
