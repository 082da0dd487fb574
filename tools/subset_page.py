"""Writes docs/python-subset.md from the compiler's own tables. ``--check``: only look."""

import sys
from itertools import groupby

from generated import DOCS, write_or_check
from zeroserve.compiler.operations import ATTRIBUTES, Operation, functions, methods
from zeroserve.compiler.subset import BUILTINS, METHODS, REFUSED

PAGE = DOCS / "python-subset.md"
COMMAND = "python tools/subset_page.py"

HEAD = """\
# What scripts in Python may use

Made from the compiler by `python tools/subset_page.py`; do not edit. How to write scripts is in
[scripts-python.md](scripts-python.md).
"""

OWN = "zeroserve.script"

TYPES = {
    "Json": "JSON value",
    "Match": "re.Match",
    "Hash": "hash",
    "Qs": "result of parse_qs",
    "DateTime": "datetime",
}


def page() -> str:
    """The page as text."""
    parts = [HEAD, "\n## Functions\n\n", *_functions()]
    parts += ["\n## Methods and attributes\n\n", *_methods()]
    parts += ["\n## What is not compiled\n\n| | write instead |\n|---|---|\n"]
    parts += [f"| {what} | {hint} |\n" for what, hint in dict.fromkeys(REFUSED.values())]
    parts += ["\n## Functions that scripts do without\n\n| | instead |\n|---|---|\n"]
    parts += [
        f"| `{name}` | {hint} |\n"
        for name, hint in sorted(BUILTINS.items())
        if f"builtins.{name}" not in functions()
    ]
    parts += ["\n## Methods that scripts do without\n\n| | instead |\n|---|---|\n"]
    parts += [f"| `{name}` | {hint} |\n" for name, hint in sorted(METHODS.items())]
    return "".join(parts)


def _functions() -> list[str]:
    def module(operation: Operation) -> str:
        return operation.name.rpartition(".")[0]

    rows = ["| module | |\n|---|---|\n"]
    known = [op for op in functions().values() if module(op) != OWN]
    for name, group in groupby(sorted(known, key=module), module):
        shown = ", ".join(f"`{op.name.rpartition('.')[2]}`" for op in group)
        rows.append(f"| {'built in' if name == 'builtins' else f'`{name}`'} | {shown} |\n")
    return rows


def _methods() -> list[str]:
    def owner(operation: Operation) -> str:
        return operation.name.partition(".")[0]

    found: dict[str, list[str]] = {}
    for name, group in groupby(methods().values(), owner):
        found.setdefault(name, []).extend(f"`{op.name.partition('.')[2]}()`" for op in group)
    for name, attributes in ATTRIBUTES.items():
        found.setdefault(name, []).extend(f"`{attribute}`" for attribute in attributes)
    ours = {"Request", "ResponseHead", "Meta", "Table"}
    return [
        "| type | |\n|---|---|\n",
        *(
            f"| {TYPES.get(name, name)} | {', '.join(sorted(shown))} |\n"
            for name, shown in found.items()
            if name not in ours
        ),
    ]


def main() -> int:
    """Write the page, or check it."""
    return write_or_check(PAGE, page(), COMMAND)


if __name__ == "__main__":
    sys.exit(main())
