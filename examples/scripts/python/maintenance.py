"""Down for maintenance: 503 for everybody but those who do the work.

It is on while the environment variable MAINTENANCE is set and not empty; its value may be the
time of the end, as in "Sun, 06 Nov 1994 08:49:37 GMT", which becomes Retry-After. Addresses in
STAFF, and whoever has the cookie of a visit to /?preview=TOKEN (the environment variable
PREVIEW_TOKEN), see the site. Health checks are answered either way. Pages get PAGE, everything
else a line of text.

Needs client_address.py beside it.
"""

import hmac
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network

from client_address import client_address
from zeroserve.script import Request, Response, env, on_request, redirect

HEALTH = "/health"
STAFF = (ip_network("192.0.2.0/24"), ip_network("2001:db8:1::/48"))
RETRY_AFTER_S = 600
COOKIE = "preview"
ASSETS = ("/style.css", "/logo.svg")
"""What PAGE needs."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Back soon</title>
<link rel="stylesheet" href="/style.css">
<h1>Back soon</h1>
<p>We are improving something. Please come again in a few minutes.</p>
"""


def is_staff(req: Request) -> bool:
    try:
        address = ip_address(client_address(req))
    except ValueError:
        return False
    return any(address in network for network in STAFF)


def knows(given: str | None, token: str | None) -> bool:
    """Whether somebody has the token, if there is one."""
    if not given or not token:
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def retry_after(until: str) -> str:
    """A date if the operator gave one, else seconds."""
    try:
        parsedate_to_datetime(until)
    except ValueError:
        return str(RETRY_AFTER_S)
    return until


@on_request
def maintenance(req: Request) -> Response | None:
    until = env("MAINTENANCE")
    if not until or req.path == HEALTH or req.path in ASSETS or is_staff(req):
        return None
    token = env("PREVIEW_TOKEN")
    if knows(req.cookie(COOKIE), token):
        return None
    given = req.query_param("preview")
    if given is not None and knows(given, token):
        answer = redirect("/", 303)
        answer.append_header(
            "Set-Cookie", f"{COOKIE}={given}; Path=/; Secure; HttpOnly; SameSite=Lax"
        )
        return answer
    wants_page = "text/html" in (req.header("accept") or "")
    return Response(
        503,
        PAGE if wants_page else "down for maintenance\n",
        content_type="text/html; charset=utf-8" if wants_page else None,
        headers={"Retry-After": retry_after(until), "Cache-Control": "no-store"},
    )
