"""The request, as scripts see and change it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from zeroserve.script.fields import BLANKS, Fields, is_token
from zeroserve.script.limits import (
    MAX_METHOD_BYTES,
    MAX_REQUEST_BODY_BYTES,
    BodyTooLarge,
    Stop,
    int64,
)
from zeroserve.script.meta import Meta
from zeroserve.script.target import encoded, resolve


class Request:
    """A request: what a client sent, with what earlier scripts changed.

    The server makes them. In a test they are made by hand:

    >>> req = Request("GET", "/a%20b?x=1&x=2", headers={"Cookie": "id=7; theme=dark"})
    >>> req.path, req.raw_path, req.query
    ('/a b', '/a%20b', 'x=1&x=2')
    >>> req.query_param("x"), req.cookie("theme"), req.header("cookie")
    ('1', 'dark', 'id=7; theme=dark')

    All text is ``str``. Bytes of a client that are not UTF-8 are lone surrogates, as with
    ``surrogateescape``: they pass through, and compare unequal to everything that is text.
    """

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        query: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        body: bytes | str = b"",
        scheme: str = "http",
        host: str | None = None,
        peer_ip: str = "127.0.0.1",
        peer_port: int = 0,
        http_version: str = "1.1",
        tls_sni: str | None = None,
        tls_alpn: str | None = None,
        ja4: str | None = None,
        client_ip: str | None = None,
    ) -> None:
        """``path`` may have a query of its own, ``/a?x=1``; escapes in it are decoded, and what
        can't stand in a URL is percent-encoded first.

        ``host`` (default ``localhost``) is the ``Host`` header where ``headers`` has none.
        ``client_ip`` is ``peer_ip`` if it is not given. A ``str`` body is UTF-8;
        ``Content-Length`` is added to one that is not empty. Raises ValueError for what no client
        could send.
        """
        if query is not None and "?" in path:
            raise ValueError(f"a query beside a path that has one: {path!r}")
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        fields = Fields(forbidden=frozenset())
        data = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
        given = {name.lower() for name, _ in pairs}
        if "host" not in given:
            fields.append("Host", "localhost" if host is None else host)
        for name, value in pairs:
            fields.append(name, value)
        if data and not given & {"content-length", "transfer-encoding"}:
            fields.append("Content-Length", str(len(data)))
        self._meta = Meta()
        self._body: bytes | None = data
        self._scheme = scheme
        self._peer_ip = peer_ip
        self._client_ip = peer_ip if client_ip is None else client_ip
        self._most_bytes: int | None = None
        self._peer_port = peer_port
        self._http_version = http_version
        self._tls_sni = tls_sni
        self._tls_alpn = tls_alpn
        self._ja4 = ja4
        self.set_method(method)
        self.rewrite(path if query is None else f"{path}?{query}")
        self._fields = Fields(fields)
        self._changed = False

    @property
    def method(self) -> str:
        """``"GET"``; methods are case-sensitive."""
        return self._method

    @property
    def path(self) -> str:
        """The path decoded and normalised, without the query: what to compare with.

        It begins with a slash, and a slash at the end stays. A path that names nothing, such as
        ``/..`` or ``/%zz``, is given as it was sent; the site answers 400 to it.
        """
        try:
            return resolve(self.raw_path)
        except ValueError:
            return self.raw_path

    @property
    def raw_path(self) -> str:
        """The path as it was sent, escapes included; ``"*"`` of ``OPTIONS *``."""
        return self._target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the ``?``, as it was sent; empty without one."""
        return self._target.partition("?")[2]

    @property
    def scheme(self) -> str:
        """``"http"`` or ``"https"``."""
        return self._scheme

    @property
    def host(self) -> str:
        """The name in ``Host``, in lower case, without port; ``""`` without one.

        >>> Request(host="Example.COM:8080").host
        'example.com'
        """
        value = next(iter(self._fields.values("host")), "")
        head, bracket, _ = value.rpartition("]")
        name = head + bracket if bracket else value.partition(":")[0]
        return "".join(c.lower() if c.isascii() else c for c in name)

    @property
    def peer_ip(self) -> str:
        """The address of who connected: ``"192.0.2.7"``, ``"2001:db8::7"``; ``""`` for a Unix
        socket."""
        return self._peer_ip

    @property
    def client_ip(self) -> str:
        """The address of the client: what the proxies in front say that ``--trusted-proxy`` names,
        or ``peer_ip``.

        It is the last address in ``X-Forwarded-For`` that is not a trusted proxy's, or in
        ``Forwarded`` where there is no ``X-Forwarded-For``; both only count when a trusted proxy
        sent them, and as they arrived.
        """
        return self._client_ip

    @property
    def peer_port(self) -> int:
        """The port of who connected; 0 for a Unix socket."""
        return self._peer_port

    @property
    def http_version(self) -> str:
        """``"1.0"``, ``"1.1"`` or ``"2"``."""
        return self._http_version

    @property
    def tls_sni(self) -> str | None:
        """The server name that an encrypted connection asked for; None if it did not."""
        return self._tls_sni

    @property
    def tls_alpn(self) -> str | None:
        """The protocol that an encrypted connection agreed on: ``"h2"``."""
        return self._tls_alpn

    @property
    def ja4(self) -> str | None:
        """The JA4 fingerprint of the client of an encrypted connection."""
        return self._ja4

    @property
    def meta(self) -> Meta:
        """Text that the scripts of this request share: see ``Meta``.

        >>> req = Request()
        >>> req.meta["user"] = "Ada"
        >>> req.meta.get("user")
        'Ada'
        """
        return self._meta

    def header(self, name: str) -> str | None:
        """The value of a header, its name in any case; several are joined with ``", "``.

        >>> Request(headers=[("Accept", "a"), ("accept", "b")]).header("ACCEPT")
        'a, b'
        """
        return self._fields.get(name)

    def query_param(self, name: str) -> str | None:
        """The first value of a parameter of the query, decoded; ``""`` for one without value.

        As ``urllib.parse.parse_qsl(query, keep_blank_values=True)`` has it: ``+`` is a blank.

        >>> Request(path="/?q=a+b&flag").query_param("q")
        'a b'
        """
        pairs = parse_qsl(self.query, keep_blank_values=True)
        return next((value for key, value in pairs if key == name), None)

    def cookie(self, name: str) -> str | None:
        """The value of the first cookie of that name, without quotes around it.

        >>> Request(headers={"cookie": "id=7; theme=dark"}).cookie("theme")
        'dark'
        """
        for field in self._fields.values("cookie"):
            for part in field.split(";"):
                key, equals, value = part.partition("=")
                if equals and key.strip(BLANKS) == name:
                    value = value.strip(BLANKS)
                    quoted = len(value) > 1 and value[0] == value[-1] == '"'
                    return value[1:-1] if quoted else value
        return None

    def body(self) -> bytes:
        """The body, read when it is asked for first; ``b""`` without one.

        With more than 256 KiB (262,144 bytes) the script ends and the client gets a 413. Response
        hooks can have it only when it was read before there was a response.

        >>> Request("POST", body="a=1").body()
        b'a=1'
        """
        most = MAX_REQUEST_BODY_BYTES
        if self._most_bytes is not None:
            most = min(most, self._most_bytes)
        if self._body is None or len(self._body) > most:
            raise BodyTooLarge(f"a request body of more than {most} bytes")
        return self._body

    def limit_body(self, max_bytes: int) -> None:
        """Refuse a larger body: the client gets a 413, and the script ends.

        At once, if the request says how long its body is; otherwise when the script reads it, or
        when an upstream that it goes to has got so much of it. The smallest limit counts. Raises
        ValueError for a negative one.

        >>> Request("POST", body="12345").limit_body(5)
        """
        int64(max_bytes)
        if max_bytes < 0:
            raise ValueError(f"a limit of bytes is negative: {max_bytes}")
        if self._most_bytes is None or max_bytes < self._most_bytes:
            self._most_bytes = max_bytes
        announced = next(iter(self._fields.values("content-length")), "")
        if announced.isascii() and announced.isdigit() and int(announced) > max_bytes:
            raise BodyTooLarge(f"a request body of more than {max_bytes} bytes")

    def json(self) -> Any:
        """The body parsed as JSON: ``json.loads(req.body())``.

        Raises ``json.JSONDecodeError`` when it is no JSON, ``UnicodeDecodeError`` when it is no
        UTF-8; both are ValueErrors. JSON in UTF-16 or UTF-32 stops the script.

        >>> Request("POST", body='{"a": [1, 2]}').json()["a"]
        [1, 2]
        """
        return read_json(self.body())

    def set_header(self, name: str, value: str) -> None:
        """Set a header that later scripts, the site and an upstream see; it replaces all of that
        name.

        Blanks around the value go. Raises ValueError for what is no header name, for
        ``Content-Length`` and ``Transfer-Encoding``, and for a value with a control character.

        >>> req = Request()
        >>> req.set_header("X-User", "ada")
        >>> req.header("x-user")
        'ada'
        """
        self._fields.set(name, value)

    def delete_header(self, name: str) -> None:
        """Remove all headers of that name, if there are any; those of framing stay."""
        self._fields.remove(name)

    def rewrite(self, path: str) -> None:
        """Go on with another path, and with the query behind its ``?``, or with none.

        What can't stand in a URL is percent-encoded; escapes stay what they are. Raises ValueError
        for a path that does not begin with a slash or leads out of the site.

        >>> req = Request(path="/old/a%20b?x=1")
        >>> req.rewrite("/new" + req.path.removeprefix("/old"))
        >>> req.raw_path, req.path, req.query
        ('/new/a%20b', '/new/a b', '')
        """
        target = encoded(path)
        self._changed = True
        self._target = target

    def set_method(self, method: str) -> None:
        """Go on with another method; raises ValueError for what can't be one.

        Whether the client gets content depends on the method that it sent.
        """
        if not is_token(method) or len(method) > MAX_METHOD_BYTES:
            raise ValueError(f"not a method: {method!r}")
        self._changed = True
        self._method = method

    def __repr__(self) -> str:
        return f"<Request {self._method} {self._target}>"


def read_json(data: bytes) -> Any:
    """A body parsed as JSON, as ``Request.json`` does."""
    encoding = json.detect_encoding(data)
    if not encoding.startswith("utf-8"):
        raise Stop(f"JSON in {encoding}; scripts read UTF-8 alone")
    return json.loads(data)


class Arrived(Request):
    """A request that the server read: nothing of it is checked again."""

    def __init__(
        self,
        method: str,
        target: str,
        fields: Iterable[tuple[str, bytes]],
        body: bytes | None,
        *,
        scheme: str,
        peer: tuple[str, int],
        http_version: str,
        tls: tuple[str | None, str | None, str | None],
        client_ip: str,
    ) -> None:
        """``target``: path and query; ``body``: None when it is too large; ``peer``: address and
        port; ``tls``: server name, protocol and fingerprint.
        """
        sni, alpn, ja4 = tls
        super().__init__(
            scheme=scheme,
            peer_ip=peer[0],
            peer_port=peer[1],
            http_version=http_version,
            tls_sni=sni,
            tls_alpn=alpn,
            ja4=ja4,
            client_ip=client_ip,
        )
        self._method = method
        self._target = target
        self._fields = Fields(fields)
        self._body = body
        self._was_read = False
        self._is_answered = False

    def body(self) -> bytes:
        if self._is_answered and not self._was_read:
            raise Stop("the request body is not kept until the response; read it before")
        self._was_read = True
        return super().body()

    def answered(self) -> None:
        """From here on response hooks see it."""
        self._is_answered = True

    @property
    def most_bytes(self) -> int | None:
        """What ``limit_body`` was called with."""
        return self._most_bytes

    def changes(self) -> tuple[str, str, list[tuple[str, bytes]] | None] | None:
        """Method, target, and the fields if scripts changed them; None if nothing was changed."""
        if not self._changed and not self._fields.changed:
            return None
        return self._method, self._target, list(self._fields) if self._fields.changed else None
