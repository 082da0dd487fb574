"""``netlify.toml``: redirects and headers, which mean the same here."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from zeroserve._core import Error
from zeroserve.importing.result import Imported, Place, Redirect
from zeroserve.words import quoted

ELSEWHERE = {
    "build": "how the site is built: serve the directory that its `publish` names",
    "context": "how the site is built for branches and previews",
    "dev": "how the site is developed",
    "plugins": "how the site is built",
    "template": "how the site is built",
    "images": None,
    "functions": None,
    "edge_functions": None,
    "redirects": None,
    "headers": None,
}
"""Tables with what they are for, if that is no matter of serving."""

FIRST = re.compile(r"[ \t]*\[\[[ \t]*(redirects|headers)[ \t]*\]\]", re.MULTILINE)

STATUSES = (200, 301, 302, 303, 307, 308, 404, 410, 451)

CONDITIONS = {"Country": "country", "Language": "language", "Role": "role", "Cookie": "cookie"}


def read(path: str, text: str) -> Imported:
    """What a netlify.toml says; raises ``Error`` when it is no TOML."""
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Error(
            f"{quoted(path)} is not TOML: {str(error)[:1].lower()}{str(error)[1:]}"
        ) from None
    found = Imported(netlify=True)
    lines = _lines(text)
    for name in values:
        place = Place(path, _line(text, name))
        if name not in ELSEWHERE:
            found.leave(place, f"[{name}]", "nothing is known of it")
        elif name in ("redirects", "headers"):
            continue
        elif ELSEWHERE[name] is None:
            found.leave(place, f"[{name}]", "zeroserve runs scripts: see docs/scripts-python.md")
        else:
            found.note(place, f"[{name}]", str(ELSEWHERE[name]))
    for kind, reader in (("redirects", _redirect), ("headers", _headers)):
        given = values.get(kind, [])
        if not isinstance(given, list):
            found.leave(Place(path, _line(text, kind)), kind, "not a list of tables")
            continue
        for at, one in enumerate(given):
            known = lines[kind]
            place = Place(path, known[at] if at < len(known) else 0)
            if isinstance(one, Mapping):
                reader(one, place, found)
            else:
                found.leave(place, kind, "not a table")
    return found


def _lines(text: str) -> dict[str, list[int]]:
    """Lines on which redirects and headers begin, in their order."""
    found: dict[str, list[int]] = {"redirects": [], "headers": []}
    for one in FIRST.finditer(text):
        found[one[1]].append(text.count("\n", 0, one.end()) + 1)
    return found


def _line(text: str, name: str) -> int:
    one = re.search(rf"^[ \t]*\[{{0,2}}[ \t]*{re.escape(name)}\b", text, re.MULTILINE)
    return text.count("\n", 0, one.start()) + 1 if one else 0


def _redirect(one: Mapping[str, Any], place: Place, found: Imported) -> None:
    source, target = one.get("from"), one.get("to", "")
    status, force = one.get("status", 301), one.get("force", False)
    shown = f"from = {source!r}"
    if not isinstance(source, str) or not isinstance(target, str) or not isinstance(force, bool):
        return found.leave(place, shown, "`from` and `to` have to be texts, `force` true or false")
    conditions = one.get("conditions")
    by_role = isinstance(conditions, Mapping) and "Role" in conditions
    if (by_role or status in (401, 403)) and source.startswith("/") and _word(source):
        why = "rules do not know who asks: write a script"
        return found.close(source, place, f"{shown}, status = {status!r}", why)
    if isinstance(status, bool) or status not in STATUSES:
        return found.leave(place, f"status = {status!r}", "not a status of a rule")
    for name in one:
        if name not in ("from", "to", "status", "force", "query", "conditions"):
            why = "headers for the other server" if name == "headers" else "nothing is known of it"
            return found.leave(place, f"{shown}, {name}", why)
    if conditions:
        return found.leave(
            place, f"{shown}, conditions", "rules have no conditions: write a script"
        )
    query = one.get("query", {})
    plain = isinstance(query, Mapping) and all(
        isinstance(value, str) and _word(f"{name}={value}") for name, value in query.items()
    )
    if not plain or not _word(source) or (target and not _word(target)):
        return found.leave(place, shown, "it has spaces or control characters")
    if not source.startswith(("/", "http://", "https://")):
        return found.leave(place, shown, "not a path")
    if not target.startswith(("/", "http://", "https://")) and (target or status == 200):
        return found.leave(place, f"{shown}, to = {target!r}", "not a path or a URL")
    words = " ".join(f"{name}={value}" for name, value in query.items())
    found.redirects.append(Redirect(source, target, status, force, place, query=words))
    return None


def _word(text: str) -> bool:
    return bool(text) and text.isprintable() and not re.search(r"\s", text) and len(text) < 2000


def _headers(one: Mapping[str, Any], place: Place, found: Imported) -> None:
    pattern, values = one.get("for"), one.get("values")
    if not isinstance(pattern, str) or not pattern.startswith("/") or not _word(pattern):
        return found.leave(place, f"for = {pattern!r}", "not a path")
    if not isinstance(values, Mapping):
        return found.leave(place, f"for = {pattern!r}", "`values` has to be a table")
    fields: list[tuple[str, str | None]] = []
    for name, value in values.items():
        if isinstance(value, str):
            # A text of several lines is several values.
            joined = ", ".join(filter(None, (line.strip(" ,\t") for line in value.splitlines())))
            fields.append((name, joined))
        else:
            found.leave(place, f"{name} = {value!r}", "not a text")
    found.header(pattern, place, fields)
    return None
