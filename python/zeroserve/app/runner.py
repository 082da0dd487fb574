"""The process that is granian: ``python -m zeroserve.app.runner RUN``, started by the keeper.

It listens, and starts the workers, which load the application. It ends with its standard input,
which the keeper holds open.
"""

import json
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from zeroserve.app.load import Interface, Refused, interface_of, load
from zeroserve.app.settings import Run
from zeroserve.app.worker import REFUSED, application, refuse, say

PRIVATE = 0o600
"""Mode of the socket, in a directory that is private already."""

MAX_SHOWN_BYTES = 32 * 1024
"""Of what a module prints that can't be imported."""


def main() -> None:
    """Serve until a signal, or the end of the keeper."""
    run = Run(**json.loads(sys.argv[1]))
    threading.Thread(target=_end_with_keeper, name="zeroserve-keeper", daemon=True).start()
    if run.interface == "auto":
        interface = _look(run)
    else:
        interface = run.interface
    _granian(run, interface)


def _granian(run: Run, interface: Interface) -> None:
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    server = Granian(
        run.name,
        uds=Path(run.socket),
        uds_permissions=PRIVATE,
        interface=Interfaces.WSGI if interface == "wsgi" else Interfaces.ASGI,
        workers=run.workers,
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
    printed = os.memfd_create("printed")
    child = os.fork()
    if child == 0:
        # The workers will print it again.
        os.dup2(printed, 1)
        os.dup2(printed, 2)
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
    with os.fdopen(reading) as answer:
        found_text = answer.read()
    _, status = os.waitpid(child, 0)
    if found_text == "wsgi":
        return "wsgi"
    if found_text == "asgi":
        return "asgi"
    _show(printed)
    if found_text != "refused":
        ending = _ending(os.waitstatus_to_exitcode(status))
        refuse(run, Refused(f"{run.name}: importing it ended the process: {ending}"))
    sys.exit(REFUSED)


def _show(printed: int) -> None:
    """Pass on what it has printed, as far as a pipe takes it."""
    sys.stdout.buffer.write(os.pread(printed, MAX_SHOWN_BYTES, 0))
    sys.stdout.flush()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _end_with_keeper() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
