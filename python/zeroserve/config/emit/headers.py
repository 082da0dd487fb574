"""The phase of `_headers`: all blocks that match, in the order of the file."""

import re
from collections.abc import Iterator, Sequence

from zeroserve.config.emit import text
from zeroserve.config.emit.draft import Draft, Phase
from zeroserve.config.emit.match import Match, variable_name
from zeroserve.config.emit.redirects import ESCAPED, directory_lookup
from zeroserve.config.emit.stages import parents
from zeroserve.config.emit.text import INDENT
from zeroserve.config.model import Block, Field
from zeroserve.config.pattern import Hole, Pieces

FEWEST_BLOCKS = 12
"""Blocks become a table from this number on; fewer read better as code."""

PATH = re.compile(r"(?<![.\w])path\b")
"""The variable, where a line needs it."""

COOKIE = "set-cookie"
"""The one header whose values can't be joined."""

ADDED = '''
def added(before: str, value: str) -> str:
    """What several blocks say of one header, joined."""
    return f"{before}, {value}" if before else value
'''

SLASHED = '''
def slashed(path: str) -> str:
    """The path with a slash at its end."""
    return path if path.endswith("/") else path + "/"
'''

FOLDED = '''
def folded(path: str) -> str:
    """The path without regard to case, and to a slash at its end."""
    return slashed(path.lower())
'''


def emit(blocks: Sequence[Block], draft: Draft) -> None:
    """Give the draft what it takes to set these headers."""
    blocks = [block for block in blocks if block.fields]
    if not blocks:
        return
    tabled, coded = _divided(blocks)
    body: list[str] = []
    if tabled:
        body += _table(tabled, draft)
    if coded:
        body += _Code(coded, draft).lines()
    if any("slashed(" in line for line in body):
        draft.helper("slashed", SLASHED)
    if any(PATH.search(line) for line in body):
        path = "req.path"
        if blocks[0].pattern.loose:
            draft.helper("slashed", SLASHED)
            draft.helper("folded", FOLDED)
            path = "folded(req.path)"
        body.insert(0, f"{INDENT}path = {path}")
    doc = "All blocks that match count; what several say of one header is joined."
    draft.response(Phase.HEADERS, "headers", doc, body)


def _divided(blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    """Those for a table, and the others; none of a table shares a header with one of the others."""
    fit = [block for block in blocks if _fits(block)]
    if len(fit) < FEWEST_BLOCKS:
        return [], list(blocks)
    names = {f.name.lower() for block in blocks if not _fits(block) for f in block.fields}
    while True:
        left = [b for b in fit if not names & {f.name.lower() for f in b.fields}]
        if len(left) == len(fit):
            break
        names |= {f.name.lower() for b in fit for f in b.fields if b not in left}
        fit = left
    if len(fit) < FEWEST_BLOCKS:
        return [], list(blocks)
    chosen = set(map(id, fit))
    return fit, [block for block in blocks if id(block) not in chosen]


def _fits(block: Block) -> bool:
    pattern = block.pattern
    prefix = pattern.prefix
    is_plain = pattern.exact is not None or (prefix is not None and prefix.endswith("/"))
    return (
        pattern.is_bare
        and is_plain
        and all(f.name.lower() != COOKIE and not _holes(f.value or ()) for f in block.fields)
    )


def _table(blocks: list[Block], draft: Draft) -> list[str]:
    """Tables of paths and directories, in which what counts for each is joined already."""
    order = {id(block): index for index, block in enumerate(blocks)}
    directories: dict[str, list[Block]] = {}
    paths: dict[str, list[Block]] = {}
    for block in blocks:
        pattern = block.pattern
        if pattern.exact is not None:
            paths.setdefault(pattern.exact, []).append(block)
        else:
            directories.setdefault(pattern.prefix or "", []).append(block)
    above = {
        where: [b for parent in _within(where) for b in directories.get(parent, ())]
        for where in directories
    }
    of_paths = {
        path: [*own, *(b for parent in _within(path) for b in directories.get(parent, ()))]
        for path, own in paths.items()
    }
    lines: list[str] = []
    find = []
    kind = "dict[str, list[tuple[str, str]]]"
    if paths:
        name = draft.constant("PAGE_HEADERS", [f": {kind} = {{", *_rows(of_paths, order), "}"])
        find.append(f"{name}.get(path)")
    if directories:
        name = draft.constant("HEADERS", [f": {kind} = {{", *_rows(above, order), "}"])
        nearest = directory_lookup(draft, name, list(directories))
        find.append(f"{name}.get({nearest})")
    lines.append(f"{INDENT}found = {find[0]}")
    if len(find) > 1:
        lines.append(f"{INDENT}if found is None:")
        lines.append(f"{INDENT * 2}found = {find[1]}")
    lines.append(f"{INDENT}if found is not None:")
    lines.append(f"{INDENT * 2}for name, value in found:")
    if any(f.value is None for block in blocks for f in block.fields):
        lines += [
            f"{INDENT * 3}if value:",
            f"{INDENT * 4}res.set_header(name, value)",
            f"{INDENT * 3}else:",
            f"{INDENT * 4}res.delete_header(name)",
        ]
    else:
        lines.append(f"{INDENT * 3}res.set_header(name, value)")
    return lines


def _within(path: str) -> Iterator[str]:
    yield from parents(path)
    if path.endswith("/"):
        yield path


def _rows(found: dict[str, list[Block]], order: dict[int, int]) -> Iterator[str]:
    for key, blocks in found.items():
        ordered = sorted({id(b): b for b in blocks}.values(), key=lambda b: order[id(b)])
        joined: dict[str, tuple[str, str]] = {}
        for block in ordered:
            for field in block.fields:
                name, before = joined.get(field.name.lower(), (field.name, ""))
                value = "" if field.value is None else "".join(map(str, field.value))
                if before and value:
                    value = f"{before}, {value}"
                joined[field.name.lower()] = name, value
        pairs = [f"({text.string(name)}, {text.string(value)})" for name, value in joined.values()]
        note = ", ".join(str(block.origin) for block in ordered)
        yield from text.entry(text.string(key), f"[{', '.join(pairs)}]", note, pairs)


class _Code:
    """Blocks one after another."""

    def __init__(self, blocks: list[Block], draft: Draft) -> None:
        self._blocks = blocks
        self._draft = draft
        self._joined = _joined(blocks)
        self._begun: set[str] = set()
        """Of these, those that begin with a value for all paths."""
        self._seen: set[str] = set()

    def lines(self) -> list[str]:
        variables = self._variables()
        lines: list[str] = []
        for block in self._blocks:
            lines += self._block(block, variables)
        late = [v for name, v in variables.items() if name not in self._begun]
        lines = [*(f'{INDENT}{variable} = ""' for variable in late), *lines]
        for name, variable in variables.items():
            shown = self._joined[name]
            lines.append(f"{INDENT}if {variable}:")
            lines += text.call(INDENT * 2, "res.set_header(", [text.string(shown), variable])
        return lines

    def _variables(self) -> dict[str, str]:
        """One for each header that is joined, apart from those of what patterns find."""
        taken = {variable_name(n) for block in self._blocks for n in block.pattern.names}
        variables: dict[str, str] = {}
        for name in self._joined:
            word = "".join(c if c.isalnum() else "_" for c in name).strip("_")
            word = variable_name(word if word[:1].isalpha() else f"header_{word}".rstrip("_"))
            number, found = 2, word
            while found in taken:
                found, number = f"{word}_{number}", number + 1
            taken.add(found)
            variables[name] = found
        return variables

    def _block(self, block: Block, variables: dict[str, str]) -> list[str]:
        wanted = {name for f in block.fields for name in _holes(f.value or ())}
        match = Match(block.pattern, wanted, self._draft, INDENT)
        lines = [text.comment(INDENT, f"{block.origin}: {block.text}"), *match.before]
        indent = INDENT
        if match.tests:
            lines += text.condition(INDENT, match.tests)
            indent += INDENT
        lines += [indent + line for line in match.setup]
        values: dict[str, str] = {}
        for name, variable in match.values.items():
            if name in wanted:
                self._draft.import_from("urllib.parse", "quote")
                self._draft.helper("escaped", ESCAPED)
                values[name] = f"escaped({variable})"
        for field in block.fields:
            lines += self._field(field, variables, values, indent)
            self._seen.add(field.name.lower())
        return lines

    def _field(
        self, field: Field, variables: dict[str, str], values: dict[str, str], indent: str
    ) -> list[str]:
        name = text.string(field.name)
        variable = variables.get(field.name.lower())
        if field.value is None:
            gone = [f'{indent}{variable} = ""'] if variable else []
            return [*gone, f"{indent}res.delete_header({name})"]
        value = text.formatted(field.value, values)
        if variable is not None and indent == INDENT and field.name.lower() not in self._seen:
            self._begun.add(field.name.lower())
            return text.assign(indent, variable, value)
        if variable is not None:
            self._draft.helper("added", ADDED)
            return text.call(indent, f"{variable} = added(", [variable, value])
        how = "append" if field.name.lower() == COOKIE else "set"
        return text.call(indent, f"res.{how}_header(", [name, value])


def _joined(blocks: Sequence[Block]) -> dict[str, str]:
    """Headers of which more than one line says something, as they are written first."""
    shown: dict[str, str] = {}
    values: dict[str, int] = {}
    lines: dict[str, int] = {}
    for block in blocks:
        for field in block.fields:
            lower = field.name.lower()
            shown.setdefault(lower, field.name)
            lines[lower] = lines.get(lower, 0) + 1
            values[lower] = values.get(lower, 0) + (field.value is not None)
    return {
        name: text
        for name, text in shown.items()
        if lines[name] > 1 and values[name] and name != COOKIE
    }


def _holes(pieces: Pieces) -> set[str]:
    return {piece.name for piece in pieces if isinstance(piece, Hole)}
