r"""Foreign patterns of paths as those of zeroserve: one ``*`` for anything, ``:name`` for one part.

``^/old/(.*)$`` is ``/old/*``, whose ``$1`` is ``:splat``. What says more than ``*`` and ``:name``
can is refused with the reason: a pattern that matched more than it did would be another one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

MAX_ALTERNATIVES = 64
"""Patterns that one expression may become."""

ANYTHING = ("(.*)", "(.*?)", ".*", "(.+)", ".+", "([^?]*)")
PART = ("([^/]+)", "[^/]+", "([^/?]+)")
BELOW = ("(/.*)", "(?:/.*)")
WORDS = re.compile(r"\((?:\?:)?([A-Za-z0-9_|?\-.\\]+)\)")
VECTOR = re.compile(r"\$(?:\{?(\w+)\}?)")


class Unknown(ValueError):
    """A pattern or target that can't be said; its argument is the reason."""


@dataclass(frozen=True)
class Pattern:
    """One pattern, and what stands for the groups of the expression it was made of."""

    text: str
    groups: Mapping[str, str] = field(default_factory=dict)
    """``{"1": ":splat"}``, or a literal."""
    nearly: bool = False
    """Whether ``*`` stands for one character or more, while here it may stand for none."""

    @property
    def exact(self) -> bool:
        """Whether it is a path."""
        return "*" not in self.text and "/:" not in self.text

    def matches(self, path: str) -> bool:
        """Whether it describes a path."""
        parts = re.split(r"(\*|(?<=/):\w+)", self.text)
        said = {"*": ".*", ":": "[^/]+"}
        expression = "".join(
            said.get(part[:1], "") if at % 2 else re.escape(part) for at, part in enumerate(parts)
        )
        return re.fullmatch(expression, path, re.DOTALL) is not None


def path(text: str) -> str:
    """A literal path as patterns have it: encoded, with nothing that stands for something else."""
    if not text.startswith("/"):
        raise Unknown("not an absolute path")
    if "*" in text or "/:" in text:
        raise Unknown("a path with `*` or `:` can't be said in a pattern")
    if not text.isprintable():
        raise Unknown("control characters in a path")
    return quote(text, safe="/%!$&'()+,;=:@~-._")


def of_regex(expression: str, *, rooted: bool = True) -> list[Pattern]:
    """The patterns that match what a regular expression does.

    ``rooted`` expressions see the leading slash; those of .htaccess don't. Raises ``Unknown``.
    """
    rest = expression
    start = rest.startswith("^")
    rest = rest[1:] if start else rest
    end = rest.endswith("$") and not rest.endswith("\\$")
    rest = rest[:-1] if end else rest
    if not rooted and start:
        rest = rest.removeprefix("/?")
        if rest.startswith("/"):
            raise Unknown("it never matches: here paths begin without a slash")
        rest = f"/{rest}"
    if rest == "/" and start and end:
        return [Pattern("/")]
    if "(.*?)" in rest and not end:
        raise Unknown("as little as possible stands for (.*?), which is nothing")
    made: list[Pattern] = []
    for text, groups in _read(rest, "" if start else "*", 0):
        if not end and not text.endswith("*"):
            if "*" in text:
                raise Unknown("it matches anything in two places")
            text += "*"
        if text.startswith("*"):
            # The slash that every path begins with is a part of what it stands for.
            if rooted:
                groups = {n: s.replace(":splat", "/:splat") for n, s in groups.items()}
            if rooted and text.startswith("*/"):
                none = {n: s.replace("/:splat", "") for n, s in groups.items()}
                made.append(Pattern(text[1:], none))
            text = "/" + text
        if not text.startswith("/"):
            raise Unknown("it does not begin with a slash")
        made.append(Pattern(text, groups, nearly=".+" in expression and "*" in text))
    return made


def _read(rest: str, before: str, number: int) -> list[tuple[str, dict[str, str]]]:
    """All ways to write an expression from here on, behind what was written ``before``."""
    found: list[tuple[str, dict[str, str]]] = [(before, {})]
    before_it = ""
    while rest:
        token, rest = _token(rest)
        captures = token.startswith("(") and not token.startswith("(?")
        number += captures
        choices = _choices(token, number)
        optional = rest.startswith("?") and token not in (*ANYTHING, *PART)
        if token in BELOW and not optional:
            raise Unknown(f"no pattern says {token}")
        rest = rest[1:] if optional else rest
        if rest[:1] in ("*", "+", "{", "?"):
            raise Unknown(f"repetition of {token}")
        grown = []
        for text, groups in found:
            # What may follow `.*` is taken by it.
            taken = optional and text.endswith("*") and before_it != "(.*?)"
            for choice in () if taken else choices:
                if "*" in choice and "*" in text:
                    if choice == "*" and text == "*" and not (captures or groups):
                        continue
                    raise Unknown("it matches anything in two places")
                stands = choice.replace("*", ":splat")
                named = {str(number): stands} if captures else {}
                grown.append((text + choice, {**groups, **named}))
            if optional:
                grown.append((text, {**groups, **({str(number): ""} if captures else {})}))
        # `.*` at the start of an expression without `^` adds nothing.
        found = grown or found
        before_it = token
        if len(found) > MAX_ALTERNATIVES:
            raise Unknown(f"more than {MAX_ALTERNATIVES} patterns would be needed")
    return found


def _token(rest: str) -> tuple[str, str]:
    """The first piece of an expression, and what follows."""
    for known in sorted((*ANYTHING, *PART, *BELOW), key=len, reverse=True):
        if rest.startswith(known):
            return known, rest[len(known) :]
    words = WORDS.match(rest)
    if words:
        return words[0], rest[words.end() :]
    if rest[0] == "\\" and len(rest) > 1 and not rest[1].isalnum():
        return rest[:2], rest[2:]
    if rest[0].isalnum() or rest[0] in "/_-~%@!,;=&: ":
        return rest[0], rest[1:]
    raise Unknown(f"no pattern says {rest[:20]}")


def _choices(token: str, number: int) -> list[str]:
    if token in ANYTHING:
        return ["*"]
    if token in BELOW:
        return ["/*"]
    if token in PART:
        return [f":p{number}" if token.startswith("(") else ":part"]
    words = WORDS.fullmatch(token)
    if words:
        return [one for word in words[1].split("|") for one in _word(word)]
    literal = token[-1]
    if literal in "*:":
        raise Unknown(f"{literal} itself can't be said in a pattern")
    return [quote(literal, safe="/%!$&'()+,;=@~-._")]


def _word(word: str) -> list[str]:
    """``jpe?g`` is ``jpeg`` and ``jpg``."""
    found = [""]
    at = 0
    while at < len(word):
        letter = word[at]
        if letter == "\\" and at + 1 < len(word) and not word[at + 1].isalnum():
            at += 1
            letter = word[at]
        elif letter in ".\\?":
            raise Unknown(f"no pattern says {word}")
        at += 1
        maybe = at < len(word) and word[at] == "?"
        at += maybe
        found = [one + letter for one in found] + (found if maybe else [])
        if len(found) > MAX_ALTERNATIVES:
            raise Unknown(f"more than {MAX_ALTERNATIVES} patterns would be needed")
    return found


def check(pattern: Pattern) -> Pattern:
    """The pattern, if placeholders are whole parts of it; raises ``Unknown``."""
    for part in pattern.text.split("/"):
        if ":p" in part and not re.fullmatch(r":p(?:\d+|art)", part):
            raise Unknown("a group that is only a piece between slashes")
    if "//" in pattern.text:
        raise Unknown("no path has an empty part between slashes")
    if pattern.text.count(":part") > 1:
        raise Unknown("two groups that have no number")
    return pattern


def target(text: str, pattern: Pattern, names: Mapping[str, str]) -> str:
    """Where a redirect leads, with ``$1`` and known variables replaced; raises ``Unknown``."""

    def replaced(found: re.Match[str]) -> str:
        name = found[1]
        if name in pattern.groups:
            return pattern.groups[name]
        if name in names:
            return names[name]
        raise Unknown(f"variable {found[0]}")

    literal = text
    for at, piece in enumerate(VECTOR.split(text)[::2]):
        if re.search(
            r":[A-Za-z]", piece.partition("://")[2] if at == 0 and "://" in piece else piece
        ):
            raise Unknown("a `:` with letters behind it stands for something in a target")
    made = VECTOR.sub(replaced, literal)
    if not made.isprintable() or not made:
        raise Unknown("control characters in a target")
    if not made.startswith(("/", "http://", "https://")):
        raise Unknown("not a path or a URL")
    return quote(made, safe="!#$%&'()*+,/:;=?@[]~-._")
