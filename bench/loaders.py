"""What loads a server: wrk for HTTP/1.1, h2load for HTTP/2, OpenSSL for handshakes.

Each is a program that runs for some seconds and says what it counted.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.site import Size

DONE = Path(__file__).with_name("done.lua")
UPLOAD = Path(__file__).with_name("upload.lua")
# wrk gives up on a response after this; such a round is invalid.
WRK_TIMEOUT_S = 10

# HTTP/2: connections, and requests under way at a time on each.
H2_CONNECTIONS = 32
H2_STREAMS = 8


@dataclass(frozen=True)
class Counted:
    """What a load came to. `errors` by kind, empty when there were none."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    # Of responses, heads and framing included or not: at least what was asked for.
    bytes: int
    errors: dict[str, int]


@dataclass(frozen=True)
class Load:
    """A command, and what its output means."""

    command: list[str]
    # Where it writes a line for each request.
    log: Path | None = None

    @property
    def program(self) -> str:
        """Its name, for people."""
        return Path(self.command[0]).name


def needed(size: Size) -> tuple[str, str]:
    """The program that loads it, and how to get it."""
    programs = {
        "h2": ("h2load", "apt-get install nghttp2-client"),
        "handshake": ("openssl", "apt-get install openssl"),
    }
    return programs.get(size.over, ("wrk", "apt-get install wrk"))


def program(size: Size) -> Path:
    """Where the program is."""
    name, hint = needed(size)
    found = shutil.which(name)
    if found is None:
        raise BenchError(f"{name} is not installed", hint)
    return Path(found)


def load(port: int, size: Size, connections: int, seconds: int, work: Path) -> Load:
    """The load of one size on a server. One thread: it has one core."""
    path = str(program(size))
    if size.over == "handshake":
        place = f"127.0.0.1:{port}"
        return Load([path, "s_time", "-connect", place, "-new", "-time", str(seconds)])
    if size.over == "h2":
        log = work / "h2load.log"
        return Load(
            [
                *(path, "--threads", "1", "--clients", str(H2_CONNECTIONS)),
                *("--max-concurrent-streams", str(H2_STREAMS), "--duration", str(seconds)),
                *("--log-file", str(log), f"https://127.0.0.1:{port}/{size.name}"),
            ],
            log,
        )
    scheme = "https" if size.over == "https" else "http"
    script, arguments = DONE, list[str]()
    if size.over == "upload":
        script, arguments = UPLOAD, ["--", str(size.length)]
    return Load(
        [
            *(path, "--threads", "1", "--connections", str(size.connections or connections)),
            *("--duration", f"{seconds}s", "--timeout", f"{WRK_TIMEOUT_S}s", "--latency"),
            *("--script", str(script), f"{scheme}://127.0.0.1:{port}/{size.name}", *arguments),
        ]
    )


def counted(load: Load, size: Size, output: str) -> Counted | None:
    """What the program said; None when it did not get that far."""
    if size.over == "handshake":
        return _s_time(output)
    if size.over == "h2":
        return _h2load(load, output)
    return _wrk(output)


def _wrk(output: str) -> Counted | None:
    for line in output.splitlines():
        if line.startswith("JSON "):
            said: dict[str, int] = json.loads(line.removeprefix("JSON "))
            kinds = ("connect", "read", "write", "status", "timeout")
            return Counted(
                requests=said["requests"],
                seconds=said["duration_us"] / 1e6,
                p50_us=said["p50_us"],
                p99_us=said["p99_us"],
                max_us=said["max_us"],
                bytes=said["bytes"],
                errors={kind: said[kind] for kind in kinds if said[kind]},
            )
    return None


def _h2load(load: Load, output: str) -> Counted | None:
    finished = re.search(r"finished in ([\d.]+)(m?s),", output)
    counts = re.search(
        r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output
    )
    data = re.search(r"\((\d+)\) data", output)
    if finished is None or counts is None or data is None or load.log is None:
        return None
    took = [int(line.split("\t")[2]) for line in load.log.read_text().splitlines()]
    load.log.unlink()
    cuts = statistics.quantiles(took, n=100) if len(took) > 1 else [0.0] * 99
    _, succeeded, failed, errored, timed_out = (int(count) for count in counts.groups())
    errors = {"request": failed, "connection": errored, "timeout": timed_out}
    # It falls back to HTTP/1.1 without a word.
    errors["protocol"] = 0 if "Application protocol: h2\n" in output else 1
    return Counted(
        requests=succeeded,
        seconds=float(finished[1]) / (1000 if finished[2] == "ms" else 1),
        p50_us=cuts[49],
        p99_us=cuts[98],
        max_us=max(took, default=0),
        bytes=int(data[1]),
        errors={kind: count for kind, count in errors.items() if count},
    )


def _s_time(output: str) -> Counted | None:
    found = re.search(r"(\d+) connections in (\d+) real seconds", output)
    if found is None:
        return None
    connections, seconds = int(found[1]), int(found[2])
    # One after the other, so a handshake takes what there is of time; the client's share of the
    # work is the larger one.
    each = seconds * 1e6 / connections if connections else 0.0
    return Counted(connections, seconds, each, each, each, 0, {})
