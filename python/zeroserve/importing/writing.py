"""The files that an ``Imported`` becomes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from zeroserve.config.model import Dialect
from zeroserve.importing.result import Headers, Imported, Redirect

REDIRECTS = "_redirects"
HEADERS = "_headers"
CONFIG = ".zeroserve/zeroserve.toml"


def files(found: Imported, source: str) -> dict[str, str]:
    """Texts by name; files that would be empty are none."""
    made = {}
    if found.redirects:
        made[REDIRECTS] = _text(source, _redirects(found))
    if found.headers:
        made[HEADERS] = _text(source, _headers(found))
    config = list(_config(found))
    if config:
        made[CONFIG] = _text(source, config)
    return made


def _text(source: str, lines: Iterator[str] | list[str]) -> str:
    name = "".join(c if c.isprintable() else "?" for c in source)
    return "\n".join([f"# Imported from {name}.", *lines]) + "\n"


def _redirects(found: Imported) -> Iterator[str]:
    line = -1
    for one in found.redirects:
        if one.place.line != line:
            line = one.place.line
            yield f"# {one.place}"
        yield rule(one)


def rule(one: Redirect) -> str:
    """One line of ``_redirects``."""
    status = f"{one.status}!" if one.force else str(one.status)
    words = [one.source, one.query, one.target, status, one.conditions]
    return " ".join(filter(None, words))


def dialect(found: Imported) -> Dialect:
    """Whose meaning the rules have: with that of Netlify, files can go before any of them."""
    everywhere = {one.target for one in found.redirects if one.source == "/*"}
    files_first = any(
        one.status == 200 and not one.force and one.target not in everywhere
        for one in found.redirects
    )
    return "netlify" if found.netlify or files_first else "cloudflare"


def _headers(found: Imported) -> Iterator[str]:
    place = None
    for one in found.headers:
        if one.place != place:
            place = one.place
            yield f"# {place}"
        yield from block(one)


def block(one: Headers) -> Iterator[str]:
    """The lines of a block of ``_headers``."""
    yield one.pattern
    for name, value in one.fields:
        yield f"  ! {name}" if value is None else f"  {name}: {value}"


def _config(found: Imported) -> Iterator[str]:
    settings = dict(found.settings)
    if dialect(found) != "cloudflare":
        settings = {"rules": dialect(found), **settings}
    for name, value in settings.items():
        if not isinstance(value, Mapping):
            yield f"{_key(name)} = {_value(value)}"
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _table((name,), value, found)
    for name, pool in found.pools.items():
        yield from _table(("pools", name), pool, found)
    for pattern, values in found.paths.items():
        yield from _table(("paths", pattern), values, found)


def _table(names: tuple[str, ...], values: Mapping[str, Any], found: Imported) -> Iterator[str]:
    yield ""
    place = found.origins.get(".".join(names))
    if place is not None:
        yield f"# {place}"
    yield "[" + ".".join(map(_key, names)) + "]"
    for name, value in values.items():
        yield f"{_key(name)} = {_value(value)}"


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if plain else _string(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(n)} = {_value(v)}" for n, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _string(str(value))


def _string(text: str) -> str:
    """A basic string of TOML, which escapes as JSON does, and DEL, too."""
    clean = text.encode("utf-8", "replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
