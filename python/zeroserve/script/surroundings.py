"""What else a script takes from its server: the log and the environment."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from zeroserve.script.limits import MAX_LOG_BYTES, MAX_NAME_BYTES

_script: ContextVar[str] = ContextVar("zeroserve.script.name", default="")


@contextmanager
def running(script: str) -> Iterator[None]:
    """Say which script runs, for lines of the log."""
    token = _script.set(script)
    try:
        yield
    finally:
        _script.reset(token)


def log(message: str) -> None:
    """Write a line to the server's log, which is stderr: ``zeroserve: script NAME: message``.

    Control characters are escaped, so it is one line; what is beyond 8192 bytes is cut.

        log(f"no session for {req.peer_ip}")
    """
    data = message.encode("utf-8", "surrogatepass")[:MAX_LOG_BYTES]
    # Called by hand, it is the module that calls.
    name = _script.get() or sys._getframe(1).f_globals.get("__name__", "?")
    say(name, one_line(data.decode("utf-8", "replace")))


def say(script: str, message: str) -> None:
    """A line of the log, as the server writes it."""
    sys.stderr.write(f"zeroserve: script {script}: {message}\n")


def env(name: str) -> str | None:
    """A variable of the server's environment; None when it is not set or not UTF-8.

    KEY = env("API_KEY") or ""
    """
    if not 0 < len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES:
        return None
    if "=" in name or "\0" in name:
        return None
    value = os.environ.get(name)
    if value is None or any("\ud800" <= character <= "\udfff" for character in value):
        return None
    return value


def one_line(message: str) -> str:
    r"""The message with its control characters escaped.

    >>> one_line("a\nb\x1b[2J")
    'a\\nb\\u{1b}[2J'
    """
    return "".join(map(_shown, message))


def _shown(character: str) -> str:
    code = ord(character)
    if code >= 0x20 and not 0x7F <= code < 0xA0:
        return character
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character, f"\\u{{{code:x}}}")
