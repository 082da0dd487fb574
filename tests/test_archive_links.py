"""Hard and symbolic links: followed inside the archive, left out when they lead elsewhere."""

from pathlib import Path

import pytest
from support import sites
from support.refusal import either
from support.server import command, running
from support.tars import archive, entry, gnu_long, hardlink, pax, symlink
from support.wire import fetch, within

DEEP = b"/".join([b"d" * 60] * 4)

INSIDE = archive(
    entry(b"a.txt", b"target\n"),
    entry(b"dir/index.html", b"<p>in dir</p>"),
    entry(b"dir/b.txt", b"b\n"),
    symlink(b"plain", b"a.txt"),
    symlink(b"dotted", b"./dir/./../a.txt"),
    symlink(b"dir/up", b"../a.txt"),
    symlink(b"dir/down.txt", b"b.txt"),
    symlink(b"todir", b"dir"),
    symlink(b"todirslash", b"dir/"),
    symlink(b"through", b"todir/b.txt"),
    symlink(b"chain1", b"chain2"),
    symlink(b"chain2", b"chain3"),
    symlink(b"chain3", b"plain"),
    symlink(b"sub/back", b"../dir"),
    hardlink(b"hard", b"a.txt"),
    hardlink(b"hardhard", b"hard"),
    hardlink(b"hard.dotted", b"./a.txt"),
    symlink(b"tohard", b"hard"),
    symlink(b"index.html", b"dir/index.html"),
    symlink(b"late", b"behind.txt"),
    entry(b"behind.txt", b"behind\n"),
    pax(path=b"long/" + DEEP, linkpath="../" * 4 + "a.txt"),
    symlink(b"x", b"x"),
    gnu_long(b"behind.txt", kind=b"K"),
    symlink(b"bylong", b"ignored"),
)

SERVED = {
    "plain": b"target\n",
    "dotted": b"target\n",
    "dir/up": b"target\n",
    "dir/down.txt": b"b\n",
    "todir/b.txt": b"b\n",
    "todir/": b"<p>in dir</p>",
    "todirslash/b.txt": b"b\n",
    "through": b"b\n",
    "chain1": b"target\n",
    "sub/back/b.txt": b"b\n",
    "hard": b"target\n",
    "hardhard": b"target\n",
    "hard.dotted": b"target\n",
    "tohard": b"target\n",
    "": b"<p>in dir</p>",
    "late": b"behind\n",
    "long/" + DEEP.decode(): b"target\n",
    "bylong": b"behind\n",
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("links") / "site.tar"
    path.write_bytes(INSIDE)
    return path


def test_links_inside_serve_their_targets(inside: Path) -> None:
    with running(inside, "--threads", "1") as server:
        for name, content in SERVED.items():
            response = fetch(server.address, "/" + name)
            assert (name, response.status, response.body) == (name, 200, content)
        assert fetch(server.address, "/todir?a").need("location").endswith("/todir/?a")


ENDLESS = {
    "a directory that holds itself": symlink(b"dir/self", b"."),
    "a directory that holds its parent": symlink(b"dir/up", b".."),
    "two that hold each other": symlink(b"dir/e", b"../e") + symlink(b"e/dir", b"../dir"),
    "a chain longer than any system follows": b"".join(
        symlink(b"l%d" % n, b"l%d" % (n + 1)) for n in range(1000)
    )
    + entry(b"l1000", b"b\n"),
    "links that double with each level": b"".join(
        symlink(b"d%d/%s" % (n, side), b"../d%d" % (n + 1))
        for n in range(40)
        for side in (b"a", b"b")
    )
    + entry(b"d40/b.txt", b"b\n"),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_endless_paths_cost_nothing(case: str, tmp_path: Path) -> None:
    """Refused, or served as far as it goes: never without bound in time or memory."""
    path = tmp_path / "site.tar"
    path.write_bytes(archive(entry(b"dir/b.txt", b"b\n"), ENDLESS[case]))
    with within(10), either(path) as outcome:
        if outcome.server is None:
            return
        targets = ["/dir/" + "self/" * depth + "b.txt" for depth in (1, 5, 2000)]
        targets += ["/" + "dir/up/" * 9 + "dir/b.txt", "/d0/" + "a/b/" * 20 + "b.txt", "/l0"]
        for target in targets:
            response = fetch(outcome.server.address, target)
            assert response.status in (200, 404)
            assert response.status == 404 or response.body == b"b\n"
        assert fetch(outcome.server.address, "/dir/b.txt").body == b"b\n"
        assert outcome.server.resident_bytes() < 300_000_000


def test_validators_are_those_of_the_target(inside: Path) -> None:
    with running(inside, "--threads", "1") as server:
        tags = {
            fetch(server.address, f"/{name}").need("etag") for name in ("a.txt", "plain", "hard")
        }
        assert len(tags) == 1


def test_the_type_is_that_of_the_name_asked_for(tmp_path: Path) -> None:
    """``latest.html -> v1`` is a page: the name in the URL is what the site means."""
    path = tmp_path / "site.tar"
    path.write_bytes(archive(entry(b"v1", b"<p>"), symlink(b"latest.html", b"v1")))
    with running(path, "--threads", "1") as server:
        assert fetch(server.address, "/latest.html").media_type == "text/html"


OUTSIDE = {
    "absolute": symlink(b"bad", b"/etc/passwd"),
    "parent": symlink(b"bad", b"../outside.txt"),
    "parent in between": symlink(b"bad", b"dir/../../good.txt"),
    "far parent": symlink(b"dir/bad", b"../../../../../../etc/passwd"),
    "nowhere": symlink(b"bad", b"missing.txt"),
    "nowhere in a directory": symlink(b"bad", b"dir/missing/a"),
    "through a file": symlink(b"bad", b"good.txt/x"),
    "through a link outside": symlink(b"bad", b"out/passwd") + symlink(b"out", b"/etc"),
    "to a hidden file": symlink(b"bad", b".env") + entry(b".env", b"secret"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_link_that_leads_out_is_left_out(case: str, tmp_path: Path) -> None:
    """The rest of the site is served, ``check`` says what is missing from it."""
    path = tmp_path / "site.tar"
    (tmp_path / "outside.txt").write_bytes(b"outside")
    good = entry(b"good.txt", b"good") + entry(b"dir/a.txt", b"a")
    path.write_bytes(archive(good, OUTSIDE[case]))
    with running(path, "--threads", "1") as server:
        for name in ("bad", "dir/bad", "out/passwd", "bad/"):
            response = fetch(server.address, f"/{name}")
            assert response.status == 404 or case == "to a hidden file"
            assert b"root:" not in response.body and response.body != b"outside"
        assert fetch(server.address, "/good.txt").body == b"good"
    if case == "to a hidden file":
        return
    done = command("check", path)
    assert done.returncode == 1
    assert "bad" in done.stdout + done.stderr


def test_a_hard_link_to_nowhere(tmp_path: Path) -> None:
    """A tar that was cut out of another: refused or left out, and found by ``check``."""
    path = tmp_path / "site.tar"
    path.write_bytes(archive(entry(b"good.txt", b"good"), hardlink(b"bad", b"../good.txt")))
    assert command("check", path).returncode == 1
    path.write_bytes(archive(entry(b"good.txt", b"good"), hardlink(b"bad", b"missing")))
    assert command("check", path).returncode == 1


def test_links_of_a_directory(tmp_path: Path) -> None:
    """Who may write into the directory decides what is published: links out of it count.

    They are reported, so that nobody is surprised.
    """
    (tmp_path / "outside.txt").write_bytes(b"outside")
    tree = sites.write_tree(tmp_path / "tree", {"a.txt": b"a", "dir/b.txt": b"b"})
    for name, target in {
        "inside": "a.txt",
        "todir": "dir",
        "dir/up": "../a.txt",
        "leads-out": "../outside.txt",
        "nowhere": "missing",
        "loop": "loop",
    }.items():
        (tree / name).symlink_to(target)
    with running(tree, "--threads", "1") as server:
        served = {"inside": b"a", "todir/b.txt": b"b", "dir/up": b"a", "leads-out": b"outside"}
        for name, body in served.items():
            assert fetch(server.address, f"/{name}").body == body
        for name in ("nowhere", "loop"):
            assert fetch(server.address, f"/{name}").status == 404
    report = command("check", tree)
    for name in ("leads-out", "nowhere", "loop"):
        assert name in report.stdout + report.stderr
    assert "inside" not in report.stdout


def test_pack_follows_links(tmp_path: Path) -> None:
    """What the packed archive serves is what the directory holds where it stands."""
    (tmp_path / "outside.txt").write_bytes(b"outside")
    tree = sites.write_tree(tmp_path / "tree", {"a.txt": b"a", "dir/b.txt": b"b"})
    (tree / "link.txt").symlink_to("a.txt")
    (tree / "todir").symlink_to("dir")
    (tree / "shared.txt").symlink_to("../outside.txt")
    packed = sites.pack(tree, tmp_path / "site.tar")
    with running(packed, "--threads", "1") as server:
        expected = {"link.txt": b"a", "todir/b.txt": b"b", "shared.txt": b"outside"}
        for name, body in expected.items():
            assert fetch(server.address, f"/{name}").body == body


def test_links_by_gnu_tar(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"a.txt": b"a", "d/b.txt": b"b"})
    (tree / "hard.txt").hardlink_to(tree / "a.txt")
    (tree / "soft.txt").symlink_to("d/b.txt")
    (tree / "softdir").symlink_to("d")
    long = "n" * 120
    (tree / long).symlink_to("d/b.txt")
    (tree / "tolong").symlink_to(long)
    for form in ("gnu", "posix"):
        path = sites.gnu_tar(tree, tmp_path / "site.tar", f"--format={form}")
        with running(path, "--threads", "1") as server:
            wanted = {"hard.txt": b"a", "soft.txt": b"b", "softdir/b.txt": b"b", "tolong": b"b"}
            for name, body in wanted.items():
                assert fetch(server.address, f"/{name}").body == body
