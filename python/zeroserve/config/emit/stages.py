"""How the rules of a site are asked: tables where one lookup decides, code for the rest.

In the order of the stages, and of the rules in each, the first that applies is the first of the
file that does. Rules that never apply, because an earlier one always does, are in none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from zeroserve.config.model import REDIRECTS, Rule
from zeroserve.config.pattern import Hole

FEWEST_PREFIXES = 12
"""Prefixes become a table from this number on; fewer read better as code."""

Kind = Literal["exact", "prefix", "code"]


@dataclass
class Stage:
    """Rules that are looked at together."""

    kind: Kind
    rules: list[Rule] = field(default_factory=list)


def stages(rules: Iterable[Rule]) -> list[Stage]:
    """The stages of some rules, in their order."""
    ordered = list(rules)
    tabled = sum(1 for rule in ordered if _kind(rule) == "prefix") >= FEWEST_PREFIXES
    plan = _Plan()
    for rule in ordered:
        kind = _kind(rule)
        plan.add(rule, "code" if kind == "prefix" and not tabled else kind)
    return plan.stages


def _kind(rule: Rule) -> Kind:
    pattern = rule.pattern
    if not pattern.is_bare or rule.is_conditional or rule.is_proxy:
        return "code"
    if rule.status == 200 and not rule.target:
        return "code"
    if pattern.exact is not None:
        return "exact"
    prefix = pattern.prefix
    is_directory = prefix is not None and prefix.endswith("/") and len(prefix) > 1
    return "prefix" if is_directory and rule.target and _fits(rule) else "code"


def _fits(rule: Rule) -> bool:
    """Whether putting the rest of the path in place of ``:splat`` is all that a target takes."""
    behind_query = False
    if rule.target[0] == "/" and rule.status in REDIRECTS and len(rule.target) > 1:
        return False  # it must not become //host
    for piece in rule.target:
        if isinstance(piece, Hole):
            if behind_query:
                return False  # more of it is to be escaped there
        else:
            behind_query = behind_query or "?" in piece
            if ":splat" in unquote(piece):
                return False  # text that only looks like it
    return True


class _Plan:
    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._exact: dict[str, tuple[int, Rule]] = {}
        self._prefixes: dict[str, tuple[int, Rule]] = {}
        self._code: dict[str | None, list[tuple[int, Rule]]] = {}
        """By the first part of the path; None for those that have no such part."""
        self._last: dict[Kind, int] = {"exact": -1, "prefix": -1, "code": -1}
        self._closed = [False, False]
        """Whether a rule for all paths has been met: one that files go before, another."""

    def add(self, rule: Rule, kind: Kind) -> None:
        if self._closed[False] or (rule.yields and self._closed[True]):
            return
        if kind == "exact":
            self._add_exact(rule)
        elif kind == "prefix":
            self._add_prefix(rule)
        else:
            self._append("code", rule, len(self.stages) - 1)
            at = self._last["code"]
            self._code.setdefault(rule.pattern.segment, []).append((at, rule))
            if rule.pattern.prefix == "/" and rule.pattern.is_bare and not rule.is_conditional:
                self._closed[rule.yields] = True

    def _add_exact(self, rule: Rule) -> None:
        path = rule.pattern.exact
        assert path is not None
        before: list[tuple[int, Rule]] = [
            self._prefixes[prefix] for prefix in parents(path) if prefix in self._prefixes
        ]
        if path in self._exact:
            before.append(self._exact[path])
        for candidates in (self._code.get(rule.pattern.segment), self._code.get(None)):
            before += [found for found in candidates or () if found[1].pattern.matches_path(path)]
        at = 0
        for stage, other in before:
            if covers(other, rule):
                return
            at = max(at, stage + (self.stages[stage].kind == "exact"))
        self._exact[path] = self._append("exact", rule, at), rule

    def _add_prefix(self, rule: Rule) -> None:
        prefix = rule.pattern.prefix
        assert prefix is not None
        above = [self._prefixes[p] for p in (*parents(prefix), prefix) if p in self._prefixes]
        if any(covers(other, rule) for _, other in above):
            return
        at = max(self._last["exact"], self._last["code"], 0)
        for index, stage in enumerate(self.stages):
            if stage.kind == "prefix" and stage.rules[0].yields != rule.yields:
                at = max(at, index + 1)
        self._prefixes[prefix] = self._append("prefix", rule, at), rule

    def _append(self, kind: Kind, rule: Rule, at: int) -> int:
        """Into the first stage of its kind from ``at`` on; returns which one that is."""
        for index in range(max(at, 0), len(self.stages)):
            if self.stages[index].kind == kind:
                break
        else:
            index = len(self.stages)
            self.stages.append(Stage(kind))
        self.stages[index].rules.append(rule)
        self._last[kind] = max(self._last[kind], index)
        return index


def covers(first: Rule, second: Rule) -> bool:
    """Whether a rule that matches all that a later one does leaves it nothing."""
    return (
        not first.is_conditional and (not first.yields or second.yields) and first.pattern.is_bare
    )


def parents(path: str) -> Iterator[str]:
    """The directories above a path: ``/``, ``/a/`` of ``/a/b`` and of ``/a/b/``."""
    end = path.find("/")
    while 0 <= end < len(path) - 1:
        yield path[: end + 1]
        end = path.find("/", end + 1)
