"""Packages that only some inputs need, loaded when one of those comes."""

import importlib
from typing import Any

from agpt._engine import ArgumentError


def require_extra(package: str, extra: str, purpose: str) -> Any:
    """The module of an optional package; ArgumentError says how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ArgumentError(
            f"{purpose} needs {package}: install it with pip install 'agpt-engine[{extra}]'"
        ) from error
