"""Lines on stderr: everything that is not the result of a command."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zeroserve.words import printable

MAX_LINE_CHARS = 1000


def say(line: str) -> None:
    """One line on stderr. When nobody reads there any more, that is no reason to fail."""
    shown = printable(line)
    if len(shown) > MAX_LINE_CHARS:
        shown = shown[: MAX_LINE_CHARS - 3] + "..."
    try:
        sys.stderr.write(shown + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def say_lines(text: str) -> None:
    """What another program said, as it is but for control characters."""
    for line in text.splitlines():
        say(line.expandtabs())


def complain(message: str, hint: str | None = None, severity: str = "error") -> None:
    """An error in the form that all of them have: one line, and a hint if there is one."""
    say(f"zeroserve: {severity}: {message}")
    if hint:
        say(f"hint: {hint}")


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """Show on a terminal that something goes on for as long as the block."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # late: only who waits pays for it

    with Console(stderr=True).status(printable(what)):
        yield
