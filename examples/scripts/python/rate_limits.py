"""Limits on how often a client may ask: by address, and by API key for the API.

Needs client_address.py beside it: behind a proxy, list the proxy there, or all clients share one
limit. Windows begin with the first request that is counted in them, and counts are shared by all
workers of the process. Keys that are not in KEYS are as good as none.

A whole network can be had for IPv6, so its clients are told apart by their first 64 bits.
"""

import hashlib
from ipaddress import ip_address

from client_address import client_address
from zeroserve.script import Request, Response, on_request, rate_limit

PER_SECOND = 20
PER_MINUTE = 300
API_PREFIX = "/api/"
API_PER_MINUTE = 60
"""Of a client without a key."""

KEYS = {
    # sha256 of the key: python3 -c "import hashlib; print(hashlib.sha256(b'...').hexdigest())"
    "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683": 600,  # "key"
    "2aa50b47c92342ddda1dccb774e50e497d759632db2c3a8b86b31a9d737f8151": 6000,  # "another key"
}
"""Requests per minute of each API key, by its hash."""


def network(address: str) -> str:
    """What is counted together: an IPv4 address, or the first 64 bits of an IPv6 address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address  # a Unix socket has none
    return address if ip.version == 4 else ip.packed[:8].hex()


def too_many(seconds: int) -> Response:
    return Response(429, "too many requests\n", headers={"Retry-After": str(seconds)})


@on_request
def limit(req: Request) -> Response | None:
    client = network(client_address(req))
    if req.path.startswith(API_PREFIX):
        digest = hashlib.sha256((req.header("x-api-key") or "").encode("utf-8", "surrogateescape"))
        key = digest.hexdigest()
        allowed = KEYS.get(key)
        if allowed is not None:
            return None if rate_limit(f"key {key}", per_minute=allowed) else too_many(60)
        return None if rate_limit(f"api {client}", per_minute=API_PER_MINUTE) else too_many(60)
    if not rate_limit(f"second {client}", per_second=PER_SECOND):
        return too_many(1)
    if not rate_limit(f"minute {client}", per_minute=PER_MINUTE):
        return too_many(60)
    return None
