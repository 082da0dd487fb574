"""What a script answers, and what response hooks see."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from zeroserve.script.fields import BLANKS, OF_RESPONSES, Fields, has_control, lower
from zeroserve.script.files import site_path
from zeroserve.script.limits import MAX_RESPONSE_BODY_BYTES, MAX_URI_BYTES, Stop
from zeroserve.script.target import location

REDIRECTS = (301, 302, 303, 307, 308)

FORBIDDEN = OF_RESPONSES | {"date"}

OF_CONTENT = (
    "accept-ranges",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "repr-digest",
)
"""Headers that describe content, and go with it."""

WITHOUT_PAGE = (204, 205, 206, 304)

DEFAULT_TYPES = {"str": "text/plain; charset=utf-8", "bytes": "application/octet-stream"}

_UPSTREAM = re.compile(
    r"(?:https?|h2c?)://[^/?#@]+(?:[/?][!-~]*)?|unix:/[!-~]+|pool:[0-9A-Za-z._-]+", re.ASCII
)
_VISIBLE = re.compile(r"[!-~]+")


class Response:
    """An answer with a status, headers and a body.

    >>> res = Response(200, '{"ok":true}', content_type="application/json")
    >>> res.status, res.header("content-type"), res.body
    (200, 'application/json', b'{"ok":true}')

    A response hook gets the response that is about to be sent, whoever made it: it may look at
    status and headers and change them, and replace the body by a file of the site.

    >>> from zeroserve.script import Request, on_response
    >>> @on_response
    ... def harden(req: Request, res: Response) -> None:
    ...     res.set_header("X-Frame-Options", "DENY")
    >>> harden(Request(), res)
    >>> res.header("x-frame-options")
    'DENY'
    """

    def __init__(
        self,
        status: int,
        body: str | bytes = "",
        *,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``status``: 200 to 599. ``body``: at most 8 MiB; ``str`` is sent as UTF-8.

        A ``Content-Type`` in ``headers`` counts more than ``content_type``; the default is
        ``text/plain; charset=utf-8`` for ``str`` and ``application/octet-stream`` for ``bytes``.
        Raises ValueError for another status, for what is no header name, for a header that is up
        to the server (``Content-Length``, ``Connection``, ``Date`` ...), for a value with a
        control character, and for an empty type.

        To a status that has no content (204, 304) no body and no type are sent.

            Response(429, "slow down\\n", headers={"Retry-After": "10"})
        """
        self.status = status
        self._file: bytes | None = None
        self._upstream_error: str | None = None
        self._kind = "str" if isinstance(body, str) else "bytes"
        data = body.encode() if isinstance(body, str) else body
        if len(data) > MAX_RESPONSE_BODY_BYTES:
            why = f"the body of a response is larger than {MAX_RESPONSE_BODY_BYTES} bytes"
            raise Stop(why)
        self._body = data
        self._fields = Fields(forbidden=FORBIDDEN)
        if content_type is None:
            self._fields.append("Content-Type", DEFAULT_TYPES[self._kind])
        else:
            if not content_type.strip(BLANKS) or has_control(content_type):
                raise ValueError(f"not a content type: {content_type!r}")
            self._fields.append("Content-Type", content_type)
            self._kind = ""
        for name, value in (headers or {}).items():
            if lower(name) == "content-type":
                self._fields.set(name, value)
                self._kind = ""
            else:
                self._fields.append(name, value)

    @property
    def status(self) -> int:
        """From 200 to 599; setting another is a ValueError."""
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"status {status} is not from 200 to 599")
        self._status = status

    @property
    def body(self) -> bytes:
        """What the script that made it gave as body; empty in a response hook. For tests."""
        return self._body

    @property
    def upstream_error(self) -> str | None:
        """In a response hook, where an upstream failed; None if it did not.

        ``"queue"``, ``"resolve"``, ``"connect"``, ``"handshake"``, ``"send"`` or ``"head"``: what
        the request came to, as in the access log; ``"request"`` when it could not even be passed
        on. Then ``status`` is the server's own: 504 for what took too long, 503 when no upstream
        may be asked now, otherwise 502.

            if res.upstream_error is not None:
                res.send_file("/errors/upstream.html")
        """
        return self._upstream_error

    @property
    def file(self) -> str | None:
        """The path that ``send_file`` was called with, of a response. For tests."""
        return None if self._file is None else "/" + self._file.decode("utf-8", "surrogateescape")

    @property
    def upstream(self) -> str | None:
        """The URL that ``proxy`` was called with, of its result. For tests."""
        return None

    @property
    def cached(self) -> bool:
        """Whether ``proxy`` was called with ``cache=True``, of its result. For tests."""
        return False

    @property
    def aborts(self) -> bool:
        """Whether it is the result of ``abort``. For tests."""
        return False

    def header(self, name: str) -> str | None:
        """The value of a header, its name in any case; several are joined with ``", "``."""
        return self._fields.get(name)

    def set_header(self, name: str, value: str) -> None:
        """Set a header; it replaces all of that name. Raises ValueError as ``Response`` does."""
        self._fields.set(name, value)

    def append_header(self, name: str, value: str) -> None:
        """Add a header beside those of that name, such as another ``Set-Cookie``."""
        self._fields.append(name, value)

    def delete_header(self, name: str) -> None:
        """Remove all headers of that name, if there are any; those of framing stay."""
        self._fields.remove(name)

    def send_file(self, path: str) -> None:
        """In a response hook, replace the content by a file of the site; status and headers stay.

        But headers that describe what is replaced go (``Content-Type``, ``Content-Encoding``,
        ``ETag`` ...): the file has its own, unless the hook sets others afterwards. ``path`` is as
        for ``send_file``. A 304 stays as it is, and so does a 101. If there is no such file, the
        status in words is sent in its place, and the log says so. Raises ValueError for what is no
        path.

            if res.status == 404 and req.path.startswith("/blog/"):
                res.send_file("/blog/missing.html")
        """
        file = site_path(path)
        if self._status == 304 or self._status < 200:
            return
        self._file = file
        for name in OF_CONTENT:
            self._fields.remove(name)

    def __repr__(self) -> str:
        return f"<Response {self._status}, {len(self._body)} bytes>"


class Decision(NamedTuple):
    """What the server makes of a response that a script returned."""

    kind: str
    """``respond``, ``file``, ``listing``, ``proxy``, ``cached`` (a proxy whose answers may be
    kept) or ``abort``."""
    status: int
    """Of a listing, whether it is JSON."""
    body: bytes
    """Or the path of the file or directory, without its slash."""
    text: str
    """``str`` or ``bytes`` for the type of such a body, empty when it is among the fields; or the
    URL of the upstream."""
    fields: list[tuple[str, bytes]]


def decision(response: Response) -> Decision:
    """For who runs scripts."""
    if response.aborts:
        return Decision("abort", 0, b"", "", [])
    if response.upstream is not None:
        kind = "cached" if response.cached else "proxy"
        return Decision(kind, 0, b"", response.upstream, [])
    if isinstance(response, _Listing):
        rows = list(response._fields)
        return Decision("listing", int(response.as_json), response.path, "", rows)
    if isinstance(response, _File):
        return Decision("file", response.status, response.path, "", list(response._fields))
    fields, kind = list(response._fields), response._kind
    default = ("Content-Type", DEFAULT_TYPES.get(kind, "").encode())
    if kind and default in fields:
        fields.remove(default)
    else:
        kind = ""
    return Decision("respond", response.status, response.body, kind, fields)


class Shown(Response):
    """The response that is about to be sent, for hooks: no body."""

    def __init__(
        self, status: int, fields: Iterable[tuple[str, bytes]], upstream_error: str | None
    ) -> None:
        super().__init__(200)
        self._status = status
        self._upstream_error = upstream_error
        self._fields = Fields(fields, forbidden=FORBIDDEN)

    def changes(self) -> list[tuple[str, bytes]] | None:
        """The header fields, if hooks have changed them."""
        return list(self._fields) if self._fields.changed else None

    def replacement(self) -> bytes | None:
        """The file that replaces the content, without its slash."""
        return self._file


class _Redirect(Response):
    def __init__(self, url: str, status: int) -> None:
        super().__init__(status)
        if not url or any(character < " " or character == "\x7f" for character in url):
            raise ValueError(f"not a URL: {url!r}")
        self._kind = ""
        self._fields = Fields(forbidden=FORBIDDEN)
        self._fields.append("Location", location(url))


class _File(Response):
    def __init__(self, path: str, status: int) -> None:
        super().__init__(status)
        if status in WITHOUT_PAGE:
            raise ValueError(f"status {status} is none of a file")
        self.path = site_path(path)
        self._file = self.path
        self._kind = ""
        self._fields = Fields(forbidden=FORBIDDEN)

    def __repr__(self) -> str:
        return f"<Response {self.status}, {self.file}>"


class _Listing(_File):
    def __init__(self, path: str, as_json: bool) -> None:
        super().__init__(path, 200)
        self.as_json = as_json


class _Upstream(Response):
    def __init__(self, url: str, cached: bool) -> None:
        super().__init__(502)  # what it is without an upstream that answers
        self._url = url
        self._cached = cached

    @property
    def upstream(self) -> str | None:
        return self._url

    @property
    def cached(self) -> bool:
        return self._cached

    def __repr__(self) -> str:
        return f"<Response of {self._url}>"


class _Abort(Response):
    def __init__(self) -> None:
        super().__init__(502)

    @property
    def aborts(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "<no response>"


def redirect(url: str, status: int = 302) -> Response:
    """Send the client to another URL or path, with 301, 302, 303, 307 or 308.

    What can't stand in a URL is percent-encoded, so a decoded path may be part of it. Raises
    ValueError for another status, an empty URL, and control characters. It has no body.

    >>> res = redirect("/new/" + "a b", 301)
    >>> res.status, res.header("location")
    (301, '/new/a%20b')
    """
    if status not in REDIRECTS:
        raise ValueError(f"status {status} is no redirect: 301, 302, 303, 307 or 308")
    return _Redirect(url, status)


def send_file(path: str, status: int = 200) -> Response:
    """Answer with a file of the site.

    With 200 it is what a request for that path gets: conditions, ranges and precompressed
    variants count, a directory is sent on to its slash, and what is not there is a 404. With
    another status the file is sent as a whole and without validators, to whatever method; what
    is not there is then that status in words, and a line of the log.

    ``path`` is one as ``req.path`` has them: decoded, and without a query. Raises ValueError for
    a status that has no content of its own (204, 205, 206, 304) or is none, and for a path that
    does not begin with a slash or leads out of the site. Headers that are added to the response
    replace the file's of that name.

    >>> res = send_file("/errors/503.html", 503)
    >>> res.status, res.file
    (503, '/errors/503.html')
    """
    return _File(path, status)


def send_listing(path: str, *, as_json: bool = False) -> Response:
    """Answer with what lies in a directory of the site.

    A page with a link for each entry, which programs can read, too, or JSON: ``{"path": "/data/",
    "entries": [{"name": "a.bin", "type": "file", "size": 3, "mtime": 1700000000, "etag": null},
    {"name": "b", "type": "directory"}], "next": null}``. Sizes are bytes, times seconds since
    1970 (None if the archive has none that means anything). Hidden entries and precompressed
    variants are left out. It ends after 10,000 entries or 4 MiB, and goes on with
    ``?after=NAME`` in the query, where ``next`` is that name.

    ``path`` is one as ``req.path`` has them, with a slash at its end or without. Where there is no
    such directory, the answer is the site's 404. Raises ValueError for what is no path.

    >>> send_listing("/data/").file
    '/data/'
    """
    return _Listing(path, as_json)


def proxy(url: str, *, cache: bool = False) -> Response:
    """Let an upstream answer: the request goes there as scripts left it.

    ``url``: ``http://HOST[:PORT][/BASE]``, the same with ``https``, ``h2`` (HTTP/2 over TLS) or
    ``h2c`` (HTTP/2 without), ``unix:/PATH``, or ``pool:NAME`` for a pool of the operator. The
    request's path follows the base. Raises ValueError for anything else, with a user name, a
    fragment, or of more than 8192 bytes.

    ``cache``: answers may be kept and given to others, as far as their ``Cache-Control`` and the
    rest of RFC 9111 let a cache that many clients share.

    >>> proxy("http://127.0.0.1:9000").upstream
    'http://127.0.0.1:9000'
    """
    good = _UPSTREAM.fullmatch(url) and _VISIBLE.fullmatch(url) and "#" not in url
    if not good or len(url) > MAX_URI_BYTES:
        raise ValueError(f"not the URL of a server: {url!r}")
    return _Upstream(url, cache)


def abort() -> Response:
    """Close the connection without an answer.

    >>> abort().aborts
    True
    """
    return _Abort()
