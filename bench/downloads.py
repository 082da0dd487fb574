"""Many downloads at a time by clients that read slowly: what a proxy keeps in memory for them."""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import time
from dataclasses import dataclass

from bench import proc
from bench.errors import BenchError
from bench.running import Running
from bench.site import Size

DOWNLOAD = Size("100 MiB", "100m.bin", 100 << 20)
# Each client reads a piece of this size, and not again before the pause is over.
PIECE_BYTES = 4096
PAUSE_S = 0.1
RECEIVE_BUFFER_BYTES = 16 * 1024
HELD_S = 5.0
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Held:
    """Memory of a server before there was a client, and while all of them were at it."""

    clients: int
    before: proc.Memory
    during: proc.Memory

    @property
    def bytes_each(self) -> float:
        """What one of them takes."""
        return (self.during.pss - self.before.pss) / self.clients


def hold(running: Running, count: int) -> Held:
    """Let `count` clients download for some seconds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    before = proc.memory(running.pid)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(_begin(running.port)) for _ in range(count)]
        _read_heads(running, clients)
        until = time.monotonic() + HELD_S
        while time.monotonic() < until:
            for client in clients:
                with contextlib.suppress(BlockingIOError):
                    if not client.recv(PIECE_BYTES):
                        raise BenchError(f"{running.server.name} broke a download off")
            time.sleep(PAUSE_S)
        return Held(count, before, proc.memory(running.pid))


def _begin(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    client.settimeout(TIMEOUT_S)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET /{DOWNLOAD.name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    client.setblocking(False)
    return client


def _read_heads(running: Running, clients: list[socket.socket]) -> None:
    """Wait until every download has begun."""
    until = time.monotonic() + TIMEOUT_S
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(1.0)
            if time.monotonic() > until:
                raise BenchError(f"{running.server.name} let downloads wait: {len(clients)}")
            for key, _ in ready:
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if not one.recv(PIECE_BYTES).startswith(b"HTTP/1.1 200"):
                    raise BenchError(f"{running.server.name} refused a download")
                selector.unregister(one)
