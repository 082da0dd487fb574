"""A server that passes requests on: to the upstream that each of them names.

One server is enough for many tests, since each has an upstream of its own:

    with Upstream(reply(b"hello")) as upstream:
        assert front.fetch(upstream, "/").body == b"hello"
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from zeroserve._core import dev_authority, dev_certificate

from support.http2 import Fields, Http2
from support.server import Server, running
from support.tls import address_of, blind
from support.upstream import Upstream
from support.wire import Address, Connection, Response, request

NAMED = "X-Upstream"
"""The field that names the upstream; it does not get there."""

BY_FIELD = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    upstream = req.header("x-upstream")
    if upstream is None:
        return Response(421, "no upstream is named\\n")
    req.delete_header("x-upstream")
    return proxy(upstream)
"""

CONSTANT = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    return proxy("{url}")
"""


class Front:
    """The server, in the clear and encrypted."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.address: Address = address_of(server, "http")
        self.tls_address: Address = address_of(server, "https")

    def connect(self, *, timeout_s: float = 10.0, receive_buffer_bytes: int = 0) -> Connection:
        """A connection of HTTP/1."""
        return Connection(
            self.address, timeout_s=timeout_s, receive_buffer_bytes=receive_buffer_bytes
        )

    def connect2(self, *, tls: bool = False, window: int = 65_535, refill: bool = True) -> Http2:
        """A connection of HTTP/2."""
        address, context = (self.tls_address, blind()) if tls else (self.address, None)
        return Http2(address, context=context, window=window, refill=refill)

    def request(
        self,
        upstream: Upstream | str,
        target: str | bytes = "/",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        version: str = "1.1",
        body: bytes = b"",
    ) -> bytes:
        """The bytes of a request for that upstream."""
        given = {**(headers or {}), NAMED: url_of(upstream)}
        return request(target, given, method=method, version=version, body=body)

    def fetch(
        self,
        upstream: Upstream | str,
        target: str | bytes = "/",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        version: str = "1.1",
        body: bytes = b"",
    ) -> Response:
        """One request on a connection of its own; nothing may follow the response."""
        given = dict(headers or {})
        if version == "1.1" and "connection" not in {name.lower() for name in given}:
            given["Connection"] = "close"
        with self.connect() as connection:
            connection.send(
                self.request(upstream, target, given, method=method, version=version, body=body)
            )
            response = connection.response(method)
            assert connection.at_end(), f"bytes after the response: {connection.buffer[:80]!r}"
            return response

    def lines_after(self, count: int) -> list[str]:
        """What the server has said since it had said so many lines."""
        return self.server.lines[count:]


def url_of(upstream: Upstream | str) -> str:
    return upstream if isinstance(upstream, str) else upstream.url


def named(upstream: Upstream | str) -> Fields:
    """The field for a request over HTTP/2."""
    return [(NAMED.lower(), url_of(upstream))]


def certificate(work: Path) -> list[str | Path]:
    """The options of a certificate that was just made."""
    chain, key = dev_certificate(dev_authority("tests of the proxy"), ["localhost", "127.0.0.1"])
    (work / "cert.pem").write_text(chain)
    (work / "cert.key").write_text(key)
    return ["--cert", work / "cert.pem", "--key", work / "cert.key"]


@contextmanager
def by_field(work: Path, *options: str | Path) -> Iterator[Front]:
    """A server with one worker, which asks whom a request names."""
    with scripted(BY_FIELD, work, *options) as front:
        yield front


@contextmanager
def constant(url: str, work: Path, *options: str | Path) -> Iterator[Front]:
    """A server with one worker, which asks always the same."""
    with scripted(CONSTANT.format(url=url), work, *options) as front:
        yield front


@contextmanager
def scripted(source: str, work: Path, *options: str | Path) -> Iterator[Front]:
    """A server of nothing but a script."""
    script = work / "pass_on.py"
    script.write_text(source)
    given: list[str | Path] = ["--threads", "1", "--tls-addr", "127.0.0.1:0", *certificate(work)]
    if "--access-log" not in options:
        given += ["--access-log", "off"]
    with running(script, *given, *options) as server:
        yield Front(server)
