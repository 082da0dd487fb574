"""Paths as clients send them and as files are found by them."""

import re
from urllib.parse import quote, unquote_to_bytes

from zeroserve.script.limits import MAX_URI_BYTES, Stop

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
"""What a URL consists of."""

_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")


def resolve(raw: str) -> str:
    r"""A path decoded and normalised, as the server looks it up.

    Escapes are decoded once, before ``.`` and ``..`` are resolved; several slashes count as one,
    and one at the end stays. Bytes that are not UTF-8 become lone surrogates (as with
    ``surrogateescape``). Raises ValueError for a path that names nothing: a ``%`` without two
    hexadecimal digits, a NUL, one that leads out of the site.

    >>> resolve("/a//b/../c%2Fd/"), resolve("/%ff")
    ('/a/c/d/', '/\udcff')
    """
    if not raw.startswith("/"):
        raise ValueError(f"a path has to begin with a slash: {raw!r}")
    if _STRAY.search(raw):
        raise ValueError(f"the path has a '%' without two hexadecimal digits: {raw!r}")
    data = unquote_to_bytes(raw.encode("utf-8", "surrogateescape"))
    try:
        return "/" + normal(data).decode("utf-8", "surrogateescape")
    except ValueError as error:
        raise ValueError(f"{error}: {raw!r}") from None


def normal(data: bytes) -> bytes:
    """A decoded path normalised, without its leading slash; otherwise ValueError.

    >>> normal(b"/a/./b//../c%/")
    b'a/c%/'
    """
    if not data.startswith(b"/"):
        raise ValueError("a path has to begin with a slash")
    if b"\0" in data:
        raise ValueError("the path contains a NUL byte")
    names: list[bytes] = []
    parts = data.split(b"/")
    for part in parts:
        if part == b"..":
            if not names:
                raise ValueError("the path leads out of the site")
            names.pop()
        elif part not in (b"", b"."):
            names.append(part)
    end = b"/" if names and parts[-1] in (b"", b".", b"..") else b""
    return b"/".join(names) + end


def encoded(target: str) -> str:
    """A path and perhaps a query as it may stand in a request.

    What can't stand there is percent-encoded as UTF-8: blanks, control characters, what is not
    ASCII, ``#``, and a ``%`` that begins no escape. Raises ValueError for what does not begin with
    a slash or leads out of the site; more than 8192 bytes stop the script.

    >>> encoded("/a b/100%?q=ü"), encoded("/a%20b")
    ('/a%20b/100%25?q=%C3%BC', '/a%20b')
    """
    if not target.startswith("/"):
        raise ValueError(f"a path has to begin with a slash: {target!r}")
    made = location(_STRAY.sub("%25", target)).replace("#", "%23")
    if len(made) > MAX_URI_BYTES:
        raise Stop(f"a path is longer than {MAX_URI_BYTES} bytes")
    try:
        resolve(made.partition("?")[0])
    except ValueError as error:
        reason = str(error).rpartition(": ")[0]
        raise ValueError(f"{reason}: {target!r}") from None
    return made


def location(url: str) -> str:
    """A URL in which nothing but visible ASCII stands; the rest is percent-encoded as UTF-8.

    >>> location("/a b#top")
    '/a%20b#top'
    """
    return quote(url, safe=VISIBLE, errors="surrogateescape")
