"""``zeroserve rollback [SITE]``: have a running server go back to the version before."""

from zeroserve.admin import ask
from zeroserve.cli.flags import Options
from zeroserve.cli.terminal import say


def run(options: Options) -> int:
    """Roll back; returns the exit code."""
    order = {"site": options.operands[0]} if options.operands else {}
    done = ask(options.admin, "/rollback", order)
    say(f"{done['site']}: generation {done['generation']} is in force again")
    return 0
