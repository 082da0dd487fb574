"""Who may come to a location. What can't be said closes it: an import must open nothing."""

import os
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING

from zeroserve.importing.result import EVERYBODY, Imported

if TYPE_CHECKING:
    from zeroserve.importing.nginx_site import Location, Statement

GUARDS = frozenset(
    {
        "allow", "deny", "auth_basic", "auth_basic_user_file", "auth_request", "auth_jwt",
        "satisfy", "limit_except", "ssl_verify_client", "secure_link", "secure_link_md5",
        "limit_req", "limit_conn", "valid_referers",
    }
)  # fmt: skip

LIMITS = frozenset({"limit_req", "limit_conn"})
"""How much is allowed, not who: without it nothing is opened."""

BCRYPT = re.compile(r"\$2[aby]\$[0-3][0-9]\$[./A-Za-z0-9]{53}")

MAX_USERS = 256

MAX_PASSWORD_BYTES = 1 << 16


def guard(location: "Location", whole: bool, base: str, found: Imported) -> None:
    """Everything in a location that keeps somebody away."""
    for one in location.scope.own:
        if one.name in LIMITS:
            found.leave(one.place, one.text, "say it with `rate_limit` of a path")
        elif one.name in GUARDS - {"allow", "deny", "auth_basic", "auth_basic_user_file"}:
            _close(location, one, "no counterpart", found)
    _addresses(location, found)
    mine = location.scope.mine("auth_basic", "auth_basic_user_file")
    if mine:
        _passwords(location, mine[0], base, found)


def _close(location: "Location", one: "Statement", why: str, found: Imported) -> None:
    for pattern in location.patterns:
        found.close(pattern.text, one.place, one.text, why)


def _addresses(location: "Location", found: Imported) -> None:
    mine = location.scope.mine("allow", "deny")
    if not mine:
        return None
    words = [(one.name, one.args[0] if len(one.args) == 1 else "") for one in mine]
    networks = []
    for name, text in words:
        if text == "all":
            continue
        try:
            networks.append((name, str(ip_network(text, strict=False))))
        except ValueError:
            return _close(location, mine[0], f"not an address: {text}", found)
    kinds = {name for name, _ in networks}
    values: dict[str, list[str]] | None = None
    if words[0] == ("deny", "all"):
        values = {"deny": list(EVERYBODY)}
    elif words[0] == ("allow", "all"):
        values = {}
    elif words[-1] == ("deny", "all") and kinds == {"allow"} and _once(words):
        values = {"allow": [text for _, text in networks]}
    elif words[-1][1] != "all" or words[-1] == ("allow", "all"):
        if kinds == {"deny"} and _once(words):
            values = {"deny": [text for _, text in networks]}
        elif kinds == {"allow"}:
            values = {}
    if values is None:
        return _close(location, mine[0], "allow and deny that depend on their order", found)
    if not values and location.path != "/":
        found.leave(mine[0].place, mine[0].text, "what a wider path refuses stays refused")
    for pattern in location.patterns:
        if values:
            found.path(pattern.text, mine[0].place, values)
    return None


def _once(words: list[tuple[str, str]]) -> bool:
    """Whether ``all`` stands nowhere but at the end."""
    return all(text != "all" for _, text in words[:-1])


def _passwords(location: "Location", first: "Statement", base: str, found: Imported) -> None:
    basic, files = location.scope.get("auth_basic"), location.scope.get("auth_basic_user_file")
    if not basic:
        return None
    realm = basic[-1].args[0] if len(basic[-1].args) == 1 else ""
    if realm == "off":
        for pattern in location.patterns:
            found.path(pattern.text, first.place, {"basic_auth": False})
        return None
    path = files[-1].args[0] if files and len(files[-1].args) == 1 else ""
    plain = realm.isascii() and realm.isprintable() and not set(realm) & set('"\\$') and realm
    users, why = users_of(path, base)
    if not plain:
        return _close(location, first, "a realm is a text of ASCII without quotes", found)
    if users is None:
        return _close(location, first, why, found)
    if why:
        found.leave(first.place, first.text, why)
    auth = {"realm": realm, "users": users}
    for pattern in location.patterns:
        found.path(pattern.text, first.place, {"basic_auth": auth})
    return None


def users_of(path: str, base: str) -> tuple[dict[str, str] | None, str]:
    """Hashes by user from a file of passwords beside the configuration; None and the reason."""
    whole = os.path.realpath(os.path.join(base, path))  # noqa: PTH118
    if not path or "\0" in path or os.path.commonpath([whole, base]) != base:
        return None, "its passwords are outside of the directory of the file"
    try:
        with open(whole, encoding="utf-8") as file:  # noqa: PTH123
            lines = file.read(MAX_PASSWORD_BYTES).splitlines()
    except (OSError, ValueError):
        return None, "its passwords can't be read"
    users: dict[str, str] = {}
    weak = 0
    for line in lines:
        name, _, hashed = line.strip().partition(":")
        if not name or name.startswith("#"):
            continue
        if BCRYPT.fullmatch(hashed) and len(users) < MAX_USERS and name.isprintable():
            users[name[:128]] = hashed
        else:
            weak += 1
    if not users:
        return None, "none of its passwords is hashed with bcrypt"
    return users, f"{weak} of its users have no bcrypt hash" if weak else ""
