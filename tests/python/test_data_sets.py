"""agpt-download: what comes is whole and right, or nothing has its name."""

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from agpt import ArgumentError, FormatError
from agpt.cli.download import command as download
from agpt.data_sets import DATA_SETS, DataSet, data_set_at, fetch
from agpt.scenarios import read_scenario, scenario_names
from click.testing import Result
from support import assert_fails, data_file

CONTENT = bytes(range(256)) * 1000
TEXT = DataSet("data/x.txt", "http://nowhere.invalid/", len(CONTENT), "")
TEXT = dataclasses.replace(TEXT, sha256=hashlib.sha256(CONTENT).hexdigest())
PARTIAL = ".x.txt.partial"


class Server(ThreadingHTTPServer):
    """Serves `content`; breaks off after `breaks_after` bytes; may not know ranges."""

    content = CONTENT
    breaks_after: int | None = None
    knows_ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/text"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path != "/text":
            return self.send_error(404)
        begin = 0
        if wanted is not None and self.server.knows_ranges:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            end = len(self.server.content)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{end}")
        else:
            self.send_response(200)
        rest = self.server.content[begin:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.breaks_after])
        return None

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_text_is_fetched_once_and_left_alone_then(tmp_path: Path, server: Server) -> None:
    shares: list[float] = []
    path = fetch(TEXT, tmp_path, server.url, shares.append)
    assert path == tmp_path / "data/x.txt"
    assert path.read_bytes() == CONTENT
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert fetch(TEXT, tmp_path, server.url) is None
    assert server.asked == [None]
    assert [file.name for file in path.parent.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_fetch_that_broke_off_goes_on_where_it_stopped(
    tmp_path: Path, server: Server, knows_ranges: bool
) -> None:
    server.knows_ranges, server.breaks_after = knows_ranges, 100_000
    with pytest.raises(OSError, match="run the same command again"):
        fetch(TEXT, tmp_path, server.url)
    assert not (tmp_path / TEXT.path).exists()
    assert (tmp_path / "data" / PARTIAL).read_bytes() == CONTENT[:100_000]
    server.breaks_after = None
    path = fetch(TEXT, tmp_path, server.url)
    assert path is not None
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT + b"more", CONTENT * 3])
def test_another_text_is_refused_and_not_kept(
    tmp_path: Path, server: Server, content: bytes
) -> None:
    server.content = content
    with pytest.raises(FormatError, match="SHA-256 differs, nothing was kept"):
        fetch(TEXT, tmp_path, server.url)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_file_of_the_user_is_not_replaced(tmp_path: Path, server: Server) -> None:
    mine = tmp_path / TEXT.path
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(ArgumentError, match="exists and is another text"):
        fetch(TEXT, tmp_path, server.url)
    assert mine.read_text(encoding="utf-8") == "mine"
    assert server.asked == []


def test_what_cannot_be_fetched_is_one_sentence(
    tmp_path: Path, server: Server, run_command: Callable[..., Result]
) -> None:
    options = ["names", "--to", tmp_path, "--url"]
    missing = server.url.replace("/text", "/nothing")
    assert_fails(run_command(download, *options, missing), 1, missing, "answered 404")
    closed = "http://127.0.0.1:9/"
    assert_fails(run_command(download, *options, closed), 1, closed, "cannot be reached")
    assert_fails(run_command(download, *options, "no place"), 1, "no place", "is no address")
    assert_fails(run_command(download, "shakespeare"), 2, "tinyshakespeare")


def test_the_command_puts_names_where_the_scenario_looks(
    tmp_path: Path, server: Server, run_json: Callable[..., dict[str, Any]]
) -> None:
    server.content = data_file("names.txt").read_bytes()
    values = run_json(download, "names", "--to", tmp_path, "--url", server.url)
    assert values["fetched"] is True
    assert Path(values["path"]) == tmp_path / read_scenario("names").data.path
    assert run_json(download, "names", "--to", tmp_path)["fetched"] is False


@pytest.mark.parametrize("name", ["names", "tinyshakespeare"])
def test_checksums_are_those_of_the_texts(name: str) -> None:
    content = data_file(f"{name}.txt").read_bytes()
    known = DATA_SETS[name]
    assert len(content) == known.n_bytes
    assert hashlib.sha256(content).hexdigest() == known.sha256


def test_every_scenario_has_a_text_that_can_be_fetched() -> None:
    for name in scenario_names():
        assert data_set_at(read_scenario(name).data.path) in DATA_SETS
    assert data_set_at("elsewhere.txt") is None
