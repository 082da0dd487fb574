"""Write docs/scripts-coverage.md from the compiler's tables: which parts of Python scripts can use.

Run as ``python tools/coverage_page.py``; with ``--check`` nothing is written and the exit code
says whether the page is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby

from generated import DOCS, write_or_check
from zeroserve.compiler.operations import (
    ATTRIBUTES,
    EXCEPTIONS,
    PARENTS,
    Operation,
    Parameter,
    functions,
    methods,
)
from zeroserve.compiler.subset import BUILTINS, METHODS, NODES, PARTLY, PARTLY_BUILTINS, REFUSED

PAGE = DOCS / "scripts-coverage.md"
COMMAND = "python tools/coverage_page.py"

NAMES = {"ResponseHead": "Response of a hook", "Json": "JSON value", "Qs": "parse_qs()"}
DEFAULTS = {"END": None, "ABSENT": None}
SDK = "zeroserve.script"


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            "# What scripts in Python can use",
            "",
            f"Made from the compiler's tables by `{COMMAND}`; do not edit.",
            "",
            "What is listed behaves as in CPython. All else is refused when the script is",
            "compiled, with the place and what to write instead.",
            "",
            *syntax(),
            *builtins(),
            *exceptions(),
            *types(),
            *modules(),
        ]
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table and an empty line."""
    lines = [row(head), "|" + "---|" * len(head)]
    return [*lines, *map(row, rows), ""]


def row(cells: tuple[str, ...]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def syntax() -> list[str]:
    """All nodes of ``ast``."""
    rows = [(f"`{name}`", *supported(name)) for name in NODES]
    intro = "Names are those of the module `ast`."
    return ["## Syntax", "", intro, "", *table(("node", "", ""), rows)]


def supported(node: str) -> tuple[str, str]:
    """Whether a node is compiled, and where, or what to write instead."""
    if node in PARTLY:
        return "partly", PARTLY[node]
    return ("no", REFUSED[node][1]) if node in REFUSED else ("yes", "")


def builtins() -> list[str]:
    """Functions that need no import."""
    found = functions()
    yes = []
    for operation in found.values():
        module, _, name = operation.name.rpartition(".")
        if module == "builtins":
            far = PARTLY_BUILTINS.get(name)
            yes.append((f"`{signature(operation)}`", "partly" if far else "yes", far or ""))
    no = [(f"`{n}`", "no", hint) for n, hint in BUILTINS.items() if f"builtins.{n}" not in found]
    return ["## Builtins", "", *table(("function", "", ""), [*yes, *no])]


def exceptions() -> list[str]:
    """Exceptions and what they are kinds of."""
    rows = [(f"`{name}`", f"`{PARENTS.get(name, 'Exception')}`") for name in EXCEPTIONS]
    return ["## Exceptions", "", *table(("exception", "is a kind of"), rows)]


def types() -> list[str]:
    """Methods and attributes, by type."""
    lines = ["## Methods and attributes", ""]
    owners = dict.fromkeys([*(name.partition(".")[0] for name in methods()), *ATTRIBUTES])
    for owner in owners:
        lines += [f"### {NAMES.get(owner, owner)}", ""]
        attributes = ATTRIBUTES.get(owner, {}).items()
        rows = [(f"`.{name}`", f"`{result_of(kind)}`", "") for name, kind in attributes]
        rows += [described(op) for op in methods().values() if op.name.partition(".")[0] == owner]
        rows += [
            (f"`.{name.partition('.')[2]}`", "no", hint)
            for name, hint in METHODS.items()
            if name.partition(".")[0] == owner and name not in methods()
        ]
        lines += table(("", "result", "may raise, or what to write"), rows)
    others = [
        (f"`{name}`", hint)
        for name, hint in METHODS.items()
        if name.partition(".")[0] not in owners
    ]
    return [*lines, "### Others", "", *table(("", "what to write"), others)]


def modules() -> list[str]:
    """Functions of modules."""
    lines = ["## Modules", ""]
    found = [op for op in functions().values() if not op.name.startswith("builtins.")]
    found.sort(key=lambda op: (op.name.startswith(SDK), op.name.rpartition(".")[0]))
    for module, group in groupby(found, key=lambda op: op.name.rpartition(".")[0]):
        lines += [f"### {module}", "", *table(("", "result", "may raise"), map(described, group))]
    return lines


def described(op: Operation) -> tuple[str, str, str]:
    """A function or method as a row."""
    result = result_of(op.result)
    return f"`{signature(op)}`", f"`{result}`", ", ".join(f"`{name}`" for name in op.raises)


def result_of(text: str) -> str:
    """A type as Python writes it."""
    if text.endswith("?"):
        return f"{result_of(text[:-1])} | None"
    if text.startswith("("):
        return f"tuple[{', '.join(text[1:-1].split(','))}]"
    if text.startswith("list["):
        return f"list[{result_of(text[5:-1])}]"
    return {"any": "of its arguments", "Json": "JSON value"}.get(text, text)


def signature(op: Operation) -> str:
    """A function as it is called."""
    name = op.name.removeprefix("builtins.")
    if op.name in methods():
        name = "." + name.partition(".")[2]
    elif not op.name.startswith("builtins."):
        name = name.rpartition(".")[2]
    return f"{name}({', '.join(parameters(op.parameters))})"


def parameters(found: tuple[Parameter, ...]) -> Iterator[str]:
    """Names and defaults; a star in front of those that are given by name."""
    stars = False
    for parameter in found:
        if parameter.keyword_only and not stars:
            stars = True
            yield "*"
        default = parameter.default
        if parameter.variadic:
            yield f"*{parameter.name}"
        elif default is None:
            yield parameter.name
        else:
            yield f"{parameter.name}={DEFAULTS.get(default, default)}"


def main() -> int:
    """Write the page, or check it."""
    return write_or_check(PAGE, page(), COMMAND)


if __name__ == "__main__":
    sys.exit(main())
