"""What was found, as zeroserve itself reads it: nothing is written that would be refused."""

from typing import Any

from zeroserve.config import file, headers, redirects
from zeroserve.config.lines import Lines
from zeroserve.importing import writing
from zeroserve.importing.result import EVERYBODY, Imported, Place

GUARDS = frozenset({"deny", "allow", "basic_auth", "proxy"})
"""Keys without which somebody would get what nobody got before."""


def check(found: Imported) -> None:
    """Leave what can't be read again. What guards a path closes it."""
    dialect = writing.dialect(found)
    kept = []
    for one in found.redirects:
        rules, lines = redirects.read(writing.rule(one).encode(), dialect)
        if not _left(lines, one.place, writing.rule(one), found) and rules:
            kept.append(one)
    found.redirects = kept
    blocks = []
    for block in found.headers:
        text = "\n".join(writing.block(block)).encode()
        if not _left(headers.read(text, dialect)[1], block.place, block.pattern, found):
            blocks.append(block)
    found.headers = blocks
    for name, value in list(found.settings.items()):
        if _refused(Imported(settings={name: value}), Place("", 0), name, found):
            del found.settings[name]
    for name, pool in list(found.pools.items()):
        place = found.origins.get(f"pools.{name}", Place("", 0))
        if _refused(Imported(pools={name: pool}), place, f"upstream {name}", found):
            del found.pools[name]
    for pattern, values in list(found.paths.items()):
        _path(pattern, values, found)


def _path(pattern: str, values: dict[str, Any], found: Imported) -> None:
    place = found.origins.get(f"paths.{pattern}", Place("", 0))
    good: dict[str, Any] = {}
    for name, value in values.items():
        # A rewrite is refused or not by itself, whatever it stands beside.
        if not _refused(Imported(paths={pattern: {name: value}}), place, pattern, found):
            good[name] = value
        elif name in GUARDS:
            good["deny"] = list(EVERYBODY)
    del found.paths[pattern]
    if not _faults(Imported(paths={pattern: good})):
        if good:
            found.paths[pattern] = good
    elif GUARDS & set(good):
        found.close("/*", place, pattern, "no pattern says it, and it guards something")


def _left(lines: Lines, place: Place, what: str, found: Imported) -> bool:
    for mistake in lines.mistakes:
        found.leave(place, what, mistake.message)
    return bool(lines.mistakes)


def _refused(part: Imported, place: Place, what: str, found: Imported) -> bool:
    messages = _faults(part)
    for message in messages:
        found.leave(place, what, message)
    return bool(messages)


def _faults(part: Imported) -> list[str]:
    text = (
        writing.files(part, "")[writing.CONFIG] if part.paths or part.pools or part.settings else ""
    )
    return [fault.message for fault in file.read(text.encode(), writing.CONFIG)[1].found]
