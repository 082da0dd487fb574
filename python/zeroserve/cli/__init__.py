"""The ``zeroserve`` command: finds the command, runs it, and words what went wrong.

Exit codes: 0 done, 1 failed at run time, 2 wrong usage, 128 + N ended by signal N.
"""

import os
import sys
from collections.abc import Sequence

from zeroserve.cli.terminal import complain, say_lines

SHOW_TRACEBACK = "ZEROSERVE_TRACEBACK"
"""Environment variable for those who look for a bug in zeroserve itself."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; never raises for what a user can cause.

    >>> main(["--version"])
    zeroserve 0.1.0
    0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _open_standard_streams()
    try:
        return _run(words)
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:  # argparse, after printing help
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:
        # `zeroserve ls | head` has what it wanted. Python flushes stdout once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get(SHOW_TRACEBACK):
            raise
        return _explain(error)


def _open_standard_streams() -> None:
    """Put /dev/null where the parent left a standard stream closed.

    Otherwise an archive or a listener would get its number, and a message would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _run(words: list[str]) -> int:
    from importlib import import_module

    from zeroserve.cli.commands import COMMANDS, EPILOG, SERVE
    from zeroserve.cli.flags import parse

    command, epilog = SERVE, EPILOG
    for named in COMMANDS:
        if words and words[0] == named.name:
            command, epilog, words = named, "", words[1:]
    options = parse(command, words, epilog)
    code: int = import_module(command.module).run(options)
    sys.stdout.flush()
    return code


def _explain(error: Exception) -> int:
    from zeroserve._core import Error
    from zeroserve.cli.flags import UsageError
    from zeroserve.reload import brief, details
    from zeroserve.words import reason

    message = str(error.args[0]) if error.args else type(error).__name__
    hint = str(error.args[1]) if len(error.args) > 1 and error.args[1] else None
    if isinstance(error, UsageError):
        complain(message, hint)
        return 2
    if isinstance(error, Error):
        say_lines(details(error))
        complain(brief(error) if error.args else message, hint)
        return 1
    if isinstance(error, OSError):
        complain(reason(error) + (f": {error.filename!r}" if error.filename else ""))
        return 1
    if isinstance(error, UnicodeEncodeError):  # an argument with bytes that are no text
        complain(f"not UTF-8: {error.object!r}")
        return 1
    complain(
        f"internal: {type(error).__name__}: {error}",
        f"this is a bug in zeroserve; {SHOW_TRACEBACK}=1 shows where",
    )
    return 1
