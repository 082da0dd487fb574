"""What a script answers, and what response hooks see."""

import re
from collections.abc import Iterable, Mapping

from zeroserve.script.fields import CONNECTION, FRAMING, Fields
from zeroserve.script.limits import MAX_RESPONSE_BODY_BYTES, MAX_URI_BYTES, Stop
from zeroserve.script.target import location

REDIRECTS = (301, 302, 303, 307, 308)

_UPSTREAM = re.compile(
    r"https?://[^/?#@]+(?:[/?][!-~]*)?|unix:/[!-~]+|pool:[0-9A-Za-z._-]+", re.ASCII
)
_VISIBLE = re.compile(r"[!-~]+")


class Response:
    """An answer with a status, headers and a body.

    >>> res = Response(200, '{"ok":true}', content_type="application/json")
    >>> res.status, res.header("content-type"), res.body
    (200, 'application/json', b'{"ok":true}')

    A response hook gets the response that is about to be sent, whoever made it: it may look at
    status and headers and change them, not the body.

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

        ``content_type`` is by default what ``headers`` says, else ``text/plain; charset=utf-8``
        for ``str`` and ``application/octet-stream`` for ``bytes``. Raises ValueError for another
        status, for what is no header name, for a header that the server sets itself
        (``Content-Length``, ``Connection`` ...), and for a value with a control character.

        To a status that has no content (204, 304) no body and no type are sent.

            Response(429, "slow down\\n", headers={"Retry-After": "10"})
        """
        self.status = status
        data = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
        if len(data) > MAX_RESPONSE_BODY_BYTES:
            raise Stop(f"a response body of more than {MAX_RESPONSE_BODY_BYTES} bytes")
        self._body = data
        self._fields = Fields(forbidden=FRAMING | CONNECTION)
        for name, value in (headers or {}).items():
            self._fields.append(name, value)
        if content_type is not None:
            self._fields.set("Content-Type", content_type)
        elif self._fields.get("content-type") is None:
            text = isinstance(body, str)
            kind = "text/plain; charset=utf-8" if text else "application/octet-stream"
            self._fields.append("Content-Type", kind)

    @property
    def status(self) -> int:
        """From 200 to 599; setting another is a ValueError."""
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"not a status from 200 to 599: {status}")
        self._status = status

    @property
    def body(self) -> bytes:
        """What the script that made it gave as body; empty in a response hook. For tests."""
        return self._body

    @property
    def upstream(self) -> str | None:
        """The URL that ``proxy`` was called with, of its result. For tests."""
        return None

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

    def __repr__(self) -> str:
        return f"<Response {self._status}, {len(self._body)} bytes>"


class Shown(Response):
    """The response that is about to be sent, for hooks: no body."""

    def __init__(self, status: int, fields: Iterable[tuple[str, bytes]]) -> None:
        super().__init__(200)
        self._status = status
        self._fields = Fields(fields, forbidden=FRAMING | CONNECTION)


class _Upstream(Response):
    def __init__(self, url: str) -> None:
        super().__init__(502)  # what it is without an upstream that answers
        self._url = url

    @property
    def upstream(self) -> str | None:
        return self._url

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
    ValueError for another status and for an empty URL.

    >>> res = redirect("/new/" + "a b", 301)
    >>> res.status, res.header("location")
    (301, '/new/a%20b')
    """
    if status not in REDIRECTS:
        raise ValueError(f"not a status of redirects: {status}")
    if not url:
        raise ValueError("the URL of a redirect is empty")
    made = Response(status, headers={"Location": location(url)})
    made.delete_header("Content-Type")
    return made


def proxy(url: str) -> Response:
    """Let an upstream answer: the request goes there as scripts left it.

    ``url``: ``http://HOST[:PORT][/BASE]``, the same with ``https``, ``unix:/PATH``, or
    ``pool:NAME`` for a pool of the operator. The request's path follows the base. Raises
    ValueError for anything else, with a user name, a fragment, or of more than 8192 bytes.

    >>> proxy("http://127.0.0.1:9000").upstream
    'http://127.0.0.1:9000'
    """
    good = _UPSTREAM.fullmatch(url) and _VISIBLE.fullmatch(url) and "#" not in url
    if not good or len(url) > MAX_URI_BYTES:
        raise ValueError(f"not the URL of an upstream: {url!r}")
    return _Upstream(url)


def abort() -> Response:
    """Close the connection without an answer.

    >>> abort().aborts
    True
    """
    return _Abort()
