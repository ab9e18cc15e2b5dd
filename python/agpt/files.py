"""Writing files so that nothing is lost: a file is either the old one or the whole new one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write beside `path`; renamed into place when all was written and is on the disk.

    `path` never holds half a file: if the body raises, what was written is removed.
    """
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(PARTIAL, f".{path.name}.", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_of_new_file(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


PARTIAL = ".partial"  # the ending of a file that is being written


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes `content` as `atomic_file` does."""
    with atomic_file(path) as file:
        file.write(content)


def _mode_of_new_file(path: Path) -> int:
    """The permissions that `path` has or that a plain open() would give it; mkstemp gives fewer."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raises OSError now if `path` could not be written later; called before long work."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist: create it first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise PermissionError(f"cannot write in {path.parent}: {error.strerror}") from error
