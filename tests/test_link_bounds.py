"""Links that multiply, nest or grow: refused, or served as far as it goes, and always soon."""

import re
from pathlib import Path

import pytest
from support import sites
from support.refusal import either
from support.server import command, running
from support.tars import archive, entry, gnu_long, hardlink, header, padded, pax, symlink
from support.wire import fetch, within

GOOD = entry(b"x.html", b"x")
MAX_NAME_BYTES = 4096
LONG_PART = b"y" * 240

CHAIN = 30_000
DEEP = archive(
    GOOD,
    *(symlink(b"d%d/l" % n, b"../d%d" % (n + 1)) for n in range(CHAIN)),
    entry(b"d%d/f" % CHAIN, b"f"),
)
"""Each directory holds a link to the next one: deeper than any stack if followed by recursion."""


def long_name(number: int, part: bytes = LONG_PART) -> bytes:
    return b"/".join([b"%04d" % number + part] * 16)


def pax_symlink(name: bytes, target: bytes) -> bytes:
    return pax(path=name, linkpath=target) + symlink(b"short", b"short")


def doubling(levels: int) -> bytes:
    """Two links in each directory lead to the next one."""
    return b"".join(
        symlink(b"d%d/%s" % (n, side), b"../d%d" % (n + 1))
        for n in range(levels)
        for side in (b"a", b"b")
    )


BOUNDLESS = {
    "a deep chain": DEEP,
    "80 links that double with each level": archive(
        GOOD, doubling(40), symlink(b"d40/broken", b"nowhere")
    ),
    "a thousand links to a thousand long names": archive(
        GOOD,
        *(pax(path=b"d/" + long_name(n)) + entry(b"short", b"") for n in range(1000)),
        *(pax_symlink(long_name(n, b"z" * 240), b"../" * 15 + b"d") for n in range(1000)),
    ),
    "a link target of 500,000 parts": archive(GOOD, pax_symlink(b"l", b"a/" * 500_000 + b"a")),
    "the same as GNU tar writes it": archive(
        GOOD, gnu_long(b"a/" * 500_000 + b"a", kind=b"K"), symlink(b"l", b"short")
    ),
    "a link target of 30,000 parts": archive(GOOD, pax_symlink(b"l", b"a/" * 30_000 + b"a")),
}


@pytest.mark.parametrize("case", BOUNDLESS)
def test_opened_or_refused_soon(case: str, tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    path.write_bytes(BOUNDLESS[case])
    with within(12), either(path) as outcome:
        if outcome.server is None:
            assert re.search(r"entry '(d\d|\d{4}[yz]|l|short)", outcome.words), outcome.words
            return
        assert fetch(outcome.server.address, "/x.html").body == b"x"
        assert outcome.server.resident_bytes() < 600_000_000


@pytest.mark.parametrize("case", ["a deep chain", "80 links that double with each level"])
def test_on_reload_the_process_goes_on(case: str, tmp_path: Path) -> None:
    live, fresh = tmp_path / "site.tar", tmp_path / "next.tar"
    live.write_bytes(archive(GOOD))
    fresh.write_bytes(BOUNDLESS[case])
    with running(live, "--threads", "1", "--no-watch") as server:
        said = len(server.lines)
        sites.replace(live, fresh)
        server.hang_up()
        with within(10):
            server.wait_line("reloaded|refused", after=said)
        assert fetch(server.address, "/x.html").body == b"x"


def test_links_of_a_directory_that_double_with_each_level(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"x.html": b"x"})
    for n in range(31):
        (tree / f"d{n}").mkdir()
    for n in range(30):
        for side in "ab":
            (tree / f"d{n}" / side).symlink_to(f"../d{n + 1}")
    with within(12), either(tree) as outcome:
        if outcome.server is not None:
            assert fetch(outcome.server.address, "/x.html").body == b"x"
            assert fetch(outcome.server.address, "/d0/" + "a/" * 29).status in (200, 404)


def test_no_name_grows_beyond_its_bound(tmp_path: Path) -> None:
    """A name by way of twenty links would have 80,000 bytes."""
    links = (pax_symlink(b"d%d/" % n + b"n" * 4000, b"../d%d" % (n + 1)) for n in range(20))
    path = tmp_path / "site.tar"
    path.write_bytes(archive(GOOD, *links, entry(b"d20/f", b"x")))
    done = command("ls", path, timeout_s=20)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert max(map(len, done.stdout.splitlines() or [""])) < MAX_NAME_BYTES + 200
    if done.returncode == 0:
        assert "x.html" in done.stdout


# --- hidden names ---------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [b"..", b"../dir", b"/etc", b"nowhere", b"up"])
def test_a_hidden_link_is_nobodys_business(target: bytes, tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    path.write_bytes(archive(GOOD, entry(b"dir/a.txt", b"a"), symlink(b".hid/up", target)))
    with running(path, "--threads", "1") as server:
        assert fetch(server.address, "/x.html").body == b"x"
        assert fetch(server.address, "/dir/a.txt").body == b"a"
        for name in ("/.hid/up", "/.hid/up/", "/.hid/up/x.html", "/.hid/"):
            assert fetch(server.address, name).status == 404


@pytest.mark.parametrize(
    "link",
    [
        symlink(b".zeroserve/scripts/guard.o", b"nowhere"),
        symlink(b".zeroserve/scripts/guard.o", b"../../x.html"),
        hardlink(b".zeroserve/scripts/guard.o", b"x.html"),
        symlink(b".zeroserve/scripts", b"../dir"),
        symlink(b".zeroserve", b"dir"),
    ],
)
def test_a_link_among_the_scripts_is_refused(link: bytes, tmp_path: Path) -> None:
    """Not followed, it would be one script less, and perhaps that was the guard."""
    path = tmp_path / "site.tar"
    path.write_bytes(archive(GOOD, entry(b"dir/a.txt", b"a"), link))
    for done in (command(path, "--addr", "127.0.0.1:0"), command("check", path)):
        assert done.returncode == 1
        assert "is a link" in done.stdout + done.stderr


PAIRS = {
    "the hidden one first": entry(b".h", b"data") + hardlink(b"v.txt", b".h"),
    "the visible one first": entry(b"v.txt", b"data") + hardlink(b".h", b"v.txt"),
    "below a hidden directory": entry(b".h/f", b"data") + hardlink(b"v.txt", b".h/f"),
    "with its data once more": (
        entry(b".h", b"data") + header(b"v.txt", 4, kind=b"1", link=b".h") + padded(b"data")
    ),
}
"""Backup tools link files of one content to each other, whatever they are called."""


@pytest.mark.parametrize("case", PAIRS)
def test_hard_links_of_a_hidden_and_a_visible_name(case: str, tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    path.write_bytes(archive(GOOD, PAIRS[case]))
    if case == "with its data once more":
        with either(path):  # pax allows it, many readers do not: either is right
            return
    with running(path, "--threads", "1") as server:
        assert fetch(server.address, "/v.txt").body == b"data"
        for hidden in ("/.h", "/.h/f"):
            assert fetch(server.address, hidden).status == 404
