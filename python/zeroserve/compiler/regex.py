"""Patterns of Python's ``re`` as those of Rust's ``regex``, which matches in linear time.

The pattern is parsed by CPython itself and written anew from the parse tree, so that what differs
between the two in meaning (``$``, ``\\s``, ``\\w``, ``\\Z``) is spelled out. What can't be had in
linear time, or would match differently, is refused with the reason.
"""

import re
from bisect import bisect_left, bisect_right
from functools import cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from zeroserve.compiler.diagnostics import Refusal

__all__ = ["Translated", "template", "translate"]

MAX_REPEAT = 1000
EOL_FLAG = 1
"""The pattern ends in a group ``zs_eol`` that is no part of the match."""
ASCII_FLAG = 2
"""The pattern has word boundaries: they mean the same to both for ASCII texts only."""
ANY_TEXT_FLAG = 4
"""The pattern says nothing of single characters from U+D7FF on: lone surrogates in a text can be
stood in for by U+FFFF, which is no letter, digit or space either."""
NOT_EMPTY_FLAG = 8
r"""The pattern has ``\B``: versions of CPython differ in whether an empty text has one."""

_FLAGS = re.I | re.M | re.S | re.X | re.A | re.U


class Translated(NamedTuple):
    """A pattern for the server."""

    text: str
    flags: int
    groups: tuple[tuple[str | None, bool], ...]
    """Name of each group, and whether it takes part in every match."""


class _Unable(Exception):
    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.hint = hint


def translate(pattern: str, flags: int, how: str) -> Translated:
    """``how``: search, match or fullmatch. Raises ``Refusal`` without a place."""
    if flags & ~int(_FLAGS):
        raise Refusal(
            None, "a flag of re that is not available", "use re.I, re.M, re.S, re.X, re.A"
        )
    try:
        tree = parser.parse(pattern, flags)
    except re.error as error:
        at = f" at position {error.pos}" if error.pos is not None else ""
        raise Refusal(None, f"not a pattern: {error.msg}{at}") from None
    except (RecursionError, OverflowError):
        raise Refusal(None, "a pattern that is nested too deep or counts too far") from None
    writer = _Writer(tree.state.flags, how)
    try:
        body = writer.sequence(tree, True)
    except _Unable as unable:
        raise Refusal(None, f"the pattern has {unable}", unable.hint) from None
    except RecursionError:
        raise Refusal(None, "a pattern that is nested too deep") from None
    names = {number: name for name, number in tree.state.groupdict.items()}
    groups = tuple((names.get(at), at in writer.certain) for at in range(1, tree.state.groups))
    text = f"(?:{body})"
    if how != "search":
        text = r"\A" + text
    if how == "fullmatch":
        text += r"\z"
    found = EOL_FLAG if writer.has_eol else 0
    found |= ASCII_FLAG if writer.needs_ascii else 0
    found |= NOT_EMPTY_FLAG if writer.not_empty else 0
    found |= 0 if writer.is_particular else ANY_TEXT_FLAG
    return Translated(text, found, groups)


class _Writer:
    def __init__(self, flags: int, how: str) -> None:
        self.flags = flags
        self.how = how
        self.has_eol = False
        self.needs_ascii = False
        self.is_particular = False
        self.not_empty = False
        self.certain: set[int] = set()
        self.uncertain = 0

    def sequence(self, items: Any, last: bool) -> str:
        """Items one after another; ``last``: nothing of the pattern comes behind them."""
        items = list(items)
        out = []
        for at, (op, value) in enumerate(items):
            out.append(self.one(op, value, last and at == len(items) - 1))
        return "".join(out)

    def one(self, op: Any, value: Any, last: bool) -> str:
        name = str(op)
        method = getattr(self, "_" + name.lower(), None)
        if method is None:
            raise _Unable(f"something that scripts can't match ({name.lower()})")
        text: str = method(value, last)
        return text

    def _literal(self, value: int, last: bool) -> str:
        if 0xD800 <= value <= 0xDFFF:
            raise _Unable("a lone surrogate")
        self.is_particular |= value >= 0xD7FF
        text = re.escape(chr(value)) if chr(value).isascii() else chr(value)
        if value < 32 or value == 127:
            text = f"\\x{{{value:x}}}"
        elif text == "\\ ":
            text = " "
        return self._cased(text, chr(value))

    def _cased(self, text: str, char: str) -> str:
        if not self.flags & re.I:
            return text
        same = _variants(re.escape(char), self.flags & (re.I | re.A))
        return f"[{_ranges([(ord(c), ord(c)) for c in same])}]" if len(same) > 1 else text

    def _not_literal(self, value: int, last: bool) -> str:
        return self._in([(sre.NEGATE, None), (sre.LITERAL, value)], last)

    def _any(self, value: None, last: bool) -> str:
        return r"(?s:.)" if self.flags & re.S else r"[^\n]"

    def _in(self, items: list[tuple[Any, Any]], last: bool) -> str:
        out = ""
        negate = False
        pairs: list[tuple[int, int]] = []
        source = ""
        for op, value in items:
            name = str(op)
            if name == "NEGATE":
                negate = True
            elif name == "LITERAL":
                if 0xD800 <= value <= 0xDFFF:
                    raise _Unable("a lone surrogate")
                self.is_particular |= value >= 0xD7FF
                pairs.append((value, value))
                source += f"\\U{value:08x}"
            elif name == "RANGE":
                low, high = value
                self.is_particular |= high >= 0xD7FF and not (low <= 0xD800 and high >= 0xFFFF)
                parts = [(low, min(high, 0xD7FF)), (max(low, 0xE000), high)]
                pairs += [(a, b) for a, b in parts if a <= b]
                source += f"\\U{low:08x}-\\U{high:08x}"
            elif name == "CATEGORY":
                out += self._class(str(value))
            else:
                raise _Unable(f"a class with {name.lower()}")
        if self.flags & re.I and pairs:
            pairs = _caseless(pairs, _variants(f"[{source}]", self.flags & (re.I | re.A)))
        return f"[{'^' if negate else ''}{_ranges(pairs)}{out}]"

    def _class(self, category: str) -> str:
        ascii_only = bool(self.flags & re.A)
        kinds = {
            "DIGIT": "0-9" if ascii_only else r"\p{Nd}",
            "SPACE": r"\t-\r " if ascii_only else r"\s\x1c-\x1f",
            "WORD": "a-zA-Z0-9_" if ascii_only else r"\p{L}\p{N}_",
        }
        name = category.removeprefix("CATEGORY_")
        if name.startswith("NOT_"):
            return f"[^{kinds[name.removeprefix('NOT_')]}]"
        return kinds[name]

    def _category(self, value: Any, last: bool) -> str:
        return self._in([(sre.CATEGORY, value)], last)

    def _at(self, value: Any, last: bool) -> str:
        name = str(value)
        if name in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
            if name == "AT_BEGINNING" and self.flags & re.M:
                return "(?m:^)"
            return r"\A"
        if name == "AT_END":
            if self.flags & re.M:
                return "(?m:$)"
            if self.how == "fullmatch" and last:
                return r"\z"
            if not last or self.uncertain > 100:
                raise _Unable(
                    "$ in the middle, which also means: before a line break at the end",
                    r"write \Z for the very end",
                )
            if self.has_eol:
                raise _Unable("$ in several places", r"write \Z for the very end")
            self.has_eol = True
            return r"(?P<zs_eol>\n?)\z"
        if name == "AT_END_STRING":
            return r"\z"
        if name in ("AT_BOUNDARY", "AT_NON_BOUNDARY"):
            self.needs_ascii |= not self.flags & re.A or name == "AT_NON_BOUNDARY"
            if name == "AT_NON_BOUNDARY":
                self.not_empty = True
                return r"\B"
            return r"(?-u:\b)"
        raise _Unable(f"the position {name.lower()}")

    def _branch(self, value: Any, last: bool) -> str:
        _, branches = value
        self.uncertain += 1
        out = "|".join(self.sequence(branch, last) for branch in branches)
        self.uncertain -= 1
        return f"(?:{out})"

    def _subpattern(self, value: Any, last: bool) -> str:
        group, add, remove, items = value
        if group is not None and self.has_eol:
            raise _Unable("a group behind $", r"write \Z for the very end")
        before = self.flags
        self.flags = (self.flags | add) & ~remove
        inner = self.sequence(items, last)
        self.flags = before
        if group is None:
            return f"(?:{inner})"
        if not self.uncertain:
            self.certain.add(group)
        return f"({inner})"

    def _max_repeat(self, value: Any, last: bool) -> str:
        return self._repeat(value, "")

    def _min_repeat(self, value: Any, last: bool) -> str:
        return self._repeat(value, "?")

    def _possessive_repeat(self, value: Any, last: bool) -> str:
        raise _Unable("a possessive repeat", "matching is in linear time anyway: leave out the +")

    def _atomic_group(self, value: Any, last: bool) -> str:
        raise _Unable("an atomic group", "matching is in linear time anyway: write (?:...)")

    def _repeat(self, value: Any, lazy: str) -> str:
        low, high, items = value
        least, _ = items.getwidth()
        if int(high) > 1 and least == 0:
            raise _Unable(
                "a repeat of something that may be empty", "let what is repeated match something"
            )
        if low > MAX_REPEAT or (high is not sre.MAXREPEAT and int(high) > MAX_REPEAT):
            raise _Unable(f"a repeat of more than {MAX_REPEAT} times")
        self.uncertain += low == 0
        inner = self.sequence(items, False)
        self.uncertain -= low == 0
        if high is sre.MAXREPEAT or high == sre.MAXREPEAT:
            count = {0: "*", 1: "+"}.get(low, f"{{{low},}}")
        else:
            count = "?" if (low, high) == (0, 1) else f"{{{low},{high}}}"
        return f"(?:{inner}){count}{lazy}"

    def _assert(self, value: Any, last: bool) -> str:
        raise _Unable("a look-ahead or look-behind", "match what is around, and take a group")

    _assert_not = _assert

    def _groupref(self, value: Any, last: bool) -> str:
        raise _Unable("a reference to a group", "compare the groups after the match")

    _groupref_exists = _groupref
    _groupref_ignore = _groupref

    def _failure(self, value: Any, last: bool) -> str:
        return r"[^\s\S]"


def _ranges(pairs: list[tuple[int, int]]) -> str:
    """Members of a class."""
    return "".join(f"\\x{{{a:x}}}" if a == b else f"\\x{{{a:x}}}-\\x{{{b:x}}}" for a, b in pairs)


@cache
def _with_case() -> str:
    """All characters of which there are capitals and others."""
    return "".join(c for c in map(chr, range(0x20000)) if not c.lower() == c == c.upper())


@cache
def _variants(pattern: str, flags: int) -> str:
    """What a pattern of one character matches. CPython is asked, which goes by rules of its own:
    ``i`` is the Turkish ones, too, for instance."""
    found = re.compile(pattern, flags)
    return "".join(filter(found.match, _with_case()))


def _caseless(pairs: list[tuple[int, int]], members: str) -> list[tuple[int, int]]:
    """A class of ranges that is to have these members of all characters with case."""
    cased = [ord(c) for c in _with_case()]
    found = [(ord(c), ord(c)) for c in members]
    for low, high in pairs:
        at = low
        for number in cased[bisect_left(cased, low) : bisect_right(cased, high)]:
            if at < number:
                found.append((at, number - 1))
            at = number + 1
        if at <= high:
            found.append((at, high))
    return found


def template(repl: str, groups: int, names: dict[str, int]) -> bytes:
    """A replacement of ``re.sub`` as helpers read it. Raises ``Refusal`` without a place."""
    pattern = re.compile("".join("()" for _ in range(groups)))
    try:
        parsed = parser.parse_template(repl, _Named(pattern, names))
    except (re.error, IndexError) as error:
        raise Refusal(None, f"not a replacement: {error}") from None
    if isinstance(parsed, tuple):  # before 3.12: positions of groups, and texts
        positions, texts = parsed
        items: list[Any] = list(texts)
        for at, number in positions:
            items[at] = number
    else:
        items = list(parsed)
    out = b""
    for item in items:
        if isinstance(item, int):
            if item >= 100:
                raise Refusal(None, "a replacement with a group above 99")
            out += bytes([0, 1 + item])
        elif item:
            out += item.encode("utf-8", "surrogatepass").replace(b"\0", b"\0\0")
    return out


class _Named:
    """As much of a pattern as ``parse_template`` looks at."""

    def __init__(self, pattern: "re.Pattern[str]", names: dict[str, int]) -> None:
        self.groups = pattern.groups
        self.groupindex = names
        self.pattern = pattern.pattern
