"""``zeroserve sdk``: the header that scripts in C include."""

import sys

from zeroserve import sdk
from zeroserve.cli.flags import Options


def run(options: Options) -> int:
    """Print the header, or the reference; returns the exit code."""
    sys.stdout.write(sdk.reference() if options.reference else sdk.header())
    return 0
