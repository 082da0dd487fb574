"""AWS Signature Version 4 for requests without a body: a module for scripts, none itself.

    from sigv4 import Credentials, authorization

Written from the description in the AWS General Reference, and checked with its published
examples.
"""

import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of no bytes at all."""


class Credentials(NamedTuple):
    """Who signs, and for what."""

    access_key: str
    secret_key: str
    region: str
    service: str


def canonical_query(query: str) -> str:
    """The parameters encoded anew and in the order of their names, then values."""
    pairs = [encoded(part) for part in query.split("&") if part]
    ordered: list[str] = []
    last = ""
    while len(ordered) < len(pairs):  # scripts do not sort: the least of what is greater comes next
        last = min([pair for pair in pairs if pair > last])
        for pair in pairs:
            if pair == last:
                ordered.append(pair.replace("\n", "="))
    return "&".join(ordered)


def encoded(part: str) -> str:
    """A parameter with a line break between name and value, which comes before all characters."""
    name, _, value = part.partition("=")
    return quote(unquote(name), safe="") + "\n" + quote(unquote(value), safe="")


def mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def signing_key(credentials: Credentials, day: str) -> bytes:
    """The key of a day: it holds for one region and one service."""
    key = mac(("AWS4" + credentials.secret_key).encode(), day)
    return mac(mac(mac(key, credentials.region), credentials.service), "aws4_request")


def authorization(
    credentials: Credentials,
    method: str,
    path: str,
    query: str,
    headers: list[tuple[str, str]],
    time: str,
    body_hash: str = EMPTY_HASH,
) -> str:
    """The value of the header Authorization.

    ``path`` as it is sent, ``headers`` in lower case and in the order of their names, ``time`` as
    in X-Amz-Date: 20150830T123600Z.
    """
    names = ";".join(name for name, _ in headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers)
    request = f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{names}\n{body_hash}"
    day = time[:8]
    scope = f"{day}/{credentials.region}/{credentials.service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{ALGORITHM}\n{time}\n{scope}\n{digest}"
    signature = mac(signing_key(credentials, day), text).hex()
    return (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
