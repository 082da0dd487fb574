"""Patterns of paths, hosts and targets, as `_redirects`, `_headers` and `zeroserve.toml` have them.

A pattern is a path, perhaps with a scheme and a host before it. One ``*`` in it stands for
anything, slashes included; ``:name`` for one part between slashes, of a host between dots. What
they stood for is put into targets and header values as ``:splat`` and ``:name``.

    >>> pattern = parse("/blog/:year/*")
    >>> pattern.match("http", "localhost", "/blog/2026/a/b")
    {'year': '2026', 'splat': 'a/b'}

Whatever is written, a match takes linear time: there is one ``*`` at most, and no choices.
"""

import re
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

NAME = re.compile(r":([A-Za-z]\w*)", re.ASCII)
HOLE = re.compile(r"\*|:[A-Za-z]\w*", re.ASCII)
HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.?|\[[0-9a-f:.]+\]", re.ASCII)

SPLAT = "splat"

MAX_HOLES = 16
"""Of a pattern: more than any URL has that a person has thought out."""


class BadPattern(ValueError):
    """What is wrong with a pattern, and where in it."""

    def __init__(self, at: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.at = at
        """Characters before the place."""
        self.message = message
        self.hint = hint


class Hole(NamedTuple):
    """A ``*`` or ``:name``."""

    name: str
    """``splat`` for the ``*``."""


Pieces = tuple[str | Hole, ...]
"""Text, decoded, and what is open."""


class Pattern:
    """What a rule is for. Equal when they match the same in the same way."""

    def __init__(
        self, text: str, scheme: str | None, host: Pieces | None, path: Pieces, *, loose: bool
    ) -> None:
        self.text = text
        """As it was written."""
        self.scheme = scheme
        """``http`` or ``https``; None for both."""
        self.host = host
        """None for all."""
        self.path = path
        self.loose = loose
        """Case, and a slash at the end, make no difference: ``path`` is folded, see ``folded``."""

    @property
    def key(self) -> tuple[str | None, Pieces | None, Pieces, bool]:
        """What tells patterns apart."""
        return self.scheme, self.host, self.path, self.loose

    @property
    def is_bare(self) -> bool:
        """Whether it is a path only."""
        return self.scheme is None and self.host is None

    @property
    def names(self) -> frozenset[str]:
        """Of what is open."""
        return frozenset(p.name for p in (self.host or ()) + self.path if isinstance(p, Hole))

    @cached_property
    def exact(self) -> str | None:
        """The path, if only one is meant."""
        match self.path:
            case [str(text)]:
                return text
        return None

    @cached_property
    def prefix(self) -> str | None:
        """What paths have to begin with, if nothing else matters: ``/blog/`` of ``/blog/*``."""
        match self.path:
            case [str(text), Hole("splat")]:
                return text
        return None

    @property
    def segment(self) -> str | None:
        """The first part of all paths that it matches, if there is one; ``""`` for ``/``."""
        first = self.path[0]
        if not isinstance(first, str):
            return None
        name, slash, _ = first[1:].partition("/")
        return name if slash or len(self.path) == 1 else None

    @cached_property
    def expression(self) -> str:
        """The path as a regular expression."""
        return "".join(self._part(index) for index in range(len(self.path)))

    @cached_property
    def host_expression(self) -> str:
        """The host as a regular expression."""
        return "".join(
            re.escape(p) if isinstance(p, str) else "(.*)" if p.name == SPLAT else "([^/.]+)"
            for p in self.host or ()
        )

    def match(self, scheme: str, host: str, path: str) -> dict[str, str] | None:
        """What is open stands for these; None for another URL."""
        if self.scheme is not None and self.scheme != scheme:
            return None
        found: dict[str, str] = {}
        if self.host is not None:
            matched = self._host.fullmatch(host)
            if matched is None:
                return None
            found.update(zip(_names(self.host), matched.groups(), strict=True))
        # Most patterns are a path.
        if self.exact is not None:
            return found if (folded(path) if self.loose else path) == self.exact else None
        matched = self._path.fullmatch(slashed(path) if self.loose else path)
        if matched is None:
            return None
        found.update(zip(_names(self.path), matched.groups(), strict=True))
        if self.loose and SPLAT in found:
            found[SPLAT] = found[SPLAT].removesuffix("/")
        return found

    def matches_path(self, path: str) -> bool:
        """Whether it matches that path of some host."""
        if self.exact is not None:
            return (folded(path) if self.loose else path) == self.exact
        return self._path.fullmatch(slashed(path) if self.loose else path) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<Pattern {self.text}>"

    @cached_property
    def _path(self) -> re.Pattern[str]:
        flags = re.DOTALL | re.IGNORECASE if self.loose else re.DOTALL
        return re.compile(self.expression, flags)

    @cached_property
    def _host(self) -> re.Pattern[str]:
        return re.compile(self.host_expression, re.DOTALL)

    def _part(self, index: int) -> str:
        piece = self.path[index]
        if isinstance(piece, str):
            before = self.path[index - 1] if index else None
            after_lone = self.loose and _is_lone(self.path, index - 1) and before is not None
            return re.escape(piece[1:] if after_lone else piece)
        if piece.name != SPLAT:
            return "([^/]+)"
        # Part of a path of its own: it may be missing, together with its slash.
        return "((?:.*/)?)" if self.loose and _is_lone(self.path, index) else "(.*)"


def _is_lone(path: Pieces, index: int) -> bool:
    """Whether a ``*`` stands alone between two slashes."""
    if index < 1 or index + 1 >= len(path) or path[index] != Hole(SPLAT):
        return False
    before, after = path[index - 1], path[index + 1]
    return (
        isinstance(before, str)
        and before.endswith("/")
        and isinstance(after, str)
        and after.startswith("/")
    )


def folded(path: str) -> str:
    """The path as loose patterns see it: in lower case, with a slash at the end.

    >>> folded("/Docs"), folded("/")
    ('/docs/', '/')
    """
    return slashed(path.lower())


def slashed(path: str) -> str:
    """The path with a slash at its end."""
    return path if path.endswith("/") else path + "/"


def parse(text: str, *, loose: bool = False) -> Pattern:
    """Read a pattern; raises ``BadPattern``."""
    scheme, host, at = None, None, 0
    if "://" in text.partition("/")[0] + text[text.find("/") :][:2] and not text.startswith("/"):
        name, _, rest = text.partition("://")
        scheme = name.lower()
        if scheme not in ("http", "https"):
            raise BadPattern(0, f"a scheme other than http and https: {name}")
        at = len(name) + 3
        authority, slash, _ = rest.partition("/")
        host = _host(authority, at)
        at += len(authority)
        text_of_path = text[at:] if slash else "/"
    else:
        text_of_path = text
    if not text_of_path.startswith("/"):
        hint = f"/{text}" if HOLE.sub("", text).isascii() else None
        raise BadPattern(0, "a pattern begins with a slash or with https://", hint)
    path = _path(text_of_path, at)
    names = [*_names(host or ()), *_names(path)]
    for name in names:
        if names.count(name) > 1:
            what = "*" if name == SPLAT else f":{name}"
            again = text.find(what, text.find(what) + 1)
            raise BadPattern(max(again, 0), f"{what} twice", _once(name))
    if len(names) > MAX_HOLES:
        raise BadPattern(0, f"more than {MAX_HOLES} placeholders")
    if loose:
        path = _loosened(path)
    return Pattern(text, scheme, host, path, loose=loose)


def _once(name: str) -> str:
    if name == SPLAT:
        return "one * stands for anything; write :name for a part between slashes"
    return "give the second one another name"


def _host(text: str, at: int) -> Pieces:
    if not text:
        raise BadPattern(at, "no host after ://")
    if "@" in text:
        raise BadPattern(at, "a user name before the host", "leave it out")
    port = re.search(r":\d*$", text)
    if port:
        raise BadPattern(
            at + port.start(), "a port after the host", "leave it out: rules go by names alone"
        )
    pieces = _pieces(text.lower(), fixed=text)
    plain = "".join(p if isinstance(p, str) else "x" for p in pieces)
    if not HOST.fullmatch(plain):
        hint = None if text.isascii() else "write it in its ASCII form, xn--..."
        raise BadPattern(at, f"not a host: {text}", hint)
    return pieces


def _path(text: str, at: int) -> Pieces:
    for what, message, hint in (
        ("?", "a query in a pattern", "a pattern is a path; rules may have name=value behind it"),
        ("//", "an empty part between two slashes", "paths are matched with single slashes"),
    ):
        if what in text:
            raise BadPattern(at + text.index(what), message, hint)
    for part in re.finditer(r"[^/]+", text):
        if unquote(part[0]) in (".", ".."):
            raise BadPattern(
                at + part.start(), f"{part[0]} in a pattern", "paths are matched without such parts"
            )
    stray = re.search(r"%(?![0-9A-Fa-f]{2})", text)
    if stray:
        message = "a % without two hexadecimal digits"
        raise BadPattern(at + stray.start(), message, "write %25 for the sign itself")
    pieces: list[str | Hole] = []
    for piece in _pieces(text):
        if isinstance(piece, str):
            try:
                decoded = unquote(piece, errors="strict")
            except UnicodeDecodeError:
                raise BadPattern(at, "escapes that are not UTF-8") from None
            if "\0" in decoded or "//" in decoded:
                raise BadPattern(at, "an escape that no path has: %00 or %2F beside a slash")
            pieces.append(decoded)
        else:
            pieces.append(piece)
    return tuple(pieces)


def _pieces(text: str, fixed: str | None = None) -> Pieces:
    """Text and holes; ``fixed``: the same text, from which names are taken as they stand."""
    pieces: list[str | Hole] = []
    end = 0
    for found in HOLE.finditer(text):
        if found.start() > end:
            pieces.append(text[end : found.start()])
        name = (fixed or text)[found.start() + 1 : found.end()] or SPLAT
        pieces.append(Hole(name))
        end = found.end()
    if end < len(text):
        pieces.append(text[end:])
    return tuple(pieces)


def _loosened(path: Pieces) -> Pieces:
    pieces: list[str | Hole] = [p.lower() if isinstance(p, str) else p for p in path]
    last = pieces[-1]
    if isinstance(last, str):
        pieces[-1] = last if last.endswith("/") else last + "/"
    elif last.name != SPLAT:
        pieces.append("/")
    return tuple(pieces)


def _names(pieces: Pieces) -> list[str]:
    return [piece.name for piece in pieces if isinstance(piece, Hole)]


def template(text: str, names: frozenset[str]) -> Pieces:
    """Text in which ``:name`` stands for what the pattern found; other colons are text."""
    pieces: list[str | Hole] = []
    end = 0
    for found in NAME.finditer(text):
        if found[1] not in names:
            continue
        if found.start() > end:
            pieces.append(text[end : found.start()])
        pieces.append(Hole(found[1]))
        end = found.end()
    if end < len(text):
        pieces.append(text[end:])
    return tuple(pieces)
