"""Write the tables of keys in docs/proxy-pools.md from the code.

Run as ``python tools/pools_page.py``; with ``--check`` nothing is written and the exit code
says whether the page is up to date.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

from generated import DOCS, write_or_check
from zeroserve.config import pools
from zeroserve.config.keys import rows

PAGE = DOCS / "proxy-pools.md"
COMMAND = "python tools/pools_page.py"
BEGIN, END = f"<!-- keys: made by `{COMMAND}` -->\n", "<!-- end of keys -->\n"

TABLES = {
    "[pools.NAME]": pools.Pool,
    "members of `upstreams`": pools.Upstream,
    "[pools.NAME.health]": pools.Health,
    "[pools.NAME.ejection]": pools.Ejection,
    "[pools.NAME.retries]": pools.Retries,
    "[pools.NAME.timeouts]": pools.Timeouts,
    "[pools.NAME.breaker]": pools.Breaker,
    "[pools.NAME.queue]": pools.Queue,
    "[pools.NAME.keepalive]": pools.Keepalive,
    "[pools.NAME.tls]": pools.Tls,
}


def shown(default: Any) -> str:
    """A default as it would stand in the file; nothing for what has none."""
    if default is None or default == "" or default is dataclasses.MISSING:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return "`[" + ", ".join(f'"{one}"' for one in default) + "]`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


def keys() -> Iterator[str]:
    """Lines of all tables."""
    for heading, of in TABLES.items():
        name = heading if "`" in heading else f"`{heading}`"
        yield f"### {name}\n"
        yield "| key | values | default | what |"
        yield "|---|---|---|---|"
        for field, row in rows(of):
            default = "" if row.below is not None else shown(field.default)
            if of is pools.Pool and field.name == "upstreams":
                default = ""
            yield f"| `{field.name}` | {row.values} | {default} | {row.doc} |"
        yield ""


def page(text: str) -> str:
    """The page with its tables made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, behind = rest.partition(END)
    return before + BEGIN + "\n" + "\n".join(keys()) + END + behind


def main() -> int:
    """Write the page, or check it."""
    return write_or_check(PAGE, page(PAGE.read_text(encoding="utf-8")), COMMAND)


if __name__ == "__main__":
    sys.exit(main())
