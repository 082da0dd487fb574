"""Drive a site in-process: the pipeline that serves requests, without sockets.

from zeroserve.testing import Client

r = Client("site/").get("/", headers={"accept-encoding": "br"})
assert r.status == 200
assert r.headers["content-type"] == "text/html; charset=utf-8"
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

from zeroserve._core import Error, Site
from zeroserve.config import file
from zeroserve.server import configuration, loaded

if TYPE_CHECKING:
    from zeroserve.oracle import Scripts

HeadersIn = Mapping[str, str] | Iterable[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


class Headers(Mapping[str, str]):
    """Fields of a response: names are lower-case, looked up in any case.

    A field that occurs several times reads as one, joined with ``, ``; ``getlist`` has the
    single values.
    """

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._lists: dict[str, list[str]] = {}
        for name, value in fields:
            self._lists.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._lists[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def getlist(self, name: str) -> list[str]:
        """All values of a field in their order; empty when there is none."""
        return list(self._lists.get(name.lower(), ()))

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Response:
    """An answer: ``status`` (int), ``headers`` (``Headers``) and ``body`` (bytes)."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def text(self) -> str:
        """The body as text, in the charset that Content-Type names (UTF-8 by default)."""
        found = re.search(r'charset="?([^\s";]+)', self.headers.get("content-type", ""), re.I)
        return self.body.decode(found[1] if found else "utf-8")

    def json(self) -> Any:
        """The body parsed as JSON; raises ValueError when it is none."""
        import json

        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.body)} bytes>"


class Client:
    """Sends requests to a site, each as if it came on a connection of its own.

    The site is opened once: make a new client to see it change. Redirects are not followed.
    """

    def __init__(
        self,
        site: str | os.PathLike[str],
        *,
        index: str = "index.html",
        try_html: bool = False,
        engine: str = "native",
        config: str | os.PathLike[str] | None = None,
    ) -> None:
        """``site``: a ``.tar``, a directory or a script. ``engine``: what runs its scripts:
        ``native`` compiles them as a server does; ``cpython`` imports them here, if all are in
        Python, so that they can be debugged and their coverage measured. Answers are the same.
        What scripts keep (``Table``, rate limits) is kept as long as the client. ``config``: the
        configuration file of the process, as a server is given one with ``--config``.

        Raises ``Error`` when the site is refused.
        """
        path = os.fspath(site)
        process = file.load(os.fspath(config)) if config is not None else file.NOTHING
        self._scripts: Scripts | None = None
        if engine == "native":
            self._site = Site(
                path,
                index=index,
                try_html=try_html,
                scripts=loaded(path),
                configure=configuration(path),
                config=process.json,
            )
            return
        if engine != "cpython":
            raise Error(f"there is no such engine: {engine!r}", "it is 'native' or 'cpython'")
        from zeroserve import oracle  # late: most clients are native

        own = file.of_directory(path) if os.path.isdir(path) else file.NOTHING  # noqa: PTH112
        self._scripts = oracle.Scripts(path, (process.fetch, own.fetch))
        self._site = Site(path, index=index, try_html=try_html, config=process.json)
        self._scripts.has = self._site.has

    @property
    def errors(self) -> list[BaseException]:
        """With ``engine="cpython"``, the exceptions that stopped scripts, the latest last.

        assert client.get("/broken").status == 500
        raise client.errors[-1]
        """
        return self._scripts.errors if self._scripts is not None else []

    def request(
        self,
        method: str,
        path: str,
        headers: HeadersIn | None = None,
        body: bytes | str | None = None,
    ) -> Response:
        """Send one request and return the answer.

        ``path`` goes out as it is given when it is visible ASCII; spaces and other characters
        are percent-encoded as UTF-8. ``Host: localhost`` and ``Content-Length`` are added
        where they are missing. Raises ValueError for what no client could send, such as a
        line break in a header.

            client.request("GET", "/data.bin", headers={"range": "bytes=0-99"}).body
        """
        scripts = self._scripts.conversation() if self._scripts is not None else None
        answer = self._site.exchange(encode(method, path, headers, body), scripts)
        return _parse(method, answer)

    def get(self, path: str, headers: HeadersIn | None = None) -> Response:
        """``request("GET", ...)``."""
        return self.request("GET", path, headers)

    def head(self, path: str, headers: HeadersIn | None = None) -> Response:
        """``request("HEAD", ...)``."""
        return self.request("HEAD", path, headers)

    def post(
        self, path: str, headers: HeadersIn | None = None, body: bytes | str | None = b""
    ) -> Response:
        """``request("POST", ...)``."""
        return self.request("POST", path, headers, body)


def encode(method: str, path: str, headers: HeadersIn | None, body: bytes | str | None) -> bytes:
    if not _TOKEN.fullmatch(method):
        raise ValueError(f"not a method: {method!r}")
    if not path:
        raise ValueError("the path is empty")
    if not all(character in _VISIBLE for character in path):
        path = quote(path, safe=_VISIBLE)
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    fields = [(name, _value(name, value)) for name, value in pairs]
    given = {name.lower() for name, _ in fields}
    data = body.encode() if isinstance(body, str) else body
    if "host" not in given:
        fields.insert(0, ("Host", b"localhost"))
    if data is not None and not given & {"content-length", "transfer-encoding"}:
        fields.append(("Content-Length", str(len(data)).encode()))
    if "connection" not in given:
        fields.append(("Connection", b"close"))
    head = f"{method} {path} HTTP/1.1\r\n".encode()
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in fields)
    return head + lines + b"\r\n" + (data or b"")


def _value(name: str, value: str) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"not a header name: {name!r}")
    if any(character in value for character in "\r\n\0"):
        raise ValueError(f"header {name!r} has a line break or NUL in its value: {value!r}")
    return value.encode()


class _Connection:
    """As much of a socket as http.client looks at."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BinaryIO:
        return BytesIO(self._data)


def _parse(method: str, answer: bytes) -> Response:
    if not answer:
        raise Error("the connection was closed without an answer")
    parsed = HTTPResponse(cast(Any, _Connection(answer)), method=method)
    try:
        parsed.begin()
        body = parsed.read()
    except (HTTPException, ValueError) as error:
        raise Error(f"the answer is not HTTP: {error!r}") from None
    return Response(parsed.status, Headers(parsed.getheaders()), body)
