"""A service manager is told how the service is; sockets that it passes on have names."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest
from support import sites
from support.server import Server, command, running
from support.sites import HELLO
from support.wire import fetch

ROOT = Path(__file__).parent.parent


class Manager:
    """Takes what a service says of itself."""

    def __init__(self, address: str) -> None:
        self.env = {"NOTIFY_SOCKET": address}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0") if address[0] == "@" else address)
        self.socket.settimeout(10)

    def next(self) -> dict[str, str]:
        """The next message."""
        text = self.socket.recv(4096).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def next_with(self, name: str) -> dict[str, str]:
        """The next message that says this."""
        while True:
            message = self.next()
            if name in message:
                return message


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return sites.python_tar(tmp_path / "site.tar", {"hello.txt": HELLO})


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    path = f"@zeroserve-test-{os.getpid()}" if request.param == "abstract" else f"{tmp_path}/notify"
    made = Manager(path)
    yield made
    made.socket.close()


def test_a_life(archive: Path, manager: Manager) -> None:
    with running(archive, "--threads", "1", env=manager.env) as server:
        ready = manager.next()
        assert ready["READY"] == "1"
        assert ready["STATUS"].startswith("serving ")
        assert fetch(server.address, "/hello.txt").body == HELLO

        before_us = time.monotonic_ns() // 1000
        server.hang_up()
        reloading = manager.next()
        assert reloading["RELOADING"] == "1"
        assert before_us <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert manager.next()["READY"] == "1"

        server.signal(signal.SIGTERM)
        assert manager.next()["STOPPING"] == "1"
        assert server.wait() == 0


def test_a_refused_reload_ends_too(archive: Path, tmp_path: Path) -> None:
    manager = Manager(f"{tmp_path}/notify")
    with running(archive, "--no-watch", "--threads", "1", env=manager.env) as server:
        assert "READY" in manager.next()
        archive.write_bytes(b"nonsense" * 1000)
        server.hang_up()
        assert "RELOADING" in manager.next()
        ready = manager.next()
        assert ready["READY"] == "1"
        assert "refused" in ready["STATUS"]
    manager.socket.close()


def test_ready_means_accepting(archive: Path, tmp_path: Path) -> None:
    manager = Manager(f"{tmp_path}/notify")
    path = tmp_path / "site.sock"
    with running(archive, "--threads", "1", addr=f"unix:{path}", env=manager.env):
        manager.next_with("READY")
        assert fetch(str(path), "/hello.txt").body == HELLO
    manager.socket.close()


def test_nobody_listens(archive: Path, tmp_path: Path) -> None:
    for address in (f"{tmp_path}/none", "nonsense", "vsock:2:1234", ""):
        with running(archive, "--threads", "1", env={"NOTIFY_SOCKET": address}) as server:
            assert fetch(server.address, "/hello.txt").body == HELLO


def test_a_manager_that_has_gone(archive: Path, manager: Manager) -> None:
    with running(archive, "--threads", "1", env=manager.env) as server:
        manager.next_with("READY")
        manager.socket.close()
        server.hang_up()
        server.wait_line("reloaded")


def test_watchdog(archive: Path, manager: Manager) -> None:
    """Signs of life with two workers, idle or not."""
    env = {**manager.env, "WATCHDOG_USEC": "400000"}
    with running(archive, "--threads", "2", env=env) as server:
        for _ in range(5):
            manager.next_with("WATCHDOG")
            assert fetch(server.address, "/hello.txt").body == HELLO


def test_watchdog_for_another_process(archive: Path, tmp_path: Path) -> None:
    manager = Manager(f"{tmp_path}/notify")
    env = {**manager.env, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    with running(archive, "--threads", "1", env=env):
        manager.next_with("READY")
        manager.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            manager.next()
    manager.socket.close()


def test_a_stuck_worker_is_noticed(archive: Path, tmp_path: Path) -> None:
    """One of two workers is stopped by a debugger's means: no sign of life is given any more."""
    if os.getuid() != 0:
        pytest.skip("only root may stop a single thread of another process")
    manager = Manager(f"{tmp_path}/notify")
    env = {**manager.env, "WATCHDOG_USEC": "200000"}
    with running(archive, "--threads", "2", env=env) as server:
        manager.next_with("WATCHDOG")
        with _stopped_worker(server):
            manager.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                while True:
                    manager.next()
        manager.socket.settimeout(10)
        manager.next_with("WATCHDOG")
    manager.socket.close()


@contextmanager
def _stopped_worker(server: Server) -> Iterator[None]:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    tasks = Path(f"/proc/{server.pid}/task")
    names = {task.name: (task / "comm").read_text().strip() for task in tasks.iterdir()}
    worker = next(int(task) for task, name in names.items() if name == "zs-worker-1")
    seize, interrupt, detach = 0x4206, 0x4207, 17
    assert libc.ptrace(seize, worker, 0, 0) == 0
    assert libc.ptrace(interrupt, worker, 0, 0) == 0
    os.waitpid(worker, 0x40000000)
    try:
        yield
    finally:
        libc.ptrace(detach, worker, 0, 0)


INHERIT = """
import os, sys
count, names = int(sys.argv[1]), sys.argv[2]
fds = [os.dup(int(fd)) for fd in sys.argv[3].split(",")]
for at, fd in enumerate(fds):
    os.dup2(fd, 200 + at)
for at in range(count):
    os.dup2(200 + at, 3 + at)
os.environ.update(LISTEN_FDS=str(count), LISTEN_FDNAMES=names, LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[4], sys.argv[4:])
"""
"""Puts sockets where systemd would, then becomes the server."""


@contextmanager
def _inherited(site: Path, names: str, *options: str) -> Iterator[tuple[Server, list[int]]]:
    count = len(names.split(":"))
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    fds = [one.fileno() for one in sockets]
    listed = ",".join(map(str, fds))
    argv = [sys.executable, "-c", INHERIT, str(count), names, listed]
    with running(site, *options, "--threads", "1", addr=None, argv=argv, pass_fds=fds) as server:
        yield server, [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()


def test_names_of_sockets(archive: Path) -> None:
    with _inherited(archive, "web:admin", "--addr", "fd:admin") as (server, ports):
        assert server.address == ("127.0.0.1", ports[1])
        assert fetch(server.address, "/hello.txt").body == HELLO
        assert len([line for line in server.lines if line.startswith("listening")]) == 1


@pytest.mark.parametrize("names", ["web:admin", "a:a"])
def test_names_that_do_not_fit(archive: Path, names: str) -> None:
    env = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": names, "LISTEN_PID": "1"}
    done = command(archive, "--addr", "fd:a", env=env)
    assert done.returncode == 2
    assert "fd:a" in done.stderr
    assert "LISTEN_FDNAMES" in done.stderr


@pytest.mark.parametrize("unit", ["zeroserve.service", "zeroserve@.service", "zeroserve.socket"])
def test_units(unit: str, tmp_path: Path) -> None:
    """systemd has nothing to say about them."""
    program = which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    for path in (ROOT / "packaging").iterdir():
        text = path.read_text()
        # The program that the units name is installed with the package, not here.
        text = text.replace("/usr/bin/zeroserve", "/bin/true")
        (tmp_path / path.name).write_text(text)
    name = unit.replace("@.", "@site.")
    if name != unit:
        (tmp_path / name).write_text((tmp_path / unit).read_text())
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "zeroserve" in line]
    assert not ours, done.stderr
