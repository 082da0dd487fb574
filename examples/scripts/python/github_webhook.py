"""Lets webhooks of GitHub through to the service behind, if their signature is right.

The secret is the environment variable WEBHOOK_SECRET, the same as in the webhook's settings. A
delivery that comes again is answered without bothering the service. Bodies may have 256 KiB;
larger ones get a 413 (GitHub sends up to 25 MiB, rarely).
"""

import hashlib
import hmac

from zeroserve.script import Request, Response, Table, env, log, on_request, proxy

PATH = "/hooks/github"
UPSTREAM = "http://127.0.0.1:9000"
EVENTS = frozenset({"push", "release", "workflow_run"})
"""What the service wants to hear of."""

deliveries = Table(str, bool, max_entries=4096)


def is_signed(body: bytes, header: str | None, secret: str) -> bool:
    """Whether ``X-Hub-Signature-256`` is the one of the body."""
    if header is None or not header.isascii():
        return False
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, header)


@on_request
def webhook(req: Request) -> Response | None:
    if req.path != PATH:
        return None
    if req.method != "POST":
        return Response(405, "POST only\n", headers={"Allow": "POST"})
    secret = env("WEBHOOK_SECRET")
    if not secret:
        log("WEBHOOK_SECRET is not set: webhooks are refused")
        return Response(503, "not configured\n")
    if not is_signed(req.body(), req.header("x-hub-signature-256"), secret):
        return Response(401, "wrong signature\n")
    event = req.header("x-github-event") or ""
    if event == "ping":
        return Response(200, "pong\n")
    if event not in EVENTS:
        return Response(202, f"not interested in {event or 'events without a name'}\n")
    try:
        payload = req.json()
    except ValueError:
        return Response(400, "not JSON\n")
    delivery = req.header("x-github-delivery")
    if delivery:
        if deliveries.get(delivery[:100], False):
            return Response(200, "had that\n")
        deliveries.set(delivery[:100], True)
    ref = payload.get("ref") if isinstance(payload, dict) else None
    if isinstance(ref, str) and ref.isprintable():
        req.set_header("X-Git-Ref", ref)
    return proxy(UPSTREAM)
