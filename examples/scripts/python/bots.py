"""Keeps out crawlers by their User-Agent, and scanners by what they look for.

A name is only what a program says of itself: this saves work, it protects nothing. Crawlers that
are refused may still read robots.txt, where they should have looked. Refusals are logged, one
line a minute for each address.
"""

import re

from zeroserve.script import Request, Response, abort, log, on_request, rate_limit

UNWANTED = re.compile(
    r"AhrefsBot|SemrushBot|MJ12bot|DotBot|PetalBot|Bytespider|GPTBot|CCBot|ClaudeBot",
    re.IGNORECASE,
)
WELCOME = re.compile(r"Googlebot|bingbot|DuckDuckBot|archive\.org_bot", re.IGNORECASE)
PROBES = re.compile(
    r"/(?:wp-login\.php|wp-admin/|xmlrpc\.php|\.env|\.git/|phpmyadmin|cgi-bin/|actuator/)|\.(?:asp|aspx|jsp|php)$",
    re.IGNORECASE,
)
REFUSE_NAMELESS = True
"""Programs that send no User-Agent."""


@on_request
def bots(req: Request) -> Response | None:
    if req.path == "/robots.txt" or req.path.startswith("/.well-known/"):
        return None
    if PROBES.search(req.path):
        return abort()  # whoever asks for that learns nothing, not even a status
    agent = req.header("user-agent") or ""
    if WELCOME.search(agent) is not None:
        return None
    found = UNWANTED.search(agent)
    if found is None and (agent or not REFUSE_NAMELESS):
        return None
    if rate_limit(f"bots log {req.peer_ip}", per_minute=1):
        log(f"refused {req.peer_ip}: {found[0] if found else 'no user agent'}")
    return Response(403, "no crawlers, please\n", headers={"Vary": "User-Agent"})
