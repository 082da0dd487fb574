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
    rest = ""
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            rest += f"{quote(unquote(name), safe='')}\n{quote(unquote(value), safe='')}\0"
    # Scripts do not sort: the least of what is left comes next, until nothing is.
    ordered = ""
    while rest:
        least = rest[: rest.index("\0") + 1]
        for pair in rest.split("\0"):
            if pair and pair + "\0" < least:
                least = pair + "\0"
        ordered += ("&" if ordered else "") + least[:-1].replace("\n", "=")
        rest = remove(rest, least)
    return ordered


def remove(pairs: str, pair: str) -> str:
    """Without the first pair that is the same."""
    if pairs.startswith(pair):
        return pairs.removeprefix(pair)
    before, _, behind = pairs.partition("\0" + pair)
    return f"{before}\0{behind}"


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
    names, lines = "", ""
    for name, value in headers:
        names += (";" if names else "") + name
        lines += f"{name}:{value}\n"
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
