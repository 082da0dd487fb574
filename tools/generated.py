"""Pages of the documentation that are made from the code: written, or compared with the file."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def write_or_check(path: Path, text: str, command: str) -> int:
    """Write a page; with ``--check`` among the arguments only compare it. Returns the exit code.

    ``command`` makes the page, for the message that says that it is not up to date.
    """
    if "--check" not in sys.argv[1:]:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{path.relative_to(ROOT)} is not up to date: run {command}", file=sys.stderr)
    return 1
