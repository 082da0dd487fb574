"""The files of the site that a script belongs to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from zeroserve.script.limits import MAX_URI_BYTES, Stop
from zeroserve.script.target import normal

Has = Callable[[str], bool]

_site: ContextVar[Has | None] = ContextVar("zeroserve.script.site", default=None)


@contextmanager
def looking(has: Has | None) -> Iterator[None]:
    """Say what knows the files of the site, by their paths without the leading slash.

    >>> with looking({"a.html"}.__contains__):
    ...     file_exists("/a.html"), file_exists("/b.html")
    (True, False)
    """
    token = _site.set(has)
    try:
        yield
    finally:
        _site.reset(token)


def file_exists(path: str) -> bool:
    """Whether a GET of that path would find something in the site.

    That is a file, or a directory that has an index page, with its slash or without; with
    ``--try-html``, also what is found by that. ``path`` is one as ``req.path`` has them: decoded,
    so that ``%`` is a percent sign. What begins with no slash, or leads out of the site, finds
    nothing; nor does anything where there is no site, as in a script that is only imported.

        if not file_exists(req.path):
            return send_file("/index.html")
    """
    try:
        if len(data := path.encode()) > MAX_URI_BYTES:
            return False
        name = normal(data).decode()
    except ValueError:
        return False
    has = _site.get()
    return has is not None and has(name)


def site_path(path: str) -> bytes:
    """A path of the site without its slash; ValueError for what is none."""
    data = path.encode("utf-8", "surrogateescape")
    if len(data) > MAX_URI_BYTES:
        raise Stop(f"a path is longer than {MAX_URI_BYTES} bytes")
    try:
        return normal(data)
    except ValueError as error:
        raise ValueError(f"{error}: {path!r}") from None
