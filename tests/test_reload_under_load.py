"""Twenty replacements in a row under load: no failed request, no mixed content, no leak."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from support import sites
from support.server import Server, running, wait_until
from support.wire import Connection, fetch, request

REPLACEMENTS = 20
CONNECTIONS = 64
THREADS = 8
SIZES = {"tiny.txt": 174, "small.txt": 10_240, "middle.txt": 150_000, "large.txt": 1_200_000}
SIZES.update({f"page-{number}.txt": 10_240 for number in range(60)})
"""Many to be cached (twenty generations of them would be 12 MB), some of several writes."""

MEMORY_FACTOR = 1.10
MEMORY_SLACK_BYTES = 3_000_000
"""What an allocator may keep of so small a process; one leaked generation of caches is more."""


def content(name: str, generation: int) -> bytes:
    """Every line says which generation it is of."""
    line = b"%s of generation %04d\n" % (name.encode(), generation)
    return (line * (SIZES[name] // len(line) + 1))[: SIZES[name]]


def deploy(live: Path, generation: int) -> None:
    files = {name: content(name, generation) for name in SIZES}
    files["generation.txt"] = b"%d" % generation
    fresh = sites.python_tar(live.with_name(f"{generation}.tar"), files)
    sites.replace(live, fresh)


@dataclass
class Findings:
    """What all the clients saw."""

    requests: int = 0
    faults: list[str] = field(default_factory=list)
    tags: dict[tuple[str, str], int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, name: str, status: int, etag: str | None, body: bytes) -> None:
        """One answer: whole, of one generation, and its tag of no other."""
        marker = body[: body.find(b"\n")].rpartition(b" ")[2]
        generation = int(marker) if marker.isdigit() else -1
        fault = ""
        if status != 200:
            fault = f"status {status}"
        elif generation < 0 or body != content(name, generation):
            fault = f"mixed content: {body[:60]!r}"
        with self.lock:
            self.requests += 1
            if etag is None:
                fault = fault or "no tag"
            elif self.tags.setdefault((name, etag), generation) != generation:
                fault = f"one tag for generations {self.tags[name, etag]} and {generation}"
            if fault:
                self.faults.append(f"{name}: {fault}")


class Load:
    """Clients on many connections that ask for all files, over and over."""

    def __init__(self, server: Server) -> None:
        self.findings = Findings()
        self._stop = threading.Event()
        self._server = server
        self._threads = [threading.Thread(target=self._run) for _ in range(THREADS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connections: list[Connection] = []
        try:
            connections += [Connection(self._server.address) for _ in range(CONNECTIONS // THREADS)]
            names = list(SIZES)
            turn = 0
            while not self._stop.is_set():
                asked = []
                for connection in connections:
                    turn += 1
                    asked.append(names[turn % len(names)])
                    connection.send(request(f"/{asked[-1]}"))
                for connection, name in zip(connections, asked, strict=True):
                    response = connection.response()
                    etag = response.header("etag")
                    self.findings.check(name, response.status, etag, response.body)
        except BaseException as error:
            self.findings.faults.append(f"connection failed: {error!r}")
        finally:
            for connection in connections:
                connection.close()


def settled(server: Server) -> int:
    """Resident memory once it no longer falls."""
    lowest = server.resident_bytes()
    for _ in range(10):
        time.sleep(0.1)
        lowest = min(lowest, server.resident_bytes())
    return lowest


def test_twenty_replacements_under_load(tmp_path: Path) -> None:
    live = tmp_path / "site.tar"
    deploy(live, 0)
    with running(live, "--threads", "2") as server:
        with Load(server) as warm_up:
            for generation in (1, 2, 3):
                replaced(server, live, generation)
            time.sleep(1)
        before = settled(server)
        with Load(server) as load:
            for generation in range(4, 4 + REPLACEMENTS):
                replaced(server, live, generation)
            time.sleep(1)
        after = settled(server)
        for found in (warm_up.findings, load.findings):
            assert found.faults == []
        assert load.findings.requests > 20 * CONNECTIONS
        assert set(load.findings.tags.values()) >= set(range(5, 23))
        assert after <= before * MEMORY_FACTOR + MEMORY_SLACK_BYTES, (before, after)
        refusals = [line for line in server.lines if "refused" in line]
        assert refusals == []


def replaced(server: Server, live: Path, generation: int) -> None:
    """Deploy and wait until it is seen; under full load on few cores that may take longer."""
    deploy(live, generation)
    wait_until(lambda: fetch(server.address, "/generation.txt").body == b"%d" % generation, 8)


def test_hang_ups_in_a_row_do_not_drop_anything(tmp_path: Path) -> None:
    """More signals than there is time for: the last one counts, none harms."""
    live = tmp_path / "site.tar"
    deploy(live, 0)
    with running(live, "--threads", "2", "--no-watch") as server:
        with Load(server) as load:
            for generation in range(1, 60):
                deploy(live, generation)
                server.hang_up()
                time.sleep(0.01)
            wait_until(lambda: fetch(server.address, "/generation.txt").body == b"59", 8)
        assert load.findings.faults == []
