"""Redirects: one host, moved pages, moved sections, patterns of old URLs.

Set CANONICAL_HOST to the name that the site should have, or to "" for any. Then list what has
moved in EXACT, PREFIXES and PATTERN. The query is kept. Redirects are permanent (308 keeps method
and body), and browsers remember them for a long time: try new ones with TEMPORARY = True.

A path is compared decoded and normalised, so /%61bout/../about is /about, too.
"""

import re

from zeroserve.script import Request, Response, on_request, redirect

CANONICAL_HOST = ""
"""Such as "example.com": requests for www.example.com are sent there, health checks by IP too."""

TEMPORARY = False

EXACT = {
    "/about-us": "/about/",
    "/blog/feed": "/feed.xml",
    "/chat": "https://chat.example.org/",
}

PREFIXES = (
    ("/docs/v1/", "/docs/archive/v1/"),
    ("/wiki/", "https://wiki.example.org/"),
)
"""The first that fits counts; what follows the prefix follows the target."""

ARTICLE = re.compile(r"/(\d{4})/(\d{2})/([\w-]+)\.html", re.ASCII)
"""/2019/03/title.html, of the blog that was here before."""


def target(path: str) -> str | None:
    """Where a path has moved to."""
    exact = EXACT.get(path)
    if exact is not None:
        return exact
    for prefix, new in PREFIXES:
        if path.startswith(prefix):
            return new + path.removeprefix(prefix)
    article = ARTICLE.fullmatch(path)
    if article:
        return f"/blog/{article[1]}-{article[2]}-{article[3]}/"
    return None


@on_request
def moved(req: Request) -> Response | None:
    new = target(req.path)
    if CANONICAL_HOST and req.host != CANONICAL_HOST:
        if new is None:
            new = req.raw_path
        if new.startswith("/"):
            new = f"{req.scheme}://{CANONICAL_HOST}{new}"
    if new is None:
        return None
    if req.query:
        new += ("&" if "?" in new else "?") + req.query
    return redirect(new, 307 if TEMPORARY else 308)
