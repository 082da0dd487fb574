"""Other sites may fetch from this one: cross-origin resource sharing, preflights included.

List the origins in ORIGINS, or set ANY = True for public data, which then goes without cookies.
Only what lies below PREFIXES is shared. An origin that is not listed gets no header: its browser
refuses, and other programs do not care.
"""

import re

from zeroserve.script import Request, Response, on_request, on_response

PREFIXES = ("/api/", "/data/")
ANY = False
ORIGINS = ("https://app.example.com", "https://admin.example.com")
PREVIEWS = re.compile(r"https://pr-\d+\.preview\.example\.com", re.ASCII)
"""Origins of deployments that come and go. Mind the dots: an unescaped one fits any character."""

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
HEADERS = ("authorization", "content-type", "range", "if-none-match")
EXPOSED = "Content-Range, ETag, Retry-After"
MAX_AGE_S = 7200
"""How long a browser may remember the answer to a preflight; Chromium goes no further."""


def is_shared(path: str) -> bool:
    return any(path.startswith(prefix) for prefix in PREFIXES)


def is_allowed(origin: str) -> bool:
    return ANY or origin in ORIGINS or PREVIEWS.fullmatch(origin) is not None


@on_request
def preflight(req: Request) -> Response | None:
    origin = req.header("origin")
    wanted = req.header("access-control-request-method")
    if req.method != "OPTIONS" or origin is None or wanted is None or not is_shared(req.path):
        return None
    names = (req.header("access-control-request-headers") or "").split(",")
    known = all(name.strip().lower() in HEADERS for name in names if name.strip())
    if not is_allowed(origin) or wanted not in METHODS or not known:
        return Response(204)
    return Response(
        204,
        headers={
            "Access-Control-Allow-Methods": ", ".join(METHODS),
            "Access-Control-Allow-Headers": ", ".join(HEADERS),
            "Access-Control-Max-Age": str(MAX_AGE_S),
        },
    )


@on_response
def share(req: Request, res: Response) -> None:
    if not is_shared(req.path):
        return
    if not ANY:
        res.append_header("Vary", "Origin")
    origin = req.header("origin")
    if origin is None or not is_allowed(origin):
        return
    res.set_header("Access-Control-Allow-Origin", "*" if ANY else origin)
    if not ANY:
        res.set_header("Access-Control-Allow-Credentials", "true")
    res.set_header("Access-Control-Expose-Headers", EXPOSED)
