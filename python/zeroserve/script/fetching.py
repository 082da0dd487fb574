"""Asking other servers.

In the server, other requests go on while a script waits for an answer. Where nothing else is
said, no server may be asked: ``[fetch]`` of ``zeroserve.toml`` names those that may. Tests put
something in the place of them all::

    from zeroserve.script import fetching

    with fetching.answering(lambda asked: Fetched(204, headers={"X-User": "ada"})):
        guard(req)
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from zeroserve.script.fields import FRAMING, OF_RESPONSES, Fields, is_token
from zeroserve.script.limits import (
    DEFAULT_FETCH_TIMEOUT_MS,
    MAX_FETCH_TIMEOUT_MS,
    MAX_FETCHES,
    MAX_METHOD_BYTES,
    MAX_REQUEST_BODY_BYTES,
    MAX_URI_BYTES,
    Stop,
)
from zeroserve.script.request import read_json

FORBIDDEN = FRAMING | OF_RESPONSES | {"host", "via", "expect", "trailer"}
"""Headers of a request that are the server's business."""

_URL = re.compile(r"(?:https?://[^/?#@]+|pool:[0-9A-Za-z._-]+)(?:[/?][!-~]*)?")
_VISIBLE = re.compile(r"[!-~]+")


class Fetched:
    """What a server answered; ``fetch`` returns it.

    >>> res = Fetched(200, b'{"user": "ada"}', headers={"Content-Type": "application/json"})
    >>> res.status, res.header("content-type"), res.json()["user"]
    (200, 'application/json', 'ada')
    """

    def __init__(
        self, status: int, body: bytes | str = b"", *, headers: Mapping[str, str] | None = None
    ) -> None:
        """For tests; in scripts only ``fetch`` makes one."""
        self._status = status
        self._body = body.encode() if isinstance(body, str) else body
        rows = (headers or {}).items()
        self._fields = Fields((name, value.encode()) for name, value in rows)

    @property
    def status(self) -> int:
        """The status; redirects are not followed, so it may be 302."""
        return self._status

    @property
    def body(self) -> bytes:
        """The body, at most 256 KiB, as it came: a coding such as gzip is not undone."""
        return self._body

    def header(self, name: str) -> str | None:
        """The value of a header, its name in any case; several are joined with ``", "``."""
        return self._fields.get(name)

    def header_list(self, name: str) -> list[str]:
        """The values of a header one by one, such as those of ``Set-Cookie``."""
        return self._fields.values(name)

    def json(self) -> Any:
        """The body parsed as JSON; raises what ``Request.json`` does."""
        return read_json(self._body)

    def __repr__(self) -> str:
        return f"<Fetched {self._status}, {len(self._body)} bytes>"


class Asked(NamedTuple):
    """A request of a script, for who answers in place of a server."""

    method: str
    url: str
    fields: list[tuple[str, bytes]]
    body: bytes
    timeout_ms: int

    def header(self, name: str) -> str | None:
        """The value of a header, its name in any case."""
        return Fields(self.fields).get(name)


Answer = Callable[[Asked], Fetched]

_answer: ContextVar[Answer | None] = ContextVar("zeroserve.script.fetching", default=None)
_count: ContextVar[list[int] | None] = ContextVar("zeroserve.script.fetches", default=None)
_in_hook: ContextVar[bool] = ContextVar("zeroserve.script.fetching.in_hook", default=False)


@contextmanager
def answering(answer: Answer) -> Iterator[None]:
    """Have a function answer what scripts ask, until the end of the block: for tests.

    It may raise ConnectionError, TimeoutError or PermissionError as ``fetch`` does.

    >>> with answering(lambda asked: Fetched(200, asked.url)):
    ...     fetch("http://127.0.0.1:9000/x").body
    b'http://127.0.0.1:9000/x'
    """
    token = _answer.set(answer)
    try:
        yield
    finally:
        _answer.reset(token)


@contextmanager
def counting(count: list[int] | None, *, in_hook: bool = False) -> Iterator[None]:
    """Count the requests that are made for one request; for who runs scripts."""
    tokens = _count.set(count), _in_hook.set(in_hook)
    try:
        yield
    finally:
        _count.reset(tokens[0])
        _in_hook.reset(tokens[1])


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str | None] | None = None,
    body: bytes = b"",
    timeout_ms: int = DEFAULT_FETCH_TIMEOUT_MS,
) -> Fetched:
    """Ask another server, and wait for all of its answer. Other requests go on meanwhile.

    ``url``: ``http://HOST[:PORT][/PATH][?QUERY]``, the same with ``https``, or
    ``pool:NAME[/PATH]`` for a pool of the operator. ``headers``: without those that are the
    server's business (``Host``, ``Content-Length``, ``Connection`` ...); one that is None is left
    out. ``body``: up to 256 KiB.
    ``timeout_ms``: for all of it, from 1 to 30,000. Redirects are not followed.

    Raises ValueError for arguments that are not valid, and OSErrors: PermissionError for a server
    that ``[fetch]`` of ``zeroserve.toml`` does not name, TimeoutError, and ConnectionError for
    every other reason for which there is no answer, such as one with a body of more than 256 KiB;
    the log says which. A 17th call for one request stops the script, as does one in a response
    hook.

        try:
            res = fetch("http://127.0.0.1:9000/verify", timeout_ms=1000)
        except OSError:
            return Response(503, "try again\\n")
    """
    if not is_token(method) or len(method) > MAX_METHOD_BYTES or method == "CONNECT":
        raise ValueError(f"not a method: {method!r}")
    good = _URL.fullmatch(url) and _VISIBLE.fullmatch(url) and "#" not in url
    if not good or len(url) > MAX_URI_BYTES:
        raise ValueError(f"not a URL that can be fetched: {url!r}")
    if _in_hook.get():
        raise Stop("a response hook can't fetch: the response waits to be sent")
    count = _count.get()
    if count is not None:
        count[0] += 1
        if count[0] > MAX_FETCHES:
            raise Stop(f"it fetches more than {MAX_FETCHES} times")
    fields = Fields(forbidden=frozenset(FORBIDDEN))
    for name, value in (headers or {}).items():
        if value is not None:
            fields.append(name, value)
    if not 1 <= timeout_ms <= MAX_FETCH_TIMEOUT_MS:
        raise ValueError(f"timeout_ms is {timeout_ms}, not from 1 to {MAX_FETCH_TIMEOUT_MS}")
    if len(body) > MAX_REQUEST_BODY_BYTES:
        raise Stop(f"the body of a fetch is larger than {MAX_REQUEST_BODY_BYTES} bytes")
    answer = _answer.get()
    if answer is None:
        raise PermissionError(f"{origin(url)}: it is not in the list of [fetch]")
    return answer(Asked(method, url, list(fields), body, timeout_ms))


def origin(url: str) -> str:
    """Whom a URL names, as messages do.

    >>> origin("https://Example.org/x"), origin("pool:auth/verify")
    ('https://example.org:443', 'pool:auth')
    """
    if url.startswith("pool:"):
        return re.split(r"[/?]", url, maxsplit=1)[0]
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
