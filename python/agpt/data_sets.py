"""Public texts that can be fetched on request: where they are, and what proves them whole."""

import dataclasses
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from agpt._engine import ArgumentError, FormatError
from agpt.files import PARTIAL

CHUNK_BYTES = 1 << 16
TIMEOUT_SECONDS = 30.0
RANGE_OF_RESPONSE = "Content-Range"


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A text of a public place, byte for byte."""

    path: str
    """Where scenarios look for it, below the folder of data."""
    url: str
    n_bytes: int
    sha256: str


DATA_SETS = {
    "names": DataSet(
        "data/names/input.txt",
        "https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
        228_145,
        "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
    ),
    "alice": DataSet(
        "data/alice/alice.txt",
        "https://raw.githubusercontent.com/gutenbergbooks/11/"
        "5e5120e12a58a10254e0e6a42661d887e61c2aac/11-0.txt",
        151_095,
        "f17aa0bf7466424a8b357b688678666bad7a0148963ef349016a3098faa6bd1e",
    ),
    "tinyshakespeare": DataSet(
        "data/tinyshakespeare/input.txt",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        1_115_394,
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}


def data_set_at(path: str) -> str | None:
    """The name of the data set that a scenario finds at `path`; None for others."""
    return next((name for name, text in DATA_SETS.items() if text.path == path), None)


def fetch(
    data_set: DataSet,
    folder: str | os.PathLike[str],
    url: str | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Path | None:
    """Fetches a data set into `folder` / its path; None where it is there already.

    It is written beside, checked and renamed. What was fetched before a break stays beside, and the
    next call goes on from there. `url` names a mirror. OSError where the place cannot be read or
    the file not be written, ArgumentError where another file has the name, FormatError where what
    came is another text.
    """
    path = Path(folder) / data_set.path
    if path.exists():
        if _digest(path) != data_set.sha256:
            raise ArgumentError(
                f"{path} exists and is another text: move it away, or fetch into another folder"
            )
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    source = data_set.url if url is None else url
    with partial.open("ab") as file:
        if file.tell() < data_set.n_bytes:
            _read_into(file, source, data_set, progress)
        file.flush()
        os.fsync(file.fileno())
    if partial.stat().st_size < data_set.n_bytes:
        raise OSError(f"{source} ended early: run the same command again to go on from there")
    if _digest(partial) != data_set.sha256:
        partial.unlink()
        raise FormatError(
            f"{source} is not the text that it should be: its SHA-256 differs, nothing was kept"
        )
    os.replace(partial, path)
    return path


def _read_into(
    file: BinaryIO, url: str, data_set: DataSet, progress: Callable[[float], None]
) -> None:
    """Appends the rest of a text to `file`; at most one byte more than the text has."""
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "agpt"})
    except ValueError as error:
        raise ArgumentError(f"{url} is no address: give one that begins with https://") from error
    if file.tell() > 0:
        request.add_header("Range", f"bytes={file.tell()}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            continues = response.status == HTTPStatus.PARTIAL_CONTENT and response.headers.get(
                RANGE_OF_RESPONSE, ""
            ).startswith(f"bytes {file.tell()}-")
            if not continues:
                file.truncate(0)
                file.seek(0)
            room = data_set.n_bytes + 1 - file.tell()
            while room > 0 and (chunk := response.read(min(CHUNK_BYTES, room))):
                file.write(chunk)
                room -= len(chunk)
                progress(min(1.0, file.tell() / data_set.n_bytes))
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            file.truncate(0)  # what was begun is no beginning of what is there
        raise OSError(f"{url} answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise OSError(f"{url} cannot be reached: {error.reason}") from error
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise OSError(f"{url} broke off: run the same command again to go on") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
        return digest.hexdigest()
