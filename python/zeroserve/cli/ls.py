"""``zeroserve ls SITE``: what is in an archive or a directory."""

import sys
from collections.abc import Iterable, Iterator

from zeroserve._core import Archive, Entry
from zeroserve.cli.flags import Options
from zeroserve.words import printable


def run(options: Options) -> int:
    """List; returns the exit code."""
    archive = Archive(options.operands[0] if options.operands else ".")
    entries = [e for e in archive.entries() if options.all or options.json or not e.hidden]
    if options.json:
        lines = _json(entries)
    elif options.long:
        lines = _long(entries)
    else:
        lines = (printable(entry.name) for entry in entries)
    for line in lines:
        sys.stdout.write(line + "\n")
    return 0


def _json(entries: Iterable[Entry]) -> Iterator[str]:
    """One object per entry and line: a reader need not hold a million of them."""
    import json

    for entry in entries:
        yield json.dumps(entry._asdict(), ensure_ascii=False)


def _long(entries: list[Entry]) -> Iterator[str]:
    import time

    digits = max((len(str(entry.size)) for entry in entries), default=1)
    for entry in entries:
        changed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.mtime))
        codings = ",".join(entry.encodings) or "-"
        target = f" -> {printable(entry.target)}" if entry.target else ""
        yield (
            f"{entry.size:>{digits}}  {changed}  {codings:<12}  {entry.etag or '-':<34}  "
            f"{printable(entry.name)}{target}"
        )
