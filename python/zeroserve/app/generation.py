"""One start of an application: its processes, from their first line to their last."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence

from zeroserve.app.load import Refused
from zeroserve.app.settings import MAX_LINE_CHARS, Message, Run
from zeroserve.words import reason

START_TIMEOUT_S = 60.0
"""An application that is not ready by then is ended: it would hold up a reload."""

LOOK_S = 0.01
"""How often it is looked whether it listens already."""

KILL_AFTER_S = 2.0
"""What granian gets beyond the time that its workers have."""


class Generation:
    """A running application, or one that was."""

    def __init__(self, run: Run, on_line: Callable[[str], None]) -> None:
        self.run = run
        self.retired = False
        """Whether its end is wanted."""
        self.last_line = ""
        self.code: int | None = None
        """Exit code once it has ended; negative for a signal."""
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._ready = 0
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Task[None] | None = None
        """Done when its first process has ended."""

    async def start(self) -> None:
        """Start it and wait until all workers are ready.

        Raises ``Refused``, and it is gone then.
        """
        try:
            await self._spawn()
            await asyncio.wait_for(self._is_ready(), START_TIMEOUT_S)
        except TimeoutError:
            await self.kill()
            raise Refused(
                f"{self.run.name}: not ready within {START_TIMEOUT_S:.0f} seconds"
            ) from None
        except OSError as error:
            raise Refused(
                f"can't run {sys.executable}: {reason(error)}",
                "with --user, Python has to be readable for that user",
            ) from None
        except BaseException:
            await self.kill()
            raise

    async def _is_ready(self) -> None:
        await self._outcome
        # Its workers have loaded it; granian listens a moment later.
        while not _accepts(self.run.socket):
            await asyncio.sleep(LOOK_S)
            if self.code is not None:
                raise Refused(f"{self.run.name}: it ended while it was started: {self.ending()}")

    def take(self, word: Message) -> None:
        """What one of its processes says."""
        if word["word"] == "ready":
            self._ready += 1
            if self._ready == self.run.workers and not self._outcome.done():
                self._outcome.set_result(None)
        elif not self._outcome.done():
            self._outcome.set_exception(Refused(*word["args"]))

    async def retire(self) -> None:
        """Let it finish what runs, and end."""
        self.retired = True
        if self._process is None or self.ended is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.ended), self.run.drain_s + KILL_AFTER_S)
        await self.kill()

    async def kill(self) -> None:
        """End it at once, with all that it has started and that did not leave its group."""
        self.retired = True
        if self._process is None or self.ended is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.ended
        with contextlib.suppress(OSError):
            os.unlink(self.run.socket)  # noqa: PTH108

    def ending(self) -> str:
        """How it has ended, with what it said last."""
        code = self.code or 0
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return f"{how}, {self.last_line!r}" if self.last_line else how

    async def _spawn(self) -> None:
        arguments: Sequence[str] = (
            # -u: lines come when they are printed. -P: the current directory is no package.
            *("-u", "-P", "-m", "zeroserve.app.runner"),
            json.dumps(self.run._asdict()),
        )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=MAX_LINE_CHARS,
            # A group of its own: no key that is pressed for the server is meant for it.
            start_new_session=True,
        )
        self.ended = asyncio.create_task(self._wait(self._process))

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        reading = asyncio.create_task(self._read(process))
        self.code = await process.wait()
        # What it started may still hold the pipe: whatever has come by now is all there is.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reading, 0.5)
        if not self._outcome.done():
            self._outcome.set_exception(
                Refused(f"{self.run.name}: it ended while it was started: {self.ending()}")
            )

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                data = await process.stdout.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    self._line(end.partial)
                return
            except asyncio.LimitOverrunError:
                data = await process.stdout.read(MAX_LINE_CHARS)
            self._line(data)

    def _line(self, data: bytes) -> None:
        line = data.decode(errors="backslashreplace").rstrip()
        if line:
            self.last_line = line[:200]
        self._on_line(line)


def _accepts(path: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
