"""Files that commands write for people to edit: all of them or none, and never over others."""

import os
from collections.abc import Mapping
from pathlib import Path

from zeroserve._core import Error
from zeroserve.words import plural, quoted, reason

SHOWN = 5
"""Names in a message."""

UNSEEN = frozenset({".git", ".gitignore", ".hg"})
"""What a directory may have and be called empty."""


def write_new(place: str, files: Mapping[str, bytes], *, empty: bool) -> None:
    """Write files below a directory, which is made if it is missing.

    With ``empty`` the directory has to be; otherwise only the files must not be there yet. Raises
    ``Error`` that names what is in the way. When something fails, what was written is removed.
    """
    root = Path(place)
    in_the_way = (
        _present(root) if empty else [name for name in files if os.path.lexists(root / name)]
    )
    if in_the_way:
        names = ", ".join(map(quoted, in_the_way[:SHOWN]))
        more = len(in_the_way) - SHOWN
        what = f"in {quoted(place)} there is already" if empty else f"already in {quoted(place)}"
        raise Error(
            f"{what}: {names}" + (f" and {plural(more, 'more', 'more')}" if more > 0 else ""),
            "name another directory" if empty else "move them away, or use --stdout",
        )
    made: list[Path] = []
    try:
        for name, data in files.items():
            _make_directories((root / name).parent, made)
            _write(root / name, data, made)
    except BaseException as error:
        for path in reversed(made):
            _remove(path)
        if isinstance(error, OSError):
            raise Error(f"can't write to {quoted(place)}: {reason(error)}") from None
        raise


def _present(root: Path) -> list[str]:
    try:
        return sorted(path.name for path in root.iterdir() if path.name not in UNSEEN)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Error(f"can't read {quoted(str(root))}: {reason(error)}") from None


def _make_directories(path: Path, made: list[Path]) -> None:
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for one in reversed(missing):
        one.mkdir()
        made.append(one)


def _write(path: Path, data: bytes, made: list[Path]) -> None:
    with path.open("xb") as file:  # somebody may have been quicker
        made.append(path)
        file.write(data)


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    except OSError:
        pass  # the error that led here says more
