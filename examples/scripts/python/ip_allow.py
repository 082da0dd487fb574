"""A part of the site for some networks only; everybody else gets a 404, as if it was not there.

Needs client_address.py beside it.
"""

from ipaddress import ip_address, ip_network

from client_address import client_address
from zeroserve.script import Request, Response, on_request

OFFICE = ip_network("192.0.2.0/24")
VPN = ip_network("10.0.0.0/8")
VPN_6 = ip_network("2001:db8:a::/48")

RULES = (
    ("/admin/", (VPN, VPN_6)),
    ("/internal/", (VPN, VPN_6, OFFICE)),
)
"""The beginning of a path, and the networks that may see what is there."""


@on_request
def ip_allow(req: Request) -> Response | None:
    try:
        ip = ip_address(client_address(req))
    except ValueError:
        ip = ip_address("::")  # a Unix socket, in no network
    for prefix, networks in RULES:
        if req.path.startswith(prefix) and not any(ip in network for network in networks):
            return Response(404, "not found\n")
    return None
