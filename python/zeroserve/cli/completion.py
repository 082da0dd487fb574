"""``zeroserve completion SHELL``: what a shell needs to complete commands, flags and values."""

import re
import sys
from collections.abc import Iterator, Sequence
from enum import Enum

from zeroserve.cli.commands import COMMANDS, SERVE, SHELLS
from zeroserve.cli.flags import Command, Flag, Options, UsageError
from zeroserve.cli.values import Choice


class Kind(Enum):
    """What a value is, when it is not one of a few words."""

    FILES = "files"
    DIRECTORIES = "directories"
    OTHER = "other"


Values = Kind | Sequence[str]

KINDS = {
    "FILE": Kind.FILES,
    "PATH": Kind.FILES,
    "SITE": Kind.FILES,
    "HOST=SITE": Kind.OTHER,
    "DIR": Kind.DIRECTORIES,
}
"""By the name of the value; all others are nothing that a shell knows."""


def run(options: Options) -> int:
    """Print the script; returns the exit code."""
    shell = options.operands[0]
    if shell not in SHELLS:
        raise UsageError(f"not a shell with completions: {shell!r}", f"one of {', '.join(SHELLS)}")
    lines = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _flag_values(flag: Flag) -> Values:
    if isinstance(flag.parse, Choice):
        return flag.parse.words
    return KINDS.get(flag.metavar, Kind.OTHER)


def _operand_values(command: Command) -> Values:
    name = re.sub(r"[\[\]. ].*", "", command.operands.lstrip("["))
    return command.operand_words() or KINDS.get(name, Kind.OTHER)


def _names(command: Command) -> list[str]:
    """All spellings of the command's flags."""
    return ["--help", *(name for flag in command.flags() for name in flag.spellings)]


def _bash() -> Iterator[str]:
    commands = " ".join(command.name for command in COMMANDS)
    yield "# zeroserve completion bash > ~/.local/share/bash-completion/completions/zeroserve"
    yield "_zeroserve() {"
    yield "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}"
    yield "    local flags ask=files words="
    yield "    # --flag=value are three words here."
    yield '    if [[ "$word" == "=" ]]; then word='
    yield '    elif [[ "$before" == "=" ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi'
    yield '    case "${COMP_WORDS[1]}" in'
    for command in COMMANDS:
        yield f'        {command.name}) flags="{" ".join(_names(command))}"'
        yield from _bash_values(command)
        yield "            ;;"
    yield f'        *) flags="{" ".join(_names(SERVE))}"'
    yield from _bash_values(SERVE)
    yield "            ;;"
    yield "    esac"
    yield "    COMPREPLY=()"
    yield '    if [[ "$word" == -* ]]; then ask=words words=$flags; fi'
    yield "    if ((COMP_CWORD == 1)) && [[ $ask == files ]]; then"
    yield f'        mapfile -t COMPREPLY < <(compgen -W "{commands}" -- "$word")'
    yield "    fi"
    yield "    case $ask in"
    yield '        words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;'
    yield '        directories) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;'
    yield '        files) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word") ;;'
    yield "    esac"
    yield "}"
    yield "complete -o filenames -F _zeroserve zeroserve"


def _bash_values(command: Command) -> Iterator[str]:
    """Sets what is asked for, by the word before."""
    indent = " " * 12
    yield f'{indent}case "$before" in'
    for flag in command.flags():
        if flag.metavar:
            names = "|".join(flag.spellings)
            yield f"{indent}    {names}) {_bash_asks(_flag_values(flag))} ;;"
    yield f"{indent}    *) {_bash_asks(_operand_values(command))} ;;"
    yield f"{indent}esac"


def _bash_asks(values: Values) -> str:
    if isinstance(values, Kind):
        return f"ask={values.value}"
    return f'ask=words words="{" ".join(values)}"'


def _zsh() -> Iterator[str]:
    yield "#compdef zeroserve"
    yield "# zeroserve completion zsh > a file _zeroserve in a directory of $fpath"
    yield "_zeroserve() {"
    yield '    case "${words[2]}" in'
    for command in COMMANDS:
        yield f"        {command.name})"
        yield "            _arguments \\"
        yield from _zsh_arguments(command)
    yield "        *)"
    yield "            if ((CURRENT == 2)); then"
    yield "                local -a commands=("
    for command in COMMANDS:
        yield f"                    {_single(f'{command.name}:{command.summary}')}"
    yield "                )"
    yield "                _describe command commands"
    yield "            fi"
    yield "            _arguments \\"
    yield from _zsh_arguments(SERVE)
    yield "    esac"
    yield "}"
    yield '_zeroserve "$@"'


def _zsh_arguments(command: Command) -> Iterator[str]:
    indent = " " * 16
    for flag in command.flags():
        help = _brief(flag).replace("[", "(").replace("]", ")").replace(":", "\\:")
        many = "*" if flag.repeat else ""
        value = f":{flag.metavar.replace(':', ' ').lower()}:" if flag.metavar else ""
        action = _zsh_action(_flag_values(flag)) if flag.metavar else ""
        for name in flag.spellings:
            yield f"{indent}{_single(f'{many}{name}[{help}]{value}{action}')} \\"
    yield f"{indent}{_single(f'*:operand:{_zsh_action(_operand_values(command))}')} ;;"


def _zsh_action(values: Values) -> str:
    if not isinstance(values, Kind):
        return f"({' '.join(values)})"
    return {Kind.FILES: "_files", Kind.DIRECTORIES: "_files -/", Kind.OTHER: " "}[values]


def _fish() -> Iterator[str]:
    yield "# zeroserve completion fish > ~/.config/fish/completions/zeroserve.fish"
    names = " ".join(command.name for command in COMMANDS)
    for command in COMMANDS:
        summary = _fish_quoted(command.summary)
        yield f"complete -c zeroserve -n __fish_use_subcommand -a {command.name} -d {summary}"
    for condition, command in (
        (f"not __fish_seen_subcommand_from {names}", SERVE),
        *((f"__fish_seen_subcommand_from {command.name}", command) for command in COMMANDS),
    ):
        start = f"complete -c zeroserve -n {_fish_quoted(condition)}"
        operands = _operand_values(command)
        if operands is not Kind.FILES:
            yield f"{start} {_fish_action(operands)}"
        for flag in command.flags():
            words = [
                f"-{'s' if len(name) == 2 else 'l'} {name.lstrip('-')}" for name in flag.spellings
            ]
            value = [_fish_action(_flag_values(flag))] if flag.metavar else []
            yield " ".join([start, *words, *value, f"-d {_fish_quoted(_brief(flag))}"])


def _fish_name(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _fish_action(values: Values) -> str:
    if not isinstance(values, Kind):
        return f"-x -a {_fish_quoted(' '.join(values))}"
    folders = "-x -a '(__fish_complete_directories)'"
    return {Kind.FILES: "-r", Kind.DIRECTORIES: folders, Kind.OTHER: "-x"}[values]


def _brief(flag: Flag) -> str:
    """The first part of the help."""
    return flag.help.split(";")[0].split(" (")[0]


def _single(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
