"""Which servers scripts may ask: the ``[fetch]`` table of a configuration file.

    [fetch]
    allow = ["api.example.com", "*.example.org:8443"]

What lies in the operator's network can be named in the file of the process alone: a site must not
open it to itself.
"""

import dataclasses
import ipaddress
import re
from typing import NamedTuple

from zeroserve.config import keys
from zeroserve.config.faults import Faults
from zeroserve.config.keys import flag, key, read, shown

MAX_ENTRIES = 256
"""More hosts than that are a way to write `everything`."""

_HOST = re.compile(r"(?P<star>\*\.)?(?P<name>[0-9A-Za-z_-][0-9A-Za-z._-]*)(?::(?P<port>\d{1,5}))?")
_ADDRESS_6 = re.compile(r"\[(?P<name>[0-9A-Fa-f:.]+)\](?::(?P<port>\d{1,5}))?")
_POOL = re.compile(r"pool:(?P<name>[0-9A-Za-z._-]+)")

_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL = ipaddress.ip_network("2000::/3")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def canonical(text: str) -> Address | None:
    """The address that a text is, IPv4 as such; None for a name."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address


def is_public(address: Address) -> bool:
    """Whether it is of the public Internet, by the same ranges as in the server."""
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _GLOBAL:
            return False
    return not any(address in network for network in _PRIVATE if network.version == address.version)


class Entry(NamedTuple):
    """What one text of the list stands for."""

    kind: str
    """``name``, ``below`` (of a domain), ``address`` or ``pool``."""
    name: str
    port: int | None
    """None for the usual one of the scheme."""


def entry(value: object) -> Entry:
    """Read a text of the list; ValueError for what is none."""
    wrong = f"not HOST, *.DOMAIN, ADDRESS, each perhaps with :PORT, or pool:NAME: {shown(value)}"
    if not isinstance(value, str):
        raise ValueError(wrong)
    if pool := _POOL.fullmatch(value):
        return Entry("pool", pool["name"], None)
    match = _HOST.fullmatch(value) or _ADDRESS_6.fullmatch(value)
    if match is None:
        raise ValueError(wrong)
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(wrong)
    address = canonical(match["name"])
    if address is not None and not match.groupdict().get("star"):
        return Entry("address", str(address), port)
    if value.startswith("["):
        raise ValueError(wrong)
    name = match["name"].lower()
    return Entry("below", f".{name}", port) if match["star"] else Entry("name", name, port)


@keys.kind({"type": "array", "maxItems": MAX_ENTRIES, "items": {"type": "string"}})
def _allow(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"not a list: {shown(value)}")
    if len(value) > MAX_ENTRIES:
        raise ValueError(f"{len(value)} of them: {MAX_ENTRIES} are allowed")
    for one in value:
        entry(one)
    return tuple(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fetch:
    """Which servers the scripts may ask with ``fetch``; none where the table is missing."""

    allow: tuple[str, ...] = key(
        (),
        _allow,
        f"up to {MAX_ENTRIES} texts",
        "`HOST`, `*.DOMAIN` (all names below it) or an address, each with `:PORT` unless it is the "
        "scheme's; or `pool:NAME`, a pool of `--config`",
    )
    private: bool = key(
        False,
        flag,
        "true, false",
        "whether a name may stand for an address that is not public; `--config` only",
    )

    def reach(self, host: str, port: int, is_tls: bool) -> str | None:
        """``any`` or ``public`` addresses may be connected to for a host; None: it may not be
        asked.
        """
        address = canonical(host)
        usual = 443 if is_tls else 80
        for kind, name, at in map(entry, self.allow):
            if kind == "pool" or (at or usual) != port:
                continue
            if address is not None:
                found = kind == "address" and name == str(address)
            elif kind == "below":
                found = host.endswith(name) and host != name
            else:
                found = kind == "name" and host == name
            if found:
                return "any" if self.private or address is not None else "public"
        return None


def read_fetch(value: object, faults: Faults, *, of_site: bool) -> Fetch:
    """The table of a file; what is wrong with it goes to ``faults``."""
    fetch = read(Fetch, value, ("fetch",), faults)
    if not of_site:
        return fetch
    hint = "such a line stands in the file of --config: the operator's network is the operator's"
    if fetch.private:
        faults.add(("fetch", "private"), "a site may not ask for that", hint)
    for at, text in enumerate(fetch.allow):
        kind, name, _ = entry(text)
        address = canonical(name) if kind == "address" else None
        if kind == "pool" or (address is not None and not is_public(address)):
            what = "a pool" if kind == "pool" else "an address that is not public"
            faults.add(("fetch", "allow", f"[{at}]"), f"{what} in a site's file: {text}", hint)
    return fetch
