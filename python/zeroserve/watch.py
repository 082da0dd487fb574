"""Watching what is served: an archive by looking at its path, a directory by inotify.

An archive that another one was renamed over is reloaded at once. One that is written in place
is reloaded when it has kept still between two looks, because half of it is of no use to anybody.
Scripts and the modules they import are looked at wherever they lie.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable

from zeroserve.hosts import Settling
from zeroserve.reload import FileState, Reloader, Report, file_state

POLL_S = 0.2
"""One stat() each: cheap enough, and two looks still fit into the second that is promised."""

GONE_S = 5.0
"""How long the path may be missing before that is said."""

DEBOUNCE_MS = 300
"""Changes that follow each other closely are one reload; they wait no longer than this."""

STEP_MS = 50
"""A quiet time this long ends a group of changes."""

MAX_PAUSE_S = 5.0
"""A tree that changes all the time is indexed at most half of the time, after at most this."""

JOIN_S = 1.0
"""How long the end of the watcher is waited for: it may be inside of a reload that runs long."""


class Watcher:
    """A daemon thread that asks for a reload when the site's path has changed."""

    def __init__(
        self,
        reloader: Reloader,
        report: Report,
        *,
        ignore: Iterable[str] = (),
    ) -> None:
        """``ignore``: files in the site that the server itself writes to, like its log."""
        self._path = reloader.path
        self._reloader = reloader
        self._report = report
        self._ignore = frozenset(os.path.realpath(p) for p in ignore)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zeroserve-watch", daemon=True)
        self._gone_since: float | None = None
        self._gone_told = False

    def start(self) -> None:
        """Begin; what changed since the reloader opened the site is noticed too."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; ``join`` waits for it."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the end, but not for a reload under way: that one is left to itself."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                # Either returns when the path has become the other kind, or another directory.
                if os.path.isdir(self._path):  # noqa: PTH112
                    self._watch_tree()
                else:
                    self._watch_file()
        except Exception as error:  # the thread's last word: nobody else would tell
            self._report("warning", f"{self._path} is no longer watched: {error}")

    def _watch_file(self) -> None:
        settling = Settling(self._reloader)
        while not self._stop.wait(POLL_S):
            now = self._look()
            if now is not None and now.directory:
                self._reloader.attempt()
                return
            if settling.due(now) or (now is not None and self._reloader.others_changed()):
                self._reloader.attempt()

    def _watch_tree(self) -> None:
        # In this order: pointed elsewhere in between, the path differs from what is kept here.
        rooted = file_state(self._path)
        root = os.path.realpath(self._path)
        pending, first = False, True
        for changed in self._changes(root):
            if first:
                # What changed between opening the site and now had no witness.
                pending = changed_since(root, self._reloader.tried_ns)
                first = False
            pending = pending or changed
            now = self._look()
            if now is None:
                continue
            pending = pending or self._reloader.others_changed(root)
            if pending or now != self._reloader.tried:
                pending = False
                self._attempt_and_rest()
            if now != rooted:
                return

    def _changes(self, root: str) -> Iterable[bool]:
        """True after changes below ``root``, False when there were none for ``POLL_S``."""
        # Late: it takes 0.1 s to import, and serving must not wait for it.
        from watchfiles import watch

        try:
            for changes in watch(
                root,
                watch_filter=self._filter(root),
                debounce=DEBOUNCE_MS,
                step=STEP_MS,
                rust_timeout=int(POLL_S * 1000),
                yield_on_timeout=True,
                stop_event=self._stop,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                if self._stop.is_set():
                    return
                yield bool(changes)
        except (OSError, RuntimeError) as error:
            self._report("warning", f"{self._path} is not watched: {error}")
            while not self._stop.wait(POLL_S):
                yield False

    def _filter(self, root: str) -> Callable[[object, str], bool]:
        def matters(_change: object, path: str) -> bool:
            if path in self._ignore:
                return False
            below = path.removeprefix(root).strip("/")
            return not any(_hidden(part) for part in below.split("/"))

        return matters

    def _look(self) -> FileState | None:
        now = file_state(self._path)
        if now is not None:
            self._gone_since, self._gone_told = None, False
        elif self._gone_since is None:
            self._gone_since = time.monotonic()
        elif not self._gone_told and time.monotonic() - self._gone_since > GONE_S:
            self._gone_told = True
            self._report("warning", f"{self._path} is gone, still serving what it was")
        return now

    def _attempt_and_rest(self) -> None:
        began = time.monotonic()
        self._reloader.attempt()
        # Pointed elsewhere while it was opened: what was read may be a part of either.
        while not self._stop.is_set() and self._look() not in (None, self._reloader.tried):
            self._reloader.attempt()
        self._stop.wait(min(time.monotonic() - began, MAX_PAUSE_S))


def changed_since(root: str, since_ns: int) -> bool:
    """Whether anything below ``root`` that can be served was changed at or after that time."""
    pending = [root]
    while pending:
        directory = pending.pop()
        try:
            if os.stat(directory).st_ctime_ns >= since_ns:  # noqa: PTH116
                return True
            with os.scandir(directory) as found:
                for entry in found:
                    if _hidden(entry.name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif entry.stat(follow_symlinks=False).st_ctime_ns >= since_ns:
                        return True
        except OSError:
            continue
    return False


def _hidden(name: str) -> bool:
    return name.startswith(".") and name not in (".well-known", ".zeroserve")
