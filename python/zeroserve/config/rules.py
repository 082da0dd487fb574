"""The rules of a site: its files read, and the script that they become."""

import os
from collections.abc import Callable
from typing import NamedTuple

from zeroserve._core import Error
from zeroserve.config import headers, redirects
from zeroserve.config.lines import Lines, Mistake, refusal
from zeroserve.config.model import Block, Dialect, Rule, Rules
from zeroserve.words import quoted, reason

FILES = (redirects.NAME, headers.NAME)
"""At the root of a site; they are never served."""


class Reading(NamedTuple):
    """What the files of a site say, and what is wrong with them."""

    rules: Rules
    lines: tuple[Lines, ...]

    @property
    def mistakes(self) -> list[tuple[str, Mistake]]:
        """With the name of the file."""
        return [(lines.name, one) for lines in self.lines for one in lines.mistakes]

    @property
    def notes(self) -> list[tuple[str, Mistake]]:
        """As ``mistakes``, of what is none, but perhaps not meant."""
        return [(lines.name, one) for lines in self.lines for one in lines.notes]


def read(content: Callable[[str], bytes | None], dialect: Dialect = "cloudflare") -> Reading:
    """Read the files; ``content`` gives that of one, None where there is none."""
    files: list[str] = []
    lines: list[Lines] = []
    rules: list[Rule] = []
    blocks: list[Block] = []
    data = content(redirects.NAME)
    if data is not None:
        rules, found = redirects.read(data, dialect)
        lines.append(found)
        files.append(redirects.NAME)
    data = content(headers.NAME)
    if data is not None:
        blocks, found = headers.read(data, dialect)
        lines.append(found)
        files.append(headers.NAME)
    return Reading(Rules(dialect, tuple(rules), tuple(blocks), tuple(files)), tuple(lines))


def of_directory(site: str, dialect: Dialect = "cloudflare") -> Rules:
    """What the files of a directory say; raises ``Error`` with all that is wrong with them."""
    reading = read(lambda name: bytes_of(os.path.join(site, name)), dialect)  # noqa: PTH118
    if reading.mistakes:
        raise refusal((os.path.join(site, name), one) for name, one in reading.mistakes)  # noqa: PTH118
    return reading.rules


def bytes_of(path: str) -> bytes | None:
    """The content of a file; None without one. Raises ``Error`` for one that can't be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Error(f"can't read {quoted(path)}: {reason(error)}") from None
