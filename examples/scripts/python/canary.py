"""A new version of a backend for a share of the clients, by address: the same client stays with
the same version, on every server, without a cookie.

Raise PERCENT step by step: who had the new version keeps it. SALT makes the next rollout begin
with other clients. Testers choose with the header X-Canary: new or old, if TESTERS is True. The
upstream gets the header X-Version, and so does the client.

Needs client_address.py beside it.
"""

import hashlib

from client_address import client_address
from zeroserve.script import Request, Response, on_request, on_response, proxy

PREFIX = "/app/"
PERCENT = 5
SALT = "2026-11"
OLD = "http://127.0.0.1:9000"
NEW = "http://127.0.0.1:9001"
TESTERS = True


def bucket(client: str) -> int:
    """0 to 99, evenly, and always the same for a client."""
    digest = hashlib.sha256(f"{SALT} {client}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100


@on_request
def canary(req: Request) -> Response | None:
    if not req.path.startswith(PREFIX):
        return None
    is_new = bucket(client_address(req)) < PERCENT
    wanted = req.header("x-canary")
    if TESTERS and wanted in ("old", "new"):
        is_new = wanted == "new"
    version = "new" if is_new else "old"
    req.set_header("X-Version", version)
    req.meta["version"] = version
    return proxy(NEW if is_new else OLD)


@on_response
def tell(req: Request, res: Response) -> None:
    version = req.meta.get("version")
    if version is not None:
        res.set_header("X-Version", version)
