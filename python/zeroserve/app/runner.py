"""The process that is granian: ``python -m zeroserve.app.runner RUN``, started by the keeper.

It listens, and starts the workers, which load the application. It ends with its standard input,
which the keeper holds open.
"""

import json
import multiprocessing
import os
import select
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from zeroserve.app.load import Interface, Refused, interface_of, load
from zeroserve.app.settings import Run
from zeroserve.app.worker import REFUSED, application, end_with_parent, refuse, say

IDLE_MS = 120_000
"""The server closes idle connections after 60 seconds; it has to be the first to do so, or it could
be sending a request just then."""

MAX_ANSWER_BYTES = 100
"""A word."""

PRIVATE = 0o600
"""Mode of the socket, in a directory that is private already."""


def main() -> None:
    """Serve until a signal, or the end of the keeper."""
    run = Run(**json.loads(sys.argv[1]))
    # Spawned workers of granian 2.8 sometimes panic when they end; Python 3.14 would spawn them.
    multiprocessing.set_start_method("fork")
    interface = _look(run) if run.interface == "auto" else run.interface
    # Not before: a process with threads is none to fork.
    threading.Thread(target=_end_with_keeper, name="zeroserve-keeper", daemon=True).start()
    _granian(run, interface)


def _granian(run: Run, interface: Interface) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    server = Granian(
        run.name,
        uds=Path(run.socket),
        uds_permissions=PRIVATE,
        interface=Interfaces.WSGI if interface == "wsgi" else Interfaces.ASGI,
        workers=run.workers,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE_MS),
        log_level=LogLevels.warning,
        # The others of several go on, and who waits is answered by the next.
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, round(run.drain_s)),
    )
    server.serve(target_loader=partial(application, run, interface), wrap_loader=False)


def _look(run: Run) -> Interface:
    """Find out what the application is, in a process that ends with that.

    Granian has to know before it starts workers, and a process that has loaded an application,
    with its threads and connections, is none to fork workers from.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        threading.Thread(target=end_with_parent, name="zeroserve-parent", daemon=True).start()
        try:
            found = interface_of(load(run.name, run.directory))
            os.write(writing, found.encode())
        except Refused as refused:
            say(run, word="refused", args=list(refused.args))
            os.write(writing, b"refused")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    os.close(writing)
    found_text = _answer(reading, child)
    _, status = os.waitpid(child, 0)
    if found_text == "wsgi":
        return "wsgi"
    if found_text == "asgi":
        return "asgi"
    if found_text != "refused":
        ending = _ending(os.waitstatus_to_exitcode(status))
        refuse(run, Refused(f"{run.name}: importing it ended the process: {ending}"))
    sys.exit(REFUSED)


def _answer(reading: int, child: int) -> str:
    """What it has found; ends both when the keeper has ended meanwhile."""
    answer = b""
    while True:
        ready, _, _ = select.select([0, reading], [], [])
        if 0 in ready:
            os.kill(child, signal.SIGKILL)
            os._exit(1)
        data = os.read(reading, MAX_ANSWER_BYTES)
        if not data:
            return answer.decode()
        answer += data


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _end_with_keeper() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
