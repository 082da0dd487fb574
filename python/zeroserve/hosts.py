"""Sites by host: which archive of a directory is for which, and what comes and goes there."""

import os
import re
import threading
from collections.abc import Callable

from zeroserve import _core
from zeroserve.reload import FileState, Reloader, Report, Scripts, brief, file_state
from zeroserve.words import plural, quoted, reason

POLL_S = 0.2
"""Two looks, which a file that is being written takes, fit into the second that is promised."""

POLL_SHARE = 20
"""With many archives a look takes long: at most one part of this many of the time is spent."""

JOIN_S = 1.0

SUFFIX = ".tar"

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}|localhost")

MAX_HOST_CHARS = 253
"""RFC 1035, section 2.3.4, without the dot at the end."""

ScriptsOf = Callable[[str], Scripts]
"""Makes the scripts that run on the site at a path."""


def host(text: str) -> str:
    """A host's name in the form in which it is looked up; raises ``Error`` when it is none.

    >>> host("Example.COM.")
    'example.com'
    """
    name = text.lower().removesuffix(".")
    if len(name) > MAX_HOST_CHARS or not _HOST.fullmatch(name):
        raise _core.Error(
            f"not the name of a host: {quoted(text)}", "write it like www.example.org"
        )
    return name


def of_file(name: str) -> str | None:
    """The host that an archive of this name is for: ``www.example.org.tar``."""
    stem = name.removesuffix(SUFFIX).lower()
    if stem == name.lower() or len(stem) > MAX_HOST_CHARS or not _HOST.fullmatch(stem):
        return None
    return stem


def is_folder(path: str) -> bool:
    """Whether a directory holds archives named after hosts and nothing else that can be seen."""
    try:
        with os.scandir(path) as entries:
            names = [entry for entry in entries if not entry.name.startswith(".")]
            return bool(names) and all(of_file(e.name) and not e.is_dir() for e in names)
    except OSError:
        return False


class Settling:
    """Tells when a file that is served has become another one.

    One that was renamed over it is that at once; one that is written in place when it has kept
    still between two looks, because half of it is of no use to anybody.
    """

    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader
        self._previous: FileState | None = None
        self._was_missing = False

    def due(self, now: FileState | None) -> bool:
        """Whether it is to be opened now; called once for each look."""
        if now is None:
            self._previous, self._was_missing = None, True
            return False
        tried = self._reloader.tried
        if now == tried:
            self._previous, self._was_missing = now, False
            return False
        renamed_over = not self._was_missing and (tried is None or now.identity != tried.identity)
        due = renamed_over or now == self._previous
        if due:
            self._was_missing = False
        self._previous = now
        return due


class Folder:
    """The archives of a directory, each the site of the host that it is named after."""

    def __init__(
        self, core: _core.Server, directory: str, name: str, report: Report, scripts: ScriptsOf
    ) -> None:
        """``name``: of the directory, for people. ``scripts``: those to run on each site."""
        self._core = core
        self._directory = directory
        self._name = name
        self._report = report
        self._scripts = scripts
        self._lock = threading.Lock()
        self._reloaders: dict[str, Reloader] = {}
        self._settling: dict[str, Settling] = {}
        self._missing: set[str] = set()
        self._told: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zeroserve-hosts", daemon=True)

    def open(self) -> None:
        """Open all; those that are refused are reported. Raises ``Error`` when all are."""
        refused: list[_core.Error] = []
        for name, path in self._found().items():
            reloader = self._add(name, path)
            try:
                reloader.start()
            except _core.Error as error:
                refused.append(error)
                self._report("error", f"not served: {brief(error)}")
        if len(refused) == len(self._reloaders):
            first = refused[0].args if refused else (f"no archive in {quoted(self._name)}",)
            raise _core.Error(*first)

    def reloaders(self) -> list[Reloader]:
        """All of them, by host."""
        with self._lock:
            return [self._reloaders[name] for name in sorted(self._reloaders)]

    def start(self) -> None:
        """Begin to look for changes."""
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a reload that runs long."""
        self._stop.set()
        for reloader in self.reloaders():
            reloader.close()

    def join(self) -> None:
        """Wait for the end, but not for long."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _add(self, name: str, path: str) -> Reloader:
        shown = os.path.join(self._name, os.path.basename(path))  # noqa: PTH118, PTH119
        reloader = Reloader(self._core, path, shown, self._report, self._scripts(path), host=name)
        with self._lock:
            self._reloaders[name] = reloader
        self._settling[name] = Settling(reloader)
        return reloader

    def _found(self) -> dict[str, str]:
        with os.scandir(self._directory) as entries:
            names = ((of_file(entry.name), entry.path) for entry in entries)
            return {name: path for name, path in sorted(names, key=_path) if name is not None}

    def _run(self) -> None:
        import time

        pause = POLL_S
        while not self._stop.wait(pause):
            began = time.monotonic()
            try:
                self._look()
                self._told = None
            except OSError as error:
                # What is served goes on; said once.
                why = f"{quoted(self._name)} can't be read: {reason(error)}"
                if why != self._told:
                    self._told = why
                    self._report("warning", why)
            except Exception as error:  # the thread's last word: nobody else would tell
                self._report("error", f"{self._name} is no longer watched: {error}")
                return
            pause = max(POLL_S, (time.monotonic() - began) * POLL_SHARE)

    def _look(self) -> None:
        found = self._found()
        for name, path in found.items():
            if self._stop.is_set():
                return
            settling = self._settling.get(name)
            if settling is None:
                self._add(name, path)
                settling = self._settling[name]
                # Not yet: it may be written in place.
                settling.due(None)
            reloader = self._reloaders[name]
            if settling.due(file_state(path)) or reloader.others_changed():
                reloader.attempt()
        gone = set(self._reloaders) - set(found)
        # Between the end of one and the beginning of the next of that name there may be a look.
        for name in gone & self._missing:
            with self._lock:
                reloader = self._reloaders.pop(name)
            del self._settling[name]
            reloader.close()
            if self._core.close_site(name):
                self._report("info", f"{name} is no longer served: its archive is gone")
        self._missing = gone - self._missing


def _path(found: tuple[str | None, str]) -> str:
    return found[1]


def summary(core: _core.Server) -> str:
    """How much is served: ``3 sites, 1,200 entries``."""
    stats = core.stats()
    entries = plural(stats["entries"], "entry", "entries")
    sites = stats["sites"]
    return entries if sites == 1 else f"{plural(sites, 'site')}, {entries}"
