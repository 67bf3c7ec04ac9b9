import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dssl.errors import IntegrityError, TableError
from dssl.fetch import fetch_file
from dssl.settings.preparation import PublicFile

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at /data.csv.gz on this machine; notes every request's Range."""

    daemon_threads = True

    def __init__(self, with_ranges: bool) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.with_ranges = with_ranges
        self.ranges: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.csv.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path != "/data.csv.gz":
            self.send_error(404)
            return
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.server.with_ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if asked and self.server.with_ranges else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _own_network_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DSSL_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(params=[True, False], ids=["with ranges", "without ranges"])
def any_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from started(Server(request.param))


@pytest.fixture
def server() -> Iterator[Server]:
    yield from started(Server(with_ranges=True))


def started(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def public(address: str | None, sha256: str = SHA256) -> PublicFile:
    return PublicFile(address=address, sha256=sha256, licence="CC0 1.0")


def test_a_file_is_downloaded_and_nothing_else_is_left(tmp_path: Path, any_server: Server) -> None:
    path = tmp_path / "fetch_screen" / "data.csv.gz"
    fetch_file(public(any_server.address), path, None)
    assert path.read_bytes() == CONTENT
    assert any_server.ranges == [None]
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_download_goes_on(tmp_path: Path, any_server: Server) -> None:
    path = tmp_path / "data.csv.gz"
    (tmp_path / "data.csv.gz.part").write_bytes(CONTENT[:1000])
    fetch_file(public(any_server.address), path, None)
    assert any_server.ranges == ["bytes=1000-"]
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_a_download_that_was_complete_is_taken(tmp_path: Path, server: Server) -> None:
    (tmp_path / "data.csv.gz.part").write_bytes(CONTENT)
    fetch_file(public(server.address), tmp_path / "data.csv.gz", None)
    assert server.ranges == [f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "data.csv.gz").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_neither_file_nor_part(tmp_path: Path, server: Server) -> None:
    with pytest.raises(IntegrityError, match=r"data\.csv\.gz: what http://127.* delivers is not the promised file"):
        fetch_file(public(server.address, "0" * 64), tmp_path / "data.csv.gz", None)
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_when_the_new_one_is_wrong(tmp_path: Path, server: Server) -> None:
    (tmp_path / "data.csv.gz").write_bytes(b"old")
    with pytest.raises(IntegrityError, match="not the promised file"):
        fetch_file(public(server.address, "0" * 64), tmp_path / "data.csv.gz", None)
    assert (tmp_path / "data.csv.gz").read_bytes() == b"old"


def test_an_address_that_is_not_there(tmp_path: Path, server: Server) -> None:
    address = server.address.replace("data", "other")
    expected = r"cannot be downloaded \(HTTPError at http://127.*other.*\)\nRun the command again .* DSSL_MIRROR"
    with pytest.raises(TableError, match=expected):
        fetch_file(public(address), tmp_path / "data.csv.gz", None)
    assert not (tmp_path / "data.csv.gz").exists()


@pytest.mark.parametrize("how", ["variable", "folder"])
def test_a_folder_goes_before_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "data.csv.gz").write_bytes(CONTENT)
    if how == "variable":
        monkeypatch.setenv("DSSL_MIRROR", str(mirror))
    # nothing listens at this address: a download would fail
    fetch_file(
        public("http://127.0.0.1:9/data.csv.gz"), tmp_path / "data.csv.gz", str(mirror if how == "folder" else "x")
    )
    assert (tmp_path / "data.csv.gz").read_bytes() == CONTENT


def test_a_folder_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"data\.csv\.gz: not in the folder .*; correct fetch_screen\.folder or DSSL_"):
        fetch_file(public(None), tmp_path / "data.csv.gz", str(tmp_path / "mirror"))


def test_a_folder_with_another_version_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "data.csv.gz").write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(IntegrityError, match=rf"its sha256 is {found}, expected {SHA256}\n.*fetch_screen\.files"):
        fetch_file(public(None), tmp_path / "data.csv.gz", str(tmp_path / "mirror"))
    assert not (tmp_path / "data.csv.gz").exists()


def test_neither_address_nor_folder(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no public address; name the folder .* fetch_screen\.folder .* DSSL_MIRROR"):
        fetch_file(public(None), tmp_path / "data.csv.gz", None)
