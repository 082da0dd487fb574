"""Who may come, as an .htaccess says it. What can't be said closes the site."""

import re
from ipaddress import ip_network
from pathlib import Path as File
from typing import TYPE_CHECKING

from zeroserve.importing.nginx_guards import users_of
from zeroserve.importing.patterns import Pattern
from zeroserve.importing.result import EVERYBODY, Imported

if TYPE_CHECKING:
    from zeroserve.importing.htaccess import Line

DIRECTIVES = frozenset(
    {
        "authtype", "authname", "authuserfile", "authgroupfile", "authbasicprovider", "require",
        "order", "allow", "deny", "satisfy", "authmerging",
    }
)  # fmt: skip

PASSWORDS = frozenset({"authtype", "authname", "authuserfile", "authgroupfile"})

REFUSED = re.compile(r"require all denied|deny from all", re.IGNORECASE)
GRANTED = re.compile(r"require all granted|allow from all|order .*|satisfy all", re.IGNORECASE)


def unsaid(line: "Line", found: Imported) -> None:
    """A line in a block that can't be said: it may have guarded something."""
    if line.name in DIRECTIVES and not GRANTED.fullmatch(" ".join(line.text.split())):
        found.close("/*", line.place, line.text, "in a block that has no counterpart")


def of_files(line: "Line", patterns: tuple[Pattern, ...], found: Imported) -> None:
    """One line in a block about some files."""
    words = " ".join(line.text.split())
    if GRANTED.fullmatch(words):
        return
    for pattern in patterns:
        if REFUSED.fullmatch(words):
            found.path(pattern.text, line.place, {"deny": list(EVERYBODY)})
        else:
            found.close(pattern.text, line.place, line.text, "not for single files")


def translate(lines: list["Line"], found: Imported) -> None:
    """All lines about the whole site."""
    passwords = [
        line for line in lines if line.name.startswith("auth") and line.name != "authmerging"
    ]
    networks: list[str] = []
    asks = False
    for line in lines:
        words = " ".join(line.text.split())
        if REFUSED.fullmatch(words):
            # `order deny,allow`, `deny from all`, `allow from ...` lets these alone in.
            if not any(one.name == "allow" for one in lines):
                found.path("/*", line.place, {"deny": list(EVERYBODY)})
        elif GRANTED.fullmatch(words) or line in passwords:
            continue
        elif line.name == "require" and line.args[:1] == ("valid-user",):
            asks = True
        elif (line.name == "require" and line.args[:1] == ("ip",) and len(line.args) > 1) or (
            line.name == "allow" and line.args[:1] in (("from",), ("From",))
        ):
            networks += _networks(line, line.args[1:], found)
        else:
            found.close("/*", line.place, line.text, "no counterpart")
    if asks and networks:
        found.close("/*", lines[0].place, "Require", "a password or an address: no counterpart")
    elif networks:
        found.path("/*", lines[0].place, {"allow": networks})
    if asks:
        _passwords(lines, found)
    elif passwords and not networks:
        found.note(passwords[0].place, passwords[0].text, "nothing requires it")


def _networks(line: "Line", words: tuple[str, ...], found: Imported) -> list[str]:
    made = []
    for word in words:
        try:
            made.append(str(ip_network(word, strict=False)))
        except ValueError:
            found.close("/*", line.place, line.text, f"not an address: {word}")
    return made


def _passwords(lines: list["Line"], found: Imported) -> None:
    values = {line.name: " ".join(line.args) for line in lines}
    first = next(line for line in lines if line.name == "require")
    realm = values.get("authname", "restricted")
    base = str(File(first.place.file).resolve().parent)
    users, why = users_of(values.get("authuserfile", ""), base)
    plain = realm.isascii() and realm.isprintable() and not set(realm) & set('"\\$') and realm
    if values.get("authtype", "").lower() != "basic" or "authgroupfile" in values or not plain:
        found.close("/*", first.place, first.text, "not AuthType Basic with a plain AuthName")
    elif users is None:
        found.close("/*", first.place, first.text, why)
    else:
        if why:
            found.leave(first.place, first.text, why)
        found.path("/*", first.place, {"basic_auth": {"realm": realm, "users": users}})
