"""Opening a site anew while it is being served, and saying how that went."""

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from stat import S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from zeroserve import _core
from zeroserve.words import plural, problem

if TYPE_CHECKING:
    from zeroserve.compiler import Diagnostic

Severity = Literal["info", "warning", "error"]
Report = Callable[[Severity, str], None]
"""Takes what happens while serving: a line without a prefix, perhaps details in further lines."""

MAX_WARNINGS = 5
"""Entries named when a site is opened; ``zeroserve check`` names them all."""

CLOCK_TICK_NS = 10_000_000
"""Times of files come from the kernel's coarse clock, which lags by up to a tick (100 Hz)."""


class FileState(NamedTuple):
    """What tells one state of a path from another: what it leads to, and the link if it is one."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    directory: bool
    link: tuple[int, int] | None
    """Inode and time of the symbolic link: pointed elsewhere and back, it is another one."""

    @property
    def identity(self) -> tuple[int, int]:
        """The same for two states of one file, however it was written to in between."""
        return self.device, self.inode


def file_state(path: str) -> FileState | None:
    """State of the file that ``path`` leads to now; None while there is none."""
    try:
        itself = os.lstat(path)
        # pathlib costs milliseconds at start
        found = os.stat(path) if S_ISLNK(itself.st_mode) else itself  # noqa: PTH116
    except OSError:
        return None
    link = None if found is itself else (itself.st_ino, itself.st_ctime_ns)
    directory = S_ISDIR(found.st_mode)
    # Size and time of a directory say little of what is below: those are watched otherwise.
    size, mtime_ns = (0, 0) if directory else (found.st_size, found.st_mtime_ns)
    return FileState(found.st_dev, found.st_ino, size, mtime_ns, directory, link)


class Scripts(Protocol):
    """Makes the scripts of a site that are no part of an archive."""

    @property
    def files(self) -> Collection[str]:
        """All that decided what they were, or why they were refused, the last time."""

    def __call__(self) -> list[tuple[str, bytes]]:
        """Names and objects, in the order in which they run; raises ``Error``."""


class Reloader:
    """Reloads one at a time, whoever asks: the watcher, a signal, or the program around it."""

    def __init__(
        self,
        core: _core.Server,
        path: str,
        name: str,
        report: Report,
        scripts: Scripts,
        *,
        host: str | None = None,
        live: bool = False,
    ) -> None:
        """``scripts``: those to run before the archive's own, made anew for each opening.

        ``host``: the one that the site is for; None for all that have no site of their own.
        ``live``: browsers on this machine are shown why a state is refused, unless the site is
        an archive.
        """
        self._core = core
        self.host = host
        self.path = path
        self._scripts = scripts
        self._path = path
        self._name = name
        self._report = report
        self._page: Callable[[str, list[str]], str] | None = None
        if live and not path.endswith(".tar"):
            from zeroserve import overlay  # now: when it is needed, files may be what is missing

            self._page = overlay.page
        self._lock = threading.Lock()
        self._others: dict[str, FileState | None] = {}
        self._warned: list[str] = []
        self.tried: FileState | None = None
        """State of the path when it was opened last, with or without success.

        Taken before opening: a change in between leads to one reload too many, never too few.
        """
        self.tried_ns = 0
        """When that was, less a tick: what files changed since may be missing from the site."""
        self._closed = False

    def start(self) -> None:
        """Open the site for the first time."""
        with self._lock:
            self._look()
            self._open()

    def reload(self) -> int:
        """Open the site anew; returns the new generation or raises ``Error``."""
        with self._lock:
            if self._closed:
                raise _core.Error("the server is stopped already", "make a new Server")
            self._look()
            return self._open()

    def is_called(self, name: str | None) -> bool:
        """Whether a site without a host of its own has this name: the last part of its path."""
        return name is None or name == os.path.basename(os.path.normpath(self._path))  # noqa: PTH119

    def close(self) -> None:
        """Begin no further reload, and keep quiet about one that is under way; never waits."""
        self._closed = True

    def _open(self) -> int:
        try:
            scripts = self._scripts()
        finally:
            self._look_at_others()
        return self._core.open_site(
            self._path, host=self.host, scripts=scripts, configure=self._configure
        )

    def _configure(self, data: bytes) -> str | None:
        from zeroserve.config import file  # late: most sites have no such file

        return file.site_json(data, self._name, self._path)

    def _look(self) -> None:
        self.tried_ns = time.time_ns() - CLOCK_TICK_NS
        self.tried = file_state(self._path)
        self._others = {path: file_state(path) for path in self._others}

    def _look_at_others(self) -> None:
        """Files that turned out to matter; those known before were looked at before opening."""
        before, self._others = self._others, {}
        for path in self._scripts.files:
            now = before.get(path) or file_state(path)
            # Written to since it was read, perhaps.
            late = path not in before and now is not None and now.mtime_ns >= self.tried_ns
            self._others[path] = None if late else now

    def others_changed(self, root: str | None = None) -> bool:
        """Whether a file has changed that decides what runs and may lie outside of the site.

        ``root``: a directory, without links, that is watched otherwise.
        """
        return any(
            file_state(path) != state
            for path, state in list(self._others.items())
            if root is None or not os.path.realpath(path).startswith(f"{root}/")
        )

    def attempt(self) -> bool:
        """As ``reload``, but the outcome is reported; False when the old site goes on."""
        return self.refusal() is None

    def refusal(self) -> str | None:
        """As ``attempt``, but returns why the old site goes on; None when it does not."""
        began = time.monotonic()
        try:
            generation = self.reload()
        except _core.Error as error:
            if self._closed:
                return brief(error)
            serving = self._core.site(self.host)
            goes_on = (
                f"reload refused, still serving generation {serving[0]}"
                if serving
                else "not served"
            )
            more = details(error)
            self._report("error", "\n".join(filter(None, [f"{goes_on}: {brief(error)}", more])))
            if self._page is not None and serving:
                diagnostics = [str(one) for one in getattr(error, "diagnostics", ())]
                blocks = diagnostics or list(filter(None, [str(error), more]))
                self._core.show_failure(self._page(self._name, blocks), host=self.host)
            return brief(error)
        if self._closed:
            return "the server is stopped already"
        entries = (self._core.site(self.host) or (0, 0))[1]
        took_ms = round((time.monotonic() - began) * 1000)
        what = f"generation {generation}, {plural(entries, 'entry', 'entries')}, {took_ms} ms"
        self._report("info", f"reloaded {self._name}: {what}")
        self.report_warnings()
        return None

    def report_warnings(self) -> None:
        """Name the entries that are left out of the site, unless they were the last time too."""
        if self._core.site(self.host) is None:
            return
        lines = [problem(found) for found in self._core.warnings(self.host)]
        if lines == self._warned:
            return
        self._warned = lines
        for line in lines[:MAX_WARNINGS]:
            self._report("warning", line)
        if len(lines) > MAX_WARNINGS:
            self._report("warning", f"and {len(lines) - MAX_WARNINGS:,} more: zeroserve check")


def brief(error: _core.Error) -> str:
    """The message in a line; of a script with several faults, the first."""
    found: Sequence[Diagnostic] = getattr(error, "diagnostics", ())
    if not found:
        return str(error.args[0])
    first, more = found[0], len(found) - 1
    message = f"{first.path}:{first.line}:{first.column}: {first.message}"
    return message + (f" (and {plural(more, 'more error')})" if more else "")


def details(error: _core.Error) -> str:
    """All that a compiler said, in lines; empty when none did."""
    said = getattr(error, "diagnostics", ()) or getattr(error, "__notes__", ())
    return "\n".join(map(str, said))
