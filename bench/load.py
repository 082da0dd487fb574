"""One round of load on one server: the client on its own core, the server's CPU time around it."""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import proc
from bench.errors import BenchError
from bench.loaders import Counted, Load, counted, load
from bench.running import Running, pinned
from bench.site import Size

# What a server still does after the client's last byte: closing the connections.
SETTLE_S = 0.05


@dataclass(frozen=True)
class Cores:
    """The core of the server and the core of the client."""

    server: int
    client: int


@dataclass(frozen=True)
class Round:
    """One server, one size, one run of the client. Invalid when `problems` is not empty."""

    server: str
    size: str
    round: int
    requests: int
    seconds: float
    requests_per_second: float
    cpu_us_per_request: float
    p50_us: float
    p99_us: float
    max_us: float
    # Share of the load's time that server and client were on their cores: who was the limit.
    server_busy: float
    client_busy: float
    # Share of the server's core that other programs took, and that the hypervisor took.
    foreign: float
    stolen: float
    problems: tuple[str, ...]


def measure(
    running: Running, size: Size, number: int, connections: int, seconds: int, cores: Cores
) -> Round:
    """Load `running` for `seconds` with `connections` kept open, and count."""
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        client = load(running.port_of(size), size, connections, seconds, Path(work))
        core_before = proc.core_time(cores.server)
        cpu_before = proc.cpu_times(running.pid)
        started = time.monotonic()
        said, client_s = _run(client, size, cores.client)
        time.sleep(SETTLE_S)
        cpu_after = proc.cpu_times(running.pid)
        wall_s = time.monotonic() - started
        core_after = proc.core_time(cores.server)
    if running.launch.log is not None and running.launch.log.exists():
        running.launch.log.write_bytes(b"")

    spent_ns, ended_threads = proc.cpu_spent(cpu_before, cpu_after)
    busy_s = core_after.busy - core_before.busy
    return Round(
        server=running.server.name,
        size=size.label,
        round=number,
        requests=said.requests,
        seconds=said.seconds,
        requests_per_second=said.requests / said.seconds,
        cpu_us_per_request=spent_ns / 1e3 / said.requests if said.requests else 0.0,
        p50_us=said.p50_us,
        p99_us=said.p99_us,
        max_us=said.max_us,
        server_busy=spent_ns / 1e9 / said.seconds,
        client_busy=client_s / said.seconds,
        foreign=max(0.0, busy_s - spent_ns / 1e9) / wall_s,
        stolen=(core_after.stolen - core_before.stolen) / wall_s,
        problems=_problems(said, size, ended_threads),
    )


def _run(client: Load, size: Size, core: int) -> tuple[Counted, float]:
    """What the client counted, and the CPU seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = pinned(client.command, core)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = counted(client, size, done.stdout)
    if said is None:
        raise BenchError(f"{client.program} failed: {(done.stderr or done.stdout).strip()}")
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return said, user + system


def _problems(said: Counted, size: Size, ended_threads: int) -> tuple[str, ...]:
    """Why a round does not count; empty when it does."""
    problems = [f"{kind} errors: {count}" for kind, count in said.errors.items()]
    if said.requests == 0:
        problems.append("no request was answered")
    # A client takes any status below 400 for a success; a redirect would be shorter than the file.
    elif size.over != "upload" and said.bytes < said.requests * size.length:
        problems.append(f"responses are too short: {said.bytes // said.requests} bytes")
    if ended_threads:
        problems.append(f"threads ended, their time is lost: {ended_threads}")
    return tuple(problems)
