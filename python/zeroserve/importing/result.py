"""What was found in a foreign configuration, in the terms of zeroserve."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MAX_LEFT = 1000
"""More are not told: a file of so many has another purpose."""

EVERYBODY = ("0.0.0.0/0", "::/0")


class Place(NamedTuple):
    """Where something stands."""

    file: str
    line: int
    """Counted from 1; 0 where it can't be told."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Redirect(NamedTuple):
    """One line of ``_redirects``."""

    source: str
    target: str
    status: int
    force: bool
    """Whether it wins over files."""
    place: Place
    conditions: str = ""
    """As they stand behind the status."""
    query: str = ""
    """As it stands behind the source."""


class Headers(NamedTuple):
    """One block of ``_headers``."""

    pattern: str
    fields: tuple[tuple[str, str | None], ...]
    """Names and values; None removes what other blocks set."""
    place: Place


class Left(NamedTuple):
    """Something that has no counterpart."""

    place: Place
    what: str
    why: str


@dataclass
class Imported:
    """Everything that a file was found to say."""

    redirects: list[Redirect] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys of ``zeroserve.toml``."""
    paths: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Its ``paths``, by pattern."""
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[str, Place] = field(default_factory=dict)
    """Where the tables came from, by their names."""
    netlify: bool = False
    """Whether rules and headers have the meaning that they have at Netlify."""
    left: list[Left] = field(default_factory=list)
    notes: list[Left] = field(default_factory=list)
    """What is done in another way: by a flag, or without being told."""

    def leave(self, place: Place, what: str, why: str) -> None:
        """Something has no counterpart."""
        if len(self.left) < MAX_LEFT:
            self.left.append(Left(place, _short(what), why))

    def note(self, place: Place, what: str, why: str) -> None:
        """Something is done in another way."""
        if len(self.notes) < MAX_LEFT:
            self.notes.append(Left(place, _short(what), why))

    def path(self, pattern: str, place: Place, values: Mapping[str, Any]) -> None:
        """Keys for a pattern of paths."""
        self.paths.setdefault(pattern, {}).update(values)
        self.origins.setdefault(f"paths.{pattern}", place)

    def close(self, pattern: str, place: Place, what: str, why: str) -> None:
        """Something that guards a path has no counterpart: nobody gets the path."""
        self.leave(place, what, f"{why}; nobody gets {pattern} until you say who may")
        self.path(pattern, place, {"deny": list(EVERYBODY)})

    def header(self, pattern: str, place: Place, fields: Iterable[tuple[str, str | None]]) -> None:
        """Headers for a pattern of paths; those that no line can hold are left."""
        good = []
        for name, value in fields:
            if (
                not name
                or not all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in name)
                or not name.isascii()
            ):
                self.leave(place, name, "not a name of a header")
            elif value is not None and not value.isprintable():
                self.leave(place, name, "its value has control characters")
            elif value is not None and not value.strip():
                self.leave(place, name, "its value is empty")
            else:
                good.append((name, value.strip() if value is not None else None))
        if good:
            self.headers.append(Headers(pattern, tuple(good), place))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:97] + "..."
