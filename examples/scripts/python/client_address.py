"""Who the client is: a module for the scripts beside it, not a script of its own.

    from client_address import client_address

A server behind a proxy or a CDN sees the proxy's address in `peer_ip`. The client is then the
last address in X-Forwarded-For that is not itself a trusted proxy; what stands before it was
written by the client and is worth nothing. List your proxies in TRUSTED, and nobody else.
"""

from ipaddress import ip_address, ip_network

from zeroserve.script import Request

TRUSTED = (
    ip_network("127.0.0.0/8"),
    ip_network("::1/128"),
    ip_network("10.0.0.0/8"),
)


def is_trusted(address: str) -> bool:
    """Whether it is the address of one of our proxies."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in TRUSTED)


def plain(address: str) -> str:
    """An IPv4 address that comes as IPv6, ::ffff:192.0.2.1, as what it is."""
    return address.strip().lower().removeprefix("::ffff:")


def client_address(req: Request) -> str:
    """The client's address; that of the proxy when it does not say."""
    address = plain(req.peer_ip)
    if not is_trusted(address):
        return address
    forwarded = req.header("x-forwarded-for")
    if forwarded is None:
        return address
    for part in reversed(forwarded.split(",")):
        try:
            address = str(ip_address(plain(part)))
        except ValueError:
            return address  # no proxy of ours wrote that
        if not is_trusted(address):
            return address
    return address
