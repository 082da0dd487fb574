"""``zeroserve dev-cert``: a certificate for this machine, and how to make browsers trust it."""

import os

from zeroserve import _core, dev_cert
from zeroserve.cli.flags import Options
from zeroserve.words import quoted, reason


def run(options: Options) -> int:
    """Make what is missing and say where it is; returns the exit code."""
    names = tuple(options.operands) or dev_cert.NAMES
    place = os.path.abspath(options.dir) if options.dir else None  # noqa: PTH100
    try:
        made = dev_cert.ensure(names, place, options.renew)
    except OSError as error:
        where = place or dev_cert.directory()
        raise _core.Error(f"can't write to {quoted(where)}: {reason(error)}") from None
    print(f"certificate  {made.certificate}")
    print(f"key          {made.key}")
    print(f"authority    {made.authority}{'  (new)' if made.fresh else ''}")
    print(f"names        {', '.join(names)}")
    print()
    for line in dev_cert.how_to_trust(made.authority):
        print(line)
    return 0
