"""The text that the demo trains on: documentation that every Python brings along."""

import importlib
import inspect
import warnings

MODULES_WITH_LONG_TEXTS = (
    "argparse", "ast", "asyncio", "calendar", "cmd", "codecs", "collections", "configparser",
    "contextlib", "csv", "ctypes", "datetime", "decimal", "difflib", "doctest", "email", "enum",
    "fractions", "functools", "heapq", "html", "http.client", "inspect", "io", "itertools", "json",
    "logging", "math", "multiprocessing", "optparse", "os", "pathlib", "pickle", "random", "re",
    "shutil", "socket", "sqlite3", "statistics", "string", "subprocess", "tarfile", "tempfile",
    "textwrap", "threading", "typing", "unittest", "urllib.request", "uuid", "zipfile",
)  # fmt: skip


def demo_text() -> tuple[str, str]:
    """What the text is, and the text, in ASCII.

    It is the help texts of Python's language reference, or where an installation lacks them, the
    docstrings of the standard library.
    """
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        return "the docstrings of Python's standard library", _ascii(_docstrings())
    return "the topics of Python's help()", _ascii("\n".join(topics[key] for key in sorted(topics)))


def _docstrings() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # looking at a deprecated name warns
        return "\n\n".join(_texts_of_modules())


def _texts_of_modules() -> list[str]:
    texts: dict[str, None] = {}  # in order, each once
    for name in MODULES_WITH_LONG_TEXTS:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        members = [member for _, member in inspect.getmembers(module, _has_text)]
        methods = [
            method
            for member in members
            if inspect.isclass(member)
            for _, method in inspect.getmembers(member, _has_text)
        ]
        for member in [module, *members, *methods]:
            texts[inspect.getdoc(member) or ""] = None
    return list(texts)


def _has_text(member: object) -> bool:
    return inspect.isclass(member) or inspect.isroutine(member)


def _ascii(text: str) -> str:
    """The text without rare characters, which would only make the vocabulary larger."""
    return text.encode("ascii", "ignore").decode()
