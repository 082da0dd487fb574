"""``zeroserve eject``: the script that the rules of a site become, to be kept and edited."""

import os
import sys
from contextlib import suppress

from zeroserve._core import Archive, Error
from zeroserve.cli.flags import Options, UsageError
from zeroserve.cli.terminal import say
from zeroserve.config import emit, rules
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
    if not options.yes and not _confirmed(f"replace {names} by {rules.ENTRY}?"):
        say("nothing was changed")
        return 1
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    with open(target, "x", encoding="utf-8") as file:  # noqa: PTH123
        try:
            file.write(text)
        except BaseException:
            with suppress(OSError):
                os.unlink(target)  # noqa: PTH108
            raise
    # In this order: a server that watches refuses both together, and goes on with what it has.
    for path in own:
        os.unlink(path)  # noqa: PTH108
    say(f"wrote {target}, removed {names}")
    return 0


def _script(site: str) -> str:
    if os.path.isdir(site):  # noqa: PTH112
        found = rules.of_directory(site)
    else:
        found = rules.of_archive(Archive(site), site)
    if not found:
        raise Error(f"there are no rules: {quoted(site)}", "they are in _redirects and _headers")
    return emit.script(found)


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
