"""An API that wants a bearer token: JSON Web Tokens signed with HMAC-SHA256 (RFC 7519).

The secret is the environment variable JWT_SECRET, of 32 bytes at least; without it nothing below
PREFIX is answered. The algorithm is fixed here, not read from the token; `exp` is required;
`nbf`, `iss` and `aud` are checked, `aud` also as a list. Later scripts and the upstream get the
subject in the header X-User, which clients can't set themselves.

A token can't be taken back before it expires: keep them short-lived.
"""

import base64
import hmac
import json
import time

from zeroserve.script import Request, Response, env, log, on_request

PREFIX = "/api/"
ISSUER = "https://login.example.com/"
AUDIENCE = "api"
LEEWAY_S = 30
"""By how much clocks may differ."""
MAX_TOKEN_BYTES = 4096


def decode(text: str) -> bytes:
    """base64url without padding; ValueError for anything else."""
    if not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def problem(token: str, secret: str, now: int) -> str | None:
    """What is wrong with a token."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN_BYTES or len(parts) != 3:
        return "malformed"
    try:
        header = json.loads(decode(parts[0]).decode())
        signature = decode(parts[2])
    except ValueError:
        return "malformed"
    if not isinstance(header, dict) or header.get("alg") != "HS256" or "crit" in header:
        return "algorithm"
    signed = f"{parts[0]}.{parts[1]}".encode()
    if not hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha256"), signature):
        return "signature"
    try:
        claims = json.loads(decode(parts[1]).decode())
    except ValueError:
        return "malformed"
    if not isinstance(claims, dict):
        return "malformed"
    expires = claims.get("exp")
    begins = claims.get("nbf", 0)
    if not isinstance(expires, int) or not isinstance(begins, int):
        return "times"
    if now >= expires + LEEWAY_S:
        return "expired"
    if now < begins - LEEWAY_S:
        return "not valid yet"
    if claims.get("iss") != ISSUER:
        return "issuer"
    audience = claims.get("aud")
    if isinstance(audience, list):
        if AUDIENCE not in audience:
            return "audience"
    elif audience != AUDIENCE:
        return "audience"
    return None


def subject(token: str) -> str:
    """Whom a token that is valid is for."""
    claims = json.loads(decode(token.split(".")[1]).decode())
    found = claims.get("sub")
    return found if isinstance(found, str) and found.isprintable() else ""


def refuse(why: str) -> Response:
    """401 as RFC 6750 has it."""
    value = f'Bearer realm="api", error="invalid_token", error_description="{why}"'
    return Response(401, f"{why}\n", headers={"WWW-Authenticate": value})


@on_request
def jwt_auth(req: Request) -> Response | None:
    req.delete_header("x-user")
    if not req.path.startswith(PREFIX):
        return None
    secret = env("JWT_SECRET")
    if secret is None or len(secret) < 32:
        log("JWT_SECRET is not set, or shorter than 32 bytes")
        return Response(503, "not configured\n")
    header = req.header("authorization")
    if header is None:
        return Response(401, "token missing\n", headers={"WWW-Authenticate": 'Bearer realm="api"'})
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return refuse("not a bearer token")
    why = problem(token.strip(), secret, int(time.time()))
    if why is not None:
        return refuse(why)
    req.set_header("X-User", subject(token.strip()))
    return None
