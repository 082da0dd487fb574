"""``vercel.json``: redirects, rewrites, headers and clean URLs."""

import json
import json.decoder
import json.scanner
import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from zeroserve._core import Error
from zeroserve.importing.patterns import Pattern, Unknown
from zeroserve.importing.result import Imported, Place, Redirect
from zeroserve.words import quoted

ELSEWHERE = frozenset(
    {
        "$schema", "alias", "build", "buildCommand", "builds", "bunVersion", "devCommand", "env",
        "fluid", "framework", "git", "github", "ignoreCommand", "installCommand", "name",
        "outputDirectory", "public", "regions", "scope", "version",
    }
)  # fmt: skip
"""How a site is built and where: no matter of serving it."""

SEGMENT = re.compile(r":([A-Za-z]\w*)(\(\.\*\)|\(\.\+\)|[*+?])?|(\(\.\*\)|\(\.\+\))")
DESTINATION = re.compile(r":([A-Za-z]\w*)([*+?])?|\$(\w+)")
PLAIN = re.compile(r"[A-Za-z0-9/_.~%!$&',;=@-]*")


class _Object(dict[str, Any]):
    """An object that knows where it began."""

    line = 0


class _Decoder(json.JSONDecoder):
    """The pure reader of the standard library: it alone can be asked for positions."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self.parse_object = self._object
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]

    def _object(self, start: tuple[str, int], *rest: Any) -> tuple[_Object, int]:
        value, end = json.decoder.JSONObject(start, *rest)  # type: ignore[attr-defined]
        made = _Object(value)
        made.line = bisect_left(self._ends, start[1]) + 1
        return made, end


def read(path: str, text: str) -> Imported:
    """What a vercel.json says; raises ``Error`` when it is no JSON object."""
    try:
        values = _Decoder(text).decode(text)
    except (ValueError, RecursionError) as error:
        message = str(error)[:1].lower() + str(error)[1:]
        raise Error(f"{quoted(path)} is not JSON: {message}") from None
    if not isinstance(values, _Object):
        raise Error(f"{quoted(path)} is not a JSON object")
    found = Imported()
    for name, value in values.items():
        _member(name, value, Place(path, _line(text, name)), found)
    return found


def _line(text: str, name: str) -> int:
    at = text.find(json.dumps(name, ensure_ascii=False))
    return text.count("\n", 0, at) + 1 if at >= 0 else 0


def _member(name: str, value: Any, place: Place, found: Imported) -> None:
    readers = {"redirects": _redirect, "rewrites": _rewrite, "headers": _headers}
    if name in readers:
        if not isinstance(value, list):
            return found.leave(place, name, "not a list")
        for one in value:
            if isinstance(one, _Object):
                readers[name](one, Place(place.file, one.line), found)
            else:
                found.leave(place, name, "not an object")
    elif name == "cleanUrls":
        if value is True:
            found.settings["clean_urls"] = True
    elif name == "trailingSlash":
        if value is True:
            found.leave(place, name, "directories end with a slash here, and files do not")
        else:
            found.note(place, name, "directories end with a slash here, and files do not")
    elif name in ELSEWHERE:
        found.note(place, name, "how the site is built, or where: serve its output directory")
    elif name == "routes":
        found.leave(place, name, "the older form: write redirects, rewrites and headers")
    elif name in ("functions", "crons"):
        found.leave(place, name, "zeroserve runs scripts: see docs/scripts-python.md")
    else:
        found.leave(place, name, "nothing is known of it")
    return None


def _source(one: Mapping[str, Any], place: Place, found: Imported) -> list[Pattern]:
    """Patterns that an entry is about; none when it was left."""
    source = one.get("source")
    if not isinstance(source, str):
        found.leave(place, "source", "there has to be one")
        return []
    for name in ("has", "missing"):
        if one.get(name):
            found.leave(place, f"{source}, {name}", "rules have no conditions: write a script")
            return []
    try:
        return _patterns(source)
    except Unknown as error:
        found.leave(place, source, str(error.args[0]))
        return []


def _patterns(source: str) -> list[Pattern]:
    """A pattern as path-to-regexp reads it."""
    if not source.startswith("/"):
        raise Unknown("not a path")
    rest, made, groups, number, optional = source, "", {}, 0, ""
    while rest:
        plain = PLAIN.match(rest)
        if plain and plain[0]:
            made, rest = made + plain[0], rest[plain.end() :]
            continue
        part = SEGMENT.match(rest)
        if part is None or rest[part.end() : part.end() + 1] in ("(", "*", "+", "?"):
            raise Unknown(f"no pattern says {rest[:20]}")
        number += 1
        name, repeat, anything = part[1] or str(number), part[2] or "", part[3]
        rest = rest[part.end() :]
        if anything or (repeat and repeat != "?"):
            if "*" in made:
                raise Unknown("it matches anything in two places")
            if repeat == "*" and made.endswith("/") and not rest:
                optional = made.rstrip("/") or ""  # `/x/:rest*` matches `/x`, too
            made += "*"
            groups[name] = ":splat"
        elif repeat == "?":
            raise Unknown(f"no pattern says {part[0]}")
        else:
            made += f":{name}"
            groups[name] = f":{name}"
    for segment in made.split("/"):
        if ":" in segment and not re.fullmatch(r":[A-Za-z]\w*", segment):
            raise Unknown("a group that is only a piece between slashes")
    found = [Pattern(made, groups)]
    if optional:
        gone = {name: "" if stands == ":splat" else stands for name, stands in groups.items()}
        found.append(Pattern(optional, gone))
    return found


def _destination(text: str, pattern: Pattern) -> str:
    def replaced(one: re.Match[str]) -> str:
        name = one[1] or one[3]
        if name not in pattern.groups:
            raise Unknown(f"nothing stands for {one[0]}")
        return pattern.groups[name]

    scheme, mark, rest = text.rpartition("://")
    if mark and scheme not in ("http", "https"):
        raise Unknown("not a path or a URL")
    made = scheme + mark + re.sub(r"(?<=.):(?=\d)", "\0", rest)
    made = DESTINATION.sub(replaced, made).replace("\0", ":")
    if not made.startswith(("/", "http://", "https://")) or re.search(r"\s", made):
        raise Unknown("not a path or a URL")
    if not made.isprintable():
        raise Unknown("control characters in a target")
    return made


def _redirect(one: Mapping[str, Any], place: Place, found: Imported) -> None:
    permanent = one.get("permanent", True)
    status = one.get("statusCode", 308 if permanent else 307)
    if isinstance(status, bool) or status not in (301, 302, 303, 307, 308):
        return found.leave(place, f"statusCode {status!r}", "not a status of a redirect")
    return _rules(one, place, found, status, force=True)


def _rewrite(one: Mapping[str, Any], place: Place, found: Imported) -> None:
    _rules(one, place, found, 200, force=False)


def _rules(
    one: Mapping[str, Any], place: Place, found: Imported, status: int, *, force: bool
) -> None:
    destination = one.get("destination")
    known = ("source", "destination", "permanent", "statusCode", "has", "missing")
    for name in one:
        if name not in known:
            return found.leave(place, name, "nothing is known of it")
    for pattern in _source(one, place, found):
        if not isinstance(destination, str):
            return found.leave(place, str(one.get("source")), "there has to be a destination")
        try:
            target = _destination(destination, pattern)
        except Unknown as error:
            return found.leave(place, destination, str(error.args[0]))
        found.redirects.append(Redirect(pattern.text, target, status, force, place))
    return None


def _headers(one: Mapping[str, Any], place: Place, found: Imported) -> None:
    given = one.get("headers")
    if not isinstance(given, list):
        return found.leave(place, "headers", "not a list")
    fields: list[tuple[str, str | None]] = []
    for field in given:
        name, value = (field.get("key"), field.get("value")) if isinstance(field, dict) else (0, 0)
        if isinstance(name, str) and isinstance(value, str):
            fields.append((name, value))
        else:
            found.leave(place, str(one.get("source")), "a header has a `key` and a `value`")
    for pattern in _source(one, place, found):
        found.header(pattern.text, place, fields)
    return None
