"""``fetch`` of scripts that CPython runs: the same rules and bounds as in the server.

``zeroserve.oracle`` uses it; pools are the server's alone.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from zeroserve._core import __version__
from zeroserve.config.fetch import Fetch, canonical, is_public
from zeroserve.script.fetching import Asked, Fetched, origin
from zeroserve.script.fields import OF_RESPONSES, Fields
from zeroserve.script.limits import MAX_FETCH_BODY_BYTES

CHUNK_BYTES = 64 * 1024


class Fetcher:
    """Asks servers as far as some rules allow."""

    def __init__(self, rules: Sequence[Fetch]) -> None:
        """``rules``: of the process and of the site; one that allows is enough."""
        self._rules = rules

    def __call__(self, asked: Asked) -> Fetched:
        name = origin(asked.url)
        if asked.url.startswith("pool:"):
            raise PermissionError(f"{name}: it is not in the list of [fetch]")
        try:
            parts = urlsplit(asked.url)
            host, is_tls = parts.hostname or "", parts.scheme == "https"
            port = parts.port or (443 if is_tls else 80)
        except ValueError:
            raise ConnectionError(f"no answer of {asked.url}") from None
        reaches = (rules.reach(host, port, is_tls) for rules in self._rules)
        reach = next(filter(None, reaches), None)
        if reach is None:
            raise PermissionError(f"{name}: it is not in the list of [fetch]")
        deadline = time.monotonic() + asked.timeout_ms / 1000
        try:
            with _connect(host, port, reach == "public", deadline, name) as sock:
                return _ask(sock, asked, host, port, is_tls, deadline)
        except PermissionError:
            raise
        except (OSError, http.client.HTTPException, ssl.SSLError, _TooLargeError) as error:
            if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                raise TimeoutError(f"no answer of {name} in time") from error
            raise ConnectionError(f"no answer of {name}") from error


class _TooLargeError(Exception):
    """The answer has more bytes than a script may have."""


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _connect(host: str, port: int, public: bool, deadline: float, name: str) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if public:
        addresses = [text for text in addresses if (ip := canonical(text)) and is_public(ip)]
        if not addresses:
            raise PermissionError(f"{name}: not a public address")
    last: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=_left(deadline))
        except OSError as error:
            last = error
    raise last or ConnectionError(name)


def _ask(
    sock: socket.socket, asked: Asked, host: str, port: int, is_tls: bool, deadline: float
) -> Fetched:
    # A server that sends a byte now and then would outwait any timeout of the socket.
    sockets = [sock]
    timer = threading.Timer(_left(deadline), _shut, [sockets])
    timer.daemon = True
    timer.start()
    connection = http.client.HTTPConnection(host, port)
    try:
        if is_tls:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            sockets.append(sock)
        connection.sock = sock
        _send(connection, asked, host, port, is_tls)
        with connection.getresponse() as response:
            body = b""
            while chunk := response.read(CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_FETCH_BODY_BYTES:
                    raise _TooLargeError
            if time.monotonic() >= deadline:
                raise TimeoutError
            fetched = Fetched(response.status, body)
            fetched._fields = Fields(_fields(response))
            return fetched
    finally:
        timer.cancel()
        connection.close()


def _fields(response: http.client.HTTPResponse) -> Iterator[tuple[str, bytes]]:
    """Those that are not about the connection."""
    named = (response.getheader("connection") or "").lower().split(",")
    own = OF_RESPONSES | {token.strip() for token in named}
    for name, value in response.getheaders():
        if name.lower() not in own:
            yield name, value.encode("latin-1").strip()


def _send(
    connection: http.client.HTTPConnection, asked: Asked, host: str, port: int, is_tls: bool
) -> None:
    target = asked.url.split("://", 1)[1]
    start = min((at for at in (target.find("/"), target.find("?")) if at >= 0), default=len(target))
    target = target[start:]
    target = target if target.startswith("/") else f"/{target}"
    connection.putrequest(asked.method, target, skip_host=True, skip_accept_encoding=True)
    shown = f"[{host}]" if ":" in host else host
    usual = port == (443 if is_tls else 80)
    connection.putheader("Host", shown if usual else f"{shown}:{port}")
    if asked.header("user-agent") is None:
        connection.putheader("User-Agent", f"zeroserve/{__version__}")
    if asked.header("accept") is None:
        connection.putheader("Accept", "*/*")
    for name, value in asked.fields:
        connection.putheader(name, value)
    connection.putheader("Via", "1.1 zeroserve")
    if asked.body or asked.method in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", str(len(asked.body)))
    connection.endheaders(asked.body or None)


def _shut(sockets: list[socket.socket]) -> None:
    with suppress(OSError):
        sockets[-1].shutdown(socket.SHUT_RDWR)
