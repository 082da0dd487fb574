"""Flags as data: one row each, from which parsers and help are made."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn


class UsageError(Exception):
    """The command line is wrong: exit code 2. ``args`` is ``(message,)`` or with a hint."""


class Flag(NamedTuple):
    """One row of the table of flags."""

    name: str
    """With its dashes: ``--access-log``."""
    metavar: str
    """What its value is called; empty for a switch, which has none."""
    default: Any
    """Value when it is not given."""
    help: str
    """What it does, lower-case, no full stop; where the default is no plain value, that too."""
    group: str
    """Heading in the help."""
    parse: Callable[[str], Any] = str
    """Turns the text of a value into the value; raises ValueError with the reason,

    and perhaps a hint as its second argument."""
    short: str = ""
    """One-letter form: ``-o``."""
    repeat: bool = False
    """May be given several times; the value is a list then."""
    negatable: bool = False
    """A switch that has a ``--no-`` form."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """All ways to write it: ``--output`` and ``-o``, or ``--watch`` and ``--no-watch``."""
        other = [self.short] if self.short else []
        return (self.name, *other, *([f"--no-{self.name[2:]}"] if self.negatable else []))

    @property
    def text(self) -> str:
        """The help, with the default if that is a plain value."""
        shown = self.default is not None and self.default is not False and self.metavar
        plain = shown and "default" not in self.help
        return f"{self.help} (default: {self.default})" if plain else self.help

    @property
    def key(self) -> str:
        """Attribute in the parsed options: ``access_log``."""
        return self.name.lstrip("-").replace("-", "_")


EXIT_CODES = ((0, "done"), (1, "failed at run time"), (2, "wrong usage"))


class Command(NamedTuple):
    """One row of the table of commands."""

    name: str
    """First word of the command line; empty for serving."""
    operands: str
    """What follows the flags, as in usage lines: ``SITE``."""
    min_operands: int
    max_operands: int
    summary: str
    description: str
    flags: Callable[[], tuple[Flag, ...]]
    module: str
    """Has ``run(options) -> exit code``; imported when the command is used."""
    operand_words: Callable[[], Sequence[str]] = tuple
    """What operands may be, where there is a choice."""
    exit_codes: tuple[tuple[int, str], ...] = EXIT_CODES

    @property
    def usage(self) -> str:
        """One line, as in ``zeroserve pack [flags] DIR``."""
        return " ".join(filter(None, ["zeroserve", self.name, "[flags]", self.operands]))


class Options(argparse.Namespace):
    """Parsed flags by their keys, and the operands."""

    operands: list[str]
    given: frozenset[str]
    """Keys of the flags that are on the command line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse says "argument --threads: ..."; the flag alone says as much.
        raise UsageError(message.removeprefix("argument "), f"{self.prog} --help")


def parse(command: Command, argv: Sequence[str], epilog: str = "") -> Options:
    """Parse what follows the command's name; raises ``UsageError``."""
    flags = command.flags()
    parser = _make(command, flags, epilog)
    # Operands may stand anywhere; after "--" everything is one.
    words = list(argv)
    end = words.index("--") if "--" in words else len(words)
    options, rest = parser.parse_known_args(words[:end], Options())
    options.given = frozenset(vars(options))
    for flag in flags:
        if flag.key not in options.given:
            setattr(options, flag.key, flag.default)
    for word in rest:
        if word.startswith("-") and word != "-":
            raise _unknown(word, command, flags)
    options.operands = rest + words[end + 1 :]
    count = len(options.operands)
    if count < command.min_operands:
        raise UsageError(f"{command.operands.split()[0]} is missing", _usage(command))
    if count > command.max_operands:
        extra = options.operands[command.max_operands]
        raise UsageError(f"unexpected argument: {extra!r}", _usage(command))
    return options


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    import difflib  # late: only mistakes pay for it

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def _make(command: Command, flags: tuple[Flag, ...], epilog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"zeroserve {command.name}".rstrip(),
        usage=command.usage.replace("%", "%%"),
        description=command.description,
        epilog=epilog or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    groups: dict[str, Any] = {}
    for flag in flags:
        if flag.group not in groups:
            groups[flag.group] = parser.add_argument_group(flag.group)
        _add(groups[flag.group], flag)
    last = groups.get("general") or parser.add_argument_group("general")
    last.add_argument("-h", "--help", action="help", help="show this help and exit")
    return parser


def _add(group: Any, flag: Flag) -> None:
    names = [flag.short, flag.name] if flag.short else [flag.name]
    text = flag.text.replace("%", "%%")
    if not flag.metavar:
        action = argparse.BooleanOptionalAction if flag.negatable else "store_true"
        group.add_argument(*names, action=action, default=argparse.SUPPRESS, help=text)
        return
    group.add_argument(
        *names,
        action="append" if flag.repeat else "store",
        metavar=flag.metavar,
        default=argparse.SUPPRESS,
        type=_naming(flag),
        help=text,
    )


def _naming(flag: Flag) -> Callable[[str], Any]:
    """The flag's parser, whose errors name the flag and keep their hint."""

    def parse_value(text: str) -> Any:
        try:
            return flag.parse(text)
        except ValueError as error:
            message, *hint = error.args
            raise UsageError(f"{flag.name}: {message}", *hint) from None

    return parse_value


def _unknown(word: str, command: Command, flags: tuple[Flag, ...]) -> UsageError:
    name = word.partition("=")[0]
    known = [spelling for flag in flags for spelling in flag.spellings]
    meant = nearest(name, [*known, "--help"])
    hint = f"did you mean {meant}?" if meant else f"zeroserve {command.name}".rstrip() + " --help"
    return UsageError(f"unknown flag: {name}", hint)


def _usage(command: Command) -> str:
    return f"usage: {command.usage}"
