"""A server that runs: started on one core, ready when it answers, stopped by its pid."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import proc
from bench.errors import BenchError
from bench.servers import Context, Launch, Server
from bench.site import Size

READY_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
LISTENING = re.compile(r"listening on https?://[^\s/]+:(\d+)")


@dataclass(frozen=True)
class Running:
    """A started server: `pid` is the root of its processes."""

    server: Server
    launch: Launch
    command: list[str]
    pid: int
    port: int
    tls_port: int = 0

    def port_of(self, size: Size) -> int:
        """Where that is asked for."""
        return self.tls_port if size.is_encrypted and self.tls_port else self.port


def pinned(command: list[str], core: int) -> list[str]:
    """`command` kept on `core`, with every thread and process it will start."""
    return ["taskset", "-c", str(core), *command]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(
    server: Server, program: Path, root: Path, archive: Path, work: Path, core: int
) -> Iterator[Running]:
    """Run `server` on `core` while the block runs; `work` is made for it."""
    work.mkdir(mode=0o755)
    context = Context(program, root, archive, work, free_port(), free_port())
    launch = server.launch(context)
    for path, text in launch.files.items():
        path.write_text(text)
    command = pinned(launch.command, core)
    stderr = work / "stderr.txt"
    with stderr.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=work,
            env={**os.environ, **launch.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=sink,
            start_new_session=True,
        )
    try:
        port = _wait_ready(server, launch, process, context.port, stderr)
        tls_port = 0
        if launch.has_tls_port:
            tls_port = _wait_ready(server, launch, process, context.tls_port, stderr)
        yield Running(server, launch, command, process.pid, port, tls_port)
    finally:
        stop(process)


def _wait_ready(
    server: Server, launch: Launch, process: subprocess.Popen[bytes], port: int, stderr: Path
) -> int:
    """The port, once something accepts connections on it."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if launch.announces_port:
            said = LISTENING.search(stderr.read_text(errors="replace"))
            if said:
                return int(said[1])
        elif _accepts(port):
            return port
        time.sleep(0.01)
    said_last = " | ".join(stderr.read_text(errors="replace").strip().splitlines()[-3:])
    raise BenchError(f"{server.name} did not start: {said_last or 'it said nothing'}")


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its descendants: first ask, then kill what is left of them."""
    members = proc.tree(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        process.wait()
