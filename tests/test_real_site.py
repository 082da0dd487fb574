"""A real site from end to end: the documentation of Python as Debian packages it.

Some 1,070 files and 70 MB of HTML with a search that runs in the browser.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from support import chromium, sites
from support.server import Server, command, running
from support.sites import decode
from support.wire import Connection, Response, fetch, request

ROOT = Path("/usr/share/doc/python3.11/html")
LEADING_OUT = ("_static/jquery.js", "_static/underscore.js")
"""Symbolic links into /usr/share/javascript."""

pytestmark = [
    pytest.mark.skipif(not ROOT.is_dir(), reason="Debian's python3.11-doc is not installed"),
    pytest.mark.timeout(400),  # the first one packs with full compression
]


@pytest.fixture(scope="module")
def names() -> list[str]:
    """Every file of the tree that a site serves, links included."""
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(str(name) for name in files if not any(p.startswith(".") for p in name.parts))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.pack(ROOT, tmp_path_factory.mktemp("real") / "py.tar")


@pytest.fixture(scope="module")
def server(packed: Path) -> Iterator[Server]:
    with running(packed, "--threads", "2") as process:
        yield process


def fetch_all(server: Server, names: list[str], coding: str = "identity") -> Iterator[Response]:
    """One answer for each name, a window of requests under way on one connection."""
    headers = {"Accept-Encoding": coding}
    with Connection(server.address) as connection:
        for start in range(0, len(names), 20):
            window = names[start : start + 20]
            connection.send(b"".join(request("/" + quote(name), headers) for name in window))
            for _ in window:
                yield connection.response()


def test_every_file_byte_for_byte(server: Server, names: list[str]) -> None:
    assert len(names) > 1000
    for name, response in zip(names, fetch_all(server, names), strict=True):
        assert (name, response.status) == (name, 200)
        assert response.header("content-encoding") is None
        assert response.body == (ROOT / name).read_bytes(), name


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip"])
def test_every_file_compressed(server: Server, names: list[str], coding: str) -> None:
    """Decoded it is the same; nearly all of it is text, so nearly all comes compressed."""
    encoded = total = sent = 0
    for name, response in zip(names, fetch_all(server, names, coding), strict=True):
        assert (name, response.status) == (name, 200)
        used = response.header("content-encoding")
        assert used in (None, coding)
        body = decode(used, response.body)
        assert body == (ROOT / name).read_bytes(), name
        encoded += used is not None
        total += len(body)
        sent += len(response.body)
    assert encoded > 0.9 * len(names)
    assert sent < 0.35 * total


def test_a_plain_tar_serves_the_same(server: Server, names: list[str], tmp_path: Path) -> None:
    """But for the links that lead out of the tree: pack follows them, tar keeps them."""
    path = sites.gnu_tar(ROOT, tmp_path / "plain.tar")
    with running(path, "--threads", "2") as plain:
        pairs = zip(names, fetch_all(plain, names), strict=True)
        for name, response in pairs:
            if name in LEADING_OUT:
                assert response.status == 404
                assert fetch(server.address, f"/{name}").body == (ROOT / name).read_bytes()
                continue
            assert (name, response.status) == (name, 200)
            assert response.body == (ROOT / name).read_bytes(), name
        for target in ("/", "/library/", "/whatsnew"):
            ours, theirs = (fetch(one.address, target) for one in (server, plain))
            for field in ("etag", "location", "content-type"):
                assert ours.header(field) == theirs.header(field)
    report = command("check", path)
    assert report.returncode == 1
    assert all(name in report.stdout + report.stderr for name in LEADING_OUT)


def test_tar_lists_a_packed_archive(packed: Path, names: list[str]) -> None:
    done = subprocess.run(["tar", "tf", packed], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    listed = done.stdout.splitlines()
    assert len(listed) == len(set(listed))
    assert set(names) <= {name.removeprefix("./") for name in listed}


def test_check_finds_nothing(packed: Path) -> None:
    done = command("check", packed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_packing_twice_gives_identical_files(tmp_path: Path) -> None:
    """Without compression for the sake of time; with it on a part of the tree."""
    for tree, options in ((ROOT, ["--no-compress"]), (ROOT / "howto", [])):
        first, second = (
            sites.pack(tree, tmp_path / f"{turn}.tar", *options).read_bytes() for turn in (1, 2)
        )
        assert first == second


@pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed")
def test_the_search_page_works_in_a_browser(server: Server, tmp_path: Path) -> None:
    """Results appear, each with an excerpt that the page fetches, and nothing goes wrong.

    One of them is whatsnew/changelog.html, of which Debian ships only the compressed form.
    """
    with chromium.browser(tmp_path) as page:
        page.open(f"{server.url}/search.html?q=asyncio")
        page.wait_for("document.querySelectorAll('#search-results li a').length > 100")
        page.wait_for("document.querySelectorAll('#search-results li p.context').length > 50")
        page.wait_for("/\\d+ page/.test(document.querySelector('#search-results').innerText)")
        page.wait_idle()
        page.open(f"{server.url}/library/asyncio.html")
        page.wait_for("document.readyState == 'complete' && document.title.includes('asyncio')")
        page.wait_idle()
        assert page.complaints == []
    assert {reply["status"] for reply in page.responses} <= {200, 304}
    fields = [{name.lower() for name in reply["headers"]} for reply in page.responses]
    assert sum("content-encoding" in names for names in fields) > 50
