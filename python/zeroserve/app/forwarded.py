"""What our own server says about a request, put where applications look for it.

An application behind a Unix socket sees neither address nor scheme of the client: they come in
X-Forwarded-For, -Proto and -Host. Nobody but this server reaches the socket, so they are believed.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def asgi(application: Asgi) -> Asgi:
    """The application with ``scheme``, ``client`` and ``server`` as the client has them."""

    async def forwarded(
        scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if scope["type"] in ("http", "websocket"):
            _correct(scope)
        await application(scope, receive, send)

    return forwarded


def wsgi(application: Wsgi) -> Wsgi:
    """The same for the variables of WSGI."""

    def forwarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "")
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        host = environ.get("HTTP_X_FORWARDED_HOST") or environ.get("HTTP_HOST", "")
        if host:
            environ["HTTP_HOST"] = host
            name, port = _split(host, environ.get("wsgi.url_scheme", "http"))
            environ["SERVER_NAME"], environ["SERVER_PORT"] = name, str(port)
        environ["REMOTE_ADDR"] = _last(environ.get("HTTP_X_FORWARDED_FOR", ""))
        return application(environ, start_response)

    return forwarded


def _correct(scope: Scope) -> None:
    fields = {name: value.decode("latin-1") for name, value in scope["headers"]}
    scheme = fields.get(b"x-forwarded-proto", "")
    if scheme in ("http", "https"):
        scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme
    host = fields.get(b"x-forwarded-host") or fields.get(b"host", "")
    scope["server"] = _split(host, scope["scheme"]) if host else None
    client = _last(fields.get(b"x-forwarded-for", ""))
    # Ports of clients are not passed on.
    scope["client"] = (client, 0) if client else None


def _last(forwarded_for: str) -> str:
    """The address that our server saw; those before it were sent by the client."""
    return forwarded_for.rpartition(",")[2].strip()


def _split(host: str, scheme: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5:
        return name, int(port)
    return host, DEFAULT_PORTS.get(scheme, 80)
