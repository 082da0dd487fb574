"""Too many of everything: descriptors, idle connections, clients that never come back."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import sites
from support.server import Server, running, wait_until
from support.sites import HELLO
from support.wire import Connection, fetch, request, within

IDLE_CONNECTIONS = 2_000
"""10,000 by hand, with `ulimit -n 25000` before."""

FEW_DESCRIPTORS = 64


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return sites.write_tree(
        tmp_path / "tree", {"hello.txt": HELLO, "data.bin": sites.noise(50_000)}
    )


def few_descriptors() -> None:
    """Hard and soft: the server can not raise it again."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, FEW_DESCRIPTORS))


def test_descriptors_run_out(tree: Path) -> None:
    """Accepting pauses, who is connected is served, it is said once, and all recovers."""
    archive = sites.gnu_tar(tree, tree.parent / "site.tar")
    with running(archive, "--threads", "1", before_exec=few_descriptors) as server:
        said = len(server.lines)
        crowd = [Connection(server.address, timeout_s=5) for _ in range(4 * FEW_DESCRIPTORS)]
        for connection in crowd:
            connection.send(request("/hello.txt"))
        assert crowd[0].response().body == HELLO
        time.sleep(0.5)
        used = server.cpu_s()
        time.sleep(2)
        assert server.cpu_s() - used < 0.5, "a paused server sleeps"
        crowd[0].send(request("/data.bin"))
        assert len(crowd[0].response().body) == 50_000
        for connection in crowd[1:]:
            assert connection.response().body == HELLO
            connection.close()
        crowd[0].close()
        with within(5):
            assert fetch(server.address, "/hello.txt").body == HELLO
        complaints = [
            line for line in server.lines[said:] if "descriptor" in line or "files" in line
        ]
        assert 1 <= len(complaints) <= 3, server.stderr


TOO_FEW = """
import os, resource, socket, sys
import zeroserve
from zeroserve import Error, Server

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
used = len(os.listdir("/proc/self/fd"))
outcomes = set()
for spare in range(1, 60):
    server = Server(sys.argv[1], threads=4, watch=False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, hard))
    try:
        server.start()
    except Error as error:
        outcomes.add("refused")
        assert error.args[0].isprintable(), error.args
        continue
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    outcomes.add("served")
    port = int(server.url.rpartition(":")[2])
    for _ in range(16):  # the kernel spreads them over the workers
        with socket.create_connection(("127.0.0.1", port), 3) as client:
            client.sendall(b"GET /hello.txt HTTP/1.0\\r\\n\\r\\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200"), spare
    server.stop()
del server  # what it holds open goes with it
assert outcomes == {"refused", "served"}, outcomes
assert len(os.listdir("/proc/self/fd")) == used, "descriptors are left open"
"""


def test_a_start_without_descriptors_is_refused(tree: Path) -> None:
    """Whatever the limit: either all workers serve, or ``start`` raises and leaves nothing."""
    done = subprocess.run(
        [sys.executable, "-c", TOO_FEW, tree], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "panicked" not in done.stderr


def test_a_reload_without_descriptors_is_refused(tree: Path) -> None:
    archive = sites.gnu_tar(tree, tree.parent / "site.tar")
    with running(archive, "--threads", "1", before_exec=few_descriptors) as server:
        crowd = [Connection(server.address, timeout_s=5) for _ in range(2 * FEW_DESCRIPTORS)]
        time.sleep(0.3)
        server.hang_up()
        time.sleep(0.3)
        crowd[0].send(request("/hello.txt"))
        assert crowd[0].response().body == HELLO
        for connection in crowd:
            connection.close()
        with within(5):
            assert fetch(server.address, "/hello.txt").body == HELLO
        server.hang_up()
        server.wait_line("reloaded", timeout_s=5)


def test_many_idle_connections(tree: Path) -> None:
    """They cost little memory, no time, and nobody else notices them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = IDLE_CONNECTIONS + 200
    if hard < need:
        pytest.skip(f"the limit of open files is {hard}, {need} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, need), hard))
    idle: list[Connection] = []
    try:
        with running(tree, "--threads", "2") as server:
            before = server.resident_bytes()
            for _ in range(IDLE_CONNECTIONS):
                connection = Connection(server.address)
                connection.send(request("/hello.txt"))
                idle.append(connection)
            for connection in idle:
                assert connection.response().body == HELLO
            each = (server.resident_bytes() - before) / IDLE_CONNECTIONS
            assert each < 20_000, f"{each:.0f} bytes of memory for each idle connection"
            used = server.cpu_s()
            time.sleep(1)
            assert server.cpu_s() - used < 0.3
            with within(2):
                for _ in range(50):
                    assert fetch(server.address, "/hello.txt").body == HELLO
            for connection in idle[::50]:
                connection.send(request("/data.bin"))
                assert len(connection.response().body) == 50_000
            with within(5):
                assert server.stop() == 0, "idle connections do not hold up the end"
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_half_closed_by_clients(tree: Path) -> None:
    """Their sending half closed and nothing asked: the server closes its own."""
    with running(tree, "--threads", "1") as server:
        crowd = [Connection(server.address) for _ in range(100)]
        for connection in crowd:
            connection.finish()
        for connection in crowd:
            with within(5):
                assert connection.at_end()
            connection.close()
        assert fetch(server.address, "/hello.txt").body == HELLO


def test_resets_in_a_row(tree: Path) -> None:
    """Connections that are reset before, while and after they are accepted."""
    with running(tree, "--threads", "2") as server:
        for turn in range(300):
            connection = Connection(server.address)
            linger = b"\1\0\0\0\0\0\0\0"
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if turn % 3:
                connection.send(request("/data.bin") * (turn % 3))
            connection.close()
        assert fetch(server.address, "/hello.txt").body == HELLO
        wait_until(lambda: descriptors(server) < 40, 5, "descriptors are left open")


def descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def test_reloads_leave_no_descriptor_open(tree: Path) -> None:
    """Thirty reloads; an archive may stay open while a worker is not yet done with it."""
    archive = sites.gnu_tar(tree, tree.parent / "site.tar")
    with running(archive, "--threads", "2", "--no-watch") as server:
        for _ in range(30):
            said = len(server.lines)
            server.hang_up()
            server.wait_line("reloaded", after=said, timeout_s=5)
            assert fetch(server.address, "/data.bin").status == 200
        wait_until(lambda: opened(server, archive) <= 1, 10, "old archives are still open")


def opened(server: Server, path: Path) -> int:
    """How many descriptors of the process lead to that file."""
    links = Path(f"/proc/{server.pid}/fd").iterdir()
    return sum(os.path.realpath(link) == str(path) for link in links)
