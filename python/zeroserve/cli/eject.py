"""``zeroserve eject``: the script that the rules of a site become, to be kept and edited."""

import os
import sys
from contextlib import suppress

from zeroserve._core import Archive, Error
from zeroserve.cli.flags import Options, UsageError
from zeroserve.cli.terminal import say
from zeroserve.config import file, rules
from zeroserve.scripts import DIRECTORY, RULES
from zeroserve.words import quoted


def run(options: Options) -> int:
    """Write the script; returns the exit code."""
    site = options.operands[0] if options.operands else "."
    if options.stdout:
        sys.stdout.write(_script(site))
        return 0
    if not os.path.isdir(site):  # noqa: PTH112
        what = "an archive can't be changed" if os.path.exists(site) else "no such directory"  # noqa: PTH110
        raise Error(f"{what}: {quoted(site)}", "give the directory, or --stdout")
    text = _script(site)
    target = os.path.join(site, rules.ENTRY)  # noqa: PTH118
    _require_room(site)
    own = [path for path in rules.sources_of(site) if os.path.lexists(path)]
    names = " and ".join(os.path.basename(path) for path in own)  # noqa: PTH119
    configuration = _without_rules(site)
    parts = [names] if names else []
    if configuration is not None:
        parts.append(f"the rules in {file.NAME}")
    if not options.yes and not _confirmed(f"replace {' and '.join(parts)} by {rules.ENTRY}?"):
        say("nothing was changed")
        return 1
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    with open(target, "x", encoding="utf-8") as made:  # noqa: PTH123
        try:
            made.write(text)
        except BaseException:
            with suppress(OSError):
                os.unlink(target)  # noqa: PTH108
            raise
    # In this order: a server that watches refuses both together, and goes on with what it has.
    for path in own:
        os.unlink(path)  # noqa: PTH108
    done = [f"removed {names}"] if names else []
    if configuration is not None:
        _replace(os.path.join(site, file.NAME), configuration)  # noqa: PTH118
        done.append(f"commented out the rules in {file.NAME}")
    say(f"wrote {target}, {', '.join(done)}")
    return 0


def _script(site: str) -> str:
    directory = os.path.isdir(site)  # noqa: PTH112
    found = rules.source(site) if directory else rules.source_of_archive(Archive(site), site)
    if found is None:
        hint = f"they are in _redirects, _headers and {file.NAME}"
        raise Error(f"there are no rules: {quoted(site)}", hint)
    return found


def _without_rules(site: str) -> str | None:
    """The configuration with its rules commented out; None when it has none."""
    config = file.of_directory(site)
    if not config.decides:
        return None
    with open(os.path.join(site, file.NAME), encoding="utf-8", newline="") as own:  # noqa: PTH118, PTH123
        return file.without_rules(own.read(), config)


def _replace(path: str, text: str) -> None:
    """Another content at once, with the same rights."""
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8", newline="") as made:  # noqa: PTH123
        made.write(text)
    os.chmod(new, os.stat(path).st_mode & 0o777)  # noqa: PTH101, PTH116
    os.replace(new, path)  # noqa: PTH105


def _require_room(site: str) -> None:
    for suffix in (".py", ".c", ".o"):
        entry = f"{DIRECTORY}{RULES}{suffix}"
        if os.path.lexists(os.path.join(site, entry)):  # noqa: PTH118
            raise Error(f"there is such a script already: {quoted(entry)}", "remove one of them")


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked", "give --yes, or --stdout")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
