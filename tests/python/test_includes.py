"""The layers of the C++ sources: tools/check_includes.py passes here and sees planted faults."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "check_includes.py"), str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def plant(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_the_tree_keeps_its_own_rules() -> None:
    result = check(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("cpp/base/a.h", '#include "cpp/trie/trie_index.h"', "cpp/base may not include cpp/trie"),
        ("cpp/trie/a.h", '#include "cpp/rows/row_batch.h"', "cpp/trie may not include cpp/rows"),
        ("cpp/model/a.h", '#include "cpp/corpus/corpus.h"', "cpp/model may not include cpp/corpus"),
        ("cpp/backend/a.h", '#include "cpp/trie/a.h"', "cpp/backend may not include cpp/trie"),
        ("cpp/backend/cpu/a.cpp", '#include "cuda/cuda_backend.h"', "may not include cuda"),
        ("cpp/train/a.cpp", '#include "cuda/cuda_backend.h"', "cpp/train may not include cuda"),
        ("cuda/a.cpp", '#include "cpp/train/trainer.h"', "cuda may not include cpp/train"),
        ("python/src/a.cpp", '#include "cpp/backend/cpu/kernels/simd.h"', "may not include"),
        ("cpp/train/a.cpp", '#include "trainer.h"', "no path from the root"),
        ("cpp/new/a.cpp", "int a;", "in no layer"),
        ("cpp/train/a.cpp", "#include <cuda_runtime.h>", "CUDA header"),
        ("cpp/train/a.cpp", "#  include <nanobind/nanobind.h>", "Python header"),
        ("cpp/train/a.cpp", "#include <iostream>", "never prints"),
        ("cpp/train/a.cpp", 'void f() { std::printf("x"); }', "prints"),
        ("cuda/a.cu", 'void f() { std::cerr << "x"; }', "prints"),
        ("cpp/base/a.cpp", "void f() { std::exit(1); }", "ends the process"),
    ],
)
def test_a_planted_fault_is_named(tmp_path: Path, path: str, text: str, complaint: str) -> None:
    plant(tmp_path, path, text + "\n")
    result = check(tmp_path)
    assert result.returncode == 1
    assert result.stdout.startswith(f"{path}: ")
    assert complaint in result.stdout


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    plant(tmp_path, "cpp/backend/registry.cpp", '#include "cuda/cuda_backend.h"\n')
    plant(tmp_path, "cpp/rows/a.cpp", '#include "cpp/trie/trie_index.h"\n')
    plant(tmp_path, "cuda/a.cu", '#include <cuda_runtime.h>\n#include "cpp/base/error.h"\n')
    plant(
        tmp_path,
        "cpp/base/a.cpp",
        '// A comment may speak of printf("x") and exit(1).\n'
        'int f(char* s) { return std::snprintf(s, 9, "exit(1)"); }\n',
    )
    result = check(tmp_path)
    assert result.returncode == 0, result.stdout
