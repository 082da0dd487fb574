"""A directory as a site: files that vanish, change or can't be read while it is served."""

import resource
import time
from pathlib import Path

import pytest
from support import sites
from support.server import Server, running
from support.wire import Connection, fetch, request, within

LIMIT = 256
SMALL_FILES = 1_500


def descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def few_descriptors() -> None:
    """Hard and soft: the server can not raise it again."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


# --- files that are gone --------------------------------------------------------------------------


def test_the_file_and_the_page_for_missing_ones_are_gone(tmp_path: Path) -> None:
    """Looking for the one leads to the other: not in a circle."""
    files = {"a.html": b"a", "b.html": b"b", "404.html": b"none"}
    tree = sites.write_tree(tmp_path / "tree", files)
    with running(tree, "--no-watch", "--threads", "1") as server:
        assert fetch(server.address, "/b.html").body == b"b"
        (tree / "a.html").unlink()
        (tree / "404.html").unlink()
        with within(3), Connection(server.address, timeout_s=3) as connection:
            connection.send(request("/a.html"))
            assert connection.response().status == 404
        with within(3):
            assert fetch(server.address, "/b.html").body == b"b"
        used = server.cpu_s()
        time.sleep(0.5)
        assert server.cpu_s() - used < 0.2
        with within(4):
            assert server.stop() == 0


@pytest.mark.parametrize("cache", ["0", "1000000"])
def test_a_file_is_gone(tmp_path: Path, cache: str) -> None:
    files = {"a.html": b"a", "b.html": b"b", "404.html": b"none"}
    tree = sites.write_tree(tmp_path / "tree", files)
    options = ("--no-watch", "--threads", "1", "--max-cache-bytes", cache)
    with running(tree, *options) as server:
        (tree / "a.html").unlink()
        for _ in range(3):
            with within(3), Connection(server.address, timeout_s=3) as connection:
                connection.send(request("/a.html") + request("/b.html"))
                response = connection.response()
                assert (response.status, response.body) == (404, b"none")
                assert connection.response().body == b"b"


def test_a_precompressed_sibling_is_gone(tmp_path: Path) -> None:
    """The file itself is still there, and any client takes it."""
    files = {"app.js": sites.SCRIPT, "app.js.gz": sites.FILES["app.js.gz"]}
    tree = sites.write_tree(tmp_path / "tree", files)
    with running(tree, "--no-watch", "--threads", "1") as server:
        (tree / "app.js.gz").unlink()
        for _ in range(2):
            response = fetch(server.address, "/app.js", {"Accept-Encoding": "gzip"})
            assert (response.status, response.body) == (200, sites.SCRIPT)
            assert response.header("content-encoding") is None
        assert fetch(server.address, "/app.js").body == sites.SCRIPT


# --- files that change ----------------------------------------------------------------------------


MIB = 1024 * 1024


@pytest.mark.parametrize("watch", ["--watch", "--no-watch"])
@pytest.mark.parametrize("size", [10, 100 * 1024, 400 * 1024, 17 * MIB])
def test_overwritten_in_place_within_a_second(tmp_path: Path, size: int, watch: str) -> None:
    """Same size, same second: other bytes have another tag all the same.

    What is kept in memory may be the old state, whole, for a second; what is read from the file
    is what is there.
    """
    path = tmp_path / "tree" / "big.bin"
    tree = sites.write_tree(tmp_path / "tree", {"big.bin": b"a" * size})
    with running(tree, "--threads", "1", watch) as server:
        time.sleep(1 - time.time() % 1)
        path.write_bytes(b"a" * size)
        time.sleep(0.05)
        old = fetch(server.address, "/big.bin")
        with path.open("r+b") as file:
            file.write(b"b" * size)
        time.sleep(0.05)
        deadline = time.monotonic() + (0 if size > 256 * 1024 else 2.5)
        while (new := fetch(server.address, "/big.bin")).body == old.body:
            assert new.need("etag") == old.need("etag")
            assert time.monotonic() < deadline, "still the old bytes"
            time.sleep(0.05)
        assert new.body == b"b" * size
        assert new.need("etag") != old.need("etag")
        fields = {"Range": "bytes=0-2", "If-Range": old.need("etag")}
        ranged = fetch(server.address, "/big.bin", fields)
        assert (ranged.status, ranged.body) == (200, b"b" * size)
        fields = {"If-None-Match": old.need("etag")}
        assert fetch(server.address, "/big.bin", fields).status == 200


# --- descriptors ----------------------------------------------------------------------------------


def test_more_files_than_descriptors(tmp_path: Path) -> None:
    """One connection asks for all of them: no file stays open for longer than it is read."""
    names = [f"{number}.txt" for number in range(SMALL_FILES)]
    tree = sites.write_tree(tmp_path / "tree", {name: name.encode() for name in names})
    options = ("--threads", "1", "--no-watch")
    with running(tree, *options, before_exec=few_descriptors) as server:
        before = descriptors(server)
        with Connection(server.address) as connection:
            for name in names:
                connection.send(request(f"/{name}"))
                response = connection.response()
                assert (response.status, response.body) == (200, name.encode())
            assert descriptors(server) - before < 32
        assert fetch(server.address, "/7.txt").body == b"7.txt"
