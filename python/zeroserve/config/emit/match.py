"""What a pattern is in a script: tests, and what is open as variables."""

import builtins
import keyword
import re

from zeroserve.config.emit import text
from zeroserve.config.emit.draft import Draft
from zeroserve.config.pattern import SPLAT, Hole, Pattern, Pieces

MAX_NAME_CHARS = 24
"""Of a constant."""

MAX_LITERAL_CHARS = 36
"""Longer texts in tests are constants, so that the test fits on a line."""

_OF_SCRIPTS = """
path req res target status found row directory name value yields answer re
quote escaped with_query added folded slashed language speaks redirects rules headers finish
redirect proxy send_file file_exists abort env log rate_limit on_request on_response
"""
RESERVED = frozenset(_OF_SCRIPTS.split()) | frozenset(dir(builtins))
"""Names that scripts have for something else."""


class Match:
    """The test of one pattern."""

    def __init__(self, pattern: Pattern, wanted: set[str], draft: Draft, indent: str) -> None:
        """``wanted``: names of what is open that are needed; the path is in ``path``."""
        self.before: list[str] = []
        """Statements before the test."""
        self.tests: list[str] = []
        """Expressions that are true together if it matches."""
        self.setup: list[str] = []
        """Statements behind the test, not indented."""
        self.values: dict[str, str] = {}
        """Variables by the names of what is open."""
        self._draft = draft
        self._indent = indent
        self._wanted = wanted
        if pattern.scheme is not None:
            self.tests.append(f"req.scheme == {literal(pattern.scheme, draft)}")
        if pattern.host is not None:
            self._whole(pattern.host, pattern.host_expression, "req.host", "HOST")
        self._path(pattern)

    def _path(self, pattern: Pattern) -> None:
        prefix = pattern.prefix
        in_path = {piece.name for piece in pattern.path if isinstance(piece, Hole)}
        if pattern.exact is not None:
            self.tests.append(f"path == {literal(pattern.exact, self._draft)}")
        elif prefix is None or (pattern.loose and self._wanted & in_path):
            # What is found keeps its case.
            subject = "slashed(req.path)" if pattern.loose else "path"
            self._whole(pattern.path, pattern.expression, subject, constant_name(pattern.text))
            if pattern.loose and SPLAT in self._wanted & in_path:
                self.setup.append('splat = splat.removesuffix("/")')
        else:
            if prefix != "/":
                self.tests.append(f"path.startswith({literal(prefix, self._draft)})")
            if SPLAT in self._wanted:
                start = literal(prefix, self._draft)
                self.setup.append(f"splat = path.removeprefix({start})")
                self.values[SPLAT] = "splat"

    def _whole(self, pieces: Pieces, expression: str, subject: str, constant: str) -> None:
        """A host or path that is compared, or matched by an expression."""
        if len(pieces) == 1 and isinstance(pieces[0], str):
            self.tests.append(f"{subject} == {literal(pieces[0], self._draft)}")
            return
        self._draft.import_from("re")
        arguments = [text.raw(expression)]
        flags = ["re.DOTALL"] if Hole(SPLAT) in pieces else []
        if subject.startswith("slashed"):
            flags.append("re.IGNORECASE")
        if flags:
            arguments.append(" | ".join(flags))
        constant = self._draft.free(constant)
        lines = text.call("", f"{constant} = re.compile(", arguments)
        self._draft.constant(constant, _unnamed(constant, lines))
        names = [piece.name for piece in pieces if isinstance(piece, Hole)]
        if not self._wanted & set(names):
            self.tests.append(f"{constant}.fullmatch({subject})")
            return
        match = f"{constant.lower()}_match"  # of a type of its own: it has its number of groups
        if self._indent:
            start = f"{match} = {constant}.fullmatch("
            self.before += text.call(self._indent, start, [subject])
        self.tests.append(f"{match} is not None")
        variables = [variable_name(one) if one in self._wanted else "_" for one in names]
        self.values.update(zip(names, variables, strict=True))
        used = [number for number, one in enumerate(variables, 1) if one != "_"]
        together = f"{', '.join(variables)} = {match}.groups()"
        if len(used) == 1 or len(together) > text.WIDTH - 2 * len(text.INDENT):
            self.setup += [f"{variables[n - 1]} = {match}.group({n})" for n in used]
        else:
            self.setup.append(together)


def literal(value: str, draft: Draft) -> str:
    """A text in a test: as it is, or a constant when it is long."""
    if len(value) <= MAX_LITERAL_CHARS:
        return text.string(value)
    name = draft.free(constant_name(value))
    lines = text.assign("", name, text.string(value))
    return draft.constant_like(name, _unnamed(name, lines))


def _unnamed(name: str, lines: list[str]) -> list[str]:
    """The lines of a constant without its name, which was there to see what fits."""
    return [lines[0].removeprefix(name), *lines[1:]]


def variable_name(name: str) -> str:
    """A variable for what is open, or for a header."""
    # Results of patterns end in _match, parameters of a query begin with query_.
    taken = name in RESERVED or name.endswith("_match") or name.startswith("query_")
    return f"{name}_" if taken or keyword.iskeyword(name) else name


def constant_name(text: str) -> str:
    """A constant for a pattern: ``BLOG_YEAR`` for ``/blog/:year/*``."""
    path = re.sub(r"^[a-z]+://[^/]*", "", text, flags=re.IGNORECASE)
    words = re.findall(r"[A-Za-z0-9]+", path)
    word = "_".join(words).upper()[:MAX_NAME_CHARS].rstrip("_")
    return word if word and not word[0].isdigit() else f"PATTERN_{word}".rstrip("_")
