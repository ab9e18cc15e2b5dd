"""agpt-info: what this installation and this machine offer."""

import os
from typing import Any

import click

from agpt import ArgumentError, Error, __version__, _engine
from agpt.cli.conventions import Command, common_options, emit
from agpt.train_config import resolved_threads


@click.command("agpt-info", cls=Command)
@common_options
def command(as_json: bool) -> None:
    """Say the version, the backends, the CPU kernels, the threads and the memory."""
    backends: dict[str, Any] = {}
    for name in _engine.backend_names():
        try:
            backends[name] = {"usable": True, "description": _engine.describe_backend(name)}
        except (ArgumentError, Error) as error:
            backends[name] = {"usable": False, "description": str(error)}
    cap = _engine.memory_cap()
    kernels, memory, threads = _engine.available_kernels(), _memory_bytes(), resolved_threads(0)
    values = {
        "version": __version__,
        "backends": backends,
        "cpu_kernels": kernels,
        "threads": threads,
        "memory_bytes": memory,
        "memory_cap_bytes": cap,
    }
    lines = [f"agpt {__version__}"]
    for name, backend in backends.items():
        lines.append(f"backend {name}: {backend['description']}")
    lines += [
        f"CPU kernels: {', '.join(kernels)}",
        f"threads: {threads}",
        f"memory: {_in_gib(memory)}",
        f"memory cap: {_in_gib(cap) if cap else 'none'}",
    ]
    emit(as_json, values, "\n".join(lines))


def _memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _in_gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
