"""What a refused archive looks like to the person who started the server."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.server import Server, no_traceback, wait_until

ANSWER_TIMEOUT_S = 20.0
MAX_LINE_LENGTH = 1000
"""No name, however long, may flood a terminal or a log."""


@dataclass
class Outcome:
    """Either a server, or the words of the refusal."""

    server: Server | None
    words: str = ""


@contextmanager
def either(site: Path, *, argv: Sequence[str] = ()) -> Iterator[Outcome]:
    """Start a server of the site; it listens, or refuses in form with exit 1."""
    server = Server([site, "--addr", "127.0.0.1:0", "--threads", "1"], argv=argv)
    try:
        wait_until(lambda: not server.alive() or "listening on" in server.stderr, ANSWER_TIMEOUT_S)
        if server.alive():
            server.wait_listening()
            yield Outcome(server)
            assert server.alive(), server.stderr
        else:
            assert server.wait() == 1, (server.process.returncode, server.stderr)
            check_form(server.lines)
            yield Outcome(None, server.stderr)
        no_traceback(server.stderr)
    finally:
        server.kill()


def check_form(lines: Sequence[str]) -> None:
    """One line, and perhaps a hint: short, printable, no traceback."""
    assert 1 <= len(lines) <= 2, lines
    for line in lines:
        assert len(line) <= MAX_LINE_LENGTH, line
        assert line.isprintable(), ascii(line)
    assert len(lines) == 1 or lines[1].lstrip().startswith("hint:"), lines


def refused(site: Path, *, argv: Sequence[str] = ()) -> str:
    """The words with which the site is refused."""
    with either(site, argv=argv) as outcome:
        assert outcome.server is None, f"{site} is served"
        return outcome.words


def names(stderr: str, entry: str, *offsets: int) -> None:
    """The message names the entry and one of these byte offsets."""
    assert entry in stderr, (entry, stderr)
    numbers = {int(digits) for digits in re.findall(r"\d+", stderr.replace(",", ""))}
    assert numbers & set(offsets), (offsets, stderr)
