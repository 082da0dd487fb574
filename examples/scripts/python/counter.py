"""A hit counter as a picture: <img src="/badge/home.svg">.

Counts are kept in memory, over reloads, not over the end of the process. A visitor counts once in
WINDOW_S seconds, by a hash of address and User-Agent that changes with the window, so nothing
that is kept says who it was.
"""

import hashlib
import re
import time

from zeroserve.script import Request, Response, Table, on_request

NAME = re.compile(r"/badge/([a-z0-9-]{1,40})\.svg")
WINDOW_S = 3600
COLOURS = ((1_000_000, "#e5534b"), (1000, "#c69026"), (0, "#347d39"))

counts = Table(str, int, max_entries=1000)
visitors = Table(bytes, int, max_entries=50_000)


def short(number: int) -> str:
    """1234 is 1.2k.

    >>> short(999), short(1234), short(25_000), short(1_250_000)
    ('999', '1.2k', '25k', '1.2M')
    """
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if number >= unit:
            whole, tenth = number // unit, number % unit * 10 // unit
            return f"{whole}.{tenth}{name}" if whole < 10 and tenth else f"{whole}{name}"
    return str(number)


def colour(number: int) -> str:
    for least, name in COLOURS:
        if number >= least:
            return name
    return "#000"


def is_new(req: Request, page: str) -> bool:
    window = int(time.time()) // WINDOW_S
    agent = req.header("user-agent") or ""
    text = f"{window} {page} {req.peer_ip} {agent}"
    key = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:16]
    return visitors.add(key, 1) == 1


@on_request
def counter(req: Request) -> Response | None:
    found = NAME.fullmatch(req.path)
    if found is None:
        return None
    page = found[1]
    number = (
        counts.add(page, 1) if req.method == "GET" and is_new(req, page) else counts.get(page, 0)
    )
    text = short(number)
    width = 24 + 8 * len(text)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img">'
        f"<title>{number:,} visits</title>"
        f'<rect width="{width}" height="20" rx="3" fill="{colour(number)}"/>'
        f'<text x="{width // 2}" y="14" fill="#fff" text-anchor="middle" '
        f'font-family="sans-serif" font-size="12">{text}</text></svg>\n'
    )
    return Response(200, svg, content_type="image/svg+xml", headers={"Cache-Control": "no-store"})
