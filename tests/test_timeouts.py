"""Clients that are slow, silent or gone: nobody holds a connection for longer than allowed."""

import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sites
from support.server import Server, running, wait_until
from support.sites import HELLO
from support.wire import Closed, Connection, fetch, request, within

LARGE = sites.noise(16_000_000, seed=9)
TIMEOUTS = (*(f"--{what}-timeout-s=1" for what in ("header", "body", "idle", "write")),)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits one second for anything."""
    files = {"hello.txt": HELLO, "large.bin": LARGE, "index.html": b"start"}
    tar = sites.python_tar(tmp_path_factory.mktemp("hasty") / "site.tar", files)
    with running(tar, "--threads", "1", *TIMEOUTS) as server:
        yield server


def ends_soon(connection: Connection, at_least: float = 0.5) -> int | None:
    """The status of the last word, if any, before the server closes; in about a second."""
    connection.socket.settimeout(6)
    begin = time.monotonic()
    try:
        status: int | None = connection.response().status
        assert connection.at_end()
    except (Closed, ConnectionResetError):
        status = None
    assert at_least <= time.monotonic() - begin < 5
    return status


def test_a_silent_connection_is_closed(hasty: Server) -> None:
    with Connection(hasty.address) as connection:
        assert ends_soon(connection) in (None, 408)


@pytest.mark.parametrize(
    "data", [b"G", b"GET /hello.txt HTTP/1.1", b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nX: "]
)
def test_an_unfinished_head_is_closed(hasty: Server, data: bytes) -> None:
    with Connection(hasty.address) as connection:
        connection.send(data)
        assert ends_soon(connection) in (None, 408)


def test_a_head_that_drips_does_not_extend_its_time(hasty: Server) -> None:
    """The limit is for the whole head: one byte now and then must not hold it open."""
    data = request("/hello.txt", {"X-Drip": "a" * 200})
    with Connection(hasty.address) as connection:
        for sent in range(len(data)):
            connection.send(data[sent : sent + 1])
            if select.select([connection.socket], [], [], 0.1)[0]:
                assert ends_soon(connection, at_least=0) in (None, 408)
                assert 5 < sent < 40
                return
    raise AssertionError("still waiting after 25 seconds of dripping")


def test_an_idle_connection_is_closed(hasty: Server) -> None:
    with Connection(hasty.address) as connection:
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO
        assert ends_soon(connection) in (None, 408)


def test_a_busy_connection_is_not_idle(hasty: Server) -> None:
    with Connection(hasty.address) as connection:
        for _ in range(8):
            connection.send(request("/hello.txt"))
            assert connection.response().body == HELLO
            time.sleep(0.3)


def test_an_unfinished_body_is_closed(hasty: Server) -> None:
    with Connection(hasty.address, timeout_s=10) as connection:
        connection.send(request("/hello.txt", {"Content-Length": "50"}, method="POST") + b"abc")
        with within(6):
            try:
                assert connection.response().status in (405, 408)
                assert connection.at_end()
            except (Closed, ConnectionResetError):
                pass


def test_a_stalled_reader_is_closed(hasty: Server) -> None:
    """Who stops reading loses the connection; the worker goes on meanwhile."""
    before = open_sockets(hasty)
    with Connection(hasty.address, receive_buffer_bytes=8192) as connection:
        connection.send(request("/large.bin"))
        held = wait_until(lambda: open_sockets(hasty) - before, 5)
        assert fetch(hasty.address, "/hello.txt").body == HELLO
        wait_until(lambda: not held & open_sockets(hasty), 8, "still open")


def test_a_slow_reader_is_served(hasty: Server) -> None:
    """Slow is not stalled: as long as bytes move, the download goes on."""
    with Connection(hasty.address, receive_buffer_bytes=64 * 1024) as connection:
        connection.send(request("/large.bin"))
        connection.head()
        got = len(connection.buffer)
        for _ in range(24):
            time.sleep(0.1)
            got += len(connection.socket.recv(400_000, socket.MSG_WAITALL))
        while data := connection.socket.recv(1 << 20):
            got += len(data)
            if got >= len(LARGE):
                break
    assert got == len(LARGE)


def test_one_slow_client_does_not_hold_up_others(hasty: Server) -> None:
    slow = [Connection(hasty.address, receive_buffer_bytes=8192) for _ in range(20)]
    try:
        for connection in slow:
            connection.send(request("/large.bin"))
        for _ in range(20):
            with within(3):
                assert fetch(hasty.address, "/hello.txt").body == HELLO
    finally:
        for connection in slow:
            connection.close()


def test_clients_that_leave_at_once(hasty: Server) -> None:
    """Reset or closed in the middle of anything: nothing is left open."""
    before = open_sockets(hasty)
    for data in (b"", b"GET /lar", request("/large.bin"), request("/large.bin") * 20):
        for _ in range(10):
            with Connection(hasty.address) as connection:
                connection.send(data)
    wait_until(lambda: open_sockets(hasty) <= before, 8, "still open")
    assert fetch(hasty.address, "/hello.txt").body == HELLO


def test_a_refused_client_that_goes_on_dripping_is_closed(hasty: Server) -> None:
    """What follows a refusal is read past, so that it is not lost; but not for as long as it
    pleases."""
    with Connection(hasty.address) as connection:
        connection.send(b"BAD\r\n\r\n")
        assert connection.response().status == 400
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 8:
                connection.send(b"x")
                time.sleep(0.5)
        except ConnectionError:
            pass
        assert time.monotonic() - begin < 5


def test_a_stray_line_end_begins_no_request(tmp_path: Path) -> None:
    """Old clients send one after a body: the connection is idle, not in the middle of a head."""
    tree = sites.write_tree(tmp_path / "tree", {"hello.txt": HELLO})
    with (
        running(tree, "--threads", "1", "--header-timeout-s", "1") as server,
        Connection(server.address) as connection,
    ):
        for stray in (b"\r\n", b"\r\n\r\n"):
            connection.send(request("/hello.txt") + stray)
            assert connection.response().body == HELLO
            assert not select.select([connection.socket], [], [], 3.5)[0], "the server spoke up"
        connection.send(request("/hello.txt"))
        assert connection.response().body == HELLO


def test_connections_per_worker_are_bounded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Those beyond wait or are refused; they get in when others leave."""
    tree = sites.write_tree(tmp_path_factory.mktemp("bound"), {"hello.txt": HELLO})
    with running(tree, "--threads", "1", "--max-connections", "10") as server:
        first = [Connection(server.address) for _ in range(10)]
        for connection in first:
            connection.send(request("/hello.txt"))
            assert connection.response().body == HELLO
        more = [Connection(server.address, timeout_s=5) for _ in range(30)]
        time.sleep(0.3)
        assert len(open_sockets(server)) <= 10 + 3
        for connection in first:
            connection.send(request("/hello.txt"))
            assert connection.response().body == HELLO
            connection.close()
        for connection in more:
            connection.close()
        with within(5):
            assert fetch(server.address, "/hello.txt").body == HELLO


def open_sockets(server: Server) -> set[str]:
    """The sockets that the process holds, listeners included."""
    found = set()
    for entry in Path(f"/proc/{server.pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found
