"""Files that are read line by line: their words with places, and what is wrong with them."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from zeroserve._core import Error

MAX_LINE_CHARS = 4000
"""What the hosts that have these files allow, and as much again."""

MAX_RULES = 100_000
"""Of one file."""

MAX_FILE_BYTES = 32 << 20
"""More than ``MAX_RULES`` lines have that a person can read."""

MAX_MISTAKES = 50
"""More are not told: who has made so many reads the file again."""

WORD = re.compile(r"[^ \t]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Mistake(NamedTuple):
    """One thing that is wrong. Lines and columns count from 1."""

    line: int
    column: int
    message: str
    hint: str | None
    source: str
    """The line, without its end."""


class Word(NamedTuple):
    """A word of a line."""

    text: str
    at: int
    """Characters before it."""


class Lines:
    """A file, line by line."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        """Of the file inside of the site."""
        self.mistakes: list[Mistake] = []
        self.notes: list[Mistake] = []
        """What is no mistake, but perhaps not meant."""
        self._data = data
        self.number = 0
        """Of the line that is being read."""
        self.text = ""

    def __iter__(self) -> Iterator[str]:
        """The lines that can be read, without blanks at their ends."""
        if len(self._data) > MAX_FILE_BYTES:
            self.add(0, f"more than {MAX_FILE_BYTES >> 20} MiB")
            return
        for number, line in enumerate(self._data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
            self.number = number
            try:
                self.text = line.decode().removesuffix("\r").rstrip(" \t")
            except UnicodeDecodeError as error:
                self.text = line.decode("utf-8", "replace")
                before = line[: error.start].decode("utf-8", "replace")
                self.add(len(before), "not UTF-8", "save the file as UTF-8")
                continue
            control = CONTROL.search(self.text)
            if len(self.text) > MAX_LINE_CHARS:
                self.add(MAX_LINE_CHARS, f"a line of more than {MAX_LINE_CHARS:,} characters")
            elif control is not None:
                self.add(control.start(), "a control character")
            else:
                yield self.text

    def words(self) -> list[Word]:
        """What blanks divide, up to a comment."""
        words: list[Word] = []
        for found in WORD.finditer(self.text):
            # From the third word on: /b#frag and even /a #b are paths.
            if found[0].startswith("#") and (not words or len(words) >= 2):
                break
            words.append(Word(found[0], found.start()))
        return words

    def add(self, at: int, message: str, hint: str | None = None) -> None:
        """Something is wrong behind so many characters of the line."""
        if len(self.mistakes) < MAX_MISTAKES:
            self.mistakes.append(Mistake(self.number, at + 1, message, hint, self.text[:200]))

    def note(self, at: int, message: str, hint: str | None = None) -> None:
        """As ``add``, of what is no mistake."""
        if len(self.notes) < MAX_MISTAKES:
            self.notes.append(Mistake(self.number, at + 1, message, hint, self.text[:200]))


def nearest(word: str, known: Iterable[str], what: str) -> str:
    """A hint: the word that was probably meant, or all that there are."""
    import difflib  # late: only mistakes pay for it

    names = list(known)
    close = difflib.get_close_matches(word.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if close:
        return "did you mean " + next(n for n in names if n.lower() == close[0]) + "?"
    return f"{what}: {', '.join(names)}"


def refusal(found: Iterable[tuple[str, Mistake]]) -> Error:
    """All mistakes as one error; each with the path of its file."""
    from zeroserve.compiler.diagnostics import CompileError, Diagnostic

    return CompileError(
        [
            Diagnostic(path, one.line, one.column, one.message, one.hint, one.source)
            for path, one in found
        ]
    )
