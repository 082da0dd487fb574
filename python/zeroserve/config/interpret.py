"""The model done directly: which rule decides a request, and what it comes to.

``explain`` and ``check`` say so with it; the script that ``emit`` writes has to agree with it,
which is tested.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

from zeroserve.config.model import REDIRECTS, Block, Origin, Rule, filled, local_path
from zeroserve.config.pattern import SPLAT, Hole, Pieces
from zeroserve.script import Request
from zeroserve.script.target import location

SAFE = "/!$&'()*+,:;=@"
"""What stays as it is in a path."""

WEIGHT = re.compile(r"q=([01])(?:\.([0-9]{0,3}))?", re.IGNORECASE)


class Verdict(NamedTuple):
    """What a rule comes to."""

    rule: Rule
    url: str
    """Where the client is sent; the path of the page that it gets; the URL of who answers, with
    the path that is asked for. Empty: nothing in place of what was asked for."""


class Change(NamedTuple):
    """What becomes of a header."""

    name: str
    value: str | None
    """None: it is removed."""
    beside: bool
    """It stands beside others of its name; otherwise it replaces them."""
    origins: tuple[Origin, ...]
    """All lines that had a part in it."""


def decide(rules: Sequence[Rule], req: Request, exists: Callable[[str], bool]) -> Verdict | None:
    """The first rule that applies; None when none does. ``exists``: is there a file for a path?"""
    if "/../" in req.path + "/" and any(map(names_pages, rules)):
        return None  # it leads out of the site, whose answer that is
    for rule in rules:
        found = applies(rule, req)
        if found is None or (rule.yields and exists(req.path)):
            continue
        return Verdict(rule, _url(rule, found, req.query))
    return None


def applies(rule: Rule, req: Request) -> dict[str, str] | None:
    """What is open stands for this, if a rule is for such a request; whatever files there are."""
    found = rule.pattern.match(req.scheme, req.host, req.path)
    if found is None:
        return None
    for parameter in rule.query:
        value = req.query_param(parameter.name)
        if value is None or parameter.value not in (None, value):
            return None
        if parameter.hole is not None:
            found[parameter.hole] = value
    if rule.languages:
        wanted = language(req.header("accept-language") or "")
        if not {wanted, wanted.partition("-")[0]} & set(rule.languages):
            return None
    if rule.cookies and all(req.cookie(name) is None for name in rule.cookies):
        return None
    return found


def names_pages(rule: Rule) -> bool:
    """Whether what clients sent is part of the path that a rule asks for in their place."""
    if rule.status in REDIRECTS:
        return False
    target = rule.target if rule.is_proxy else local_path(rule.target)
    return any(isinstance(piece, Hole) for piece in target)


def language(accept: str) -> str:
    """What a client wants most, in lower case; empty when it does not say.

    >>> language("en;q=0.5, de-AT")
    'de-at'
    """
    best, weight = "", 0
    for choice in accept.split(","):
        name, _, q = choice.partition(";")
        found = WEIGHT.fullmatch(q.strip())
        number = int(found[1] + (found[2] or "").ljust(3, "0")) if found else 1000
        if number > weight:
            best, weight = name.strip().lower(), number
    return best


def headers(blocks: Sequence[Block], req: Request) -> list[Change]:
    """What the blocks that match make of a response, in the order of their names' first lines."""
    changes: dict[str, Change] = {}
    cookies: list[Change] = []
    for block in blocks:
        found = block.pattern.match(req.scheme, req.host, req.path)
        if found is None:
            continue
        for field in block.fields:
            key = field.name.lower()
            before = changes.get(key, Change(field.name, None, False, ()))
            origins = (*before.origins, field.origin)
            if field.value is None:
                cookies = [] if key == "set-cookie" else cookies
                changes[key] = Change(before.name, None, False, origins)
                continue
            value = "".join(escaped(t) if open_ else t for t, open_ in filled(field.value, found))
            if key == "set-cookie":
                cookies.append(Change(field.name, value, True, (field.origin,)))
                continue
            joined = f"{before.value}, {value}" if before.value else value
            changes[key] = Change(before.name, joined, False, origins)
    return [*changes.values(), *cookies]


def escaped(text: str, safe: str = SAFE) -> str:
    """Part of a decoded path, as it stands in a URL."""
    data = text.encode("utf-8", "surrogateescape")
    return quote(data.decode("utf-8", "replace"), safe)


def _url(rule: Rule, found: dict[str, str], query: str) -> str:
    if not rule.target:
        return ""
    if rule.status not in REDIRECTS and not rule.is_proxy:
        return "".join(text for text, _ in filled(local_path(rule.target), found))
    url = "".join(_parts(rule, rule.target, found))
    if query and "?" not in url and not rule.query:
        before, mark, fragment = url.partition("#")
        url = f"{before}?{query}{mark}{fragment}"
    return location(url)


def _parts(rule: Rule, target: Pieces, found: dict[str, str]) -> Iterator[str]:
    behind_query = False
    for index, (text, is_open) in enumerate(filled(target, found)):
        if not is_open:
            behind_query = behind_query or "?" in text
            yield text
            continue
        hole = target[index]
        assert isinstance(hole, Hole)
        if target[:index] == ("/",) and may_begin_with_slash(rule, hole.name):
            text = text.lstrip("/")
        yield escaped(text, "" if behind_query else SAFE)


def may_begin_with_slash(rule: Rule, name: str) -> bool:
    """Whether what was found can make ``//host`` of a target, which leads to another site.

    A path that can't be decoded stays as it was sent: ``/a//host/%zz`` is below ``/a/``.
    """
    return name == SPLAT or any(parameter.hole == name for parameter in rule.query)
