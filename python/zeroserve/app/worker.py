"""What runs in each process of an application: loads it, and tells the keeper when it is ready."""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from zeroserve.app import forwarded
from zeroserve.app.load import Interface, Refused, load
from zeroserve.app.settings import Run, encode

PARENT_LOOK_S = 1.0
"""How soon a worker ends whose parent was killed."""

REFUSED = 3
"""Exit code of who has said why."""


def application(run: Run, interface: Interface) -> Callable[..., Any]:
    """The application of this process, as granian calls it."""
    threading.Thread(target=end_with_parent, name="zeroserve-parent", daemon=True).start()
    try:
        found = load(run.name, run.directory)
    except Refused as refused:
        refuse(run, refused)
    if interface == "wsgi":
        say(run, word="ready")
        return forwarded.wsgi(found, run.trusted)
    return _with_lifespan(run, forwarded.asgi(found, run.trusted))


def say(run: Run, **message: object) -> None:
    """Send the keeper a word; one that has ended needs none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as words:
        try:
            words.sendto(encode({"number": run.number, **message}), run.words)
        except OSError:
            return


def refuse(run: Run, refused: Refused) -> NoReturn:
    """Say why it can't be run, and end."""
    say(run, word="refused", args=list(refused.args))
    sys.stdout.flush()
    os._exit(REFUSED)


def _with_lifespan(run: Run, found: forwarded.Asgi) -> forwarded.Asgi:
    """Ready is who has finished its startup, or knows nothing of it."""

    async def watched(
        scope: forwarded.Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if scope["type"] != "lifespan":
            await found(scope, receive, send)
            return
        answered = False

        async def note(message: dict[str, Any]) -> None:
            nonlocal answered
            if message["type"] == "lifespan.startup.complete":
                answered = True
                say(run, word="ready")
            elif message["type"] == "lifespan.startup.failed":
                answered = True
                said = " ".join(str(message.get("message", "")).split("\n")[-2:]).strip()
                why = f"{run.name}: its startup failed" + (f": {said}" if said else "")
                say(run, word="refused", args=[why])
            await send(message)

        try:
            await found(scope, receive, note)
        except Exception:
            if answered:
                raise
            # By its rules, an application that knows no lifespan raises whatever it likes.
            await note({"type": "lifespan.startup.complete"})
        if not answered:
            await note({"type": "lifespan.startup.complete"})

    return watched


def end_with_parent() -> None:
    """To be run in a thread: a parent that was killed can't tell its children."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK_S)
    os._exit(1)
