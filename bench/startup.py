"""`startup`: from process start to the first byte served, and memory, by archive.

Each start is a new process on an archive that is in the page cache, free to use every core,
as on a machine that restarts or deploys a site.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import proc
from bench.archives import gnu_tar, pack
from bench.errors import BenchError
from bench.machine import Machine, describe
from bench.running import LISTENING, stop
from bench.servers import SERVERS, find_program, version_of
from bench.site import write_tree
from bench.stats import Spread, spread

FIRST_BYTE_TIMEOUT_S = 120.0
SMALL_ENTRIES = 5
MILLION = 1_000_000


@dataclass(frozen=True)
class Start:
    """One start: seconds to `listening on`, to the first byte; memory in bytes after it."""

    listening_s: float
    first_byte_s: float
    memory: proc.Memory


@dataclass(frozen=True)
class Case:
    """One archive, started several times."""

    maker: str
    entries: int
    archive_bytes: int
    make_s: float
    starts: list[Start]

    def first_byte_s(self) -> Spread | None:
        """Seconds from process start to the first byte of a response."""
        return spread(start.first_byte_s for start in self.starts)

    def rss(self) -> Spread | None:
        """Resident memory in bytes, pages of the archive that are mapped in included."""
        return spread(start.memory.rss for start in self.starts)


@dataclass
class Startup:
    """All that was measured."""

    machine: Machine
    version: str
    command: list[str]
    cases: list[Case] = field(default_factory=list)

    def case(self, maker: str, entries: int) -> Case | None:
        """The case of that archive, if it was measured."""
        return next((c for c in self.cases if (c.maker, c.entries) == (maker, entries)), None)

    def bytes_per_entry(self, case: Case) -> float | None:
        """Resident bytes per entry on top of the small packed site."""
        small, large = self.case("pack", SMALL_ENTRIES), case.rss()
        base = small.rss() if small else None
        if base is None or large is None or case.entries <= SMALL_ENTRIES:
            return None
        return (large.median - base.median) / (case.entries - SMALL_ENTRIES)


def startup(
    counts: list[int], repeats: int, programs: dict[str, Path], tell: Callable[[str], None]
) -> Startup:
    """Measure a small site, then packed and GNU tar archives of each count of entries."""
    program = find_program("zeroserve", programs)
    if program is None:
        raise BenchError("zeroserve is not installed", SERVERS[0].install)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        version = version_of(SERVERS[0], program)
        command = ["zeroserve", *_command(program, Path("SITE.tar"))[1:]]
        result = Startup(describe(work), version, command)
        for count in (SMALL_ENTRIES, *counts):
            tell(f"writing {count:,} files")
            root = work / f"site-{count}"
            path, expected = write_tree(root, count)
            for maker in ("pack",) if count == SMALL_ENTRIES else ("pack", "tar"):
                archive = work / f"{count}-{maker}.tar"
                tell(f"{count:,} entries: making an archive with {maker}")
                began = time.perf_counter()
                pack(program, root, archive) if maker == "pack" else gnu_tar(root, archive)
                make_s = time.perf_counter() - began
                starts = []
                for number in range(1, repeats + 1):
                    tell(f"{count:,} entries, {maker}: start {number}/{repeats}")
                    starts.append(start_once(program, archive, path, expected))
                size = archive.stat().st_size
                result.cases.append(Case(maker, count, size, make_s, starts))
                archive.unlink()
        return result


def _command(program: Path, archive: Path) -> list[str]:
    where = ["--addr", "127.0.0.1:0", "--threads", "1", "--access-log", "off"]
    return [str(program), str(archive), *where]


def start_once(program: Path, archive: Path, path: str, expected: bytes) -> Start:
    """Start the server, ask for `path`, stop it; raise if the body is not `expected`."""
    began = time.perf_counter()
    process = subprocess.Popen(
        _command(program, archive),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        port = _listening_port(process, began)
        listening_s = time.perf_counter() - began
        first_byte_s, response = _ask(port, path, began)
        _check(response, expected)
        return Start(listening_s, first_byte_s, proc.memory(process.pid))
    finally:
        stop(process)
        if process.stderr is not None:
            process.stderr.close()


def _listening_port(process: subprocess.Popen[bytes], began: float) -> int:
    """Wait for the line that names the port, woken by the write itself: no polling interval."""
    assert process.stderr is not None
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        while (left := began + FIRST_BYTE_TIMEOUT_S - time.perf_counter()) > 0:
            if not selector.select(left):
                break
            chunk = os.read(process.stderr.fileno(), 4096)
            said += chunk
            found = re.search(LISTENING.pattern.encode() + rb"\s", said)
            if found:
                return int(found[1])
            if not chunk:
                break
    last = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    raise BenchError(f"zeroserve did not start: {last[0]}")


def _ask(port: int, path: str, began: float) -> tuple[float, bytes]:
    """Seconds from `began` to the first byte of the response, and all of the response."""
    request = f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=FIRST_BYTE_TIMEOUT_S) as client:
        client.sendall(request.encode())
        response = client.recv(1)
        first_byte_s = time.perf_counter() - began
        while chunk := client.recv(65536):
            response += chunk
    return first_byte_s, response


def _check(response: bytes, expected: bytes) -> None:
    head, _, body = response.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].decode(errors="replace")
    if " 200" not in status:
        raise BenchError(f"zeroserve answered the first request with: {status}")
    if body != expected:
        raise BenchError(f"zeroserve returned other bytes than the file's: {len(body)} bytes")
