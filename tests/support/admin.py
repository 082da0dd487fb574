"""The admin listener of a server, as programs and browsers meet it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.server import Server, running
from support.wire import Address, Response, fetch

ORDER = {"X-Zeroserve-Admin": "1"}


def place(server: Server) -> Address:
    """Where the admin listener is, from the line that says so."""
    found = server.wait_line(r"^admin on http(?:\+unix:|://)(\S+)$")[1]
    if found.startswith("/"):
        return found
    host, _, port = found.rpartition(":")
    return host.strip("[]"), int(port)


@contextmanager
def administered(site: Path, *options: str | Path) -> Iterator[tuple[Server, Address]]:
    """A server with an admin listener, and where that is."""
    with running(site, "--admin", "127.0.0.1:0", "--threads", "2", *options) as server:
        yield server, place(server)


def get(address: Address, path: str, host: str = "localhost") -> Response:
    return fetch(address, path, {"Host": host})


def answer(address: Address, path: str) -> Any:
    """The JSON of an endpoint."""
    response = get(address, path)
    assert (response.status, response.need("content-type")) == (200, "application/json")
    return json.loads(response.body)


def post(
    address: Address,
    path: str,
    order: Mapping[str, object] | None = None,
    headers: Mapping[str, str] = ORDER,
) -> Response:
    fields = {"Host": "localhost", **headers}
    if order is None:
        fields["Content-Length"] = "0"
    body = b"" if order is None else json.dumps(order).encode()
    return fetch(address, path, fields, method="POST", body=body)
