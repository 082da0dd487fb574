"""Write docs/limits.md from the code: the table of flags and every documented constant.

Run as ``python tools/limits_page.py``; with ``--check`` nothing is written and the exit code
says whether the page is up to date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from generated import DOCS, ROOT, write_or_check
from zeroserve import _core

PAGE = DOCS / "limits.md"
COMMAND = "python tools/limits_page.py"

CONSTANT = re.compile(
    r"(?P<doc>(?:^[ ]*///[^\n]*\n)+)"
    r"^[ ]*(?:pub(?:\((?:crate|super)\))? )?"
    r"const (?P<name>[A-Z0-9_]+): (?P<type>[\w:]+) = (?P<value>[^;]+);",
    re.MULTILINE,
)

# Names that state a bound or a time; other constants are formats and tables.
BOUND = re.compile(
    r"^MAX_|_BYTES$|_S$|^BACKLOG$|_BATCHES$|_BUFFERS$|^SLOTS$|_PAUSE$|_TIME$"
    r"|^(?:SLICE|BUDGET)_FUEL$|^SPARE_"
)

# What rustdoc makes a link of.
LINK = re.compile(r"\[(`[^`]+`)\]")


class Constant(NamedTuple):
    """A bound that no flag changes."""

    crate: str
    name: str
    value: str
    doc: str


def constants() -> Iterator[Constant]:
    """Documented bounds of all crates, by crate and file."""
    for path in sorted((ROOT / "crates").glob("*/src/**/*.rs")):
        for match in CONSTANT.finditer(path.read_text(encoding="utf-8")):
            if not BOUND.search(match["name"]):
                continue
            lines = (line.strip().removeprefix("///") for line in match["doc"].splitlines())
            doc = LINK.sub(r"\1", " ".join(line.strip() for line in lines))
            value = " ".join(match["value"].split())
            yield Constant(path.relative_to(ROOT / "crates").parts[0], match["name"], value, doc)


def shown(value: int, unit: str) -> str:
    """A default as a person writes it: 16 KiB rather than 16384."""
    if unit == "bytes":
        for factor, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if value and value % factor == 0:
                return f"{value // factor} {name}"
    return f"{value:,} {unit}"


def page() -> str:
    """The whole page."""
    lines = [
        "# Limits",
        "",
        f"Made from the code by `{COMMAND}`; do not edit.",
        "",
        "## With a flag",
        "",
        "The same names with underscores are keywords of `zeroserve.Server`.",
        "",
        "| flag | default | from | to | what |",
        "|---|---|---|---|---|",
    ]
    for limit in _core.LIMITS:
        flag = f"`--{limit.name.replace('_', '-')}`"
        bounds = (shown(value, limit.unit) for value in (limit.minimum, limit.maximum))
        default = shown(limit.default, limit.unit)
        lines.append(f"| {flag} | {default} | {' | '.join(bounds)} | {limit.doc} |")
    lines += ["", "## Fixed", "", "| crate | name | value | what |", "|---|---|---|---|"]
    lines += [f"| {c.crate} | `{c.name}` | `{c.value}` | {c.doc} |" for c in constants()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or check it."""
    return write_or_check(PAGE, page(), COMMAND)


if __name__ == "__main__":
    sys.exit(main())
