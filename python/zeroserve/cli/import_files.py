"""``zeroserve import FILE``: configurations of other servers and hosts."""

import sys
from pathlib import Path

from zeroserve import importing
from zeroserve.cli.flags import Options, UsageError
from zeroserve.cli.new_files import write_new
from zeroserve.cli.terminal import say
from zeroserve.importing import writing
from zeroserve.importing.result import Left
from zeroserve.words import plural, printable

LEFT_OUT = 3
"""Exit code when something was left out."""


def run(options: Options) -> int:
    """Write the files, and say what has no counterpart; returns the exit code."""
    source = options.operands[0]
    if options.stdout and options.output is not None:
        raise UsageError("--stdout beside --output", "leave one of them out")
    found = importing.read(source, server=options.server, outside=options.outside)
    made = writing.files(found, source)
    if options.stdout:
        for name, text in made.items():
            print(f"==> {name} <==")
            sys.stdout.write(text + "\n")
    else:
        place = options.output or "."
        write_new(place, {name: text.encode() for name, text in made.items()}, empty=False)
        for name, text in made.items():
            print(f"{Path(place) / name}: {plural(text.count(chr(10)), 'line')}")
        if not made:
            print("nothing to write")
    _say("note", found.notes)
    _say("left out", found.left)
    if found.left:
        say(f"{plural(len(found.left), 'thing')} left out")
    return LEFT_OUT if found.left else 0


def _say(kind: str, members: list[Left]) -> None:
    for one in sorted(set(members), key=lambda one: (one.place.file, one.place.line)):
        say(printable(f"{one.place}: {kind}: {one.what}: {one.why}"))
