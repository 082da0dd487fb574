"""``zeroserve purge [PATH]``: have a running server forget kept answers of upstreams."""

from zeroserve.admin import ask
from zeroserve.cli.flags import Options, UsageError
from zeroserve.cli.terminal import say


def run(options: Options) -> int:
    """Purge; returns the exit code."""
    order = {"site": options.site, "host": options.host}
    for path in options.operands:
        if not path.startswith("/"):
            raise UsageError(f"PATH begins with a slash: {path}")
        whole = path.removesuffix("*")
        order["path" if whole == path else "prefix"] = whole
    done = ask(options.admin, "/purge", order)
    count = done["purged"]
    say(f"{count} {'target' if count == 1 else 'targets'} forgotten")
    return 0
