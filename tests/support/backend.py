"""Upstreams that are processes of their own, so that they can be killed.

    with Backend("a") as backend:
        backend.url          # http://127.0.0.1:43121
        backend.kill()
        backend.start()      # at the same port

What it answers depends on the path: ``backend_process.py``.
"""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from support.wire import fetch

HOST = "127.0.0.1"

PROCESS = Path(__file__).with_name("backend_process.py")


class Backend:
    """A process that answers with its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            self.port: int = taken.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert self._process is None
        command = [sys.executable, str(PROCESS), self.name, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"listening\n"

    def kill(self) -> None:
        """End it at once, as a crash would; harmless when it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def ask(self, path: str) -> bytes:
        """Ask it directly."""
        return fetch((HOST, self.port), path).body

    def seen(self) -> dict[str, int]:
        """How often each path was asked for."""
        found: dict[str, int] = json.loads(self.ask("/.seen"))
        return found

    def __enter__(self) -> "Backend":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
