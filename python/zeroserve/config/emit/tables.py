"""Path tables of `zeroserve.toml` in a script: which there are, and how a path is told to be meant.

Guards (who may ask, how often, with what) hold for all that leads to the same file, so they look at
`plain(req.path)`; everything else looks at the path as it is.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from zeroserve.config import paths
from zeroserve.config.emit import text
from zeroserve.config.emit.draft import Draft
from zeroserve.config.emit.text import INDENT
from zeroserve.config.paths import Path, expression, plain
from zeroserve.config.values import WILD as HOLE

PLAIN = '''
def plain(path: str) -> str:
    """The path as guards see it: the same for all that leads to the same file."""
    path = path.lower().removesuffix("/")
    path = path.removesuffix(".br").removesuffix(".zst").removesuffix(".gz")
    return path.removesuffix(".html").removesuffix("/index").removesuffix("/")
'''

SPELLINGS = '''
def spellings(path: str) -> list[str]:
    """Paths that lead to the same file, for patterns."""
    key = plain(path)
    return [path.lower(), key, key + "/", key + ".html", key + "/index.html"]
'''


class Entry(NamedTuple):
    """A path table."""

    pattern: str
    path: Path


@dataclass(frozen=True)
class Tables:
    """The path tables of a file, the widest first."""

    entries: tuple[Entry, ...]
    lines: Mapping[tuple[str, ...], int]
    """Where keys are in the file."""
    file: str
    """Its name, for comments."""
    script: str
    """The name of the script that they become part of, by which they count."""

    def narrowest_first(self) -> list[Entry]:
        """For keys of which one counts."""
        return list(self.entries[::-1])

    def note(self, indent: str, entry: Entry, *keys: str) -> str:
        """A comment that says where this was written."""
        place = ("paths", entry.pattern)
        line = self.lines.get((*place, *keys), self.lines.get(place))
        where = self.file if line is None else f"{self.file}:{line}"
        return text.comment(indent, f"{where}: {entry.pattern}")

    def having(self, wanted: Callable[[Path], Any]) -> list[Entry]:
        """Those of which something is said, the widest first."""
        return [entry for entry in self.entries if wanted(entry.path)]


def path_tables(
    found: Mapping[str, Path], lines: Mapping[tuple[str, ...], int], file: str, script: str
) -> Tables:
    """The tables in the order of how much they are for."""
    ordered = sorted(found.items(), key=lambda item: paths.narrowness(item[0]))
    return Tables(tuple(Entry(*item) for item in ordered), lines, file, script)


def guards_first(entries: list[Entry]) -> list[Entry]:
    """The narrowest first, as guards see it: to them, `/a` is all below it, too."""
    return sorted(entries, key=lambda entry: paths.narrowness(entry.pattern)[1], reverse=True)


# --- as it is written -----------------------------------------------------------------------------


def test(pattern: str, draft: Draft) -> str | None:
    """Whether `path` is meant, as an expression; None if each path is."""
    prefix = _directory(pattern)
    if prefix == "":
        return None
    if prefix is not None:
        slash = text.string(prefix + "/")
        return f"path == {text.string(prefix)} or path.startswith({slash})"
    if paths.is_exact(pattern):
        return f"path == {text.string(pattern)}"
    return f"{_constant(pattern, draft)}.fullmatch(path) is not None"


def block(
    pattern: str, draft: Draft, inside: list[str], indent: str = INDENT, expression: str = ""
) -> list[str]:
    """Statements for the paths that are meant; they are indented once more than `indent`."""
    found = expression or test(pattern, draft)
    if found is None:
        return [line.removeprefix(INDENT) for line in inside]
    return [*condition(indent, found), *inside]


def condition(indent: str, expression: str) -> list[str]:
    """An `if`, on one line or several."""
    line = f"{indent}if {expression}:"
    if len(line) <= text.WIDTH or " or " not in expression:
        return [line]
    first, *rest = expression.split(" or ")
    deeper = indent + INDENT
    return [f"{indent}if (", deeper + first, *(f"{deeper}or {one}" for one in rest), f"{indent}):"]


def captured(
    pattern: str, wanted: set[str], draft: Draft, indent: str
) -> tuple[list[str], dict[str, str]]:
    """Statements by which variables get what stands for `*` and names, and these variables."""
    prefix = _directory(pattern)
    if not wanted:
        return [], {}
    if prefix is not None:
        return [f"{indent}splat = path[{len(prefix) + 1}:]"], {"splat": "splat"}
    names = [one.removeprefix(":") if one != "*" else "splat" for one in HOLE.findall(pattern)]
    values = {name: f"of_{name}" if name != "splat" else name for name in names}
    variables = [values[name] for name in names]
    constant = _constant(pattern, draft)
    # Each has groups of its own, which are part of its type.
    match = constant.lower()
    lines = [f"{indent}{match} = {constant}.fullmatch(path)"]
    lines += [f"{indent}assert {match} is not None"]
    for index, name in enumerate(names):
        if name in wanted:
            lines.append(f'{indent}{variables[index]} = {match}.group({index + 1}) or ""')
    return lines, values


def _directory(pattern: str) -> str | None:
    """Of a pattern for all below a directory: `/docs` of `/docs/*`."""
    before, star, after = pattern.rpartition("/*")
    is_plain = bool(star) and not after and paths.is_exact(before)
    return before if is_plain else None


def _constant(pattern: str, draft: Draft) -> str:
    draft.import_from("re")
    words = re.findall(r"[A-Za-z0-9]+", pattern)
    name = "_".join(words).upper()[:40] or "ALL"
    name = name if name[0].isalpha() else f"PATH_{name}"
    return _shared(draft, f"{name}_PATHS", expression(pattern))


def _shared(draft: Draft, name: str, expression: str) -> str:
    value = f" = re.compile({text.raw(expression)}, re.DOTALL)"
    return draft.constant_like(name, [value])


# --- as guards see it -----------------------------------------------------------------------------


def guarded(pattern: str, draft: Draft) -> str | None:
    """Whether `key`, or one of `names`, is behind the pattern; None if each path is."""
    prefix = _directory(pattern)
    below = prefix if prefix is not None else pattern if paths.is_exact(pattern) else None
    # A directory that is called like a page, `/index/*`, is not all that the page stands for.
    is_odd = bool(prefix) and plain(prefix or "") != (prefix or "").lower()
    if below is None or is_odd:
        constant = _guard_constant(pattern, draft)
        return f"any({constant}.fullmatch(name) is not None for name in names)"
    key = plain(below)
    if not key:
        return None
    found = f"key == {text.string(key)} or key.startswith({text.string(key + '/')})"
    whole = below.lower().removesuffix("/")
    if whole != key:
        found += f" or key.startswith({text.string(whole + '/')})"
    return found


def _guard_constant(pattern: str, draft: Draft) -> str:
    draft.import_from("re")
    words = re.findall(r"[A-Za-z0-9]+", pattern)
    name = "_".join(words).upper()[:40] or "ALL"
    # Names of holes stay out of it: what they are called makes no difference.
    lower = expression(HOLE.sub(lambda hole: hole[0].lower(), pattern.lower()))
    return _shared(draft, f"GUARDED_{name}", f"{lower}(?:/.*)?")


def looked_at(body: list[str], draft: Draft) -> Iterator[str]:
    """Statements before those of a guard, by what these use; `key` is given."""
    if uses("names", body):
        draft.helper("plain", PLAIN)
        draft.helper("spellings", SPELLINGS)
        yield f"{INDENT}names = spellings(req.path)"
    if uses("path", body):
        yield f"{INDENT}path = req.path"


def uses(name: str, lines: Iterable[str]) -> bool:
    """Whether statements name a variable, outside of texts and comments."""
    code = (re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|#.*', "", one) for one in lines)
    return any(re.search(rf"(?<![.\w]){name}\b", one) for one in code) or any(
        re.search(rf"f[\"'].*{{[^}}]*(?<![.\w]){name}\b", one) for one in lines
    )


# --- functions of many entries --------------------------------------------------------------------

MOST_IN_A_FUNCTION = 48
"""Entries: the compiler takes no function of any length, and longer ones take it too long."""


def parted(body: list[str]) -> list[list[str]]:
    """Lines in parts of so many entries; each entry begins with its comment."""
    parts: list[list[str]] = [[]]
    count = 0
    for line in body:
        if line.startswith(f"{INDENT}# "):
            if count == MOST_IN_A_FUNCTION:
                parts.append([])
                count = 0
            count += 1
        parts[-1].append(line)
    return parts


def spread(
    draft: Draft,
    name: str,
    signature: tuple[str, str, str],
    before: Callable[[list[str]], list[str]],
    body: list[str],
    ending: str = "None",
) -> list[str]:
    """The body of a function of entries, which goes on in others when there are many.

    ``signature``: its parameters, what they are called with, and its type; ``before``: statements
    that these lines need; ``ending``: what is returned when no entry says anything.
    """
    parameters, arguments, result = signature
    parts = parted(body)
    made = []
    for number, lines in enumerate(parts, 1):
        end = [f"{INDENT}return {ending}"]
        if number < len(parts):
            end = [f"{INDENT}return {name}_{number + 1}({arguments})"]
        elif re.match(rf"{INDENT}(return|\))", lines[-1]):
            end = []
        made.append([*before(lines), *lines, *end])
    for number in range(len(parts), 1, -1):
        head = f"def {name}_{number}({parameters}) -> {result}:"
        draft.helper(f"{name}_{number}", "\n".join([head, *made[number - 1]]))
    return made[0]


def path_of(lines: list[str]) -> list[str]:
    """What lines need that look at `path`."""
    return [f"{INDENT}path = req.path"] if uses("path", lines) else []
