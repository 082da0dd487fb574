"""Where the server listens: TCP, Unix sockets, and sockets that others opened for it."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import sites
from support.server import Server, command, running
from support.sites import HELLO
from support.wire import fetch, request

LARGE = sites.noise(5_000_000, seed=12)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"hello.txt": HELLO, "large.bin": LARGE}
    return sites.python_tar(tmp_path_factory.mktemp("listen") / "site.tar", files)


# --- addresses --------------------------------------------------------------------------------


def test_the_line_that_says_where(archive: Path) -> None:
    """Printed once connections are accepted: a script may connect right after it."""
    for _ in range(5):
        with running(archive, "--threads", "2") as server:
            assert server.url in server.lines[0]
            assert fetch(server.address, "/hello.txt").body == HELLO


@pytest.mark.parametrize("threads", ["1", "4"])
def test_every_worker_answers(archive: Path, threads: str) -> None:
    with running(archive, "--threads", threads) as server:
        for _ in range(60):
            assert fetch(server.address, "/hello.txt").body == HELLO


def test_address_in_use(archive: Path) -> None:
    """One line that names the address; the other server is unharmed."""
    with running(archive, "--threads", "1") as server:
        assert not isinstance(server.address, str)
        taken = f"127.0.0.1:{server.address[1]}"
        done = command(archive, "--addr", taken, timeout_s=10)
        assert done.returncode == 1
        assert taken in done.stderr
        assert len(done.stderr.splitlines()) <= 2
        assert fetch(server.address, "/hello.txt").body == HELLO


@pytest.mark.parametrize("addr", ["nonsense", "127.0.0.1:99999", "300.0.0.1:80", "fd:x", "unix:"])
def test_addresses_that_are_none(archive: Path, addr: str) -> None:
    done = command(archive, "--addr", addr, timeout_s=10)
    assert done.returncode in (1, 2)
    assert addr in done.stderr
    assert "Traceback" not in done.stderr


def test_ipv6(archive: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on the loopback interface")
    with running(archive, addr="[::1]:0") as server:
        assert server.url.startswith("http://")
        assert not isinstance(server.address, str)
        with socket.create_connection(("::1", server.address[1]), timeout=5) as client:
            client.sendall(request("/hello.txt", {"Connection": "close"}))
            assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_unix_socket(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    with running(archive, "--threads", "2", addr=f"unix:{path}") as server:
        assert server.address == str(path)
        for _ in range(20):
            assert fetch(str(path), "/hello.txt").body == HELLO
        assert fetch(str(path), "/large.bin").body == LARGE
    assert not path.exists(), "who made the socket removes it"


def test_unix_socket_left_by_a_crash(archive: Path, tmp_path: Path) -> None:
    """A stale socket file is replaced; one that is in use, or no socket, is not."""
    path = tmp_path / "site.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with running(archive, addr=f"unix:{path}"):
        assert fetch(str(path), "/hello.txt").body == HELLO
        assert command(archive, "--addr", f"unix:{path}", timeout_s=10).returncode == 1
        assert fetch(str(path), "/hello.txt").body == HELLO
    path.write_text("precious")
    assert command(archive, "--addr", f"unix:{path}", timeout_s=10).returncode == 1
    assert path.read_text() == "precious"


# --- sockets from outside -----------------------------------------------------------------------

INHERIT = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(pair.split("=") for pair in sys.argv[2].split())
if "LISTEN_FDS" in os.environ:
    os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts a socket where systemd would, then becomes the server."""


@contextmanager
def inheriting(
    archive: Path, listener: socket.socket, environment: str, addr: str | None
) -> Iterator[Server]:
    argv = [sys.executable, "-c", INHERIT, str(listener.fileno()), environment]
    with running(
        archive, "--threads", "2", addr=addr, argv=argv, pass_fds=[listener.fileno()]
    ) as server:
        yield server


@pytest.mark.parametrize(("environment", "addr"), [("A=b", "fd:3"), ("LISTEN_FDS=1", None)])
def test_inherited_socket(archive: Path, environment: str, addr: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with inheriting(archive, listener, environment, addr) as server:
            assert server.address == ("127.0.0.1", port)
            for _ in range(20):
                assert fetch(server.address, "/hello.txt").body == HELLO
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass  # the socket is its owner's: it goes on without the server


def test_inherited_unix_socket(archive: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "site.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with inheriting(archive, listener, "LISTEN_FDS=1", None):
            assert fetch(path, "/hello.txt").body == HELLO
    assert os.path.exists(path), "who did not make it does not remove it"  # noqa: PTH110


def test_listen_fds_for_another_process(archive: Path) -> None:
    """LISTEN_PID names somebody else: then the sockets are not ours."""
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    with running(archive, env=environment) as server:
        assert fetch(server.address, "/hello.txt").body == HELLO


@pytest.mark.parametrize("addr", ["fd:3", "fd:0", "fd:1000000"])
def test_descriptors_that_are_no_listener(archive: Path, addr: str) -> None:
    done = command(archive, "--addr", addr, timeout_s=10)
    assert done.returncode in (1, 2)
    assert addr in done.stderr
    assert "Traceback" not in done.stderr
