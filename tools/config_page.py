"""Write what is made of the keys of zeroserve.toml: docs/zeroserve-toml.md and the JSON Schemas.

Run as ``python tools/config_page.py``; with ``--check`` nothing is written and the exit code
says whether all is up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generated import DOCS, write_or_check
from pools_page import shown
from zeroserve.config import fetch, paths, process, schema, site
from zeroserve.config.keys import rows

PAGE = DOCS / "zeroserve-toml.md"
COMMAND = "python tools/config_page.py"
BEGIN, END = f"<!-- keys: made by `{COMMAND}` -->\n", "<!-- end of keys -->\n"

SITE = {
    "Keys of the site": site.Settings,
    "`[maintenance]`": site.Maintenance,
    '`[paths."PATTERN"]`': paths.Path,
    '`[paths."PATTERN".redirect]`': paths.Redirect,
    '`[paths."PATTERN".proxy]`': paths.Proxy,
    '`[paths."PATTERN".cors]`': paths.Cors,
    '`[paths."PATTERN".basic_auth]`': paths.BasicAuth,
    '`[paths."PATTERN".rate_limit]`': paths.RateLimit,
    "`[fetch]`": fetch.Fetch,
}

HEAD = "| key | values | default | what |\n|---|---|---|---|"


def keys(tables: Mapping[str, type]) -> Iterator[str]:
    """Lines of tables of dataclasses."""
    for heading, of in tables.items():
        yield f"### {heading}\n"
        yield HEAD
        for field, row in rows(of):
            default = "" if row.below is not None or row.required else shown(field.default)
            name = f"[{field.name}.NAME]" if row.names else field.name
            yield f"| `{name}` | {row.values} | {default} | {row.doc} |"
        yield ""


def settings(heading: str, found: Iterator[process.Setting]) -> Iterator[str]:
    """Lines of a table of options."""
    yield f"### {heading}\n"
    yield HEAD
    for one in found:
        default = "" if "(default" in one.doc or "default:" in one.doc else shown(one.default)
        yield f"| `{one.name}` | {one.values} | {default} | {one.doc} |"
    yield ""


def site_page() -> list[str]:
    """The tables of docs/zeroserve-toml.md."""
    return [
        *keys(SITE),
        *settings("`[server]`, with `--config` only", process.server_settings()),
        *settings("`[limits]`, with `--config` only", process.limit_settings()),
    ]


def page(text: str, lines: list[str]) -> str:
    """A page with its tables made anew."""
    before, begin, rest = text.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"a page without {BEGIN.strip()}")
    return before + BEGIN + "\n" + "\n".join(lines) + END + behind


def as_json(value: dict[str, Any]) -> str:
    """A schema as a file."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def made() -> Iterator[tuple[Path, str]]:
    """All files, with what should stand in them."""
    yield PAGE, page(PAGE.read_text(encoding="utf-8"), site_page())
    yield DOCS / "zeroserve.schema.json", as_json(schema.of_site())
    yield DOCS / "zeroserve-process.schema.json", as_json(schema.of_process())


def main() -> int:
    """Write the files, or check them."""
    return max([write_or_check(file, text, COMMAND) for file, text in made()])


if __name__ == "__main__":
    sys.exit(main())
