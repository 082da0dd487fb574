"""``zeroserve schema``: the JSON Schema of configuration files, for editors."""

import json
import sys

from zeroserve.cli.flags import Options
from zeroserve.config import schema


def run(options: Options) -> int:
    """Print the schema; returns the exit code."""
    found = schema.of_process() if options.process else schema.of_site()
    sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return 0
