"""``zeroserve man``: manual pages, made from the table of commands and flags."""

import os
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from zeroserve import _core
from zeroserve.cli.commands import COMMANDS, SERVE
from zeroserve.cli.flags import Command, Flag, Options, UsageError, nearest
from zeroserve.words import plural

EPOCH = "SOURCE_DATE_EPOCH"
"""Environment variable: seconds since 1970 of the pages' date, for builds that are repeated."""


def run(options: Options) -> int:
    """Print a page, or write all of them; returns the exit code."""
    commands = {command.name: command for command in COMMANDS}
    name = options.operands[0] if options.operands else SERVE.name
    if name != SERVE.name and name not in commands:
        meant = nearest(name, commands)
        raise UsageError(
            f"no such command: {name!r}", f"did you mean {meant}?" if meant else "zeroserve --help"
        )
    if options.output is None:
        sys.stdout.write(page(commands.get(name, SERVE)))
        return 0
    if options.operands:
        raise UsageError("--output is for the pages of all commands", "leave COMMAND out")
    place = Path(options.output)
    place.mkdir(parents=True, exist_ok=True)
    for command in (SERVE, *COMMANDS):
        (place / f"{_title(command)}.1").write_text(page(command), encoding="ascii")
    print(f"{plural(len(COMMANDS) + 1, 'page')} in {place}")
    return 0


def page(command: Command) -> str:
    """A manual page in the macros of man(7), in ASCII."""
    return "".join(f"{line}\n" for line in _lines(command))


def _lines(command: Command) -> Iterator[str]:
    title, day = _title(command), _date()
    version = f"zeroserve {_core.__version__}"
    yield f'.TH "{title.upper()}" 1 "{day}" "{version}" "User Commands"'
    yield ".SH NAME"
    yield f"{_text(title)} \\- {_text(command.summary)}"
    yield ".SH SYNOPSIS"
    words = command.usage.removeprefix("zeroserve").removeprefix(f" {command.name}").strip()
    yield f".B {_text(f'zeroserve {command.name}'.strip())}"
    yield _text(words)
    yield ".SH DESCRIPTION"
    yield from _paragraph(command.description)
    yield ".SH OPTIONS"
    for group, flags in groupby(_sorted(command.flags()), key=lambda flag: flag.group):
        yield f".SS {_text(group.capitalize())}"
        for flag in flags:
            yield ".TP"
            yield _head(flag)
            yield from _paragraph(f"{flag.text}.")
    yield ".TP"
    yield "\\fB\\-h\\fR, \\fB\\-\\-help\\fR"
    yield "show help and exit."
    if command is SERVE:
        yield ".SH COMMANDS"
        yield "The first word may be one of these; a directory of that name is ./pack."
        for other in COMMANDS:
            yield ".TP"
            yield f"\\fB{_text(_title(other))}\\fR(1)"
            yield _text(other.summary)
    yield ".SH EXIT STATUS"
    for code, meaning in command.exit_codes:
        yield ".TP"
        yield f".B {code}"
        yield _text(meaning)
    yield ".SH SEE ALSO"
    others = COMMANDS if command is SERVE else (SERVE,)
    yield ",\n".join(f".BR {_text(_title(other))} (1)" for other in others)


def _title(command: Command) -> str:
    return f"zeroserve-{command.name}" if command.name else "zeroserve"


def _date() -> str:
    given = os.environ.get(EPOCH, "")
    now = datetime.now(UTC)
    if given.isascii() and given.isdigit() and len(given) < 12:
        now = datetime.fromtimestamp(int(given), UTC)
    return now.date().isoformat()


def _sorted(flags: tuple[Flag, ...]) -> list[Flag]:
    """Flags by their group, groups in the order in which they come first."""
    groups = list(dict.fromkeys(flag.group for flag in flags))
    return sorted(flags, key=lambda flag: groups.index(flag.group))


def _head(flag: Flag) -> str:
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in flag.spellings)
    return f"{names} \\fI{_text(flag.metavar)}\\fR" if flag.metavar else names


def _paragraph(text: str) -> Iterator[str]:
    # Lines of at most 80 characters are good style; escapes make them longer.
    yield from (_text(line) for line in textwrap.wrap(text, 66, break_on_hyphens=False))


def _text(text: str) -> str:
    """Text as roff takes it for what it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace("`", "\\(ga").replace("'", "\\(aq").replace('"', "\\(dq")
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return f"\\&{text}" if text.startswith(".") else text
