"""``proxy_pass`` and ``upstream`` as proxies of paths and pools."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zeroserve.importing.result import Imported

if TYPE_CHECKING:
    from zeroserve.importing.nginx_site import Location, Statement

URL = re.compile(r"(https?)://([A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\s?#$]*)?")
UNIX = re.compile(r"http://unix:(/[^:\s$?#]+):?(/[^\s?#$]*)?")
MEMBER = re.compile(r"([A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?|unix:(/[^\s$?#]+)")
NAME = re.compile(r"[A-Za-z0-9_.\-]{1,200}")

BY_ITSELF = {
    "x-forwarded-for": ("$proxy_add_x_forwarded_for", "$remote_addr"),
    "x-forwarded-proto": ("$scheme",),
    "x-forwarded-host": ("$host", "$http_host"),
    "upgrade": ("$http_upgrade",),
    "connection": ("upgrade", "$connection_upgrade", "", "Upgrade"),
    "host": ("$host", "$http_host"),
}
"""What upstreams are told in any case."""

POLICIES = {
    "least_conn": {"policy": "least_connections"},
    "ip_hash": {"policy": "hash", "hash": "source"},
    "random": {"policy": "random_two"},
}


def translate(
    locations: list["Location"], upstreams: Mapping[str, "Statement"], found: Imported
) -> None:
    """Every location that passes requests on."""
    for location in locations:
        passing = location.scope.mine("proxy_pass")
        if passing:
            _pass(location, passing[-1], upstreams, found)


def _pass(
    location: "Location",
    one: "Statement",
    upstreams: Mapping[str, "Statement"],
    found: Imported,
) -> None:
    text = one.args[0] if len(one.args) == 1 else ""
    if location.kind in ("~", "~*"):
        return _close(location, one, "the pattern of a proxy has to be a path", found)
    unix, url = UNIX.fullmatch(text), URL.fullmatch(text)
    if unix:
        to, own, base = f"unix:{unix[1]}", "localhost", unix[2]
    elif url:
        to, own, base = f"{url[1]}://{url[2]}{url[3] or ''}", f"{url[2]}{url[3] or ''}", url[4]
    else:
        return _close(location, one, "variables have no counterpart", found)
    if url and url[2] in upstreams and not url[3]:
        if not _pool(url[2], upstreams[url[2]], url[1], found):
            return _close(location, one, f"upstream {url[2]} has no counterpart", found)
        to = f"pool:{url[2]}"
    headers = _headers(location, own, found)
    values: dict[str, Any] = {"proxy": {"to": to, "headers": headers} if headers else to}
    if base is not None:
        values["rewrite"] = base if location.kind == "=" else f"{base}:splat"
    for pattern in location.patterns:
        found.path(pattern.text, one.place, values)
    return None


def _close(location: "Location", one: "Statement", why: str, found: Imported) -> None:
    """Files that lie there were out of reach, and stay so."""
    for pattern in location.patterns:
        found.close(pattern.text, one.place, one.text, why)


def _headers(location: "Location", own: str, found: Imported) -> dict[str, str]:
    """Headers for the upstream; ``Host`` is the upstream's unless the file says otherwise."""
    made = {"Host": own}
    for one in location.scope.get("proxy_set_header"):
        name, value = one.args if len(one.args) == 2 else ("", "")
        if name.lower() == "host" and value != "$proxy_host":
            made.pop("Host", None)
        if value in BY_ITSELF.get(name.lower(), ()) or (name.lower(), value) == (
            "host",
            "$proxy_host",
        ):
            continue
        plain = re.fullmatch(r"[A-Za-z0-9\-]+", name) and "$" not in value and value.isprintable()
        if not plain or not value or name.lower() in ("connection", "upgrade", "content-length"):
            found.leave(one.place, one.text, "no counterpart")
        else:
            made[name] = value
    return made


def _pool(name: str, block: "Statement", scheme: str, found: Imported) -> bool:
    """An ``upstream`` as a pool; whether it is one."""
    if name in found.pools:
        return True
    if not NAME.fullmatch(name):
        return False
    members: list[Any] = []
    pool: dict[str, Any] = {"upstreams": members}
    for one in block.block or []:
        if one.name == "server":
            member = _member(one, scheme, found)
            if member is not None:
                members.append(member)
        elif one.name in POLICIES:
            pool.update(POLICIES[one.name])
        elif one.name not in ("keepalive", "zone", "keepalive_requests", "keepalive_timeout"):
            found.leave(one.place, one.text, "no counterpart")
    if not members:
        return False
    found.pools[name] = pool
    found.origins[f"pools.{name}"] = block.place
    return True


def _member(one: "Statement", scheme: str, found: Imported) -> Any:
    address = MEMBER.fullmatch(one.args[0]) if one.args else None
    if address is None:
        found.leave(one.place, one.text, "not an address")
        return None
    url = f"unix:{address[3]}" if address[3] else f"{scheme}://{address[1]}{address[2] or ''}"
    member: dict[str, Any] = {"url": url}
    for word in one.args[1:]:
        name, _, value = word.partition("=")
        if name == "weight" and value.isascii() and value.isdigit() and 0 < int(value[:9]) <= 100:
            member["weight"] = int(value)
        elif name == "backup":
            member["backup"] = True
        elif name == "down":
            return None
        elif name not in ("max_fails", "fail_timeout"):
            found.leave(one.place, f"{one.text}: {word}", "no counterpart")
    return member if len(member) > 1 else url
