"""Tars made to mislead or to break: refused at start with the entry and the place named.

The same bytes offered to a running server are refused as well, and the old site goes on.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import sites, tars
from support.refusal import either, names, refused
from support.server import command, running
from support.tars import BLOCK, archive, entry, gnu_long, header, pax, pax_raw, pax_record
from support.wire import fetch

FIRST = entry(b"first.txt", b"first")
"""A good entry in front, so that offset 0 is never the right answer by accident."""
AT = len(FIRST)
"""Where the entry behind it begins."""


@dataclass(frozen=True)
class Hostile:
    """A tar, the entry to be named, and where its headers are."""

    data: bytes
    name: str
    offsets: tuple[int, ...] = (AT,)


def after(*parts: bytes) -> bytes:
    """``FIRST`` and then these."""
    return archive(FIRST, *parts)


INNER = archive(entry(b"inner.txt", b"smuggled"))
LONG = b"x" * 100_000

HOSTILE = {
    # --- cut short -----------------------------------------------------------------------
    "header cut": Hostile(FIRST + header(b"bad.txt", 5)[:300], "", (AT, AT + 300)),
    "data missing": Hostile(FIRST + header(b"bad.txt", 5), "bad.txt", (AT, AT + BLOCK)),
    "data cut": Hostile(FIRST + header(b"bad.txt", 2000) + b"a" * 999, "bad.txt"),
    "padding cut": Hostile(FIRST + header(b"bad.txt", 5) + b"hel", "bad.txt"),
    "long name cut": Hostile(FIRST + gnu_long(b"bad")[: BLOCK + 2], "", (AT, AT + BLOCK)),
    "nothing follows a long name": Hostile(after(gnu_long(b"bad")), "", (AT, AT + 1024)),
    "nothing follows an extended header": Hostile(after(pax(path="bad")), "", (AT, AT + 1024)),
    # --- sizes ---------------------------------------------------------------------------
    "size past the end": Hostile(after(header(b"bad.txt", 1 << 20)), "bad.txt"),
    "size of 8 GiB less one": Hostile(after(header(b"bad.txt", (1 << 33) - 1)), "bad.txt"),
    "huge base-256 size": Hostile(after(header(b"bad.txt", tars.base256(1 << 62))), "bad.txt"),
    "base-256 beyond 64 bits": Hostile(
        after(header(b"bad.txt", b"\x80" + b"\x7f" * 11)), "bad.txt"
    ),
    "base-256 that wraps to the start": Hostile(
        after(header(b"bad.txt", tars.base256((1 << 64) - 1024))), "bad.txt"
    ),
    "negative base-256 size": Hostile(after(header(b"bad.txt", tars.base256(-512))), "bad.txt"),
    "size is no number": Hostile(after(header(b"bad.txt", b"12345abc\0")), "bad.txt"),
    "size is negative text": Hostile(after(header(b"bad.txt", b"-1\0")), "bad.txt"),
    "huge PAX size": Hostile(
        after(pax(size="9" * 30), entry(b"bad.txt", b"x")), "", (AT, AT + 1024)
    ),
    "PAX size past the end": Hostile(
        after(pax(size="99999"), entry(b"bad.txt", b"x")), "bad.txt", (AT, AT + 1024)
    ),
    "negative PAX size": Hostile(
        after(pax(size="-512"), entry(b"bad.txt", b"x")), "", (AT, AT + 1024)
    ),
    "PAX size is no number": Hostile(
        after(pax(size="1e3"), entry(b"bad.txt", b"x")), "", (AT, AT + 1024)
    ),
    # --- two readings of one archive -------------------------------------------------------
    "PAX size hides a second archive": Hostile(
        after(pax(size=str(len(INNER))), header(b"bad.txt", 0), INNER), "bad.txt", (AT, AT + 1024)
    ),
    "PAX size of zero reveals one": Hostile(
        after(pax(size="0"), header(b"bad.txt", len(INNER)), INNER), "bad.txt", (AT, AT + 1024)
    ),
    "global PAX size": Hostile(
        after(pax_raw(pax_record(b"size", b"0"), kind=b"g"), entry(b"bad.txt", b"x" * 600)),
        "",
        (AT, AT + 1024),
    ),
    "a directory with data": Hostile(
        after(header(b"bad/", len(INNER), kind=b"5"), INNER), "bad", (AT,)
    ),
    "a symbolic link with data": Hostile(
        after(header(b"bad", len(INNER), kind=b"2", link=b"first.txt"), INNER), "bad", (AT,)
    ),
    "wrong checksum": Hostile(after(header(b"bad.txt", checksum=1)), "", (AT,)),
    "checksum is no number": Hostile(
        after(header(b"bad.txt")[:148] + b"zzzzzz\0 " + header(b"bad.txt")[156:]), "", (AT,)
    ),
    # --- PAX records -------------------------------------------------------------------------
    "record longer than its header": Hostile(
        after(pax_raw(b"99 path=bad\n"), entry(b"a", b"x")), "", (AT, AT + BLOCK, AT + 1024)
    ),
    "record shorter than its text": Hostile(
        after(pax_raw(b"9 path=bad\n"), entry(b"a", b"x")), "", (AT, AT + BLOCK, AT + 1024)
    ),
    "record of length zero": Hostile(
        after(pax_raw(b"0 path=bad\n"), entry(b"a", b"x")), "", (AT, AT + BLOCK, AT + 1024)
    ),
    "record without a length": Hostile(
        after(pax_raw(b"path=bad\n"), entry(b"a", b"x")), "", (AT, AT + BLOCK, AT + 1024)
    ),
    "record of a huge length": Hostile(
        after(pax_raw(b"9" * 30 + b" path=bad\n"), entry(b"a", b"x")),
        "",
        (AT, AT + BLOCK, AT + 1024),
    ),
    "record without an equals sign": Hostile(
        after(pax_raw(b"13 pathisbad\n"), entry(b"a", b"x")),
        "",
        (AT, AT + BLOCK, AT + 1024),
    ),
    "record without a line end": Hostile(
        after(pax_raw(b"12 path=badx"), entry(b"a", b"x")), "", (AT, AT + BLOCK, AT + 1024)
    ),
    # --- names --------------------------------------------------------------------------------
    "parent": Hostile(after(entry(b"../bad.txt", b"x")), "../bad.txt"),
    "parent inside": Hostile(after(entry(b"a/../../bad.txt", b"x")), "a/../../bad.txt"),
    "parent of a directory": Hostile(after(entry(b"a/..", kind=b"5")), "a/.."),
    "absolute": Hostile(after(entry(b"/etc/bad.txt", b"x")), "/etc/bad.txt"),
    "parent in PAX": Hostile(
        after(pax(path="../bad.txt"), entry(b"a", b"x")), "../bad.txt", (AT, AT + 1024)
    ),
    "absolute in PAX": Hostile(
        after(pax(path="/bad.txt"), entry(b"a", b"x")), "/bad.txt", (AT, AT + 1024)
    ),
    "parent in a long name": Hostile(
        after(gnu_long(b"../bad.txt"), entry(b"a", b"x")), "../bad.txt", (AT, AT + 1024)
    ),
    "parent in a prefix": Hostile(after(header(b"bad.txt", 0, prefix=b"..")), "../bad.txt", (AT,)),
    "NUL in PAX": Hostile(after(pax(path=b"bad\0.txt"), entry(b"a", b"x")), "", (AT, AT + 1024)),
    "invalid UTF-8": Hostile(after(entry(b"bad\xff\xfe.txt", b"x")), "bad", (AT,)),
    "invalid UTF-8 in PAX": Hostile(
        after(pax(path=b"bad\xc3(.txt"), entry(b"a", b"x")), "bad", (AT, AT + 1024)
    ),
    "overlong UTF-8": Hostile(after(entry(b"bad\xc0\xae\xc0\xae/x", b"x")), "bad", (AT,)),
    "huge name in PAX": Hostile(
        after(pax(path=LONG), entry(b"a", b"x")), "", (AT, AT + BLOCK, AT + BLOCK + 100_352)
    ),
    "huge long name": Hostile(
        after(gnu_long(LONG), entry(b"a", b"x")), "", (AT, AT + BLOCK, AT + BLOCK + 100_352)
    ),
    "empty name": Hostile(after(entry(b"", b"x")), "", (AT,)),
    # --- names twice -----------------------------------------------------------------------------
    "same name": Hostile(
        after(entry(b"bad.txt", b"x"), entry(b"bad.txt", b"y")), "bad.txt", (AT, AT + 1024)
    ),
    "same after normalisation": Hostile(
        after(entry(b"bad.txt", b"x"), entry(b"./bad.txt", b"y")), "bad.txt", (AT, AT + 1024)
    ),
    "same with slashes": Hostile(
        after(entry(b"d/bad.txt", b"x"), entry(b"d//./bad.txt", b"y")), "bad.txt", (AT, AT + 1024)
    ),
    "same by PAX": Hostile(
        after(entry(b"bad.txt", b"x"), pax(path="bad.txt"), entry(b"b", b"y")),
        "bad.txt",
        (AT, AT + 1024, AT + 2048),
    ),
    "link and file": Hostile(
        after(tars.symlink(b"bad.txt", b"first.txt"), entry(b"bad.txt", b"y")),
        "bad.txt",
        (AT, AT + BLOCK),
    ),
    # --- links --------------------------------------------------------------------------------
    "link to itself": Hostile(after(tars.symlink(b"bad", b"bad")), "bad"),
    "two links in a circle": Hostile(
        after(tars.symlink(b"bad1", b"bad2"), tars.symlink(b"bad2", b"bad1")),
        "bad",
        (AT, AT + BLOCK),
    ),
    "hard links in a circle": Hostile(
        after(tars.hardlink(b"bad1", b"bad2"), tars.hardlink(b"bad2", b"bad1")),
        "bad",
        (AT, AT + BLOCK),
    ),
    # --- kinds --------------------------------------------------------------------------------
    "character device": Hostile(after(entry(b"bad", kind=b"3")), "bad"),
    "block device": Hostile(after(entry(b"bad", kind=b"4")), "bad"),
    "named pipe": Hostile(after(entry(b"bad", kind=b"6")), "bad"),
    "multi-volume": Hostile(after(entry(b"bad", b"x", kind=b"M")), "bad"),
    "old GNU sparse": Hostile(after(entry(b"bad", b"x" * 600, kind=b"S")), "bad"),
    "PAX sparse 1.0": Hostile(
        after(
            pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_name="bad"),
            entry(b"GNUSparseFile.0/bad", b"1\n0\n1\n" + bytes(507) + b"x"),
        ),
        "bad",
        (AT, AT + 1024),
    ),
    "PAX sparse 0.1": Hostile(
        after(pax(GNU_sparse_map="0,1", GNU_sparse_size="1"), entry(b"bad", b"x")),
        "bad",
        (AT, AT + 1024),
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_refused_at_start(case: str, tmp_path: Path) -> None:
    hostile = HOSTILE[case]
    path = tmp_path / "site.tar"
    path.write_bytes(hostile.data)
    stderr = refused(path)
    assert "site.tar" in stderr
    names(stderr, hostile.name, *hostile.offsets)


@pytest.mark.parametrize("case", HOSTILE)
def test_check_finds_it(case: str, tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    path.write_bytes(HOSTILE[case].data)
    done = command("check", path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


NO_TAR = {
    "an empty file": b"",
    "text": b"this is no archive\n" * 100,
    "a short file": b"x",
    "gzip": b"\x1f\x8b\x08\0" + sites.noise(5000),
    "noise": sites.noise(10_240),
    "zip": b"PK\x03\x04" + bytes(600),
}


@pytest.mark.parametrize("case", NO_TAR)
def test_no_tar(case: str, tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    path.write_bytes(NO_TAR[case])
    assert "site.tar" in refused(path)


def test_no_such_file(tmp_path: Path) -> None:
    assert "missing.tar" in refused(tmp_path / "missing.tar")


def test_neither_file_nor_directory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    assert "pipe.tar" in refused(tmp_path / "pipe.tar")
    refused(Path("/dev/null"))


def test_sparse_by_gnu_tar(tmp_path: Path) -> None:
    """As the real tool writes them."""
    with (tmp_path / "holes.bin").open("wb") as file:
        file.seek(3_000_000)
        file.write(b"end")
    for form in ("gnu", "posix"):
        path = tmp_path / "site.tar"
        options = ["tar", f"--format={form}", "-S", "-C", str(tmp_path), "-cf", str(path)]
        subprocess.run([*options, "holes.bin"], check=True)
        names(refused(path), "holes.bin", 0, 1024, 1536, 2048)


def test_all_hostile_archives_are_refused_on_reload(tmp_path: Path) -> None:
    """The old site goes on, and the log says why."""
    live = tmp_path / "site.tar"
    live.write_bytes(archive(entry(b"good.txt", b"good")))
    with running(live, "--threads", "1", "--no-watch") as server:
        for case, hostile in HOSTILE.items():
            said = len(server.lines)
            fresh = tmp_path / "next.tar"
            fresh.write_bytes(hostile.data)
            sites.replace(live, fresh)
            server.hang_up()
            server.wait_line("refused", after=said, timeout_s=5)
            response = fetch(server.address, "/good.txt")
            assert (response.status, response.body) == (200, b"good"), case
        live.write_bytes(archive(entry(b"good.txt", b"better")))


def test_directory_without_read_permission(tmp_path: Path) -> None:
    """``lost+found`` and its like: the rest is served, and what is missing is named.

    Root reads everything, so the child runs without its capabilities.
    """
    tree = sites.write_tree(tmp_path / "tree", {"a.txt": b"a", "closed/b.txt": b"b"})
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    closed = tree / "closed"
    closed.chmod(0)
    try:
        with running(tree, "--threads", "1", argv=drop) as server:
            server.wait_line("warning: .*closed")
            assert fetch(server.address, "/a.txt").body == b"a"
            assert fetch(server.address, "/closed/b.txt").status == 404
    finally:
        closed.chmod(0o755)
    tree.chmod(0)
    try:
        assert str(tree) in refused(tree, argv=drop)
    finally:
        tree.chmod(0o755)


MAY_DO_EITHER = {
    "a name of 300 bytes": archive(pax(path="n" * 300), entry(b"a", b"x")),
    "a file that is a directory too": archive(entry(b"a", b"x"), entry(b"a/b", b"y")),
    "a directory that is a file too": archive(entry(b"a/b", b"y"), entry(b"a", b"x")),
    "NUL inside a ustar name": archive(entry(b"a\0b.txt", b"x")),
    "control characters": archive(entry(b"a\r\nSet-Cookie: x=y\x1b[31m", b"x")),
    "unknown kind": archive(entry(b"a", b"x", kind=b"Z")),
    "two extended headers": archive(pax(path="a"), pax(path="b"), entry(b"c", b"x")),
    "extended header, long name, file": archive(
        pax(mtime="1.5"), gnu_long(b"long"), entry(b"c", b"x")
    ),
    "extended size before a long name": archive(
        pax(size="1"), gnu_long(b"long"), entry(b"c", b"x")
    ),
    "negative time": archive(header(b"a.txt", 0, mtime=tars.base256(-1_000_000))),
    "far time": archive(header(b"a.txt", 0, mtime=tars.base256(1 << 60))),
    "odd PAX time": archive(pax(mtime="-1.9999999999999"), entry(b"a.txt", b"x")),
    "PAX time beyond all": archive(pax(mtime="9" * 40), entry(b"a.txt", b"x")),
    "one zero block in the middle": archive(FIRST, bytes(BLOCK), entry(b"b.txt", b"x")),
    "rubbish after the end": archive(FIRST) + sites.noise(5000),
    "no end": FIRST,
    "half an end": FIRST + bytes(BLOCK),
    "only an end": tars.END,
}


@pytest.mark.parametrize("case", MAY_DO_EITHER)
def test_refused_or_served_without_harm(case: str, tmp_path: Path) -> None:
    """Where readers disagree either is right, as long as nobody crashes or splits a field."""
    path = tmp_path / "site.tar"
    path.write_bytes(MAY_DO_EITHER[case])
    with either(path) as outcome:
        if outcome.server is None:
            return
        assert all(line.isprintable() for line in outcome.server.lines)
        for target in ("/", "/a", "/a/", "/a.txt", "/b.txt", "/first.txt", "/" + "n" * 300):
            response = fetch(outcome.server.address, target)
            assert response.status in (200, 301, 404)
            assert response.header("set-cookie") is None
