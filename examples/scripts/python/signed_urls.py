"""Files below PREFIX only by signed links that expire.

The secret is the environment variable URL_SECRET, of 16 bytes at least. A link for an hour:

    python3 examples/scripts/python/signed_urls.py /private/report.pdf 3600

The signature covers the decoded path and the time, so a link is good for one file. Links of
signed-urls.c with the same secret are the same.
"""

import hashlib
import hmac
import time

from zeroserve.script import Request, Response, env, on_request, on_response

PREFIX = "/private/"


def signature(secret: str, path: str, expires: int) -> str:
    """What a link has to end with."""
    text = f"{path}\n{expires}".encode("utf-8", "surrogateescape")
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def refuse(status: int, why: str) -> Response:
    return Response(status, why + "\n", headers={"Cache-Control": "no-store"})


@on_request
def signed_urls(req: Request) -> Response | None:
    if not req.path.startswith(PREFIX):
        return None
    secret = env("URL_SECRET")
    if secret is None or len(secret) < 16:
        return refuse(503, "URL_SECRET is not set, or too short")
    text = req.query_param("expires")
    given = req.query_param("signature")
    if not text or not given or not text.isascii() or not text.isdigit() or len(text) > 11:
        return refuse(403, "this link is not signed")
    expires = int(text)
    if not hmac.compare_digest(
        signature(secret, req.path, expires).encode(), given.encode("utf-8", "surrogateescape")
    ):
        return refuse(403, "this link is not signed")
    if time.time() > expires:
        return refuse(410, "this link has expired")
    req.meta["signed"] = "yes"
    return None


@on_response
def keep_private(req: Request, res: Response) -> None:
    """No shared cache may keep what a link let through."""
    if "signed" in req.meta:
        res.set_header("Cache-Control", "private")


if __name__ == "__main__":
    import os
    import sys

    path, seconds = sys.argv[1], int(sys.argv[2])
    until = int(time.time()) + seconds
    print(f"{path}?expires={until}&signature={signature(os.environ['URL_SECRET'], path, until)}")
