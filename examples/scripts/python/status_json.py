"""A small JSON document made by the server, with an entity tag: /status.json.

Clients that poll get a 304 as long as nothing has changed. State is set with

    curl -X PUT -H "Authorization: Bearer $STATUS_TOKEN" -d degraded http://localhost:8080/status/search

and kept in memory, over reloads. It shows how to answer conditions (If-None-Match, RFC 9110
section 13.1.2): the tag is a hash of the body.
"""

import hashlib
import hmac
import json
import time

from zeroserve.script import Request, Response, Table, env, on_request

SERVICES = ("api", "search", "mail")
STATES = ("ok", "degraded", "down")
"""From best to worst."""
BADNESS = {state: at for at, state in enumerate(STATES)}

states = Table(str, str, max_entries=len(SERVICES))
changed = Table(str, int, max_entries=len(SERVICES))


def document() -> str:
    worst = max([BADNESS[states.get(service, "ok")] for service in SERVICES])
    body = json.dumps(
        {
            "overall": STATES[worst],
            "since": max([changed.get(service, 0) for service in SERVICES]),
            "services": [{"name": name, "state": states.get(name, "ok")} for name in SERVICES],
        }
    )
    return body + "\n"


def matches(header: str | None, tag: str) -> bool:
    """Whether If-None-Match names the tag. Weak ones count, too."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(part.strip().removeprefix("W/") == tag for part in header.split(","))


def put(req: Request, service: str) -> Response:
    token = env("STATUS_TOKEN")
    given = (req.header("authorization") or "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), token.encode()
    ):
        return Response(401, "no\n", headers={"WWW-Authenticate": "Bearer"})
    state = req.body().decode("ascii", "replace").strip()
    if service not in SERVICES or state not in STATES:
        return Response(422, f"services: {', '.join(SERVICES)}; states: {', '.join(STATES)}\n")
    if states.get(service, "ok") != state:
        changed.set(service, int(time.time()))
    states.set(service, state)
    return Response(204)


@on_request
def status(req: Request) -> Response | None:
    if req.method == "PUT" and req.path.startswith("/status/"):
        return put(req, req.path.removeprefix("/status/"))
    if req.path != "/status.json":
        return None
    if req.method not in ("GET", "HEAD"):
        return Response(405, "", headers={"Allow": "GET, HEAD"})
    body = document()
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if matches(req.header("if-none-match"), tag):
        return Response(304, headers=headers)
    return Response(200, body, content_type="application/json", headers=headers)
