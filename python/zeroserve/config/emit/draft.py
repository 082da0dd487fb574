"""The script as it grows: what it imports, its constants and functions, and who is asked when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from zeroserve.config.emit import text
from zeroserve.config.emit.text import INDENT

SDK = "zeroserve.script"


class Phase(IntEnum):
    """What is asked before what. Of those of requests, the first answer counts."""

    MAINTENANCE = 10
    PREFLIGHT = 20
    """Questions of browsers before requests from other sites: these come without a password."""
    GUARDS = 30
    """Who is let in, how often, and with what: addresses, rates, passwords, methods, bodies."""
    REDIRECTS = 70
    """Redirects, rewrites and proxies of `_redirects`."""
    PATHS = 80
    """Those of path tables."""
    FALLBACKS = 90
    """For what nothing else has answered: listings, single-page applications."""

    ERROR_PAGES = 110
    TABLES = 115
    """CORS, caches and headers of path tables."""
    HEADERS = 120
    """Blocks of `_headers`: they have the last word."""


@dataclass
class _Function:
    name: str
    doc: str
    body: list[str]
    phase: Phase
    order: int


@dataclass
class Draft:
    """Gathers what the emitters of the phases give, and writes the module."""

    doc: Sequence[str] = ()
    """Lines of the docstring of the module."""
    asked_as: str | None = None
    """Metadata that rules which let another server answer set to the path that was asked for, since
    what comes later goes by that."""
    _imports: dict[str, set[str]] = field(default_factory=dict)
    _constants: dict[str, list[str]] = field(default_factory=dict)
    _helpers: dict[str, list[str]] = field(default_factory=dict)
    _functions: list[_Function] = field(default_factory=list)

    def use(self, *names: str) -> None:
        """Import these from the SDK."""
        self._imports.setdefault(SDK, set()).update(names)

    def import_from(self, module: str, *names: str) -> None:
        """Import names from a module of the standard library; the module itself without any."""
        self._imports.setdefault(module, set()).update(names)

    def constant(self, name: str, lines: Iterable[str]) -> str:
        """A constant of the module, as its lines; returns its name, made unique."""
        name = self.free(name)
        first, *rest = lines
        self._constants[name] = [f"{name}{first}", *rest]
        return name

    def constant_once(self, name: str, lines: Iterable[str]) -> None:
        """A constant that several helpers share."""
        if name not in self._constants:
            self.constant(name, lines)

    def constant_like(self, name: str, lines: Sequence[str]) -> str:
        """The name of a constant with this value, which is made if there is none."""
        for known, there in self._constants.items():
            if there == [f"{known}{lines[0]}", *lines[1:]]:
                return known
        return self.constant(name, lines)

    def free(self, name: str) -> str:
        """The name, or with a number behind it when it is taken."""
        taken = self._constants.keys() | self._helpers.keys() | {f.name for f in self._functions}
        found, number = name, 2
        while found in taken:
            found, number = f"{name}_{number}", number + 1
        return found

    def helper(self, name: str, source: str) -> None:
        """A function that others call, as its text; given twice, it is there once."""
        self._helpers[name] = source.strip("\n").split("\n")

    def request(self, phase: Phase, name: str, doc: str, body: Sequence[str]) -> None:
        """A function ``(req: Request) -> Response | None``, asked when it is the phase's turn.

        ``body``: lines, indented; it ends with a return. ``doc``: one sentence.
        """
        self._add(phase, name, doc, body)

    def response(self, phase: Phase, name: str, doc: str, body: Sequence[str]) -> None:
        """A function ``(req: Request, res: Response) -> None``, called when it is its turn."""
        self._add(phase, name, doc, body)

    def source(self) -> str:
        """The whole script; it has no hook when no phase gave anything."""
        self._functions.sort(key=lambda function: (function.phase, function.order))
        before = [f for f in self._functions if f.phase < Phase.ERROR_PAGES]
        after = [f for f in self._functions if f.phase >= Phase.ERROR_PAGES]
        blocks = [
            *self._helpers.values(),
            *self._hooks(before, "rules", "on_request"),
            *self._hooks(after, "answer", "on_response"),
        ]
        lines = [*self._docstring(), "", *self._import_lines()]
        apart = True  # what goes over several lines stands apart
        for constant in self._constants.values():
            lines += [*([""] if apart or len(constant) > 1 else []), *constant]
            apart = len(constant) > 1
        for block in blocks:
            lines += ["", "", *block]
        return "\n".join(_spaced(lines)) + "\n"

    def _add(self, phase: Phase, name: str, doc: str, body: Sequence[str]) -> None:
        order = len(self._functions)
        self._functions.append(_Function(self.free(name), doc, list(body), phase, order))

    def _hooks(self, functions: list[_Function], name: str, hook: str) -> list[list[str]]:
        """The functions, and one that the server calls when there are several."""
        if not functions:
            return []
        self.use(hook, "Request", "Response")
        # What a response hook gets can't be given to another function.
        alone = len(functions) == 1 or hook == "on_response"
        blocks = []
        for function in functions:
            head = [f"@{hook}"] if alone else []
            parameters, result = _SIGNATURES[hook]
            head += text.call("", f"def {function.name}(", parameters, f") -> {result}:")
            blocks.append([*head, *_sentence(function.doc), *function.body])
        if alone:
            return blocks
        parameters, result = _SIGNATURES[hook]
        head = [f"@{hook}", f"def {self.free(name)}({', '.join(parameters)}) -> {result}:"]
        calls = [f.name for f in functions]
        head += _sentence("Who is asked in this order; the first answer counts.")
        return [*blocks, [*head, *first_of([f"{name}(req)" for name in calls])]]

    def _docstring(self) -> list[str]:
        first, *rest = self.doc or ("The rules of this site.",)
        if not rest:
            return [f'"""{first}"""']
        return [f'"""{first}', *rest, '"""']

    def _import_lines(self) -> list[str]:
        own = self._imports.get(SDK, set())
        others = sorted(name for name in self._imports if name != SDK)
        plain = [f"import {name}" for name in others if not self._imports[name]]
        named = [
            line
            for name in others
            if self._imports[name]
            for line in _import(name, self._imports[name])
        ]
        lines = [*plain, *named]
        return [*lines, *([""] if lines else []), *_import(SDK, own)]


_SIGNATURES = {
    "on_request": (["req: Request"], "Response | None"),
    "on_response": (["req: Request", "res: Response"], "None"),
}


def _sentence(doc: str) -> list[str]:
    return [f'{INDENT}"""{doc}"""'] if doc else []


def first_of(calls: list[str]) -> list[str]:
    """A return of the first of these that is an answer."""
    line = f"{INDENT}return {' or '.join(calls)}"
    if len(line) <= text.WIDTH:
        return [line]
    inside = f"{INDENT * 2}{' or '.join(calls)}"
    if len(inside) <= text.WIDTH:
        return [f"{INDENT}return (", inside, f"{INDENT})"]
    first, *rest = calls
    deeper = INDENT * 2
    return [f"{INDENT}return (", deeper + first, *(f"{deeper}or {one}" for one in rest), "    )"]


def _import(module: str, names: set[str]) -> list[str]:
    if not names:
        return []
    # As isort has it: constants, classes, then the rest.
    ordered = sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= text.WIDTH:
        return [line]
    return [f"from {module} import (", *(f"{INDENT}{name}," for name in ordered), ")"]


def _spaced(lines: list[str]) -> list[str]:
    """No more than two empty lines anywhere."""
    kept: list[str] = []
    for line in lines:
        if line or len(kept) < 2 or kept[-1] or kept[-2]:
            kept.append(line)
    return kept
