"""Does a server return the exact bytes, on a connection it keeps open?"""

from __future__ import annotations

import http.client
import ssl

from bench.errors import BenchError
from bench.running import Running
from bench.site import Size, contents

TIMEOUT_S = 10.0
# The second time over proves keep-alive and that caches return what the disk held.
REPEATS = 2


def verify(running: Running, sizes: tuple[Size, ...]) -> None:
    """Ask for every size twice over one connection; raise if a byte or a header is off."""
    for encrypted in (False, True):
        alike = tuple(size for size in sizes if size.is_encrypted == encrypted)
        if alike:
            _verify(running, alike)


def _verify(running: Running, sizes: tuple[Size, ...]) -> None:
    """All of them encrypted, or none."""
    connection = _connection(running.port_of(sizes[0]), sizes)
    try:
        connection.connect()
        # Closed by the server means an error here, not a silent reconnect.
        connection.auto_open = 0
        for size in (*(size for size in sizes if size.over != "handshake"),) * REPEATS:
            _check(connection, running.server.name, size)
    except (OSError, http.client.HTTPException) as error:
        kind = type(error).__name__
        raise BenchError(f"{running.server.name} failed a check: {kind}: {error}") from error
    finally:
        connection.close()


def _connection(port: int, sizes: tuple[Size, ...]) -> http.client.HTTPConnection:
    """HTTP/1.1, encrypted when that is what is measured: nobody's bytes depend on the version."""
    if not any(size.is_encrypted for size in sizes):
        return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=context)


def _check(connection: http.client.HTTPConnection, name: str, size: Size) -> None:
    # What wrk sends: a Host header and nothing else, so no compressed variant.
    sent = contents(size) if size.over == "upload" else None
    method = "GET" if sent is None else "PUT"
    connection.putrequest(method, f"/{size.name}", skip_accept_encoding=True)
    if sent is not None:
        connection.putheader("Content-Length", str(len(sent)))
    connection.endheaders(sent)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise BenchError(f"{name} answered {size.label} with status: {response.status}")
    if sent is not None:
        # The backend says how much has come.
        if body.strip() != str(len(sent)).encode():
            raise BenchError(f"{name} passed another body on for {size.label}: {body[:40]!r}")
        return
    if body != contents(size):
        raise BenchError(f"{name} returned other bytes for {size.label}: {len(body)} bytes")
    media = response.headers.get("content-type", "")
    if not media.startswith(size.media):
        raise BenchError(f"{name} answered {size.label} with content-type: {media}")
    if response.will_close:
        raise BenchError(f"{name} closes the connection after: {size.label}")
