"""The process that keeps an application running: ``python -m zeroserve.app.keeper FD SETTINGS``.

It stays outside of the server's sandbox, starts the application on a socket in a directory of its
own, starts it again when it has ended or has changed, and ends with the server. A new start takes
over before the old one is told to end; one that fails leaves the old one where it is.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from zeroserve.app.generation import Generation
from zeroserve.app.load import Refused
from zeroserve.app.settings import MAX_MESSAGE_BYTES, Message, Run, Settings, decode, encode

MAX_WAITING_MESSAGES = 1000
"""Lines beyond are dropped and counted: an application must not wait for who reads its log."""

HAND_OVER_S = 1.0
"""How long the old one goes on once nobody is sent to it any more: requests are on their way."""

STEADY_S = 10.0
"""Who ran that long and ends is started again at once; who did not, after a pause."""

FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
"""Doubled from the first to the last, while it ends at once."""

MAX_PATH_BYTES = 107
"""Of a Unix socket."""

LONGEST_NAME = "/app-999999.sock"


class _Reload(NamedTuple):
    id: int | None
    """Of who waits for the outcome; None for a change of files."""


class _Ended(NamedTuple):
    generation: Generation


class Keeper:
    """Starts generations of one application, one after another."""

    def __init__(self, settings: Settings, server: socket.socket) -> None:
        self._settings = settings
        self._server = server
        self._out: deque[bytes] = deque()
        self._dropped = 0
        self._wishes: asyncio.Queue[_Reload | _Ended] = asyncio.Queue()
        self._stop = asyncio.Event()
        self._number = 0
        self._starting: Generation | None = None
        self._current: Generation | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._switched: dict[str, asyncio.Event] = {}
        self._quick_ends = 0

    async def keep(self, directory: str) -> None:
        """Until the server ends or wants it to."""
        loop = asyncio.get_running_loop()
        self._server.setblocking(False)
        loop.add_reader(self._server, self._hear)
        self._directory = directory
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as words:
            words.setblocking(False)
            words.bind(f"{directory}/words")
            loop.add_reader(words, self._listen, words)
            tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._stop.wait())]
            if self._settings.watch:
                tasks.append(asyncio.create_task(self._watch()))
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            failures = await asyncio.gather(*tasks, return_exceptions=True)
            for failure in failures:
                if isinstance(failure, Exception):
                    self._report("error", f"internal: {type(failure).__name__}: {failure}")
            if self._current is not None:
                self._retire(self._current)
            await asyncio.gather(*self._retiring)
            loop.remove_reader(words)
        await self._flush()

    # --- generations ------------------------------------------------------------------------------

    async def _run(self) -> None:
        began = time.monotonic()
        try:
            await self._begin()
        except Refused as refused:
            self._tell(event="refused", args=list(refused.args))
            return
        self._serving(began)
        while True:
            wish = await self._next_wish()
            if isinstance(wish, _Ended):
                if wish.generation is not self._current:
                    continue
                wish = await self._pause(wish.generation)
            began = time.monotonic()
            try:
                await self._begin()
            except Refused as refused:
                self._refused(refused, wish)
                continue
            self._serving(began, wish)

    async def _next_wish(self) -> _Reload | _Ended:
        if self._current is not None or not self._wishes.empty():
            return await self._wishes.get()
        # There is none that runs, and the last start failed.
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self._wishes.get(), self._next_pause())
        return _Reload(None)

    async def _pause(self, ended: Generation) -> _Reload:
        """Say that it has ended, and wait a moment if it does so again and again."""
        self._current = None
        # What the dead one has left running.
        await ended.kill()
        lived = time.monotonic() - self._began
        pause = 0.0
        if lived >= STEADY_S:
            self._quick_ends = 0
        else:
            pause = self._next_pause()
        again = f"in {pause:g} s" if pause else "at once"
        self._report("error", f"the app has ended: {ended.ending()}; started again {again}")
        end = time.monotonic() + pause
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                wish = await asyncio.wait_for(self._wishes.get(), left)
                if isinstance(wish, _Reload):
                    self._quick_ends = 0
                    return wish
        return _Reload(None)

    def _next_pause(self) -> float:
        pause: float = min(FIRST_PAUSE_S * 2**self._quick_ends, MAX_PAUSE_S)
        self._quick_ends = min(self._quick_ends + 1, 10)
        return pause

    async def _begin(self) -> None:
        """Start one and put it in the place of the present one; raises ``Refused``."""
        self._number += 1
        settings = self._settings
        run = Run(
            settings.name,
            settings.directory,
            settings.interface,
            settings.workers,
            settings.drain_s,
            settings.trusted,
            self._number,
            f"{self._directory}/app-{self._number}.sock",
            f"{self._directory}/words",
        )
        self._starting = Generation(run, self._line)
        try:
            await self._starting.start()
        finally:
            started, self._starting = self._starting, None
        before, self._current = self._current, started
        self._began = time.monotonic()
        assert started.ended is not None
        started.ended.add_done_callback(lambda _: self._has_ended(started))
        target = f"unix:{run.socket}"
        self._switched[target] = asyncio.Event()
        self._tell(event="serving", target=target)
        if before is not None:
            self._retire(before, self._switched[target])

    def _has_ended(self, generation: Generation) -> None:
        if not generation.retired:
            self._wishes.put_nowait(_Ended(generation))

    def _retire(self, generation: Generation, switched: asyncio.Event | None = None) -> None:
        """End one, a moment after the server has switched to the next."""
        generation.retired = True

        async def retire() -> None:
            if switched is not None:
                stop = asyncio.create_task(self._stop.wait())
                told = asyncio.create_task(switched.wait())
                await asyncio.wait([stop, told], return_when=asyncio.FIRST_COMPLETED)
                told.cancel()
                # Cut short by the end of the server, which has sent its last request by then.
                await asyncio.wait([stop], timeout=HAND_OVER_S)
                stop.cancel()
            await generation.retire()

        task = asyncio.create_task(retire())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    # --- what is said -----------------------------------------------------------------------------

    def _serving(self, began: float, wish: _Reload | None = None) -> None:
        took_ms = round((time.monotonic() - began) * 1000)
        again = "started" if wish is None else "started again"
        self._report("info", f"{again} the app {self._settings.name}: {took_ms} ms")
        self._answer(wish, done=True)

    def _refused(self, refused: Refused, wish: _Reload) -> None:
        message, *hint = refused.args
        goes_on = "the app was not started again"
        if self._current is not None:
            goes_on = "reload refused, the app goes on as it was"
        self._report("error", f"{goes_on}: {message}", *hint)
        self._answer(wish, done=False)

    def _answer(self, wish: _Reload | None, *, done: bool) -> None:
        if wish is not None and wish.id is not None:
            self._tell(event="done", id=wish.id, done=done)

    def _report(self, severity: str, line: str, hint: str | None = None) -> None:
        self._tell(event="report", severity=severity, line=line, hint=hint)

    def _line(self, line: str) -> None:
        if len(self._out) >= MAX_WAITING_MESSAGES:
            self._dropped += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._tell(event="line", line=f"({dropped} lines were dropped)")
        self._tell(event="line", line=line)

    def _tell(self, **message: object) -> None:
        self._out.append(encode(message))
        self._send()

    def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while self._out:
            try:
                self._server.send(self._out[0])
            except BlockingIOError:
                loop.add_writer(self._server, self._send)
                return
            except OSError:
                self._out.clear()
                self._stop.set()
                break
            self._out.popleft()
        loop.remove_writer(self._server)

    async def _flush(self) -> None:
        """What is left goes out as far as somebody takes it."""
        end = time.monotonic() + 1.0
        while self._out and time.monotonic() < end:
            self._send()
            await asyncio.sleep(0.02)

    # --- what is heard ----------------------------------------------------------------------------

    def _hear(self) -> None:
        try:
            data = self._server.recv(MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # the server has ended
            asyncio.get_running_loop().remove_reader(self._server)
            self._stop.set()
            return
        message = decode(data)
        if message["do"] == "reload":
            self._wishes.put_nowait(_Reload(message["id"]))
        elif message["do"] == "switched":
            if event := self._switched.pop(message["target"], None):
                event.set()
        elif message["do"] == "stop":
            self._stop.set()

    def _listen(self, words: socket.socket) -> None:
        try:
            word: Message = decode(words.recv(MAX_MESSAGE_BYTES))
        except (OSError, ValueError):
            return
        if self._starting is not None and word.get("number") == self._starting.run.number:
            self._starting.take(word)

    async def _watch(self) -> None:
        from zeroserve.app.watching import changes

        try:
            async for _ in changes(self._settings.directory):
                # One reload that has not begun yet takes them all in.
                if self._wishes.empty():
                    self._wishes.put_nowait(_Reload(None))
        except (OSError, RuntimeError) as error:
            self._report("warning", f"{self._settings.directory} is not watched: {error}")


def main() -> None:
    """Keep an application until the server has ended."""
    # The server waits for signals in a thread and has blocked them; it is the one to ask.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # Not SIG_IGN, which programs that are started would keep.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    server = socket.socket(fileno=int(sys.argv[1]))
    values = json.loads(sys.argv[2])
    settings = Settings(**values)
    try:
        if settings.ids is not None:
            _become(settings)
        directory = _private_directory()
    except OSError as error:
        message = f"no directory for the socket of the app: {(error.strerror or '').lower()}"
        server.send(encode({"event": "refused", "args": [message, "TMPDIR names a directory"]}))
        return
    try:
        asyncio.run(Keeper(settings, server).keep(directory))
    finally:
        import shutil

        shutil.rmtree(directory, ignore_errors=True)


def _become(settings: Settings) -> None:
    from zeroserve import _core

    assert settings.ids is not None
    uid, gid, groups = settings.ids
    _core.drop_bounding_set()
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _core.give_up_privileges(keep_file_access=False)
    import pwd

    with contextlib.suppress(KeyError):
        who = pwd.getpwuid(uid)
        os.environ.update(HOME=who.pw_dir, USER=who.pw_name, LOGNAME=who.pw_name)


def _private_directory() -> str:
    """One that nobody else may enter."""
    failure = OSError(0, "none is short enough")
    for place in _places():
        if len(os.fsencode(place)) + len("/zeroserve-app-xxxxxxxx" + LONGEST_NAME) > MAX_PATH_BYTES:
            continue
        try:
            return tempfile.mkdtemp(prefix="zeroserve-app-", dir=place)
        except OSError as error:
            failure = error
    raise failure


def _places() -> Iterator[str]:
    run = os.environ.get("XDG_RUNTIME_DIR")
    if run and os.path.isdir(run) and os.stat(run).st_uid == os.getuid():  # noqa: PTH112, PTH116
        yield run
    yield from dict.fromkeys([tempfile.gettempdir(), "/tmp", "/dev/shm"])


if __name__ == "__main__":
    main()
