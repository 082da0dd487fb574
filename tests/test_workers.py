"""Several workers: each has its share of the connections, and none is lost on the way to it."""

import contextlib
import threading
from pathlib import Path

import pytest
from support import sites
from support.admin import administered, answer
from support.server import running, wait_until
from support.wire import Address, Connection, fetch, request

CONNECTIONS = 64


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return sites.python_tar(tmp_path / "site.tar", {"a.txt": b"a"})


def shares(admin: Address) -> list[int]:
    return [worker["connections"] for worker in answer(admin, "/status")["workers"]]


@pytest.mark.parametrize("workers", [2, 4])
def test_connections_are_spread_evenly(archive: Path, workers: int) -> None:
    options = ("--access-log", "off", "--threads", str(workers))
    with administered(archive, *options) as (server, admin):
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(Connection(server.address)) for _ in range(CONNECTIONS)]
            for connection in held:
                connection.send(request("/a.txt"))
            for connection in held:
                assert connection.response().body == b"a"
            found = shares(admin)
            even = CONNECTIONS / workers
            assert sum(found) == CONNECTIONS
            assert all(abs(one - even) <= max(0.1 * even, 2) for one in found), found
        wait_until(lambda: sum(shares(admin)) == 0, 5, "connections are still counted")


def test_no_connection_is_lost_when_workers_drain(archive: Path) -> None:
    """Every client that was accepted is answered, whichever worker it was on its way to."""
    with running(archive, "--threads", "4", "--access-log", "off") as server:
        faults: list[str] = []
        answered: list[int] = []

        def come() -> None:
            count = 0
            try:
                for _ in range(100_000):
                    with Connection(server.address) as connection:
                        connection.send(request("/a.txt", {"Connection": "close"}))
                        if connection.response().body != b"a":
                            faults.append("wrong bytes")
                        count += 1
            except (ConnectionRefusedError, ConnectionResetError):
                # Nobody listens any more; the system resets what it had not handed out when the
                # socket was closed.
                pass
            except Exception as error:
                faults.append(repr(error))
            answered.append(count)

        clients = [threading.Thread(target=come) for _ in range(8)]
        for client in clients:
            client.start()
        wait_until(lambda: fetch(server.address, "/a.txt").status == 200, 5)
        threading.Event().wait(0.5)
        assert server.stop() == 0
        for client in clients:
            client.join(20)
        assert faults == [] and sum(answered) > 100
