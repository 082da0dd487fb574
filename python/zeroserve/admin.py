"""Asking a running server over its admin listener."""

import json
import socket
from http.client import HTTPConnection, HTTPException
from typing import Any

from zeroserve._core import Error
from zeroserve.words import reason

HEADER = "X-Zeroserve-Admin"
"""What a request that changes something carries; no page of another site can send it."""

TIMEOUT_S = 30.0
"""Time without a word from the server; a reload of a large site takes seconds."""

MAX_ANSWER_BYTES = 16 << 20
"""Longer ones are not from a zeroserve."""

UNIX = "unix:"


class _UnixConnection(HTTPConnection):
    """HTTP over the path of a socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def ask(address: str, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer of the admin listener at ``address`` (``HOST:PORT`` or ``unix:PATH``).

    Without ``order`` that is a GET, else a POST of it. Raises ``Error`` with the server's reason
    when it refuses, and when nothing or something else answers there.

        ask("127.0.0.1:9180", "/status")["sites"]
    """
    connection = _connection(address)
    try:
        if order is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(order), {HEADER: "1"})
        response = connection.getresponse()
        text = response.read(MAX_ANSWER_BYTES)
    except OSError as error:
        raise Error(f"no answer from {address}: {reason(error)}", _hint(error)) from None
    except HTTPException:
        raise Error(f"no admin listener of zeroserve: {address}") from None
    finally:
        connection.close()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Error(f"no admin listener of zeroserve: {address}", "is it the address of the site?")
    if response.status != 200:
        raise Error(str(answer.get("error", f"the server answered {response.status}")))
    return answer


def _connection(address: str) -> HTTPConnection:
    if address.startswith(UNIX):
        return _UnixConnection(address.removeprefix(UNIX))
    host, _, port = address.rpartition(":")
    return HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT_S)


def _hint(error: OSError) -> str | None:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return "a server answers only when it was started with --admin ADDR"
    return None
