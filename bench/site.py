"""The files that are served: five sizes of text for `compare`, a large tree for `startup`.

Contents depend only on the size and the name, so that results of two machines are about
the same bytes.
"""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VOCABULARY = (
    "archive asset body branch cache client column compile deploy entry etag event figure file "
    "frame gateway header index kernel layout library margin memory method module network page "
    "parser path picture range record request response route script section server signal size "
    "socket static stream style table target thread token upstream value variant worker"
)
WORDS = VOCABULARY.split()


@dataclass(frozen=True)
class Size:
    """One measured file: `label` for people, `name` in the URL, `length` in bytes.

    With a `body`, it is no file but an answer that is computed.
    """

    label: str
    name: str
    length: int
    body: bytes | None = None
    # What Content-Type has to begin with.
    media: str = ""
    # How it is asked for: http, https, h2 (HTTP/2 over TLS), handshake (a connection for each) or
    # upload (the bytes are sent, not received).
    over: str = "http"
    # Connections kept open for it, 0 for as many as asked for on the command line.
    connections: int = 0

    @property
    def is_encrypted(self) -> bool:
        """Whether it is asked for over TLS."""
        return self.over in ("https", "h2", "handshake")


SIZES = (
    Size("174 B", "174.txt", 174),
    Size("1 KiB", "1k.txt", 1024),
    Size("10 KiB", "10k.txt", 10 * 1024),
    Size("100 KiB", "100k.txt", 100 * 1024),
    Size("1 MiB", "1m.txt", 1024 * 1024),
)
SMALLEST = SIZES[0]
KIB10 = SIZES[2]


def size_of(word: str) -> Size | None:
    """The size a person names on the command line: `174`, `1k`, `10k`, `100k` or `1m`."""
    return next((size for size in SIZES if size.name == f"{word.lower()}.txt"), None)


def contents(size: Size) -> bytes:
    """Pseudo-random words, wrapped into lines: text like a page, the same on every machine."""
    return _words(size.length) if size.body is None else size.body


# Kept, since every server is checked against it in every round.
@functools.lru_cache(maxsize=16)
def _words(length: int) -> bytes:
    rng = random.Random(length)
    text = bytearray()
    while len(text) < length:
        text += " ".join(rng.choices(WORDS, k=12)).encode() + b"\n"
    return bytes(text[:length])


def write_site(root: Path, sizes: tuple[Size, ...]) -> None:
    """Write the files of `sizes` into `root`, readable to servers that drop root."""
    root.mkdir(mode=0o755)
    for size in sizes:
        (root / size.name).write_bytes(contents(size))


ENTRIES_PER_DIRECTORY = 1000


def tree_entries(count: int) -> Iterator[tuple[str, bytes]]:
    """`count` (path, contents) pairs: names of about 30 bytes, contents of about 200.

    A thousand to a directory, like a site with a section per month or per package.
    """
    for number in range(count):
        digest = hashlib.blake2b(str(number).encode(), digest_size=32).hexdigest()
        word = WORDS[number % len(WORDS)]
        path = f"pages/{number // ENTRIES_PER_DIRECTORY:04d}/{word}-{digest[:8]}.html"
        yield path, (f"<!doctype html><title>{word} {number}</title>\n" + digest * 3)[:200].encode()


def write_tree(root: Path, count: int) -> tuple[str, bytes]:
    """Write `count` small files under `root`; returns path and contents of the last one."""
    directory = root
    last = ("", b"")
    for path, body in tree_entries(count):
        target = root / path
        if target.parent != directory:
            directory = target.parent
            directory.mkdir(parents=True)
        target.write_bytes(body)
        last = (path, body)
    return last
