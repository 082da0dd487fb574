"""``zeroserve completion SHELL``: what a shell needs to complete commands and flags."""

import sys
from collections.abc import Iterator

from zeroserve.cli.commands import COMMANDS, SERVE
from zeroserve.cli.flags import Command, Flag, Options, UsageError

SHELLS = ("bash", "zsh", "fish")


def run(options: Options) -> int:
    """Print the script; returns the exit code."""
    shell = options.operands[0]
    if shell not in SHELLS:
        raise UsageError(f"not a shell with completions: {shell!r}", f"one of {', '.join(SHELLS)}")
    lines = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _names(command: Command) -> list[str]:
    """All spellings of the command's flags."""
    names = ["--help"]
    for flag in command.flags():
        names += [flag.name, *([flag.short] if flag.short else ())]
        if flag.negatable:
            names.append(f"--no-{flag.key.replace('_', '-')}")
    return names


def _bash() -> Iterator[str]:
    commands = " ".join(command.name for command in COMMANDS)
    yield "# zeroserve completion bash > ~/.local/share/bash-completion/completions/zeroserve"
    yield "_zeroserve() {"
    yield "    local word=${COMP_WORDS[COMP_CWORD]} flags"
    yield '    case "${COMP_WORDS[1]}" in'
    for command in COMMANDS:
        yield f'        {command.name}) flags="{" ".join(_names(command))}" ;;'
    yield f'        *) flags="{" ".join(_names(SERVE))}" ;;'
    yield "    esac"
    yield "    COMPREPLY=()"
    yield '    if [[ "$word" == -* ]]; then'
    yield '        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")'
    yield "        return"
    yield "    fi"
    yield "    if ((COMP_CWORD == 1)); then"
    yield f'        mapfile -t COMPREPLY < <(compgen -W "{commands}" -- "$word")'
    yield "    fi"
    yield '    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")'
    yield "}"
    yield "complete -o filenames -F _zeroserve zeroserve"


def _zsh() -> Iterator[str]:
    yield "#compdef zeroserve"
    yield "# zeroserve completion zsh > a file _zeroserve in a directory of $fpath"
    yield "_zeroserve() {"
    yield '    case "${words[2]}" in'
    for command in COMMANDS:
        yield f"        {command.name})"
        yield "            _arguments \\"
        for flag in command.flags():
            yield f"                {_zsh_flag(flag)} \\"
        yield "                '*:file:_files' ;;"
    yield "        *)"
    yield "            if ((CURRENT == 2)); then"
    yield "                local -a commands=("
    for command in COMMANDS:
        yield f"                    {_single(f'{command.name}:{command.summary}')}"
    yield "                )"
    yield "                _describe command commands"
    yield "            fi"
    yield "            _arguments \\"
    for flag in SERVE.flags():
        yield f"                {_zsh_flag(flag)} \\"
    yield "                '*:file:_files' ;;"
    yield "    esac"
    yield "}"
    yield '_zeroserve "$@"'


def _zsh_flag(flag: Flag) -> str:
    help = _brief(flag).replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = f":{flag.metavar.replace(':', ' ').lower()}:_files" if flag.metavar else ""
    many = "*" if flag.repeat else ""
    return _single(f"{many}{flag.name}[{help}]{value}")


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
        for flag in command.flags():
            parts = [f"complete -c zeroserve -n {_fish_quoted(condition)}"]
            parts.append(f"-l {flag.name.removeprefix('--')}")
            if flag.short:
                parts.append(f"-s {flag.short.removeprefix('-')}")
            if flag.metavar:
                parts.append("-r")
            yield " ".join([*parts, f"-d {_fish_quoted(_brief(flag))}"])


def _brief(flag: Flag) -> str:
    """The first part of the help."""
    return flag.help.split(";")[0].split(" (")[0]


def _single(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
