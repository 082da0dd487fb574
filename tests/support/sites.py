"""The trees of files that the tests serve, and the three forms a site comes in.

Every file has a known content, so a test can say what a response has to hold.
"""

import gzip
import io
import os
import random
import subprocess
import tarfile
from functools import cache
from pathlib import Path
from typing import Literal

import brotli
import zstandard

from support.server import command
from support.tars import MTIME

Kind = Literal["packed", "tar", "directory"]
KINDS: tuple[Kind, ...] = ("packed", "tar", "directory")

HELLO = b"hello, world!\n"
SCRIPT = b"// a script that compresses well\n" + b"export const answer = 42;\n" * 400
STYLE = b"/* a sheet */\n" + b"body { margin: 0; color: black }\n" * 300
NOT_FOUND_PAGE = b"<!doctype html><title>Nothing here</title><p>Nothing here.</p>\n"
INDEX_PAGE = b"<!doctype html><title>Start</title><p>Start.</p>\n"
TYPES = {
    "a.html": "text/html",
    "a.css": "text/css",
    "a.js": "text/javascript",
    "a.mjs": "text/javascript",
    "a.json": "application/json",
    "a.map": "application/json",
    "a.geojson": "application/geo+json",
    "a.webmanifest": "application/manifest+json",
    "a.wasm": "application/wasm",
    "a.woff2": "font/woff2",
    "a.webp": "image/webp",
    "a.avif": "image/avif",
    "a.svg": "image/svg+xml",
    "a.png": "image/png",
    "a.mp4": "video/mp4",
    "a.webm": "video/webm",
    "a.tif": "image/tiff",
    "a.md": "text/markdown",
    "a.parquet": "application/vnd.apache.parquet",
    "a.arrow": "application/vnd.apache.arrow.file",
    "a.pmtiles": "application/vnd.pmtiles",
    "a.pdf": "application/pdf",
    "a.xml": "application/xml text/xml",
    "a.txt": "text/plain",
    "UPPER.TXT": "text/plain",
    "noextension": "application/octet-stream",
}
"""File name in ``types/`` and the media types it may be served with."""


@cache
def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress, the same every time."""
    return random.Random(seed).randbytes(size)


def _files() -> dict[str, bytes]:
    files = {
        "index.html": INDEX_PAGE,
        "404.html": NOT_FOUND_PAGE,
        "hello.txt": HELLO,
        "empty.txt": b"",
        "one.bin": b"x",
        "data.bin": noise(100_000),
        "big.bin": noise(3_000_001, seed=2),
        "table.parquet": b"PAR1" + noise(40_000, seed=3) + b"PAR1",
        "app.js": SCRIPT,
        "app.js.br": brotli.compress(SCRIPT),
        "app.js.zst": zstandard.compress(SCRIPT),
        "app.js.gz": gzip.compress(SCRIPT, mtime=0),
        "style.css": STYLE,
        "style.css.gz": gzip.compress(STYLE, mtime=0),
        "lonely.html.gz": gzip.compress(b"<p>only compressed</p>", mtime=0),
        "about.html": b"<p>about</p>",
        "both.html": b"<p>file</p>",
        "both/index.html": b"<p>directory</p>",
        "docs/index.html": b"<p>docs</p>",
        "docs/guide.html": b"<p>guide</p>",
        "docs/deep/er/page.html": b"<p>deep</p>",
        "bare/file.txt": b"no index here\n",
        "sp ace/na me.txt": b"spaces\n",
        "ünï/grüße.txt": "Grüße\n".encode(),
        "odd/100%.txt": b"percent\n",
        "odd/a+b.txt": b"plus\n",
        "odd/q?m.txt": b"question mark\n",
        "odd/h#sh.txt": b"hash\n",
        "odd/semi;colon.txt": b"semicolon\n",
        "odd/back\\slash.txt": b"backslash\n",
        "odd/...": b"three dots in a name are a dot-file\n",
        "odd/dot.": b"a dot at the end\n",
        "evil/index.html": b"<p>not evil</p>",
        ".hidden": b"secret\n",
        ".git/config": b"secret\n",
        "docs/.env": b"secret\n",
        ".well-known/security.txt": b"Contact: mailto:a@example.test\n",
        ".well-known/.env": b"secret\n",
    }
    files.update({f"types/{name}": b"content of " + name.encode() for name in TYPES})
    return files


FILES = _files()
"""Path and content of every file of the common site."""

HIDDEN = tuple(
    name
    for name in FILES
    if any(part.startswith(".") and part != ".well-known" for part in name.split("/"))
)


def write_tree(root: Path, files: dict[str, bytes], *, mtime: int = MTIME) -> Path:
    """Write the files, each with that modification time; directories too."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (mtime, mtime))
    root.mkdir(exist_ok=True)
    for directory, _, _ in os.walk(root):
        os.utime(directory, (mtime, mtime))
    return root


def gnu_tar(tree: Path, to: Path, *options: str) -> Path:
    """What most people would do: ``tar cf``."""
    subprocess.run(["tar", "-C", str(tree), *options, "-cf", str(to), "."], check=True)
    return to


def python_tar(to: Path, files: dict[str, bytes], *, mtime: int = MTIME) -> Path:
    """A foreign tar straight from memory."""
    with tarfile.open(to, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), mtime
            tar.addfile(info, io.BytesIO(data))
    return to


def pack(tree: Path, to: Path, *options: str) -> Path:
    """``zeroserve pack TREE -o TO``."""
    done = command("pack", tree, "-o", to, *options, timeout_s=300)
    assert done.returncode == 0, done.stderr
    return to


def make(kind: Kind, directory: Path, files: dict[str, bytes] = FILES) -> Path:
    """The files as a packed archive, as a tar made by GNU tar, or as a directory."""
    tree = write_tree(directory / "tree", files)
    if kind == "directory":
        return tree
    if kind == "tar":
        return gnu_tar(tree, directory / "site.tar")
    return pack(tree, directory / "site.tar")


def replace(target: Path, source: Path) -> None:
    """Rename ``source`` over ``target``: the way to deploy."""
    source.replace(target)


def decode(coding: str | None, body: bytes) -> bytes:
    """The identity bytes of a body sent with that Content-Encoding."""
    if coding is None:
        return body
    if coding == "br":
        return bytes(brotli.decompress(body))
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    assert coding == "gzip", coding
    return gzip.decompress(body)
