"""What the rules of a site say, whatever file they come from.

`_redirects`, `_headers` and the path tables of `zeroserve.toml` are read into this; ``emit`` writes
the script that does it, ``interpret`` does it directly.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import unquote

from zeroserve.config.pattern import Hole, Pattern, Pieces

Dialect = Literal["cloudflare", "netlify"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})

REWRITE = 200


class Origin(NamedTuple):
    """Where something was written."""

    file: str
    """Name inside of the site: ``_redirects``."""
    line: int
    """Counted from 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Parameter(NamedTuple):
    """A parameter of the query that a request has to have."""

    name: str
    value: str | None
    """None for any."""
    hole: str | None = None
    """What the value is called in the target: ``id`` of ``id=:id``."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One line of `_redirects`: a redirect, a rewrite, a proxy, or an error."""

    pattern: Pattern
    target: Pieces
    """A path of the site or a URL; empty to leave the path as it is."""
    status: int
    """200: the target in place of what was asked for, of the site or of another server. 301, 302,
    303, 307, 308: the client is sent there. From 400 on: that page under that status."""
    origin: Origin
    text: str
    """The line."""
    yields: bool = False
    """A file that is there goes before the rule."""
    query: tuple[Parameter, ...] = ()
    languages: tuple[str, ...] = ()
    """One of them is what the client wants most; in lower case."""
    cookies: tuple[str, ...] = ()
    """One of them is there."""

    @property
    def is_conditional(self) -> bool:
        """Whether anything but the URL's host and path decides."""
        return bool(self.query or self.languages or self.cookies)

    @property
    def is_remote(self) -> bool:
        """Whether the target is a URL rather than a path."""
        return bool(self.target) and is_url(self.target)

    @property
    def is_proxy(self) -> bool:
        """Whether another server answers."""
        return self.status == REWRITE and self.is_remote

    @property
    def names(self) -> frozenset[str]:
        """What the target may refer to."""
        return self.pattern.names | {p.hole for p in self.query if p.hole is not None}


class Field(NamedTuple):
    """One line of a block of `_headers`."""

    name: str
    """As it was written."""
    value: Pieces | None
    """None to remove what was there."""
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Headers for the paths that a pattern describes."""

    pattern: Pattern
    fields: tuple[Field, ...]
    origin: Origin
    text: str
    """The line of the pattern."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a site."""

    dialect: Dialect = "cloudflare"
    redirects: tuple[Rule, ...] = ()
    """The first that applies counts."""
    blocks: tuple[Block, ...] = ()
    """All that match count, in this order."""
    files: tuple[str, ...] = field(default=())
    """Names of the files that they were read from."""

    def __bool__(self) -> bool:
        return bool(self.redirects) or any(block.fields for block in self.blocks)


def is_url(target: Pieces) -> bool:
    """Whether it has a scheme."""
    first = target[0]
    return isinstance(first, str) and first.lower().startswith(("http://", "https://"))


def filled(pieces: Pieces, found: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """The parts of a target or a value, and whether they were found in the request."""
    for piece in pieces:
        if isinstance(piece, Hole):
            yield found[piece.name], True
        else:
            yield piece, False


def local_path(target: Pieces) -> Pieces:
    """The path of a page of the site, decoded and without a query."""
    pieces: list[str | Hole] = []
    for piece in target:
        if isinstance(piece, Hole):
            pieces.append(piece)
            continue
        path, mark, _ = piece.replace("#", "?").partition("?")
        if path:
            pieces.append(unquote(path, errors="surrogateescape"))
        if mark:
            break
    return tuple(pieces)
