"""Lines of source files that lie beside scripts, for commands that show them."""

import os

from zeroserve import sdk
from zeroserve.words import printable

SUFFIXES = (".c", ".h", ".py")


class Sources:
    """Source files of some directories, read when they are asked for."""

    def __init__(self, *directories: str) -> None:
        self._directories = directories
        self._files: dict[str, list[str]] = {}

    def text(self, file: str, line: int) -> str:
        """A source line without its indentation; empty when it can't be had."""
        if file not in self._files:
            self._files[file] = self._read(file)
        lines = self._files[file]
        return printable(lines[line - 1].strip()) if 0 < line <= len(lines) else ""

    def _read(self, name: str) -> list[str]:
        if name == sdk.HEADER_NAME:
            return sdk.header().splitlines()
        if not name.endswith(SUFFIXES):
            return []
        for directory in self._directories:
            # A name out of an object leads nowhere but to the files beside it.
            path = os.path.join(directory, os.path.basename(name))  # noqa: PTH118, PTH119
            if not os.path.isfile(path):  # noqa: PTH113
                continue
            try:
                with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                    return file.read().splitlines()
            except OSError:
                continue
        return []
