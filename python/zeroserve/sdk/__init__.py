"""What scripts in C are written against: ``zeroserve.h``, and the reference of its helpers.

Declarations and documentation come from the server's own table of helpers, so they can't
disagree with it; types, macros and string functions are in ``prologue.h`` and ``strings.h``.

    from zeroserve import sdk

    Path("include/zeroserve.h").write_text(sdk.header())
"""

import re
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from zeroserve._core import HELPERS, Helper

__all__ = ["HEADER_NAME", "REFERENCE_COMMAND", "header", "reference"]

HEADER_NAME = "zeroserve.h"

LINE_CHARS = 100

REFERENCE_COMMAND = "zeroserve sdk --reference"

TITLES = {
    "basics": "basics",
    "memory": "memory",
    "crypto": "cryptography",
    "encoding": "encodings",
    "json": "JSON",
    "request": "the request",
    "rewrite": "changing the request",
    "meta": "metadata",
    "respond": "answering",
    "hook": "response hooks",
    "call": "other scripts",
    "limit": "rate limits",
    "aws": "AWS signatures",
    "fetch": "asking other servers",
    "oidc": "logins",
}
"""Headings of the groups; a group that is not here is its own."""

CONVENTIONS = """\
Texts and bytes are given as a pointer and a length. Where nothing else is said, (out, out_len)
is a buffer for text: it is terminated by a NUL and cut to fit, and the result is the whole
length without the NUL; an out_len of 0 asks for that only. Binary output has no NUL. -1 says
that something is not there, not valid, or too much. Names of header fields ignore case. A
handle is a number above 0 that stands for a JSON value until the request has ended."""


def header() -> str:
    """The text of ``zeroserve.h``: C11, self-contained."""
    parts = [_file("prologue.h"), _rule("helpers"), "\n", _comment(CONVENTIONS)]
    for group, helpers in _groups():
        parts += ["\n", _rule(group), *(_declared(helper) for helper in helpers)]
    return "".join(parts) + "\n" + _file("strings.h")


def reference() -> str:
    """The page ``docs/helpers.md``."""
    parts = [
        "# Helpers\n\n",
        f"What scripts in C can ask of the server. Made by `{REFERENCE_COMMAND}`; do not edit.\n",
        "How to write such scripts is in [scripts-c.md](scripts-c.md).\n\n",
        _markdown(CONVENTIONS) + "\n\n",
        "Fuel is what one call costs; helpers that work on many bytes charge for these on top.\n",
    ]
    for group, helpers in _groups():
        parts.append(f"\n## {group[:1].upper()}{group[1:]}\n")
        for helper in helpers:
            doc = _markdown(helper.doc).replace("\n", " ")
            parts.append(f"\n    {_prototype(helper)}\n\n{_filled(doc)}\nFuel: {helper.fuel}.\n")
    return "".join(parts)


def _groups() -> Iterator[tuple[str, list[Helper]]]:
    # Those of compiled Python have no prototypes: nobody writes a call of them.
    listed = [helper for helper in HELPERS if helper.group != "python"]
    order = {group: n for n, group in enumerate(dict.fromkeys(h.group for h in listed))}
    rows = sorted(listed, key=lambda helper: order[helper.group])
    for group, helpers in groupby(rows, key=lambda helper: helper.group):
        yield TITLES.get(group, group), list(helpers)


def _declared(helper: Helper) -> str:
    lines = textwrap.wrap(
        _prototype(helper), LINE_CHARS, subsequent_indent="    ", break_long_words=False
    )
    return f"\n{_comment(helper.doc)}" + "\n".join(lines) + "\n"


def _prototype(helper: Helper) -> str:
    space = "" if helper.result.endswith("*") else " "
    return f"{helper.result}{space}{helper.name}({helper.parameters});"


def _comment(text: str) -> str:
    lines = text.replace("*/", "* /").replace("/*", "/ *").splitlines()
    return "/* " + "\n * ".join(lines) + " */\n"


def _rule(title: str) -> str:
    return f"/* ---- {title} ".ljust(LINE_CHARS - 5, "-") + " */\n"


def _markdown(text: str) -> str:
    return re.sub(r"([*<>])", r"\\\1", text)


def _filled(text: str) -> str:
    # No word is broken, so that names stay whole and searchable.
    return textwrap.fill(text, LINE_CHARS, break_long_words=False, break_on_hyphens=False)


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
