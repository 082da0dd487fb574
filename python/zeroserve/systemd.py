"""Telling a service manager how the service is: systemd's notification protocol.

    notifier = Notifier()
    notifier.tell(READY, status("serving site.tar"))

One datagram to the socket that ``NOTIFY_SOCKET`` names. Where there is none, nothing happens:
the same program runs under systemd and in a terminal.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"

MAX_STATUS_CHARACTERS = 200
"""``systemctl status`` shows one line."""


def reloading() -> str:
    """That a reload begins now; the READY that follows ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def status(text: str) -> str:
    """A line for people.

    >>> status("serving site.tar")
    'STATUS=serving site.tar'
    """
    line = " ".join(text.split())
    return f"STATUS={line[:MAX_STATUS_CHARACTERS]}"


class Notifier:
    """The way to the service manager, opened once: before the process is confined."""

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        """Takes its variables out of ``environ``: programs that are run later must not speak up."""
        env = os.environ if environ is None else environ
        self._socket = _connect(env.pop("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(env)
        """How often a sign of life is awaited, in seconds; None when it is not."""

    def tell(self, *lines: str) -> None:
        """Send all of it at once. A manager that does not listen is no reason to stop serving."""
        if self._socket is not None:
            try:
                self._socket.send("\n".join(lines).encode(errors="replace"))
            except OSError:
                return

    def keep_alive(self, is_alive: Callable[[], bool]) -> None:
        """Start to give signs of life, at half of the time that is allowed, while it is so.

        ``is_alive`` is asked each time; it must not block.
        """
        if self.watchdog_s is None:
            return
        thread = threading.Thread(
            target=self._keep_alive,
            args=(is_alive, self.watchdog_s / 2),
            name="zeroserve-watchdog",
            daemon=True,
        )
        thread.start()

    def _keep_alive(self, is_alive: Callable[[], bool], pause_s: float) -> None:
        while True:
            if is_alive():
                self.tell(WATCHDOG)
            time.sleep(pause_s)


def _connect(address: str) -> socket.socket | None:
    """None when there is nobody to tell."""
    if not address.startswith(("/", "@")):
        return None
    import socket  # late: it takes milliseconds, and most are started by hand

    # "@" stands for the zero byte that names of no file begin with.
    path = "\0" + address[1:] if address.startswith("@") else address
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        # Once connected, it is of no matter what this process may reach later.
        notify.connect(path)
        notify.setblocking(False)
    except OSError:
        notify.close()
        return None
    return notify


def _watchdog_s(env: MutableMapping[str, str]) -> float | None:
    microseconds, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000
