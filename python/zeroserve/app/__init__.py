"""An ASGI or WSGI application behind a site: what neither scripts nor files have answered.

    app = App("main:app", directory="src")
    app.start()                     # raises Error when it can't be run
    app.target                      # "unix:/tmp/zeroserve-app-x1y2z3/app-1.sock"
    app.follow(switch, report)      # from now on, in a thread
    app.reload()
    app.stop()

Granian (``pip install 'zeroserve[app]'``) runs it, in processes that a keeper looks after.
"""

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from zeroserve._core import Error
from zeroserve.app.settings import (
    MAX_MESSAGE_BYTES,
    InterfaceOption,
    Message,
    Settings,
    decode,
    encode,
)
from zeroserve.reload import Report
from zeroserve.words import plural, quoted

__all__ = ["MAX_WORKERS", "App"]

MAX_WORKERS = 256
"""Processes of one application."""

MAX_NAME_CHARS = 200

START_TIMEOUT_S = 75.0
"""The keeper gives up before, and says why."""

END_TIMEOUT_S = 5.0
"""What the keeper gets beyond the time that the application has."""

POLL_S = 0.1

JOIN_S = 1.0
"""How long the last lines may take."""

MAX_WAITING_LINES = 1000
"""Lines beyond are dropped and counted: nothing waits for who reads them."""


class App:
    """A running application, and the keeper that starts it again."""

    def __init__(
        self,
        name: str,
        *,
        directory: str | os.PathLike[str] | None = None,
        interface: InterfaceOption = "auto",
        workers: int = 1,
        watch: bool = False,
        drain_s: float = 10.0,
        trusted_proxies: Sequence[str] = (),
        user: tuple[int, int, tuple[int, ...]] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Nothing is run before ``start``.

        ``name``: ``MODULE:NAME``, found in ``directory`` (default: the current one) or among
        what is installed. ``interface``: ``auto`` looks at what the application is. ``workers``:
        processes. ``watch``: start it again when files in ``directory`` change. ``drain_s``:
        seconds that it has to finish what runs. ``trusted_proxies``: networks of proxies in
        front of the server, which are nobody's address. ``user``: ids of user, group and groups
        that it becomes. ``on_line``: takes each line that it prints; by default the logger
        ``zeroserve.app`` does.

        Raises ``Error`` for what can't be right.
        """
        check(name)
        place = os.path.abspath(directory or ".")  # noqa: PTH100
        if not os.path.isdir(place):  # noqa: PTH112
            raise Error(f"no such directory: {quoted(os.fspath(directory or '.'))}")
        if not 1 <= workers <= MAX_WORKERS:
            raise Error(f"workers of an app are outside of 1 to {MAX_WORKERS}: {workers}")
        self.directory = place
        self.target: str | None = None
        """Where it listens: ``unix:PATH``; None while it has never been ready."""
        self._settings = Settings(
            name, place, interface, workers, watch, drain_s, list(trusted_proxies), user
        )
        self._on_line = on_line or _log
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._switch: Callable[[str], None] = lambda _target: None
        self._report: Report = lambda _severity, _line: None
        self._said: queue.Queue[Message | None] = queue.Queue(MAX_WAITING_LINES)
        self._dropped = 0
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._outcomes: dict[int, bool] = {}
        self._last_id = 0
        self._ended = False
        self._stopping = False

    def start(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Start the keeper, and wait until the application is ready; raises ``Error``.

        No thread is made. ``interrupted`` is asked every now and then whether to give up.
        """
        require_granian()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                _command(theirs.fileno(), self._settings),
                stdin=subprocess.DEVNULL,
                env=_environment(),
                pass_fds=[theirs.fileno()],
                # Keys that are pressed for the server are none for the application.
                start_new_session=True,
            )
        self._socket = ours
        end = time.monotonic() + START_TIMEOUT_S
        try:
            ours.settimeout(POLL_S)
            while self.target is None:
                with contextlib.suppress(TimeoutError):
                    self._take_first(ours.recv(MAX_MESSAGE_BYTES))
                if interrupted():
                    raise Error(f"interrupted before the app {self._settings.name} was ready")
                if time.monotonic() > end:
                    raise Error(f"the app {self._settings.name} was not ready in time")
            ours.settimeout(None)
        except BaseException:
            self.stop()
            raise

    def follow(self, switch: Callable[[str], None], report: Report) -> None:
        """Hear from the keeper in a thread, from now on.

        ``switch``: called with the new ``target`` whenever there is one; when it returns,
        nobody is sent to the old one any more.
        """
        self._switch, self._report = switch, report
        # Two of them: whoever reads its lines may take his time, a switch must not.
        for target in (self._hear, self._speak):
            thread = threading.Thread(target=target, name="zeroserve-app", daemon=True)
            thread.start()
            self._threads.append(thread)

    def reload(self) -> bool:
        """Start it anew, and wait until that is ready; False when the old one goes on.

        The outcome goes to ``report``.
        """
        with self._changed:
            self._last_id += 1
            number = self._last_id
        self._tell(do="reload", id=number)
        with self._changed:
            self._changed.wait_for(lambda: self._ended or number in self._outcomes, START_TIMEOUT_S)
            return self._outcomes.pop(number, False)

    def stop(self) -> None:
        """Let it finish what runs, and end it; stopping twice does nothing."""
        self._stopping = True
        self._tell(do="stop")
        if self._process is not None:
            try:
                self._process.wait(self._settings.drain_s + END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                # From within a sandbox that is not allowed; it ends with the socket, too.
                with contextlib.suppress(PermissionError):
                    self._process.kill()
        for thread in self._threads:
            thread.join(JOIN_S)
        if not self._threads:
            self._drain()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _take_first(self, data: bytes) -> None:
        """What comes before there are threads."""
        if not data:
            raise Error(
                f"the app {self._settings.name} was not started: its keeper ended",
                f"can {sys.executable} be run, and zeroserve be imported, by that user?",
            )
        message = decode(data)
        if message["event"] == "refused":
            raise Error(*message["args"])
        if message["event"] == "serving":
            self.target = message["target"]
            self._tell(do="switched", target=self.target)
        elif message["event"] == "line":
            self._on_line(message["line"])
        else:
            self._keep(message)

    def _drain(self) -> None:
        """Lines that came since somebody has looked last."""
        connection = self._socket
        if connection is None:
            return
        with contextlib.suppress(OSError):
            while data := connection.recv(MAX_MESSAGE_BYTES, socket.MSG_DONTWAIT):
                message = decode(data)
                if message["event"] == "line":
                    self._on_line(message["line"])

    def _hear(self) -> None:
        connection = self._socket
        assert connection is not None
        while True:
            try:
                data = connection.recv(MAX_MESSAGE_BYTES)
            except OSError:
                data = b""
            if not data:
                break
            self._take(decode(data))
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if not self._stopping:
            line = "the app is no longer looked after: its keeper has ended"
            self._keep({"event": "report", "severity": "error", "line": line, "hint": None})
        self._keep(None)

    def _take(self, message: Message) -> None:
        if message["event"] == "serving":
            self.target = message["target"]
            self._switch(message["target"])
            self._tell(do="switched", target=message["target"])
        elif message["event"] == "done":
            with self._changed:
                self._outcomes[message["id"]] = message["done"]
                self._changed.notify_all()
        else:
            self._keep(message)

    def _keep(self, message: Message | None) -> None:
        """To be said, as soon as somebody listens."""
        try:
            self._said.put_nowait(message)
        except queue.Full:
            self._dropped += 1

    def _speak(self) -> None:
        while True:
            try:
                message = self._said.get(timeout=POLL_S if self._ended else None)
            except queue.Empty:
                return
            if message is None:
                return
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._on_line(f"({plural(dropped, 'line')} dropped)")
            if message["event"] == "line":
                self._on_line(message["line"])
            else:
                hint = f"\nhint: {message['hint']}" if message["hint"] else ""
                self._report(message["severity"], message["line"] + hint)

    def _tell(self, **message: object) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.send(encode(message))


def check(name: str) -> None:
    """Raises ``Error`` unless it has the form of an application's name."""
    from zeroserve.app.load import NAME

    if len(name) > MAX_NAME_CHARS or not NAME.fullmatch(name):
        raise Error(f"not MODULE:NAME: {quoted(name)}", "write it like main:app")


def require_granian() -> None:
    """Raises ``Error`` when it is not installed."""
    from importlib.util import find_spec

    if find_spec("granian") is None:
        raise Error(
            "granian is not installed, which runs applications", "pip install 'zeroserve[app]'"
        )


def _command(descriptor: int, settings: Settings) -> Sequence[str]:
    import json

    # -P: the current directory is no package of ours.
    program = (sys.executable, "-P", "-m", "zeroserve.app.keeper")
    return (*program, str(descriptor), json.dumps(settings._asdict()))


def _environment() -> dict[str, str]:
    """Without what a service manager says to the server alone."""
    ours = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
    return {name: value for name, value in os.environ.items() if name not in ours}


def _log(line: str) -> None:
    import logging

    logging.getLogger("zeroserve.app").info(line)
