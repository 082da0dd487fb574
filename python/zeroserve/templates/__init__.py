"""Sites to begin with, one directory for each shape, as ``zeroserve init`` writes them.

``dot-zeroserve`` in a template is ``.zeroserve`` in the site: tools that build packages leave out
what begins with a dot.
"""

from pathlib import Path

PLACE = Path(__file__).parent

RENAMED = "dot-zeroserve"


def files(name: str) -> dict[str, bytes]:
    """The files of a template by their names in the site, in order."""
    root = PLACE / name
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            parts = path.relative_to(root).parts
            first = ".zeroserve" if parts[0] == RENAMED else parts[0]
            found["/".join((first, *parts[1:]))] = path.read_bytes()
    if name == "plain":
        from zeroserve.config import example, file  # late: of the others nothing is needed

        found[file.NAME] = example.text().encode()
    return found
