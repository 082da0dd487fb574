"""Write docs/commands.md from the table of commands and flags.

Run as ``python tools/commands_page.py``; with ``--check`` nothing is written and the exit code
says whether the page is up to date.
"""

import re
import sys
from collections.abc import Iterator
from itertools import groupby

from generated import DOCS, write_or_check
from zeroserve.cli.commands import COMMANDS, SERVE
from zeroserve.cli.flags import Command

PAGE = DOCS / "commands.md"
COMMAND = "python tools/commands_page.py"


def page() -> str:
    """The whole page."""
    lines = [
        "# Commands and flags",
        "",
        f"Made from the code by `{COMMAND}`; do not edit.",
        "`zeroserve man COMMAND` prints the same as a manual page,",
        "`zeroserve completion SHELL` what bash, zsh and fish complete it by.",
        "",
    ]
    for command in (SERVE, *COMMANDS):
        lines += section(command)
    return "\n".join(lines)


def section(command: Command) -> Iterator[str]:
    """One command."""
    yield f"## zeroserve {command.name}".rstrip()
    yield ""
    yield f"    {command.usage}"
    yield ""
    # Words in capitals and angles would be markup.
    yield re.sub(r"[*<>_]", r"\\\g<0>", command.description)
    yield ""
    flags = command.flags()
    groups = list(dict.fromkeys(flag.group for flag in flags))
    ordered = sorted(flags, key=lambda flag: groups.index(flag.group))
    for group, members in groupby(ordered, key=lambda flag: flag.group):
        yield f"| {group} | |"
        yield "|---|---|"
        for flag in members:
            names = ", ".join(f"`{name}`" for name in flag.spellings)
            value = f" `{flag.metavar}`" if flag.metavar else ""
            yield f"| {names}{value} | {cell(flag.text)} |"
        yield ""
    codes = ", ".join(f"{code} {meaning}" for code, meaning in command.exit_codes)
    yield f"Exit codes: {codes}."
    yield ""


def cell(text: str) -> str:
    """Text that Markdown leaves alone."""
    return re.sub(r"[*<>_|]", r"\\\g<0>", text)


def main() -> int:
    """Write the page, or check it."""
    return write_or_check(PAGE, page(), COMMAND)


if __name__ == "__main__":
    sys.exit(main())
