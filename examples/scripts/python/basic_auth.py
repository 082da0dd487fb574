"""A password in front of a part of the site: HTTP basic authentication.

Passwords are kept as PBKDF2-HMAC-SHA256. Make an entry of USERS with

    python3 -c "import getpass, hashlib, secrets; s = secrets.token_bytes(16); print((s.hex(),
    hashlib.pbkdf2_hmac('sha256', getpass.getpass().encode(), s, 20_000).hex()))"

The server allows 20,000 iterations, because nothing else happens in a worker while it derives a
key. That is few by today's standards: choose long random passwords, and keep the archive to
yourself. A header that was right is remembered by its hash for MEMORY_S seconds, so that a page
with fifty images derives one key. Wrong ones are limited by address. Use it over HTTPS only.
"""

import base64
import hashlib
import hmac
import time

from zeroserve.script import Request, Response, Table, on_request, rate_limit

PREFIX = "/private/"
REALM = "private"
ITERATIONS = 20_000
MEMORY_S = 300
TRIES_PER_MINUTE = 10

USERS = {
    # "correct horse battery staple"
    "ada": (
        "3f1c9a52d7e84b06a9d1c5e2f7b3806d",
        "d99510a3bc8e79efc6cb8beadc86cf7d3d6a75edf067e9da48d91133d0f10779",
    ),
    # "tr0ub4dor&3"
    "grace": (
        "b0a7e61c94d24f3f8c5d6e7f80912a3b",
        "4a48181b885805a5bd9c73f4f5e28789be5802e5c61836a012f58f9eeb23ecee",
    ),
}
"""Name: salt and hash, in hexadecimal digits."""

NOBODY = ("00000000000000000000000000000000", "")
"""For names that do not exist: they take as long as others."""

seen = Table(bytes, int, max_entries=1024)
"""Headers that were right, by their hashes, and until when that is believed."""


def credentials(header: str) -> tuple[str, str] | None:
    """Name and password of an Authorization header."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name, password) if colon else None


def is_right(name: str, password: str) -> bool:
    """Whether that is the password of a user."""
    salt, expected = USERS.get(name, NOBODY)
    derived = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ITERATIONS)
    return hmac.compare_digest(derived.hex(), expected)


def challenge() -> Response:
    """What makes a browser ask."""
    value = f'Basic realm="{REALM}", charset="UTF-8"'
    return Response(
        401, "sign in\n", headers={"WWW-Authenticate": value, "Cache-Control": "no-store"}
    )


@on_request
def basic_auth(req: Request) -> Response | None:
    if not req.path.startswith(PREFIX):
        return None
    header = req.header("authorization")
    if header is None:
        return challenge()
    now = int(time.time())
    key = hashlib.sha256(header.encode("utf-8", "surrogateescape")).digest()
    if seen.get(key, 0) > now:
        return None
    if not rate_limit(f"password {req.peer_ip}", per_minute=TRIES_PER_MINUTE):
        return Response(429, "too many tries\n", headers={"Retry-After": "60"})
    found = credentials(header)
    if found is None:
        return challenge()
    name, password = found
    if not is_right(name, password):
        return challenge()
    seen.set(key, now + MEMORY_S)
    return None
