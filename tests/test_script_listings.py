"""Listings of directories: for people, for programs that read links, and as JSON."""

import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urljoin

import pytest
from support.server import Server, command, running
from support.wire import fetch
from zeroserve.testing import Client

SCRIPT = """\
from zeroserve.script import Request, Response, file_exists, on_request, send_listing


@on_request
def listing(req: Request) -> Response | None:
    if req.path.startswith("/json/"):
        return send_listing(req.path.removeprefix("/json"), as_json=True)
    if req.path == "/elsewhere":
        return send_listing(req.query_param("p") or "/")
    if not file_exists(req.path):
        res = send_listing(req.path)
        res.append_header("Cache-Control", "max-age=3")
        return res
    return None
"""

HOSTILE = [
    "<script>alert(1)<",
    'quote".txt',
    "it's & that.txt",
    "a b+c%20d.txt",
    "javascript:alert(1)",
    "http:",
    "?after=x",
    "#x",
    "\u202egpj.exe",
    "new\nline",
    "ünï.txt",
]
DATA = {
    **{f"hostile/{name}": b"x" for name in HOSTILE},
    "data/a.bin": b"abc",
    "data/b/c.bin": b"abcd",
    "data/b/d/e.bin": b"",
    "data/z.json": b'{"a": 1}' * 200,
    "data/.hidden": b"no",
    "data/.git/config": b"no",
    "onlyhidden/.x": b"no",
    ".well-known/x": b"yes",
    "app.js": b"let a = 1;\n" * 300,
}
MTIME = 1_700_000_000


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("listing") / "site"
    for name, data in DATA.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (MTIME, MTIME))
    scripts = root / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "listing.py").write_text(SCRIPT)
    return root


@pytest.fixture(scope="module")
def archive(directory: Path) -> Path:
    path = directory.parent / "site.tar"
    done = command("pack", directory, "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module", params=["native", "cpython", "packed"])
def client(request: pytest.FixtureRequest, directory: Path, archive: Path) -> Client:
    if request.param == "packed":
        return Client(archive)
    return Client(directory, engine=request.param)


def links(page: str) -> list[str]:
    return re.findall(r'<a href="([^"]*)">', page)


def test_a_page(client: Client) -> None:
    got = client.get("/data/")
    assert got.status == 200
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert got.headers["cache-control"] == "max-age=3"
    assert got.headers["content-security-policy"].startswith("default-src 'none'")
    page = got.text()
    assert "<title>Index of /data/</title>" in page
    assert links(page) == ["../", "a.bin", "b/", "z.json"]
    assert "<td>3 B</td><td>2023-11-14 22:13</td>" in page
    assert "<td>1.6 KiB</td>" in page
    assert "hidden" not in page and ".git" not in page
    assert len(page) < 2000
    assert links(client.get("/").text()) == [".well-known/", "app.js", "data/", "hostile/"]
    assert links(client.get("/.well-known/").text()) == ["../", "x"]


def test_seen_from_elsewhere(client: Client) -> None:
    assert links(client.get("/data").text()) == ["/data/a.bin", "/data/b/", "/data/z.json"]
    got = client.get("/elsewhere?p=/hostile/")
    assert "/hostile/javascript%3Aalert%281%29" in links(got.text())
    assert links(client.get("/elsewhere?p=/data/b/d").text()) == ["/data/b/d/e.bin"]


def test_names_are_escaped(client: Client) -> None:
    page = client.get("/hostile/").text()
    found = links(page)
    # A slash in a name is none: it makes a directory.
    names = {"<script>alert(1)<", *HOSTILE}
    assert {unquote(link) for link in found[1:]} == names
    for link in found[1:]:
        assert re.fullmatch(r"[A-Za-z0-9%._~-]+", link)
        assert urljoin("http://h/hostile/", link) == f"http://h/hostile/{link}"
        assert client.get(f"/hostile/{link}").body == b"x"
    assert "<script" not in page
    assert html.unescape(re.findall(r">(&lt;script[^<]*)</a>", page)[0]) == "<script>alert(1)<"
    assert "new\nline" not in page


def test_json(client: Client) -> None:
    got = client.get("/json/data")
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert got.json() == client.get("/json/data/").json()
    listing: dict[str, Any] = got.json()
    etags = [entry.pop("etag", None) for entry in listing["entries"]]
    assert listing == {
        "path": "/data/",
        "entries": [
            {"name": "a.bin", "type": "file", "size": 3, "mtime": MTIME},
            {"name": "b", "type": "directory"},
            {"name": "z.json", "type": "file", "size": 1600, "mtime": MTIME},
        ],
        "next": None,
    }
    if etags[0] is not None:
        assert etags[0] == client.get("/data/a.bin").headers["etag"]
    names = [entry["name"] for entry in client.get("/json/hostile").json()["entries"]]
    assert sorted(names) == sorted(HOSTILE)


def test_variants_are_left_out(archive: Path) -> None:
    client = Client(archive)
    assert client.get("/app.js", headers={"accept-encoding": "br"}).headers["content-encoding"]
    names = [entry["name"] for entry in client.get("/json/").json()["entries"]]
    assert names == [".well-known", "app.js", "data", "hostile"]
    assert client.get("/json/data/").json()["entries"][0]["etag"].startswith('"')


@pytest.mark.parametrize(
    "path", ["/nothing/", "/onlyhidden/", "/.zeroserve/", "/data/.git/", "/app.js/"]
)
def test_what_is_no_directory(client: Client, path: str) -> None:
    for prefix in ("", "/json"):
        assert client.get(prefix + path).status == 404, path


def test_methods_and_conditions(client: Client) -> None:
    got = client.get("/data/")
    head = client.head("/data/")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(got.body))
    again = client.get("/data/", headers={"if-none-match": got.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert client.get("/data/", headers={"if-match": '"other"'}).status == 412
    assert client.get("/data/", headers={"if-none-match": '"other"'}).body == got.body
    refused = client.post("/data/")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.request("OPTIONS", "/data/").status == 204


def test_a_part_of_it(client: Client) -> None:
    page = client.get("/data/?after=a.bin").text()
    assert links(page) == ["../", "b/", "z.json"]
    assert links(client.get("/data/?after=b/").text()) == ["../", "z.json"]
    assert links(client.get("/data/?after=%3Cb%3E").text()) == ["../", "a.bin", "b/", "z.json"]
    page = client.get("/data/?after=zz%3Cb%3E").text()
    assert links(page) == ["../"] and "&lt;b&gt;" in page and "nothing here" in page
    assert client.get("/data/?after=%ff").status == 200


@pytest.fixture(scope="module")
def crowded(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of many entries, some of which are directories."""
    root = tmp_path_factory.mktemp("crowded") / "site"
    scripts = root / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "listing.py").write_text(SCRIPT)
    (root / "many").mkdir()
    for n in range(10_050):
        (root / "many" / f"{n:05}.x").touch()
    for n in range(3):
        (root / "many" / f"d{n}").mkdir()
        (root / "many" / f"d{n}" / "x").touch()
    return root


def test_it_ends_and_goes_on(crowded: Path) -> None:
    client = Client(crowded)
    expected = [f"{n:05}.x" for n in range(10_050)] + ["d0", "d1", "d2"]
    first = client.get("/json/many/").json()
    assert first["next"] == "09999.x"
    rest = client.get("/json/many/?after=" + first["next"]).json()
    assert rest["next"] is None
    assert [entry["name"] for entry in first["entries"] + rest["entries"]] == expected
    page = client.get("/many/").text()
    assert len(links(page)) == 10_001
    assert "These are 10000 entries; there are more." in page
    assert 'name="after" value="09999.x"' in page


@pytest.fixture(scope="module", params=["directory", "archive"])
def server(request: pytest.FixtureRequest, directory: Path, archive: Path) -> Iterator[Server]:
    site = directory if request.param == "directory" else archive
    with running(site, "--threads", "1", "--access-log", "off") as server:
        yield server


def test_fsspec_reads_it(server: Server) -> None:
    base = server.url
    fsspec: ModuleType = pytest.importorskip("fsspec", reason="fsspec is not installed")
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    files = fsspec.filesystem("http", skip_instance_cache=True)
    for url in (f"{base}/data/", f"{base}/data"):
        names = sorted(entry["name"] for entry in files.ls(url))
        assert names == [f"{base}/data/a.bin", f"{base}/data/b/", f"{base}/data/z.json"], url
    found = sorted(files.find(f"{base}/data/"))
    assert found == [f"{base}/data/{name}" for name in ("a.bin", "b/c.bin", "b/d/e.bin", "z.json")]
    assert files.cat(f"{base}/data/b/c.bin") == b"abcd"
    assert sorted(files.glob(f"{base}/data/*.bin")) == [f"{base}/data/a.bin"]
    assert files.isdir(f"{base}/data/b/")
    hostile = files.ls(f"{base}/hostile/", detail=False)
    assert len(hostile) == len(HOSTILE), "also those that begin with http"
    for url in hostile:
        assert fetch(server.address, "/hostile/" + url.rpartition("/")[2]).body == b"x"


def test_over_http2(server: Server) -> None:
    from support.http2 import Http2

    with Http2(server.address) as two:
        got = two.get("/data/")
        assert links(got.body.decode()) == ["../", "a.bin", "b/", "z.json"]
        assert json.loads(two.get("/json/data/b").body)["path"] == "/data/b/"
