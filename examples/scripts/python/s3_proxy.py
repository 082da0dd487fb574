"""Files of a private S3 bucket below /files/: requests are signed and passed on.

Needs sigv4.py beside it. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are environment variables.
Only GET and HEAD are passed on, with ranges and conditions; what a client sends as credentials is
removed. Give the key a policy that allows s3:GetObject on this bucket and nothing else.
"""

from datetime import UTC, datetime

from sigv4 import EMPTY_HASH, Credentials, authorization
from zeroserve.script import Request, Response, env, log, on_request, proxy

PREFIX = "/files/"
REGION = "eu-central-1"
HOST = "my-bucket.s3.eu-central-1.amazonaws.com"


@on_request
def s3_proxy(req: Request) -> Response | None:
    if not req.path.startswith(PREFIX):
        return None
    if req.method not in ("GET", "HEAD"):
        return Response(405, "", headers={"Allow": "GET, HEAD"})
    access_key, secret_key = env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        log("AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set")
        return Response(503, "not configured\n")
    if "?" in req.raw_path or req.path.endswith("/"):
        return Response(404, "not found\n")
    req.rewrite("/" + req.path.removeprefix(PREFIX))
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    credentials = Credentials(access_key, secret_key, REGION, "s3")
    headers = [("host", HOST), ("x-amz-content-sha256", EMPTY_HASH), ("x-amz-date", time)]
    value = authorization(credentials, req.method, req.raw_path, "", headers, time)
    req.set_header("Host", HOST)
    req.set_header("X-Amz-Content-Sha256", EMPTY_HASH)
    req.set_header("X-Amz-Date", time)
    req.set_header("Authorization", value)
    req.delete_header("Cookie")
    return proxy(f"https://{HOST}")
