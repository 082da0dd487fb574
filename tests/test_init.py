"""``zeroserve init``: every shape is served, does what it promises, and has no mistakes."""

import csv
import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from support.server import Server, command, running
from support.wire import Response, fetch
from zeroserve import templates
from zeroserve.cli.commands import TEMPLATES

VOID = {"meta", "link", "img", "br", "hr", "input", "source", "wbr"}

ANYTHING = {"Accept": "*/*"}
NAVIGATION = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "demo"


def init(name: str) -> None:
    done = command("init", "--template", name, "demo")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and " files in demo: " in lines[0]
    assert lines[1] == "run it: zeroserve demo"


@contextmanager
def served(name: str) -> Iterator[Server]:
    init(name)
    with running("demo", "--threads", "1", "--no-live-reload") as server:
        yield server


class Page(HTMLParser):
    """A page, whose elements have to be closed in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"an attribute twice in <{tag}>"
        self.seen.append((tag, named))
        self.links += [value for name in ("href", "src") if (value := named.get(name))]
        if identity := named.get("id"):
            assert identity not in self.ids
            self.ids.add(identity)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open}"
        self.open.pop()

    def has(self, tag: str, **attributes: str) -> bool:
        return any(
            tag == seen and all(found.get(name) == value for name, value in attributes.items())
            for seen, found in self.seen
        )


def text_of(answer: Response) -> str:
    return answer.body.decode()


def test_the_shapes_are_those_of_the_table() -> None:
    assert sorted(TEMPLATES) == sorted(
        path.name for path in templates.PLACE.iterdir() if path.is_dir() and path.name[0] != "_"
    )


def test_packages_hold_all_of_it() -> None:
    """Source archives are made without files whose names begin with a dot."""
    for path in templates.PLACE.rglob("*"):
        assert not path.name.startswith("."), path
        assert path.suffix not in (".so", ".pyc", ".tar") or "__pycache__" in path.parts, path


@pytest.mark.parametrize("name", TEMPLATES)
def test_nothing_is_wrong_with_it(demo: Path, name: str) -> None:
    init(name)
    done = command("check", "demo")
    assert (done.returncode, done.stdout) == (0, "0 errors, 0 warnings\n")
    tomllib.loads((demo / ".zeroserve/zeroserve.toml").read_text())
    packed = command("pack", "demo", "-o", "demo.tar")
    assert packed.returncode == 0, packed.stderr
    assert command("check", "demo.tar").stdout == "0 errors, 0 warnings\n"


@pytest.mark.parametrize("name", TEMPLATES)
def test_pages_are_well_formed_and_links_resolve(demo: Path, name: str) -> None:
    with served(name) as server:
        todo, done = ["/"], dict[str, Page | None]()
        named = set()
        while todo:
            path = todo.pop()
            answer = fetch(server.address, path, NAVIGATION)
            assert answer.status == 200, path
            done[path] = None
            if answer.media_type != "text/html":
                continue
            page = done[path] = Page(text_of(answer))
            if "Index of" not in text_of(answer):
                assert page.has("html", lang="en") and page.has("main", id="main")
                assert page.has("title") and page.has("meta", name="viewport")
                assert (page.has("a", href="#main") and page.has("h1")) or name == "spa"
            for link in page.links:
                whole = urlsplit(urljoin(f"http://site{path}", link))
                assert whole.netloc == "site", f"{path} leads to {link}"
                named.add((whole.path, whole.fragment))
                if whole.path not in done and whole.path not in todo:
                    todo.append(whole.path)
        for path, fragment in named:
            found = done[path]
            assert not fragment or (found is not None and fragment in found.ids), (path, fragment)
        # Every file of the site that people are to see is reached by links, or said otherwise.
        by_itself = {"/404.html", "/unavailable.html", "/index.html"}
        for path in (one.relative_to(demo).as_posix() for one in demo.rglob("*") if one.is_file()):
            if not path.startswith((".zeroserve/", "_", "data/")):
                reached = {f"/{path}", f"/{path}".removesuffix(".html")} & set(done)
                assert reached or f"/{path}" in by_itself, path


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_page_is_well_formed(name: str) -> None:
    for path, data in templates.files(name).items():
        if path.endswith(".html"):
            page = Page(data.decode())
            assert page.has("html", lang="en") and page.has("main")
            if name in ("docs", "blog", "data", "proxy", "plain"):
                assert page.has("h1"), path
        if path.endswith((".svg", ".xml")):
            ET.fromstring(data)


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_missing_is_404(demo: Path, name: str) -> None:
    with served(name) as server:
        for path in ("/missing.js", "/.zeroserve/zeroserve.toml", "/_headers", "/_redirects"):
            answer = fetch(server.address, path)
            assert answer.status == 404, path
        if name not in ("spa", "plain"):
            assert fetch(server.address, "/").header("x-content-type-options") == "nosniff"
        if name != "spa":
            answer = fetch(server.address, "/missing", NAVIGATION)
            assert answer.status == 404 and "<h1>Not found</h1>" in text_of(answer)


def test_docs(demo: Path) -> None:
    with served("docs") as server:
        assert "<h1>Install</h1>" in text_of(fetch(server.address, "/install"))
        assert fetch(server.address, "/guide/first-steps").status == 200
        for path, to, status in (
            ("/install.html", "/install", (301, 302, 307, 308)),
            ("/docs/install", "/install", (301,)),
            ("/start", "/guide/first-steps", (301,)),
        ):
            answer = fetch(server.address, path)
            assert answer.status in status and answer.header("location") == to
        page = fetch(server.address, "/reference")
        assert page.header("cache-control") == "no-cache"
        assert "frame-ancestors 'none'" in (page.header("content-security-policy") or "")


def test_spa(demo: Path) -> None:
    with served("spa") as server:
        index = fetch(server.address, "/", NAVIGATION)
        assert index.status == 200 and index.header("cache-control") == "no-cache"
        for path in ("/about", "/deep/down/here", "/about?x=1"):
            answer = fetch(server.address, path, NAVIGATION)
            assert (answer.status, answer.body) == (200, index.body), path
            assert answer.header("cache-control") == "no-cache"
        scripts = re.findall(r'"(/assets/[^"]+)"', text_of(index))
        assert len(scripts) == 2
        for path in scripts:
            answer = fetch(server.address, path)
            assert answer.status == 200
            assert "immutable" in (answer.header("cache-control") or "")
            assert hashlib.sha256(answer.body).hexdigest()[:8] == path.split(".")[-2]
        for headers in ({}, ANYTHING, NAVIGATION):
            assert fetch(server.address, "/assets/x.js", headers).status == 404
        # A client that says nothing of what it takes is no browser, and perhaps a reader of data.
        for path, status in {
            "/deep/link": 200,
            "/data/c/0/0": 404,
            "/a.zarr/c": 404,
            "/a.zarr/c/0": 404,
        }.items():
            for headers in ({}, ANYTHING):
                assert fetch(server.address, path, headers).status == status, path
            by_script = {**ANYTHING, "Sec-Fetch-Mode": "cors"}
            assert fetch(server.address, path, by_script).status == 404
            assert fetch(server.address, path, {"Accept": "application/json"}).status == 404


def test_blog(demo: Path) -> None:
    with served("blog") as server:
        feed = fetch(server.address, "/feed.xml")
        assert feed.header("content-type") == "application/atom+xml; charset=utf-8"
        atom = "{http://www.w3.org/2005/Atom}"
        entries = ET.fromstring(feed.body).findall(f"{atom}entry")
        assert len(entries) == 2
        ids = {entry.findtext(f"{atom}id") for entry in entries}
        assert len(ids) == 2 and None not in ids
        for entry in entries:
            link = entry.find(f"{atom}link")
            assert link is not None
            page = fetch(server.address, urlsplit(link.get("href", "")).path)
            assert page.status == 200
            assert page.header("cache-control") == "max-age=300"
            title = entry.findtext(f"{atom}title")
            assert f"<h1>{title}</h1>" in text_of(page)
            for listing in ("/", "/archive"):
                assert f">{title}</a>" in text_of(fetch(server.address, listing))
        for path in ("/feed", "/rss", "/rss.xml", "/atom.xml"):
            answer = fetch(server.address, path)
            assert (answer.status, answer.header("location")) == (301, "/feed.xml")


def test_data(demo: Path) -> None:
    with served("data") as server:
        whole = fetch(server.address, "/data/stations.csv")
        rows = list(csv.DictReader(io.StringIO(text_of(whole))))
        assert len(rows) == 480
        assert whole.header("cache-control") == "public, max-age=3600"
        origin = {"Origin": "https://elsewhere.example"}
        part = fetch(server.address, "/data/stations.csv", {"Range": "bytes=100-199", **origin})
        assert (part.status, part.body) == (206, whole.body[100:200])
        assert part.header("access-control-allow-origin") == "*"
        assert "Content-Range" in (part.header("access-control-expose-headers") or "")
        asked = {
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "range",
            **origin,
        }
        preflight = fetch(server.address, "/data/stations.csv", asked, method="OPTIONS")
        assert preflight.status in (200, 204)
        assert "range" in (preflight.header("access-control-allow-headers") or "").lower()
        places = json.loads(fetch(server.address, "/data/stations.geojson").body)
        assert {one["properties"]["name"] for one in places["features"]} == {
            row["station"] for row in rows
        }
        grid = json.loads(fetch(server.address, "/data/temperature.zarr/zarr.json").body)
        count = grid["chunk_grid"]["configuration"]["chunk_shape"]
        chunk = fetch(server.address, "/data/temperature.zarr/c/0/0").body
        values = struct.unpack(f"<{count[0] * count[1]}f", chunk)
        assert all(-60 < value < 60 for value in values)
        # A piece without values has no file, which is how readers know.
        assert fetch(server.address, "/data/temperature.zarr/c/1/1", NAVIGATION).status == 404
        listing = fetch(server.address, "/data/", NAVIGATION)
        assert listing.status == 200 and "stations.csv" in text_of(listing)
        asked_json = fetch(server.address, "/data/", {"Accept": "application/json"})
        assert asked_json.media_type == "application/json"
        assert "stations.csv" in text_of(asked_json)
        assert fetch(server.address, "/").header("access-control-allow-origin") is None


def test_proxy(demo: Path) -> None:
    init("proxy")
    backend = subprocess.Popen(
        [sys.executable, ".zeroserve/backend.py", "0"],
        cwd=demo,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert backend.stdout is not None
        url = backend.stdout.readline().strip()
        config = demo / ".zeroserve/zeroserve.toml"
        config.write_text(config.read_text().replace("http://127.0.0.1:9000", url))
        with running("demo", "--threads", "1", "--no-live-reload") as server:
            answer = fetch(server.address, "/api/time")
            assert answer.status == 200 and re.match(r"20\d\d-", json.loads(answer.body)["time"])
            assert answer.header("cache-control") == "no-store"
            assert fetch(server.address, "/api/none").status == 404
            assert "<h1>In front</h1>" in text_of(fetch(server.address, "/"))
            backend.terminate()
            backend.wait()
            gone = fetch(server.address, "/api/time", NAVIGATION)
            assert gone.status in (502, 503) and "<h1>Back soon</h1>" in text_of(gone)
    finally:
        backend.terminate()
        backend.wait()
        assert backend.stdout is not None
        backend.stdout.close()


# --- the command ----------------------------------------------------------------------------------


def test_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    done = command("init")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "run it: zeroserve"
    text = (tmp_path / ".zeroserve/zeroserve.toml").read_text()
    assert all(not line or line.startswith("#") for line in text.splitlines())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "full"
    place.mkdir()
    for name in ("index.html", "notes.txt", *map(str, range(9))):
        (place / name).write_text("mine")
    done = command("init", place)
    assert done.returncode == 1
    assert "there is already: '0', '1', '2', '3', '4' and 6 more" in done.stderr
    assert {path.read_text() for path in place.iterdir()} == {"mine"}
    assert command("init", place / "index.html").returncode == 1


def test_nothing_is_left_half_written(tmp_path: Path) -> None:
    """The largest file fails: those before it are gone, too."""
    place = tmp_path / "new"
    words = ["init", str(place), "--template", "data"]
    code = "\n".join(
        [
            "import resource, signal",
            "from zeroserve.cli import main",
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
            "resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))",
            f"raise SystemExit(main({words!r}))",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "can't write to" in done.stderr
    assert not place.exists()


def test_sample_data_is_what_the_tool_makes() -> None:
    tool = Path(__file__).parent.parent / "tools" / "sample_data.py"
    done = subprocess.run(
        [sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_unknown_template() -> None:
    done = command("init", "x", "--template", "blgo")
    assert done.returncode == 2
    assert "--template: not one of plain, docs, spa, blog, data, proxy: 'blgo'" in done.stderr
