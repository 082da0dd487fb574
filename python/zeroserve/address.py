"""Addresses to listen on, as people write them.

``HOST:PORT``, ``[IPV6]:PORT``, ``unix:PATH`` and ``fd:N`` are the full forms. Two short ones:
``8080`` is ``127.0.0.1:8080`` (this machine only), ``:8080`` is ``0.0.0.0:8080`` (every IPv4
interface). Port 0 takes any free port. ``,proxy`` behind any of them: each connection begins with
a header of the PROXY protocol. ``fd:NAME`` is the socket that systemd has passed on by that name.
"""

import os

from zeroserve._core import Error

DEFAULT = "127.0.0.1:8080"
FORMS = "HOST:PORT, unix:PATH or fd:N"

FIRST_INHERITED_FD = 3
"""Where systemd's socket activation begins: 0, 1 and 2 are the standard streams."""

MAX_INHERITED_FDS = 64
"""A listener costs one descriptor per worker; more than this is a broken environment."""

PROXIED = ",proxy"
"""Ends an address whose clients come through a balancer that says who they are."""

MAX_UNIX_PATH_BYTES = 107
"""``sockaddr_un`` holds 108 bytes, its last one a NUL."""


def normalise(text: str) -> str:
    """The full form of an address; raises ``Error`` when it is none.

    >>> normalise("8080")
    '127.0.0.1:8080'
    >>> normalise(":8080")
    '0.0.0.0:8080'
    """
    if text.endswith(PROXIED):
        return normalise(text.removesuffix(PROXIED)).removesuffix(PROXIED) + PROXIED
    kind, colon, rest = text.partition(":")
    if colon and kind == "unix":
        return _unix(text, rest)
    if colon and kind == "fd":
        if rest and not _digits(rest) and "LISTEN_FDNAMES" in os.environ:
            return _named(text, rest)
        if not _digits(rest):
            raise Error(f"not a file descriptor: {text!r}", "write fd:N with a number, like fd:3")
        return f"fd:{int(rest)}"
    if "/" in text:
        raise Error(
            f"not an address: {text!r}",
            f"write {FORMS}, without a scheme or a path",
        )
    if _digits(text):
        return f"127.0.0.1:{_port(text, text)}"
    host, colon, port = text.rpartition(":")
    if not colon:
        raise Error(f"address without a port: {text!r}", f"write {text or 'HOST'}:8080")
    if host.startswith("[") and host.endswith("]"):
        return f"{host}:{_port(port, text)}"
    if ":" in host:
        raise Error(f"not an address: {text!r}", "write IPv6 addresses in brackets: [::1]:8080")
    return f"{host or '0.0.0.0'}:{_port(port, text)}"


def inherited(environ: dict[str, str] | None = None, pid: int | None = None) -> list[str]:
    """Addresses of the sockets that a service manager passed on (``LISTEN_FDS``).

    Empty when there are none, or when ``LISTEN_PID`` says that they are for another process.
    """
    env = os.environ if environ is None else environ
    if env.get("LISTEN_PID") != str(os.getpid() if pid is None else pid):
        return []
    count = env.get("LISTEN_FDS", "")
    if not _digits(count) or not 0 < int(count) <= MAX_INHERITED_FDS:
        raise Error(
            f"LISTEN_FDS is not a number from 1 to {MAX_INHERITED_FDS}: {count!r}",
            "give --addr to listen on other addresses",
        )
    return [f"fd:{FIRST_INHERITED_FD + i}" for i in range(int(count))]


def _named(text: str, name: str) -> str:
    """The inherited socket of a name (``FileDescriptorName=`` in a socket unit)."""
    names = os.environ["LISTEN_FDNAMES"].split(":")
    found = [fd for fd, own in zip(inherited(), names, strict=False) if own == name]
    if len(found) != 1:
        count = "no socket" if not found else f"{len(found)} sockets"
        raise Error(
            f"{count} of this name among those passed on: {text!r}",
            f"LISTEN_FDNAMES is {os.environ['LISTEN_FDNAMES']!r}",
        )
    return found[0]


def _unix(text: str, path: str) -> str:
    if not path:
        raise Error(f"address without a path: {text!r}", "write unix:/run/site.sock")
    if "\0" in path or len(os.fsencode(path)) > MAX_UNIX_PATH_BYTES:
        raise Error(f"socket path is longer than {MAX_UNIX_PATH_BYTES} bytes: {path!r}")
    return text


def _port(port: str, text: str) -> int:
    if not _digits(port) or int(port) > 65535:
        raise Error(f"not a port from 0 to 65535: {text!r}")
    return int(port)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9
