"""Configurations of other servers and hosts, as files of zeroserve.

One module for each format; what they find is an ``Imported``, which ``writing`` makes files of.
What a format says and zeroserve can't be told is kept with its line and the reason: nothing is
dropped in silence, and what guarded a path becomes a path that nobody gets.
"""

from collections.abc import Callable
from pathlib import Path

from zeroserve._core import Error
from zeroserve.importing.checking import check
from zeroserve.importing.result import Imported
from zeroserve.words import quoted, reason

MAX_BYTES = 1 << 20
"""Longer than any that a person has written."""

FORMATS = ("netlify.toml", "vercel.json", "nginx.conf", ".htaccess")


def read(path: str, *, server: str | None = None, outside: bool = False) -> Imported:
    """Read a file, whose name says its format.

    ``server`` chooses among the servers of an nginx.conf; with ``outside`` the files that it
    includes may lie anywhere, not only in its directory. Raises ``Error`` for what can't be read.
    """
    reader = _reader(path, server, outside)
    if reader is None:
        names = ", ".join(FORMATS)
        raise Error(f"not a format that can be imported: {quoted(path)}", f"one of {names}")
    found = reader(path, text_of(path))
    check(found)
    return found


def text_of(path: str) -> str:
    """The text of a file; raises ``Error`` when it is none."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Error(f"can't read {quoted(path)}: {reason(error)}") from None
    if len(data) > MAX_BYTES:
        raise Error(f"{quoted(path)} is longer than {MAX_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Error(f"{quoted(path)} is not UTF-8: line {line}") from None


def _reader(path: str, server: str | None, outside: bool) -> Callable[[str, str], Imported] | None:
    name = Path(path).name
    if name.endswith(".toml"):
        from zeroserve.importing.netlify import read as read_netlify

        return read_netlify
    if name.endswith(".json"):
        from zeroserve.importing.vercel import read as read_vercel

        return read_vercel
    if name.endswith("htaccess"):
        from zeroserve.importing.htaccess import read as read_htaccess

        return read_htaccess
    if name.endswith(".conf") or "nginx" in name:
        from zeroserve.importing.nginx import read as read_nginx

        return lambda path, text: read_nginx(path, text, server=server, outside=outside)
    return None
