"""Start ``zeroserve`` as its users do, as a process, and watch what it says.

    with running(site) as server:
        fetch(server.address, "/")

Leaving the block checks that the server was still alive, printed no traceback and drains.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from support.wire import Address

T = TypeVar("T")

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
LISTENING = re.compile(r"^listening on (https?(?:\+unix)?://?(\S+))$")


def executable() -> str:
    """The command under test: that of the running environment, or ``$ZEROSERVE``."""
    beside = Path(sys.executable).with_name("zeroserve")
    found = os.environ.get("ZEROSERVE") or (str(beside) if beside.exists() else None)
    found = found or shutil.which("zeroserve")
    if found is None:
        raise FileNotFoundError("zeroserve is not installed: run `make build`")
    return found


def command(
    *arguments: str | Path, timeout_s: float = 60.0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``zeroserve ARGUMENTS`` to its end."""
    return subprocess.run(
        [executable(), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
        check=False,
    )


class Server:
    """A serving process, the lines of its standard error, and where it listens."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        argv: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        before_exec: Callable[[], object] | None = None,
    ) -> None:
        self.lines: list[str] = []
        self.address: Address = ""
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [*argv, executable(), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            env={**os.environ, **(env or {})},
            pass_fds=pass_fds,
            preexec_fn=before_exec,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def stderr(self) -> str:
        return "\n".join(self.lines)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_line(self, pattern: str, *, after: int = 0, timeout_s: float = 10.0) -> re.Match[str]:
        """The first line from number ``after`` on that contains ``pattern``."""

        def find() -> re.Match[str] | None:
            hits = (re.search(pattern, line) for line in self.lines[after:])
            return next((hit for hit in hits if hit), None)

        with self._changed:
            self._changed.wait_for(lambda: find() or self._ended, timeout_s)
            hit = find()
        if hit is None:
            state = "ended" if self._ended else f"did not say it within {timeout_s} s"
            raise AssertionError(f"no line like {pattern!r}: the server {state}:\n{self.stderr}")
        return hit

    def wait_listening(self) -> None:
        place = self.wait_line(LISTENING.pattern, timeout_s=START_TIMEOUT_S)
        if "+unix:" in place[1]:
            self.address = "/" + place[2].lstrip("/")
        else:
            host, _, port = place[2].rstrip("/").rpartition(":")
            self.address = (host.strip("[]"), int(port))

    @property
    def url(self) -> str:
        assert not isinstance(self.address, str)
        return f"http://{self.address[0]}:{self.address[1]}"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        self.signal(signal.SIGHUP)

    def alive(self) -> bool:
        return self.process.poll() is None

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        code = self.process.wait(timeout_s)
        self._reader.join(STOP_TIMEOUT_S)
        return code

    def resident_bytes(self) -> int:
        return self._status_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """The most memory that it has ever had."""
        return self._status_bytes("VmHWM")

    def _status_bytes(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
        assert found
        return int(found[1]) * 1024

    def cpu_s(self) -> float:
        """Processor time used so far, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """Drain and end; returns the exit code."""
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {STOP_TIMEOUT_S} s after SIGTERM") from None

    def kill(self) -> None:
        """End it at once and let go of its pipe; harmless when it has ended."""
        self.process.kill()
        self.process.wait()
        self._reader.join(STOP_TIMEOUT_S)
        if self.process.stderr is not None and not self._reader.is_alive():
            self.process.stderr.close()


def no_traceback(stderr: str) -> None:
    """Neither a Python traceback nor a Rust panic reaches the user."""
    for trace in ("Traceback (most recent call last)", "panicked at", "RUST_BACKTRACE"):
        assert trace not in stderr, stderr


@contextmanager
def running(
    site: str | Path,
    *options: str | Path,
    addr: str | None = "127.0.0.1:0",
    argv: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    before_exec: Callable[[], object] | None = None,
) -> Iterator[Server]:
    """A server for the time of the block. ``addr=None`` leaves ``--addr`` out."""
    listen = [] if addr is None else ["--addr", addr]
    server = Server(
        [site, *options, *listen],
        argv=argv,
        env=env,
        pass_fds=pass_fds,
        before_exec=before_exec,
    )
    try:
        server.wait_listening()
        yield server
        if server.process.returncode is None:
            assert server.alive(), f"the server died: {server.process.returncode}\n{server.stderr}"
            assert server.stop() == 0, server.stderr
        no_traceback(server.stderr)
    finally:
        server.kill()


def wait_until(what: Callable[[], T], timeout_s: float, message: str = "") -> T:
    """Poll until ``what()`` is true and return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        if value := what():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {message or what}")
        time.sleep(0.02)
