"""What is no mistake in rules, but surely not meant: for ``zeroserve check``."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from zeroserve.config.emit.stages import parents
from zeroserve.config.model import (
    REDIRECTS,
    Block,
    Origin,
    Rule,
    Rules,
    filled,
    local_path,
)
from zeroserve.config.pattern import Hole, Pattern

SAMPLE = "zs"
"""Stands for what is open."""

MAX_STEPS = 32
"""Of redirects that follow each other; browsers give up at 20."""

MAX_PATTERNS = 2000
"""With one first part, that a rule is compared with: of more, only the first are."""

CLOUDFLARE_STATIC, CLOUDFLARE_DYNAMIC, CLOUDFLARE_BLOCKS, CLOUDFLARE_CHARS = 2000, 100, 100, 2000
"""What that host allows."""

CLOUDFLARE_STATUSES = REDIRECTS | {200}


class Remark(NamedTuple):
    """One thing to be said of a line."""

    severity: str
    """``error`` for what never works, ``warning`` for the rest."""
    origin: Origin
    text: str


def review(rules: Rules, exists: Callable[[str], bool]) -> list[Remark]:
    """All remarks; ``exists``: does a request for that path find something?"""
    found = [
        *_shadowed(rules.redirects),
        *_loops(rules.redirects, exists),
        *_targets(rules.redirects, exists),
        *_hidden_files(rules),
        *_headers(rules.blocks),
        *_portability(rules),
    ]
    return sorted(found, key=lambda one: (one.origin.file, one.origin.line))


def _shadowed(rules: Iterable[Rule]) -> Iterator[Remark]:
    """Rules that an earlier one leaves nothing."""
    exact: dict[tuple[object, ...], Rule] = {}
    prefixes: dict[str, Rule] = {}
    patterns = _Patterns()
    for rule in rules:
        before = _before(rule, exact, prefixes, patterns)
        if before is not None:
            text = f"never applies: line {before.origin.line} comes first: {before.text}"
            yield Remark("warning", rule.origin, text)
            continue
        if rule.is_conditional:
            continue
        pattern = rule.pattern
        exact.setdefault((pattern.key, rule.yields), rule)
        prefix = pattern.prefix
        if pattern.is_bare and prefix is not None and prefix.endswith("/"):
            prefixes.setdefault(prefix, rule)
        elif pattern.exact is None:
            patterns.add(rule)


class _Patterns:
    """Rules by the first part of the paths that they are for."""

    def __init__(self) -> None:
        self._rules: dict[str | None, list[Rule]] = {}

    def add(self, rule: Rule) -> None:
        """One more, unless there are too many of its kind."""
        own = self._rules.setdefault(rule.pattern.segment, [])
        if len(own) < MAX_PATTERNS:
            own.append(rule)

    def matching(self, path: str) -> Iterator[Rule]:
        """Those for a path, of any host; first those that name its first part."""
        for segment in (path[1:].partition("/")[0], None):
            for rule in self._rules.get(segment, ()):
                if rule.pattern.matches_path(path):
                    yield rule


def _before(
    rule: Rule,
    exact: dict[tuple[object, ...], Rule],
    prefixes: dict[str, Rule],
    patterns: _Patterns,
) -> Rule | None:
    """The rule that comes first in all cases."""

    def leaves_nothing(other: Rule) -> bool:
        return not other.yields or rule.yields

    for yields in (False, rule.yields):
        if (rule.pattern.key, yields) in exact:
            return exact[rule.pattern.key, yields]
    start = rule.pattern.path[0]
    literal = start if isinstance(start, str) else "/"
    for prefix in _directories(literal):
        other = prefixes.get(prefix)
        if other is not None and leaves_nothing(other):
            return other
    path = rule.pattern.exact
    if path is None:
        return None
    for other in patterns.matching(path):
        same_host = other.pattern.is_bare or other.pattern.key[:2] == rule.pattern.key[:2]
        if same_host and leaves_nothing(other):
            return other
    return None


def _directories(path: str) -> Iterator[str]:
    yield from parents(path)
    if path.endswith("/"):
        yield path


def _loops(rules: tuple[Rule, ...], exists: Callable[[str], bool]) -> Iterator[Remark]:
    """Redirects that lead back to where they began, over several rules."""
    lookup = _Lookup(rules, exists)
    told: set[Origin] = set()
    for rule in rules:
        if rule.status not in REDIRECTS or rule.is_remote or not rule.pattern.is_bare:
            continue
        if rule.is_conditional:
            continue
        path = _sample(rule.pattern)
        chain: list[Rule] = []
        while len(chain) < MAX_STEPS:
            step = lookup.redirect(path)
            if step is None or (not chain and step is not rule):
                break
            if step in chain:
                around = chain[chain.index(step) :]
                if len(around) > 1 and not told & {one.origin for one in around}:
                    told |= {one.origin for one in around}
                    lines = ", ".join(str(one.origin.line) for one in around)
                    yield Remark("error", rule.origin, f"a loop of redirects: lines {lines}")
                break
            chain.append(step)
            values = step.pattern.match("https", "", path) or {}
            target = "".join(text for text, _ in filled(local_path(step.target), values))
            path = target


class _Lookup:
    """The first rule for a path, without looking at all of them."""

    def __init__(self, rules: tuple[Rule, ...], exists: Callable[[str], bool]) -> None:
        self._order = {id(rule): number for number, rule in enumerate(rules)}
        self._exact: dict[str, Rule] = {}
        self._others = _Patterns()
        self._exists = exists
        for rule in rules:
            if rule.is_conditional or not rule.pattern.is_bare:
                continue
            path = rule.pattern.exact
            if path is not None:
                self._exact.setdefault(path, rule)
            else:
                self._others.add(rule)

    def redirect(self, path: str) -> Rule | None:
        """The rule that sends such a request on."""
        found = [self._exact[path]] if path in self._exact else []
        found += self._others.matching(path)
        found.sort(key=lambda rule: self._order[id(rule)])
        for rule in found:
            if rule.yields and self._exists(path):
                continue
            return rule if rule.status in REDIRECTS and not rule.is_remote else None
        return None

    def any(self, path: str) -> Rule | None:
        """A rule for such a request, whatever it does."""
        if path in self._exact:
            return self._exact[path]
        return next(self._others.matching(path), None)


def _sample(pattern: Pattern) -> str:
    sample = dict.fromkeys(pattern.names, SAMPLE)
    return "".join(text for text, _ in filled(pattern.path, sample))


def _targets(rules: tuple[Rule, ...], exists: Callable[[str], bool]) -> Iterator[Remark]:
    """Pages that are not there."""
    lookup = _Lookup(rules, lambda _path: False)
    for rule in rules:
        if not rule.target or rule.is_remote or any(isinstance(p, Hole) for p in rule.target):
            continue
        path = "".join(str(piece) for piece in local_path(rule.target)) or "/"
        if exists(path):
            continue
        if rule.status not in REDIRECTS:
            what = "page" if rule.status >= 400 else "target of a rewrite"
            yield Remark("warning", rule.origin, f"no such {what}: {path}")
        elif lookup.any(path) is None:
            yield Remark("warning", rule.origin, f"nothing answers at the target: {path}")


def _hidden_files(rules: Rules) -> Iterator[Remark]:
    """Rewrites that hide the files they need."""
    for rule in rules.redirects:
        prefix = rule.pattern.prefix
        if rule.status != 200 or rule.is_remote or rule.yields or prefix is None or prefix == "/":
            continue
        if len(rule.target) == 1 and str(rule.target[0]).startswith(prefix):
            text = f"files below {prefix} are hidden: this rule goes before them"
            hint = ', which rules = "netlify" would not do' if rules.dialect == "cloudflare" else ""
            yield Remark("warning", rule.origin, text + hint)


def _headers(blocks: tuple[Block, ...]) -> Iterator[Remark]:
    """Blocks that say nothing, or contradict themselves or each other."""
    for block in blocks:
        if not block.fields:
            yield Remark("warning", block.origin, "no header follows this pattern")
        set_here: dict[str, Origin] = {}
        for field in block.fields:
            name = field.name.lower()
            if field.value is None and name in set_here:
                text = f"{field.name} is removed that line {set_here[name].line} has set"
                yield Remark("warning", field.origin, text)
            elif field.value is not None:
                if name in set_here and name in SINGLE:
                    line = set_here[name].line
                    text = (
                        f"{field.name} has one value, and line {line} gives another: both are sent"
                    )
                    yield Remark("warning", field.origin, text)
                set_here.setdefault(name, field.origin)
    yield from _joined_singles(blocks)


SINGLE = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-origin",
        "access-control-max-age",
        "content-disposition",
        "content-type",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "location",
        "referrer-policy",
        "strict-transport-security",
        "x-content-type-options",
        "x-frame-options",
    }
)
"""Headers of which a list makes no sense to clients."""


def _joined_singles(blocks: tuple[Block, ...]) -> Iterator[Remark]:
    """Headers of one value to which a block above adds another."""
    above: dict[tuple[str, str], Origin] = {}
    for block in blocks:
        pattern = block.pattern
        removed = {f.name.lower() for f in block.fields if f.value is None}
        start = pattern.path[0]
        literal = start if isinstance(start, str) and pattern.is_bare else "/"
        for field in block.fields:
            name = field.name.lower()
            if field.value is None or name not in SINGLE or name in removed:
                continue
            for directory in _directories(literal):
                other = above.get((directory, name))
                if other is not None and other.line < block.origin.line:
                    text = (
                        f"{field.name} has one value, and line {other.line} gives another for the "
                        f"same paths: both are sent, unless ! {field.name} comes first"
                    )
                    yield Remark("warning", field.origin, text)
                    break
        prefix = pattern.prefix
        if pattern.is_bare and prefix is not None and prefix.endswith("/"):
            for field in block.fields:
                if field.value is not None and field.name.lower() in SINGLE:
                    above.setdefault((prefix, field.name.lower()), field.origin)


def _portability(rules: Rules) -> Iterator[Remark]:
    """What the host whose dialect it is does not take."""
    if rules.dialect == "netlify":
        yield from _of_netlify(rules)
        return
    static = dynamic = 0
    for rule in rules.redirects:
        if rule.pattern.exact is not None and not rule.is_conditional:
            static += 1
        else:
            dynamic += 1
        for note in _beyond_cloudflare(rule):
            yield Remark("warning", rule.origin, f"portability: Cloudflare has no {note}")
        if static == CLOUDFLARE_STATIC + 1 and rule.pattern.exact is not None:
            text = f"portability: Cloudflare reads {CLOUDFLARE_STATIC:,} rules without placeholders"
            yield Remark("warning", rule.origin, text)
        if dynamic == CLOUDFLARE_DYNAMIC + 1 and rule.pattern.exact is None:
            text = f"portability: Cloudflare reads {CLOUDFLARE_DYNAMIC} rules with placeholders"
            yield Remark("warning", rule.origin, text)
        if len(rule.text) > CLOUDFLARE_CHARS:
            text = f"portability: Cloudflare reads lines of {CLOUDFLARE_CHARS:,} characters"
            yield Remark("warning", rule.origin, text)
    if len(rules.blocks) > CLOUDFLARE_BLOCKS:
        text = f"portability: Cloudflare reads {CLOUDFLARE_BLOCKS} blocks of headers"
        yield Remark("warning", rules.blocks[CLOUDFLARE_BLOCKS].origin, text)


def _beyond_cloudflare(rule: Rule) -> Iterator[str]:
    if rule.status not in CLOUDFLARE_STATUSES:
        yield f"rules with status {rule.status}"
    if rule.query:
        yield "rules that look at the query"
    if rule.languages or rule.cookies:
        yield "conditions"
    if rule.is_proxy:
        yield "rewrites to other servers"
    if rule.text.split()[-1].endswith("!") and rule.text.split()[-1][:-1].isdigit():
        yield "! behind a status"
    if rule.pattern.host is not None:
        yield "rules for hosts"


def _of_netlify(rules: Rules) -> Iterator[Remark]:
    for block in rules.blocks:
        if block.pattern.host is not None:
            text = "portability: Netlify has no blocks of headers for hosts"
            yield Remark("warning", block.origin, text)
