"""`_redirects`: a rule on each line.

    from [name=value ...] [to] [status[!]] [Condition=value,value ...]

``from`` is a pattern, ``to`` a path or a URL in which ``:splat`` and ``:name`` stand for what the
pattern found. What files of different hosts mean where they differ is the dialect's to say: see
docs/rules.md.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from zeroserve.config.lines import MAX_RULES, Lines, Word, nearest
from zeroserve.config.model import (
    REDIRECTS,
    REWRITE,
    Dialect,
    Origin,
    Parameter,
    Rule,
    filled,
    is_url,
)
from zeroserve.config.pattern import NAME as REFERENCE
from zeroserve.config.pattern import SPLAT, BadPattern, Hole, Pattern, Pieces, parse, template

NAME = "_redirects"

DEFAULT_STATUS = {"cloudflare": 302, "netlify": 301}

STATUS = re.compile(r"[0-9]{3}!?")
URL = re.compile(r"https?://", re.IGNORECASE)
AUTHORITY = re.compile(
    r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?", re.ASCII
)
STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")

CONDITIONS = ("Language", "Cookie", "Country", "Role")
UNKNOWN_HERE = {
    "Country": "this server does not know where clients are",
    "Role": "this server does not know who clients are",
}

MAX_PARAMETERS = 16
MAX_WORDS = 64
"""Languages or cookies of a rule."""

SAMPLE = "zs"
"""Stands for what is open, to see where a rule leads."""


def read(data: bytes, dialect: Dialect) -> tuple[list[Rule], Lines]:
    """The rules as far as they can be understood, and what is wrong with the rest."""
    lines = Lines(data, NAME)
    rules: list[Rule] = []
    for _ in lines:
        words = lines.words()
        if not words:
            continue
        if len(rules) >= MAX_RULES:
            lines.add(0, f"more than {MAX_RULES:,} rules")
            break
        rule = _Line(words, lines, dialect).rule()
        if rule is not None:
            rules.append(rule)
    return rules, lines


class _Refused(Exception):
    def __init__(self, at: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.hint = hint


class _Conditions(NamedTuple):
    languages: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()


class _Line:
    """One line being read."""

    def __init__(self, words: list[Word], lines: Lines, dialect: Dialect) -> None:
        self._words = words
        self._lines = lines
        self._dialect = dialect
        self._next = 0

    def rule(self) -> Rule | None:
        try:
            return self._rule()
        except _Refused as refused:
            self._lines.add(refused.at, refused.message, refused.hint)
            return None

    def _rule(self) -> Rule:
        source = self._take()
        assert source is not None
        pattern = self._pattern(source)
        query = self._query(pattern.names)
        target = self._target()
        status, forced, given = self._status(target)
        if target is None and given is None:
            raise _Refused(self._end(), "no target", f"{source.text} /where/it/is/now 301")
        if target is None and status in REDIRECTS:
            assert given is not None
            raise _Refused(given.at, "a redirect without a target", "the target comes before it")
        conditions = self._conditions()
        names = pattern.names | {p.hole for p in query if p.hole is not None}
        pieces = () if target is None else self._pieces(target, pattern, names, status)
        rule = Rule(
            pattern,
            pieces,
            status,
            Origin(NAME, self._lines.number),
            " ".join(word.text for word in self._words),
            yields=not forced and self._yields(pattern, pieces, status),
            query=query,
            languages=conditions.languages,
            cookies=conditions.cookies,
        )
        if target is not None and is_loop(rule):
            hint = None
            if pattern.prefix == "/" and target.text.endswith((".html", "/")):
                hint = f"for a single-page application: {source.text} {target.text} 200"
            message = f"a loop: the target {target.text} matches the pattern {source.text}"
            raise _Refused(target.at, message, hint)
        return rule

    def _take(self) -> Word | None:
        if self._next == len(self._words):
            return None
        self._next += 1
        return self._words[self._next - 1]

    def _look(self) -> Word | None:
        return self._words[self._next] if self._next < len(self._words) else None

    def _end(self) -> int:
        last = self._words[-1]
        return last.at + len(last.text)

    def _pattern(self, word: Word) -> Pattern:
        try:
            return parse(word.text)
        except BadPattern as bad:
            raise _Refused(word.at + bad.at, bad.message, bad.hint) from None

    def _query(self, names: frozenset[str]) -> tuple[Parameter, ...]:
        found: list[Parameter] = []
        holes: set[str] = set()
        while (word := self._look()) is not None and _is_parameter(word.text):
            self._next += 1
            name, _, value = word.text.partition("=")
            if not name:
                raise _Refused(word.at, "a parameter without a name", "write name=value")
            if len(found) == MAX_PARAMETERS:
                raise _Refused(word.at, f"more than {MAX_PARAMETERS} parameters")
            reference = REFERENCE.fullmatch(value)
            if reference is None:
                found.append(Parameter(unquote_plus(name), unquote_plus(value)))
                continue
            if reference[1] in holes | names | {SPLAT}:
                raise _Refused(word.at + len(name) + 1, f"{value} twice", "give it another name")
            holes.add(reference[1])
            found.append(Parameter(unquote_plus(name), None, reference[1]))
        return tuple(found)

    def _target(self) -> Word | None:
        word = self._look()
        if word is None or STATUS.fullmatch(word.text):
            return None
        if re.match(r"[0-9]", word.text):
            return None  # a status that is none
        self._next += 1
        if word.text.startswith("//"):
            message = "a target begins with one slash, or with https://"
            raise _Refused(word.at, message, f"https:{word.text}")
        if not word.text.startswith("/") and not URL.match(word.text):
            hint = None if "://" in word.text else f"/{word.text}"
            raise _Refused(word.at, "a target begins with a slash, or with https://", hint)
        stray = STRAY.search(word.text)
        if stray:
            message = "a % without two hexadecimal digits"
            raise _Refused(word.at + stray.start(), message, "write %25 for the sign itself")
        return word

    def _status(self, target: Word | None) -> tuple[int, bool, Word | None]:
        word = self._look()
        if word is None or _is_condition(word.text):
            return DEFAULT_STATUS[self._dialect], False, None
        self._next += 1
        if not STATUS.fullmatch(word.text):
            if re.match(r"[0-9]", word.text):
                hint = nearest(
                    word.text, sorted(map(str, (REWRITE, 404, 410, *REDIRECTS))), "known"
                )
                raise _Refused(word.at, f"not a status: {word.text}", hint)
            what = "a second target" if word.text.startswith("/") else "not a status"
            hint = "the order is: pattern, target, status, conditions"
            raise _Refused(word.at, f"{what}: {word.text}", hint)
        status = int(word.text[:3])
        if status != REWRITE and status not in REDIRECTS and not 400 <= status <= 599:
            hint = nearest(word.text[:3], ["200", "301", "302", "303", "307", "308"], "known")
            raise _Refused(word.at, f"a status that no rule can have: {word.text}", hint)
        del target
        return status, word.text.endswith("!"), word

    def _conditions(self) -> _Conditions:
        languages: list[str] = []
        cookies: list[str] = []
        while (word := self._take()) is not None:
            name, equals, value = word.text.partition("=")
            known = {condition.lower(): condition for condition in CONDITIONS}
            if not equals:
                message = f"more than a rule has: {word.text}"
                hint = "the order is: pattern, target, status, conditions"
                raise _Refused(word.at, message, hint)
            condition = known.get(name.lower())
            if condition is None:
                hint = nearest(name, CONDITIONS[:2], "conditions")
                raise _Refused(word.at, f"not a condition: {name}", hint)
            if condition in UNKNOWN_HERE:
                message = f"{condition}= can't be decided: {UNKNOWN_HERE[condition]}"
                hint = "remove the rule, or write a script that looks at a header of the proxy"
                raise _Refused(word.at, message, hint)
            values = [part for part in value.split(",") if part]
            if not values:
                raise _Refused(word.at + len(name) + 1, f"no value for {condition}")
            if len(languages) + len(cookies) + len(values) > MAX_WORDS:
                raise _Refused(word.at, f"more than {MAX_WORDS} values")
            if condition == "Language":
                languages += [part.lower() for part in values]
            else:
                cookies += values
        return _Conditions(tuple(languages), tuple(cookies))

    def _pieces(self, word: Word, pattern: Pattern, names: frozenset[str], status: int) -> Pieces:
        for found in REFERENCE.finditer(word.text):
            if found[1] in names:
                continue
            alone = (
                word.text[: found.start()].endswith("/")
                and found.start() > word.text.find("://") + 2
            )
            if found[1] == SPLAT or (alone and word.text[found.end() :][:1] in ("", "/")):
                hint = nearest(found[1], sorted(names), "the pattern has") if names else None
                if found[1] == SPLAT:
                    hint = "write * in the pattern where it stands for anything"
                raise _Refused(word.at + found.start(), f"nothing stands for {found[0]}", hint)
        # No fragment is ever sent to a server.
        text = word.text if status in REDIRECTS else word.text.partition("#")[0]
        pieces = template(text, names)
        if not is_url(pieces):
            return pieces
        if status >= 400:
            message = f"a page of another server under status {status}"
            raise _Refused(word.at, message, "give a page of this site")
        self._authority(word, pieces, pattern)
        return pieces

    def _authority(self, word: Word, pieces: Pieces, pattern: Pattern) -> None:
        """The host of a URL: it is never the client's to choose."""
        start = word.text.index("://") + 3
        text = re.split(r"[/?#]", word.text[start:], maxsplit=1)[0]
        of_host = {p.name for p in pattern.host or () if isinstance(p, Hole)}
        plain = text
        for found in REFERENCE.finditer(text):
            if found[1] in of_host:
                plain = plain.replace(found[0], SAMPLE)
            elif any(isinstance(p, Hole) and p.name == found[1] for p in pieces):
                message = f"{found[0]} in the host: clients would choose where they are sent"
                raise _Refused(word.at + start + found.start(), message, "write a slash before it")
        if not text:
            raise _Refused(word.at + start, "no host after ://")
        if not AUTHORITY.fullmatch(plain):
            raise _Refused(word.at + start, f"not a host: {text}")

    def _yields(self, pattern: Pattern, target: Pieces, status: int) -> bool:
        """Whether files go before a rule without a ``!``."""
        if self._dialect == "netlify" or status >= 400:
            return True
        # A single-page application: its own files are there to be served.
        fixed = len(target) == 1 and isinstance(target[0], str) and not is_url(target)
        return status == REWRITE and pattern.prefix == "/" and pattern.host is None and fixed


def is_loop(rule: Rule) -> bool:
    """Whether a rule sends clients where it sends them on for ever."""
    if rule.status not in REDIRECTS or rule.query:
        return False
    sample = dict.fromkeys(rule.names, SAMPLE)
    path = "".join(text for text, _ in filled(rule.pattern.path, sample))
    target = "".join(text for text, _ in filled(rule.target, sample))
    host = "".join(text for text, _ in filled(rule.pattern.host or (), sample))
    scheme = rule.pattern.scheme or "https"
    if rule.is_remote:
        if rule.pattern.host is None:
            return False
        name, _, rest = target.partition("://")
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        scheme, host = name.lower(), authority.partition(":")[0].lower()
        target = rest.removeprefix(authority) or "/"
    there = re.split(r"[?#]", target, maxsplit=1)[0]
    matches = rule.pattern.match(scheme, host, unquote(there)) is not None
    # Where a file goes first, one that is there ends it.
    return matches and (not rule.yields or unquote(there) == path)


def _is_parameter(word: str) -> bool:
    return "=" in word and not word.startswith("/") and not URL.match(word)


def _is_condition(word: str) -> bool:
    return "=" in word and not re.match(r"[0-9]", word) and not word.startswith("/")
