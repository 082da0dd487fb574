"""One round of load on one server: wrk on its own core, the server's CPU time around it."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench import proc
from bench.errors import BenchError
from bench.running import Running, pinned
from bench.site import Size

DONE = Path(__file__).with_name("done.lua")
# What a server still does after wrk's last byte: closing the connections.
SETTLE_S = 0.05
# wrk gives up on a response after this; such a round is invalid.
WRK_TIMEOUT_S = 10


@dataclass(frozen=True)
class Cores:
    """The core of the server and the core of wrk."""

    server: int
    client: int


@dataclass(frozen=True)
class Round:
    """One server, one size, one run of wrk. Invalid when `problems` is not empty."""

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
    # Share of the load's time the server, and wrk, were on their cores: who was the bottleneck.
    server_busy: float
    client_busy: float
    # Share of the server's core that other programs took, and that the hypervisor took.
    foreign: float
    stolen: float
    problems: tuple[str, ...]


def wrk_program() -> Path:
    """Where wrk is."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchError("wrk is not installed", "apt-get install wrk")
    return Path(found)


def wrk_command(port: int, size: Size, connections: int, seconds: int) -> list[str]:
    """One thread: it has one core. The URL is the only thing that differs between servers."""
    return [
        *(str(wrk_program()), "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds}s", "--timeout", f"{WRK_TIMEOUT_S}s", "--latency"),
        *("--script", str(DONE), f"http://127.0.0.1:{port}/{size.name}"),
    ]


def measure(
    running: Running, size: Size, number: int, connections: int, seconds: int, cores: Cores
) -> Round:
    """Load `running` for `seconds` with `connections` kept open, and count."""
    command = pinned(wrk_command(running.port, size, connections, seconds), cores.client)
    core_before = proc.core_time(cores.server)
    cpu_before = proc.cpu_times(running.pid)
    started = time.monotonic()
    said, client_s = _run(command)
    time.sleep(SETTLE_S)
    cpu_after = proc.cpu_times(running.pid)
    wall_s = time.monotonic() - started
    core_after = proc.core_time(cores.server)
    if running.launch.log is not None and running.launch.log.exists():
        running.launch.log.write_bytes(b"")

    spent_ns, ended_threads = proc.cpu_spent(cpu_before, cpu_after)
    requests = said["requests"]
    loaded_s = said["duration_us"] / 1e6
    busy_s = core_after.busy - core_before.busy
    return Round(
        server=running.server.name,
        size=size.label,
        round=number,
        requests=requests,
        seconds=loaded_s,
        requests_per_second=requests / loaded_s,
        cpu_us_per_request=spent_ns / 1e3 / requests if requests else 0.0,
        p50_us=said["p50_us"],
        p99_us=said["p99_us"],
        max_us=said["max_us"],
        server_busy=spent_ns / 1e9 / loaded_s,
        client_busy=client_s / loaded_s,
        foreign=max(0.0, busy_s - spent_ns / 1e9) / wall_s,
        stolen=(core_after.stolen - core_before.stolen) / wall_s,
        problems=_problems(said, size, ended_threads),
    )


def _run(command: list[str]) -> tuple[dict[str, int], float]:
    """What wrk counted, and the CPU seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for line in done.stdout.splitlines():
        if line.startswith("JSON "):
            said: dict[str, int] = json.loads(line.removeprefix("JSON "))
            user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
            return said, user + system
    raise BenchError(f"wrk failed: {(done.stderr or done.stdout).strip()}")


def _problems(said: dict[str, int], size: Size, ended_threads: int) -> tuple[str, ...]:
    """Why a round does not count; empty when it does."""
    kinds = ("connect", "read", "write", "status", "timeout")
    problems = [f"{kind} errors: {said[kind]}" for kind in kinds if said[kind]]
    if said["requests"] == 0:
        problems.append("no request was answered")
    # wrk takes any status below 400 for a success; a redirect would be shorter than the file.
    elif said["bytes"] < said["requests"] * size.length:
        problems.append(f"responses are too short: {said['bytes'] // said['requests']} bytes")
    if ended_threads:
        problems.append(f"threads ended, their time is lost: {ended_threads}")
    return tuple(problems)
