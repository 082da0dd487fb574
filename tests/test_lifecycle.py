"""From start to end of the process: signals, draining, standard streams."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import sites
from support.server import Server, executable, running, wait_until
from support.sites import HELLO
from support.wire import Connection, fetch, request, within

LARGE = sites.noise(20_000_000, seed=11)
FILES = {"hello.txt": HELLO, "large.bin": LARGE, "index.html": b"start"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.python_tar(tmp_path_factory.mktemp("life") / "site.tar", FILES)


def refused(server: Server) -> bool:
    """True when nobody listens at the address any more."""
    try:
        Connection(server.address, timeout_s=2).close()
    except ConnectionRefusedError:
        return True
    return False


@contextmanager
def slow_download(server: Server) -> Iterator[Connection]:
    """A client that has the head of a large answer and takes its time with the rest."""
    with Connection(server.address, receive_buffer_bytes=16 * 1024) as connection:
        connection.send(request("/large.bin"))
        assert connection.head().status == 200
        yield connection


# --- the end ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_download_finishes(archive: Path, number: signal.Signals) -> None:
    """Draining: nobody new gets in, who is in gets everything, exit code 0."""
    with running(archive, "--threads", "2") as server, slow_download(server) as connection:
        idle = Connection(server.address)
        idle.send(request("/hello.txt"))
        assert idle.response().body == HELLO
        server.signal(number)
        wait_until(lambda: refused(server), 5, "still accepts connections")
        with within(4):
            assert idle.at_end(), "an idle connection has nothing to finish"
        idle.close()
        got = bytearray(connection.buffer)
        while len(got) < len(LARGE):
            data = connection.socket.recv(200_000)
            assert data, f"cut after {len(got)} bytes"
            got += data
        assert bytes(got) == LARGE
        connection.buffer = b""
        assert connection.at_end()
        assert server.wait(5) == 0


def test_an_unfinished_request_is_answered_while_draining(archive: Path) -> None:
    with running(archive, "--threads", "1") as server, slow_download(server):
        with Connection(server.address) as connection:
            whole = request("/hello.txt")
            connection.send(whole[:20])
            time.sleep(0.2)
            server.signal(signal.SIGTERM)
            wait_until(lambda: refused(server), 5)
            connection.send(whole[20:])
            response = connection.response()
            assert response.body == HELLO
            assert "close" in response.tokens("connection")
            assert connection.at_end()
        server.signal(signal.SIGTERM)
        server.wait(5)


def test_who_waits_to_be_accepted_is_answered(tmp_path: Path) -> None:
    """Connected before the signal, request sent: the kernel has it, so it is ours to answer."""
    tree = sites.write_tree(tmp_path / "tree", {"hello.txt": HELLO})
    for _ in range(3):
        with (
            running(tree, "--threads", "1", "--max-connections", "1") as server,
            Connection(server.address) as first,
        ):
            first.send(request("/hello.txt"))
            assert first.response().body == HELLO
            with Connection(server.address) as second:
                second.send(request("/hello.txt"))
                time.sleep(0.2)
                server.signal(signal.SIGTERM)
                assert second.response().body == HELLO
                assert second.socket.recv(1) == b"", "closed, not reset"
            assert server.wait(5) == 0


def test_who_connected_while_the_server_was_stopped_is_answered(tmp_path: Path) -> None:
    """The signal and the connection are seen in one turn."""
    tree = sites.write_tree(tmp_path / "tree", {"hello.txt": HELLO})
    for _ in range(3):
        with running(tree, "--threads", "1") as server:
            server.signal(signal.SIGSTOP)
            with Connection(server.address) as connection:
                connection.send(request("/hello.txt"))
                time.sleep(0.1)
                server.signal(signal.SIGTERM)
                server.signal(signal.SIGCONT)
                assert connection.response().body == HELLO
            assert server.wait(5) == 0


def test_the_second_signal_ends_at_once(archive: Path) -> None:
    with running(archive, "--threads", "1") as server, slow_download(server):
        server.signal(signal.SIGTERM)
        wait_until(lambda: refused(server), 5)
        assert server.alive()
        server.signal(signal.SIGTERM)
        with within(4):
            server.wait(5)


def test_draining_has_an_end(archive: Path) -> None:
    """A client that never finishes holds the server no longer than the drain timeout."""
    with (
        running(archive, "--threads", "1", "--drain-timeout-s", "1") as server,
        slow_download(server),
    ):
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait(10) == 0
        assert 0.8 < time.monotonic() - begin < 5


def test_an_idle_server_ends_quickly(archive: Path) -> None:
    with running(archive) as server:
        idle = [Connection(server.address) for _ in range(50)]
        with within(4):
            assert server.stop() == 0
        for connection in idle:
            connection.close()


def test_a_signal_during_start_is_not_lost(archive: Path) -> None:
    """Wherever it hits, the process ends and prints no traceback."""
    for delay_ms in (0, 20, 60, 100, 150, 200):
        server = Server([archive, "--addr", "127.0.0.1:0"])
        try:
            time.sleep(delay_ms / 1000)
            server.signal(signal.SIGTERM)
            assert server.wait(10) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
            assert "Traceback" not in server.stderr
        finally:
            server.kill()


def test_no_zombie_and_no_child(archive: Path) -> None:
    with running(archive) as server:
        tasks = subprocess.run(
            ["ps", "--ppid", str(server.pid), "-o", "pid="], capture_output=True, check=False
        )
        assert tasks.stdout.strip() == b""


# --- standard streams -----------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_standard_streams(archive: Path, tmp_path: Path, closed: str) -> None:
    """Some parents hand over no streams: the server serves all the same, and ends well."""
    path = str(tmp_path / "site.sock")
    script = f'exec "$0" "$1" --addr "unix:$2" --threads 1 --access-log - {closed}'
    process = subprocess.Popen(["sh", "-c", script, executable(), archive, path])
    try:
        wait_until(lambda: answers(path) or process.poll() is not None, 10)
        assert process.poll() is None, "it ended"
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert answers(path)
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def answers(path: str) -> bool:
    try:
        return fetch(path, "/hello.txt").body == HELLO
    except OSError:
        return False


def test_nobody_reads_standard_error_any_more(archive: Path) -> None:
    """``zeroserve site 2>&1 | head -1``: what can not be said is not said."""
    process = subprocess.Popen(
        [executable(), archive, "--addr", "127.0.0.1:0", "--access-log", "-"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        place = process.stderr.readline().rpartition(":")[2]
        process.stderr.close()
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
            assert fetch(("127.0.0.1", int(place)), "/hello.txt").body == HELLO
            time.sleep(0.1)
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
