"""A link shortener: PUT or POST makes a link, GET follows it and counts.

    auth="Authorization: Bearer $LINKS_TOKEN" site=http://localhost:8080
    curl -H "$auth" -d https://example.com/a/long/one $site/go/
    curl -H "$auth" -X PUT -d https://example.com/ $site/go/home
    curl -H "$auth" $site/go/home+                       # where it leads, and how often

Links are kept in memory: over reloads, not over the end of the process, and the one that nobody
used for the longest time goes when there are MAX_LINKS. PERMANENT holds those that must stay. The
token is the environment variable LINKS_TOKEN; without it links are followed, not made.
"""

import hmac
import json
import re
import secrets
from urllib.parse import urlsplit

from zeroserve.script import Request, Response, Table, env, on_request, redirect

PREFIX = "/go/"
MAX_LINKS = 10_000
MAX_URL_BYTES = 2000
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without letters that look like digits."""
LENGTH = 6
NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")
PERMANENT = {"docs": "https://docs.example.com/", "status": "https://status.example.com/"}

links = Table(str, str, max_entries=MAX_LINKS)
hits = Table(str, int, max_entries=MAX_LINKS)


def may_edit(req: Request) -> bool:
    token = env("LINKS_TOKEN")
    header = req.header("authorization") or ""
    if not token or not header.startswith("Bearer "):
        return False
    given = header.removeprefix("Bearer ").strip()
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def find(name: str) -> str | None:
    return PERMANENT.get(name) or links.get(name)


def new_name() -> str:
    """One that is free. There are 887 million; two tries are rare."""
    while True:
        name = ""
        for _ in range(LENGTH):
            name += ALPHABET[secrets.randbelow(len(ALPHABET))]
        if find(name) is None:
            return name


def is_good(url: str) -> bool:
    """A web address without user name, which is there to mislead."""
    if len(url) > MAX_URL_BYTES or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None


def make(req: Request, name: str) -> Response:
    url = req.body().decode("utf-8", "replace").strip()
    if not is_good(url):
        return Response(422, "not a web address\n")
    links.set(name, url)
    short = f"{req.scheme}://{req.header('host') or req.host}{PREFIX}{name}"
    return Response(201, short + "\n", headers={"Location": f"{PREFIX}{name}"})


@on_request
def short_links(req: Request) -> Response | None:
    if not req.path.startswith(PREFIX):
        return None
    name = req.path.removeprefix(PREFIX)
    if req.method in ("POST", "PUT", "DELETE"):
        if not may_edit(req):
            return Response(401, "no\n", headers={"WWW-Authenticate": "Bearer"})
        if req.method == "POST" and not name:
            return make(req, new_name())
        if not NAME.fullmatch(name) or name in PERMANENT or req.method == "POST":
            return Response(422, "not a name for a link\n")
        if req.method == "PUT":
            return make(req, name)
        links.delete(name)
        hits.delete(name)
        return Response(204)
    if req.method not in ("GET", "HEAD"):
        return Response(405, "", headers={"Allow": "GET, HEAD, POST, PUT, DELETE"})
    if name.endswith("+"):
        if not may_edit(req):
            return Response(401, "no\n", headers={"WWW-Authenticate": "Bearer"})
        name = name[:-1]
        url = find(name)
        if url is None:
            return Response(404, "no such link\n")
        body = json.dumps({"url": url, "hits": hits.get(name, 0)})
        return Response(200, body, content_type="application/json")
    url = find(name)
    if url is None:
        return Response(404, "no such link\n")
    if req.method == "GET":
        hits.add(name, 1)
    answer = redirect(url, 302)
    answer.append_header("Cache-Control", "private, max-age=0")
    answer.append_header("Referrer-Policy", "unsafe-url")
    return answer
