"""Opening a site anew while it is being served, and saying how that went."""

import os
import threading
import time
from collections.abc import Callable
from stat import S_ISDIR
from typing import Literal, NamedTuple

from zeroserve import _core
from zeroserve.words import plural, problem

Severity = Literal["info", "warning", "error"]
Report = Callable[[Severity, str], None]
"""Takes what happens while serving: one line, without a prefix."""

MAX_WARNINGS = 5
"""Entries named when a site is opened; ``zeroserve check`` names them all."""


class FileState(NamedTuple):
    """What tells one state of a path from another, symbolic links followed."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    directory: bool

    @property
    def identity(self) -> tuple[int, int]:
        """The same for two states of one file, however it was written to in between."""
        return self.device, self.inode


def file_state(path: str) -> FileState | None:
    """State of the file that ``path`` leads to now; None while there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib costs milliseconds at start
    except OSError:
        return None
    directory = S_ISDIR(found.st_mode)
    # Size and time of a directory say little of what is below: those are watched otherwise.
    size, mtime_ns = (0, 0) if directory else (found.st_size, found.st_mtime_ns)
    return FileState(found.st_dev, found.st_ino, size, mtime_ns, directory)


class Reloader:
    """Reloads one at a time, whoever asks: the watcher, a signal, or the program around it."""

    def __init__(self, core: _core.Server, path: str, name: str, report: Report) -> None:
        self._core = core
        self._path = path
        self._name = name
        self._report = report
        self._lock = threading.Lock()
        self._warned: list[str] = []
        self.tried: FileState | None = None
        """State of the path when it was opened last, with or without success.

        Taken before opening: a change in between leads to one reload too many, never too few.
        """

    def start(self) -> list[str]:
        """Open the site for the first time; returns the URLs."""
        with self._lock:
            self.tried = file_state(self._path)
            return self._core.start()

    def reload(self) -> int:
        """Open the site anew; returns the new generation or raises ``Error``."""
        with self._lock:
            self.tried = file_state(self._path)
            return self._core.reload()

    def attempt(self) -> bool:
        """As ``reload``, but the outcome is reported; False when the site was refused."""
        began = time.monotonic()
        try:
            generation = self.reload()
        except _core.Error as error:
            serving = self._core.stats()["generation"]
            self._report(
                "error",
                f"reload refused, still serving generation {serving}: {error.args[0]}",
            )
            return False
        entries = self._core.stats()["entries"]
        took_ms = round((time.monotonic() - began) * 1000)
        what = f"generation {generation}, {plural(entries, 'entry', 'entries')}, {took_ms} ms"
        self._report("info", f"reloaded {self._name}: {what}")
        self.report_warnings()
        return True

    def report_warnings(self) -> None:
        """Name the entries that are left out of the site, unless they were the last time too."""
        lines = [problem(found) for found in self._core.warnings()]
        if lines == self._warned:
            return
        self._warned = lines
        for line in lines[:MAX_WARNINGS]:
            self._report("warning", line)
        if len(lines) > MAX_WARNINGS:
            self._report("warning", f"and {len(lines) - MAX_WARNINGS:,} more: zeroserve check")
