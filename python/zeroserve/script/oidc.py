"""Logins by OpenID Connect.

The server does them; CPython has no part in it, so that a test by hand says who the visitor is::

    from zeroserve.script import oidc

    with oidc.visitor({"sub": "ada"}):
        guard(req)
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from zeroserve.script.limits import MAX_NAME_BYTES, MAX_URI_BYTES, Stop
from zeroserve.script.response import Response

MIN_SECRET_BYTES = 16

SESSION_S = range(60, 30 * 24 * 3600 + 1)

_URL = re.compile(r"https?://[^/?#@]+(?:[/?][!-~]*)?")
_VISIBLE = re.compile(r"[!-~]+")

_visitor: ContextVar[list[Any] | None] = ContextVar("zeroserve.script.oidc", default=None)


@contextmanager
def visitor(claims: Mapping[str, Any] | None) -> Iterator[None]:
    """Have ``oidc_session`` return these claims until the end of the block: for tests."""
    token = _visitor.set([None if claims is None else dict(claims)])
    try:
        yield
    finally:
        _visitor.reset(token)


def oidc_begin_login(config: str, return_to: str = "/") -> Response:
    """Send the visitor to the provider, who sends him back to ``redirect_uri``.

    ``config``: JSON, as ``json.dumps`` makes it, of an object with ``issuer``, ``client_id``,
    ``client_secret`` (none for a public client), ``redirect_uri``, ``cookie_secret`` (16 bytes or
    more), and perhaps ``scope`` (``openid``) and ``session_ttl_secs`` (28,800; 60 to 2,592,000).
    ``return_to``: a path of this site for afterwards; anything else is ``/``. Raises ValueError for
    a configuration that is not valid, and ConnectionError where the provider does not answer or
    is not what it should be; the log says why.
    """
    _check(config)
    raise _elsewhere()


def oidc_handle_callback(config: str) -> Response:
    """At the path of ``redirect_uri``: the visitor is back, and goes on with a session.

    Raises PermissionError for everything that is not the end of a login which this visitor has
    begun; the log says why. ``config`` as for ``oidc_begin_login``.
    """
    _check(config)
    raise _elsewhere()


def oidc_session(config: str) -> Any:
    """The claims of the visitor's session, a dict; None if there is none. Nobody is asked.

    ``config`` as for ``oidc_begin_login``.
    """
    _check(config)
    known = _visitor.get()
    if known is None:
        raise _elsewhere()
    return known[0]


def oidc_logout(config: str, end_session_url: str = "/") -> Response:
    """End the visitor's session, and go on to a URL, such as the provider's
    ``end_session_endpoint``, or to a path of this site; anything else is ``/``.

    ``config`` as for ``oidc_begin_login``.
    """
    _check(config)
    raise _elsewhere()


def _elsewhere() -> Stop:
    return Stop("logins by OpenID Connect need the server: they are not in engine 'cpython'")


def _is_url(text: str) -> bool:
    good = _URL.fullmatch(text) and _VISIBLE.fullmatch(text) and "#" not in text
    return bool(good) and len(text) <= MAX_URI_BYTES


def _check(config: str) -> None:
    """Raise ValueError for what the server would not take, either."""
    try:
        value = json.loads(config)
    except (ValueError, RecursionError):
        raise ValueError("the configuration is not JSON") from None
    given = value if isinstance(value, dict) else {}

    def text(name: str) -> str:
        found = given.get(name)
        found = "" if found is None else found
        data = found.encode("utf-8", "surrogatepass") if isinstance(found, str) else b""
        control = isinstance(found, str) and any(c < " " or "\x7f" <= c <= "\x9f" for c in found)
        if not isinstance(found, str) or len(data) > MAX_URI_BYTES or control:
            raise ValueError(f"the {name} is no text")
        return found

    if not _is_url(text("issuer")) or "?" in text("issuer"):
        raise ValueError("the issuer is no URL")
    if not 0 < len(text("client_id").encode()) <= MAX_NAME_BYTES:
        raise ValueError("there is no client_id")
    text("client_secret")
    if not _is_url(text("redirect_uri")):
        raise ValueError("the redirect_uri is no URL")
    text("scope")
    secret = given.get("cookie_secret")
    if not isinstance(secret, str) or len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError("the cookie_secret has less than 16 bytes")
    seconds = given.get("session_ttl_secs")
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, int) or seconds not in SESSION_S
    ):
        raise ValueError("session_ttl_secs is not from 60 to 2592000")
