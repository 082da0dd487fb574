"""Says what is being done: one line that changes on a terminal, otherwise nothing but notes."""

from __future__ import annotations

import shutil
import sys

NOTES = ("skipped",)


class Progress:
    """`tell` replaces the line; nothing runs in the background, where it would be measured."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = ""

    def tell(self, text: str) -> None:
        """Show `text`; a note stays, and elsewhere than on a terminal each round is one line."""
        if text.startswith(NOTES):
            self.clear()
            print(text, file=sys.stderr, flush=True)
        elif self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{text[:width]}", end="", file=sys.stderr, flush=True)
        elif text.partition(":")[0] != self._told:
            self._told = text.partition(":")[0]
            print(self._told, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
