"""What our own server says about a request, put where applications look for it.

An application behind a Unix socket sees neither address nor scheme of the client: they come in
X-Forwarded-For, -Proto and -Host. Nobody but this server reaches the socket, so they are believed.

Where the server trusts a proxy in front of it, X-Forwarded-For has the client first and the proxy
behind: the client is the last who is no such proxy.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MAX_KNOWN_ADDRESSES = 1024
"""Of proxies and clients: looking one up again is cheaper than reading it."""

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def asgi(application: Asgi, trusted: Iterable[str] = ()) -> Asgi:
    """The application with ``scheme``, ``client`` and ``server`` as the client has them."""
    client = _finder(trusted)

    async def forwarded(
        scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if scope["type"] in ("http", "websocket"):
            _correct(scope, client)
        await application(scope, receive, send)

    return forwarded


def wsgi(application: Wsgi, trusted: Iterable[str] = ()) -> Wsgi:
    """The same for the variables of WSGI."""
    client = _finder(trusted)

    def forwarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "")
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        host = environ.get("HTTP_X_FORWARDED_HOST") or environ.get("HTTP_HOST", "")
        if host:
            environ["HTTP_HOST"] = host
            name, port = _split(host, environ.get("wsgi.url_scheme", "http"))
            environ["SERVER_NAME"], environ["SERVER_PORT"] = name, str(port)
        environ["REMOTE_ADDR"] = client(environ.get("HTTP_X_FORWARDED_FOR", ""))
        return application(environ, start_response)

    return forwarded


def _correct(scope: Scope, client_of: Callable[[str], str]) -> None:
    fields = {name: value.decode("latin-1") for name, value in scope["headers"]}
    scheme = fields.get(b"x-forwarded-proto", "")
    if scheme in ("http", "https"):
        scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme
    host = fields.get(b"x-forwarded-host") or fields.get(b"host", "")
    scope["server"] = _split(host, scope["scheme"]) if host else None
    client = client_of(fields.get(b"x-forwarded-for", ""))
    # Ports of clients are not passed on.
    scope["client"] = (client, 0) if client else None


def _finder(trusted: Iterable[str]) -> Callable[[str], str]:
    networks = [ip_network(network) for network in trusted]

    @lru_cache(MAX_KNOWN_ADDRESSES)
    def is_trusted(address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in networks)

    def client(forwarded_for: str) -> str:
        hops = [hop.strip() for hop in forwarded_for.split(",")]
        while len(hops) > 1 and is_trusted(hops[-1]):
            hops.pop()
        return hops[-1]

    return client


def _split(host: str, scheme: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5:
        return name, int(port)
    return host, DEFAULT_PORTS.get(scheme, 80)
