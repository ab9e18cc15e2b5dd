"""Checks the engine on this machine's GPU in one command, within nine minutes, without a network.

    python tools/gpu_check.py [--emulated] [--corpus FILE] [--out FOLDER]

Builds the extension and the C++ tests with nvcc, runs the tests that know the backend cuda (a test
that skips counts as failed), compute-sanitizer on the kernels, and the benchmarks. Writes
gpu_check.json and gpu_check.txt into FOLDER after every stage, so that a report exists whatever
happens. Needs nvcc, CMake 3.26, ninja, nanobind, pytest and what agpt itself needs. --emulated does
the same on the emulated GPU at tiny size: it checks this script, not a GPU. Exit code 1 if any
stage failed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
ALL_SECONDS = 540.0
PYTHON_TESTS = ["test_backends.py"]
CPP_TESTS = ["cuda_backend_test", "transformer_test"]
Result = dict[str, Any]


class Failed(Exception):
    """A stage did not succeed; what it found so far is `result`."""

    def __init__(self, reason: str, result: Result | None = None) -> None:
        super().__init__(reason)
        self.result = result or {}


class Check:
    """The stages, their limits and their report."""

    def __init__(self, *, emulated: bool, corpus: Path | None, out: Path) -> None:
        self.emulated, self.corpus, self.out = emulated, corpus, out
        self.begin = time.monotonic()
        self.build = ROOT / "build" / ("gpu_check_emulated" if emulated else "gpu_check")
        self.package = self.build / "package"
        self.stages: dict[str, Result] = {}
        out.mkdir(parents=True, exist_ok=True)

    def left(self) -> float:
        """Return the seconds until the report is due."""
        return ALL_SECONDS - (time.monotonic() - self.begin)

    def run(self, name: str, limit: float, work: Callable[[float], Result]) -> None:
        """Run one stage in at most `limit` seconds and write the report."""
        begin, limit = time.monotonic(), min(limit, self.left())
        result: Result
        try:
            if limit <= 0:
                raise Failed("no time was left")
            result = {"ok": True, **work(limit)}
        except Failed as failure:
            result = {"ok": False, "reason": str(failure), **failure.result}
        except subprocess.TimeoutExpired:
            result = {"ok": False, "reason": f"was stopped after {limit:.0f} s"}
        except Exception as error:  # whatever it was, the other stages have their turn
            result = {"ok": False, "reason": f"{type(error).__name__}: {error}"}
        result["seconds"] = round(time.monotonic() - begin, 1)
        self.stages[name] = result
        print(
            f"{name}: {'ok' if result['ok'] else result['reason']} ({result['seconds']} s)",
            flush=True,
        )
        self.write()

    def write(self) -> None:
        """Write both reports, each in one go."""
        report = {"emulated": self.emulated, "stages": self.stages}
        lines = []
        for name, result in self.stages.items():
            lines.append(f"{name}: {'ok' if result['ok'] else 'FAILED'}, {result['seconds']} s")
            lines += [
                f"    {key}: {value}"
                for key, value in result.items()
                if key not in ("ok", "seconds")
            ]
        for file, text in {
            "gpu_check.json": json.dumps(report, indent=2),
            "gpu_check.txt": "\n".join(lines),
        }.items():
            beside = self.out / (file + ".tmp")
            beside.write_text(text + "\n", encoding="utf-8")
            beside.replace(self.out / file)

    def environment(self) -> dict[str, str]:
        """Return the environment in which the built package is found, and skips are failures."""
        return os.environ | {
            "PYTHONPATH": str(self.package),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AGPT_REQUIRED_BACKENDS": "cuda",
        }

    def command(self, words: list[str], limit: float) -> str:
        """Return what a command printed; Failed with its last lines where it fails."""
        with subprocess.Popen(
            words,
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=limit)
            except BaseException:  # what it started must not run on beside the next stage
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            tail = "\n".join(output.splitlines()[-25:])
            raise Failed(f"{words[0]} ended with {process.returncode}", {"output": tail})
        return output

    # ---- stages ----

    def machine(self, limit: float) -> Result:
        """Say what this runs on."""
        found: Result = {"python": sys.version.split()[0], "cores": len(os.sched_getaffinity(0))}
        query = [
            "nvidia-smi",
            "--query-gpu=name,driver_version,memory.total",
            "--format=csv,noheader",
        ]
        for name, words in {
            "gpu": query,
            "nvcc": ["nvcc", "--version"],
            "commit": ["git", "rev-parse", "HEAD"],
        }.items():
            if shutil.which(words[0]):
                try:
                    found[name] = self.command(words, limit).strip().splitlines()[-1]
                except Failed as failure:
                    found[name] = str(failure)
        if not self.emulated and "gpu" not in found:
            raise Failed("nvidia-smi was not found: this machine has no NVIDIA driver", found)
        return found

    def compile(self, limit: float) -> Result:
        """Build the extension and the C++ tests, and lay the package out."""
        kind = ["-DAGPT_CUDA_EMULATED=ON"] if self.emulated else ["-DAGPT_CUDA=ON"]
        native = [] if self.emulated else ["-DAGPT_CUDA_ARCHITECTURES=native"]
        begin = time.monotonic()
        configure = ["cmake", "-S", ".", "-B", str(self.build), "-G", "Ninja", *kind, *native]
        configure += [
            "-DCMAKE_BUILD_TYPE=Release",
            "-DAGPT_BUILD_PYTHON=ON",
            "-DAGPT_BUILD_TESTS=ON",
        ]
        configure += [f"-DPython_EXECUTABLE={sys.executable}"]
        if shutil.which("ccache"):
            configure += ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
        self.command(configure, limit)
        targets = ["agpt_engine", *CPP_TESTS]
        self.command(
            ["cmake", "--build", str(self.build), "--target", *targets],
            limit - (time.monotonic() - begin),
        )
        self.lay_out_package()
        return {}

    def lay_out_package(self) -> None:
        """Put the Python files and the extension into one folder, as an installation does."""
        shutil.rmtree(self.package, ignore_errors=True)
        shutil.copytree(ROOT / "python" / "agpt", self.package / "agpt")
        (extension,) = (self.build / "python" / "src").glob("_engine*.so")
        shutil.copy(extension, self.package / "agpt")

    def describe(self, limit: float) -> Result:
        """Ask the package for its backend."""
        text = self.command([sys.executable, "-m", "agpt.cli", "info", "--json"], limit)
        cuda = json.loads(text)["backends"]["cuda"]
        if not cuda["usable"]:
            raise Failed("the backend cuda cannot be used", cuda)
        return {"description": cuda["description"]}

    def cpp_tests(self, limit: float) -> Result:
        """Run the C++ tests of the backend and of whole models on every backend."""
        some = ["-tc=every fast backend in float32*"] if self.emulated else []
        summaries, begin = {}, time.monotonic()
        for name in CPP_TESTS:
            words = [str(self.build / "tests" / "cpp" / name), *some]
            text = self.command(words, limit - (time.monotonic() - begin))
            summaries[name] = re.findall(r"test cases: .*", text)[-1:]
        return summaries

    def python_tests(self, limit: float) -> Result:
        """Run the Python tests of the backends; skips are failures."""
        results = self.out / "pytest.xml"
        files = [
            f"tests/python/{name}"
            for name in PYTHON_TESTS
            if (ROOT / "tests/python" / name).exists()
        ]
        some = ["-k", "every_run_has_the_same_bits and cuda"] if self.emulated else []
        words = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rs",
            "-p",
            "no:cacheprovider",
            f"--junitxml={results}",
        ]
        text = self.command([*words, *files, *some], limit)
        suite = next(iter(ElementTree.parse(results).getroot()))
        counts = {
            name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
        }
        if counts["skipped"] or not counts["tests"]:
            raise Failed(
                f"{counts['skipped']} of {counts['tests']} tests skipped", {"output": text[-2000:]}
            )
        return counts

    def sanitizer(self, tool: str) -> Callable[[float], Result]:
        """Return the stage that runs the kernels under a tool of compute-sanitizer."""

        def stage(limit: float) -> Result:
            found = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
            if not Path(found).exists():
                raise Failed("compute-sanitizer was not found: install it with the CUDA toolkit")
            program = str(self.build / "tests" / "cpp" / CPP_TESTS[0])
            # Our own kernels: watching cuBLAS's takes minutes and tells of its authors' choices.
            words = [found, "--tool", tool, "--error-exitcode", "9", "--kernel-name", "kns=agpt"]
            text = self.command([*words, program], limit)
            return {"summary": re.findall(r"ERROR SUMMARY.*|RACECHECK SUMMARY.*", text)[-1:]}

        return stage

    def benchmark(self, part: str) -> Callable[[float], Result]:
        """Return the stage that measures one part of benchmarks/gpu_speed.py."""

        def stage(limit: float) -> Result:
            if self.corpus is None:
                raise Failed("no corpus: name one with --corpus, or its folder with AGPT_TEST_DATA")
            words = [sys.executable, "benchmarks/gpu_speed.py", part, str(self.corpus)]
            words += ["--small", "--seconds", "0.2"] if self.emulated else []
            found: Result = json.loads(self.command(words, limit).splitlines()[-1])
            return found

        return stage

    def all(self) -> bool:
        """Run every stage; return whether all succeeded."""
        self.run("machine", 20, self.machine)
        self.run("build", 400 if self.emulated else 200, self.compile)  # CI has few cores
        if self.stages["build"]["ok"]:
            self.run("backend", 20, self.describe)
            for part, limit in {
                "gradient": 30,
                "trie16": 30,
                "trie32": 60,
                "windows": 60,
                "memory": 60,
            }.items():
                self.run(part, limit, self.benchmark(part))
            self.run("python tests", 100, self.python_tests)
            self.run("C++ tests", 60, self.cpp_tests)
            if not self.emulated:
                for tool in ("memcheck", "racecheck"):
                    self.run(f"compute-sanitizer {tool}", 60, self.sanitizer(tool))
        return all(result["ok"] for result in self.stages.values())


def default_corpus() -> Path | None:
    """Return tinyshakespeare of the test data, where that folder is named."""
    folder = os.environ.get("AGPT_TEST_DATA")
    path = Path(folder) / "tinyshakespeare.txt" if folder else None
    return path if path is not None and path.exists() else None


def main() -> int:
    """Run all stages and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--emulated", action="store_true", help="on the emulated GPU, at tiny size")
    parser.add_argument(
        "--corpus", type=Path, default=default_corpus(), help="text for the benchmarks"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "gpu_report", help="folder of the reports"
    )
    chosen = parser.parse_args()
    check = Check(emulated=chosen.emulated, corpus=chosen.corpus, out=chosen.out.absolute())
    return 0 if check.all() else 1


if __name__ == "__main__":
    sys.exit(main())
