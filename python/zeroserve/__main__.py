"""``python -m zeroserve``: the same as the ``zeroserve`` command."""

import sys

from zeroserve.cli import main

if __name__ == "__main__":
    sys.exit(main())
