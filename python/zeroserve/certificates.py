"""Certificates while they are in use: noticing that their files changed, and that they end."""

import os
import threading
import time
from collections.abc import Iterable

from zeroserve import _core
from zeroserve.reload import Report
from zeroserve.words import plural, quoted

POLL_S = 0.25
"""Two looks at the same state are needed, and both fit into the second that is promised."""

POLL_SHARE = 50
"""With many files a look takes long: no more than one part of this many of the time is spent."""

WARN_S = 14 * 86_400
"""Before a certificate ends, it is warned about from so long before."""

WARN_EVERY_S = 86_400.0

MAX_LEFT_OUT = 5
"""Files of a directory that are named when they are not in use."""

JOIN_S = 1.0

SUFFIXES = (".pem", ".crt", ".cer", ".cert", ".key")
"""Files of a directory that count: one that is written to all the time would never keep still."""

State = tuple[tuple[str, int, int, int], ...]


class Keeper:
    """A daemon thread that has changed certificates read, and warns about their end."""

    def __init__(
        self,
        core: _core.Server,
        paths: Iterable[str],
        report: Report,
        *,
        watch: bool = True,
    ) -> None:
        """``paths``: files, and directories of which the files count.

        ``watch``: whether changes are looked for; warnings come in any case.
        """
        self._watch = watch
        self._core = core
        self._paths = sorted(set(paths))
        self._report = report
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zeroserve-certs", daemon=True)
        self._read = self._look()
        self._left_out: list[str] = []
        self._warned_s = 0.0

    def start(self) -> None:
        """Begin; what changed since this object was made is noticed too."""
        self.warn()
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a look that takes long."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def reload(self) -> bool:
        """Read them anew and report how that went; False when the old ones go on."""
        with self._lock:
            self._read = self._look()
            try:
                self._core.reload_certificates()
            except _core.Error as error:
                if not self._stop.is_set():
                    self._report("error", f"certificates refused, old ones go on: {error.args[0]}")
                return False
        if not self._stop.is_set():
            count = plural(len(self._core.certificates()), "certificate")
            self._report("info", f"reloaded {count}")
            self.warn()
        return True

    def warn(self) -> None:
        """Name certificates that end soon, and files that are not in use."""
        now = time.time()
        self._warned_s = time.monotonic()
        for certificate in self._core.certificates():
            left = certificate.not_after_s - now
            if certificate.not_before_s > now:
                self._report(
                    "warning",
                    f"{_named(certificate)} is not valid before {_day(certificate.not_before_s)}",
                )
            elif left <= 0:
                self._report(
                    "warning", f"{_named(certificate)} expired on {_day(certificate.not_after_s)}"
                )
            elif left < WARN_S:
                days = plural(int(left // 86_400), "day")
                day = _day(certificate.not_after_s)
                self._report("warning", f"{_named(certificate)} expires in {days}, on {day}")
        left_out = self._core.certificates_left_out()
        if left_out != self._left_out:
            self._left_out = left_out
            for line in left_out[:MAX_LEFT_OUT]:
                self._report("warning", f"not in use: {line}")
            if len(left_out) > MAX_LEFT_OUT:
                self._report("warning", f"and {len(left_out) - MAX_LEFT_OUT:,} more files")

    def _run(self) -> None:
        try:
            self._keep()
        except Exception as error:  # the thread's last word: nobody else would tell
            self._report("warning", f"certificates are no longer watched: {error}")

    def _keep(self) -> None:
        previous = self._read
        while True:
            began = time.monotonic()
            state = self._look() if self._watch else previous
            # Half of a pair, or of a file, is of no use: it has to have kept still.
            if state != self._read and state == previous:
                self.reload()
            previous = state
            if time.monotonic() - self._warned_s > WARN_EVERY_S:
                self.warn()
            took = time.monotonic() - began
            pause = max(POLL_S, took * POLL_SHARE) if self._watch else WARN_EVERY_S
            if self._stop.wait(pause):
                return

    def _look(self) -> State:
        found: list[tuple[str, int, int, int]] = []
        for path in self._paths:
            try:
                with os.scandir(path) as entries:
                    wanted = (entry for entry in entries if entry.name.endswith(SUFFIXES))
                    found += [_state(entry.path) for entry in wanted]
            except NotADirectoryError:
                found.append(_state(path))
            except OSError:
                found.append((path, 0, 0, 0))
        return tuple(sorted(found))


def _state(path: str) -> tuple[str, int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return path, 0, 0, 0
    return path, found.st_ino, found.st_size, found.st_mtime_ns


def _named(certificate: _core.Certificate) -> str:
    names = ", ".join(certificate.names[:3]) or "no name"
    more = ", ..." if len(certificate.names) > 3 else ""
    return f"certificate {quoted(certificate.path)} ({names}{more})"


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
