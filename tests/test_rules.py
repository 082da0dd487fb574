"""`_redirects` and `_headers` of a site: served, packed, refused, ejected, explained."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import zeroserve
from hypothesis import given
from hypothesis import strategies as st
from support.server import executable, running, wait_until
from support.upstream import Upstream, reply
from support.wire import fetch
from zeroserve._core import Error
from zeroserve.config import emit, headers, lines, redirects, rules
from zeroserve.config.model import Rules
from zeroserve.pack import pack
from zeroserve.testing import Client

REDIRECTS = "/old /new 301\n/blog/* /news/:splat\n/* /index.html 200\n"
HEADERS = "/*\n  X-Frame-Options: DENY\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    where = tmp_path / "site"
    where.mkdir()
    (where / "index.html").write_text("<h1>home</h1>")
    (where / "_redirects").write_text(REDIRECTS)
    (where / "_headers").write_text(HEADERS)
    return where


def cli(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = [executable(), *map(str, words)]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def behaves(client: Client) -> None:
    """As the rules of the fixture say."""
    moved = client.get("/old?a=b")
    assert (moved.status, moved.headers["location"]) == (301, "/new?a=b")
    assert client.get("/blog/a/b%20c").headers["location"] == "/news/a/b%20c"
    deep = client.get("/deep/link")
    assert (deep.status, deep.body) == (200, b"<h1>home</h1>")
    assert deep.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("engine", ["native", "cpython"])
def test_a_directory(site: Path, engine: str) -> None:
    behaves(Client(site, engine=engine))


def test_an_archive(site: Path, tmp_path: Path) -> None:
    pack(site, tmp_path / "site.tar")
    behaves(Client(tmp_path / "site.tar"))
    with tarfile.open(tmp_path / "site.tar") as archive:
        names = archive.getnames()
    assert ".zeroserve/scripts/50-rules.o" in names and "_redirects" in names


@pytest.mark.parametrize("kind", ["directory", "archive"])
def test_the_files_are_never_served(site: Path, tmp_path: Path, kind: str) -> None:
    (site / "_redirects").write_text("/old /new 301\n")
    (site / "docs").mkdir()
    (site / "docs" / "_headers").write_text("a page of that name\n")
    at = site
    if kind == "archive":
        at = tmp_path / "site.tar"
        pack(site, at)
    client = Client(at)
    for path in ("/_redirects", "/_headers", "/%5Fheaders", "/./_redirects", "/_headers.br"):
        assert client.get(path, {"accept-encoding": "br, gzip, zstd"}).status == 404, path
    assert client.get("/docs/_headers").status == 200


def test_an_archive_whose_rules_were_not_compiled(site: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "foreign.tar", "w") as archive:
        archive.add(site / "_redirects", "_redirects")
        archive.add(site / "index.html", "index.html")
    with pytest.raises(Error, match=r"rules that were not compiled.*zeroserve pack"):
        Client(tmp_path / "foreign.tar")


def test_files_without_rules(site: Path, tmp_path: Path) -> None:
    (site / "_redirects").write_text("# nothing yet\n\n")
    (site / "_headers").write_text("")
    for engine in ("native", "cpython"):
        assert Client(site, engine=engine).get("/").status == 200
    pack(site, tmp_path / "site.tar")
    assert Client(tmp_path / "site.tar").get("/old").status == 404


def test_rules_beside_their_own_script(site: Path, tmp_path: Path) -> None:
    (site / ".zeroserve/scripts").mkdir(parents=True)
    (site / ".zeroserve/scripts/50-rules.py").write_text(emit.script(rules.of_directory(str(site))))
    for attempt in (
        lambda: Client(site),
        lambda: Client(site, engine="cpython"),
        lambda: pack(site, tmp_path / "site.tar"),
    ):
        with pytest.raises(Error, match="rules beside the script that such rules become") as found:
            attempt()
        assert found.value.args[1] == "remove the script, or the files of rules"


def test_they_take_their_place_among_scripts(site: Path) -> None:
    folder = site / ".zeroserve/scripts"
    folder.mkdir(parents=True)
    start = "from zeroserve.script import Request, Response, on_request\n\n\n@on_request\n"
    for name in ("10-first", "90-last"):
        (folder / f"{name}.py").write_text(
            f"{start}def answer(req: Request) -> Response | None:\n"
            f'    return Response(200, "{name}") if req.path in ("/old", "/{name}") else None\n'
        )
    for engine in ("native", "cpython"):
        client = Client(site, engine=engine)
        assert client.get("/old").text() == "10-first"
        assert client.get("/90-last").text() == "<h1>home</h1>"  # the rules came before


def test_the_dialect(site: Path) -> None:
    (site / "_redirects").write_text("/index.html /there\n/old /new\n")
    assert Client(site).get("/index.html").status == 302
    (site / ".zeroserve").mkdir()
    (site / ".zeroserve/zeroserve.toml").write_text('rules = "netlify"\n')
    client = Client(site)
    assert client.get("/index.html").status == 200
    assert client.get("/old").status == 301
    (site / ".zeroserve/zeroserve.toml").write_text('rules = "vercel"\n')
    with pytest.raises(Error, match="rules"):
        Client(site)


@pytest.mark.parametrize("engine", ["native", "cpython"])
def test_a_proxy(site: Path, engine: str) -> None:
    with Upstream(reply(b"from afar")) as upstream:
        port = upstream.port
        (site / "_redirects").write_text(
            f"/api/* http://127.0.0.1:{port}/v1/:splat 200\n"
            f"/who id=:id http://127.0.0.1:{port}/people/:id 200\n"
        )
        client = Client(site, engine=engine)
        assert client.get("/api/a%20b/c?x=1").body == b"from afar"
        assert client.get("/who?id=a%2Fb&x=1").body == b"from afar"
        assert [call.target for call in upstream.calls] == ["/v1/a%20b/c?x=1", "/people/a/b"]


def test_a_server_that_watches(site: Path) -> None:
    with running(site) as server:

        def location() -> str | None:
            return fetch(server.address, "/old").header("location")

        assert location() == "/new"
        (site / "_redirects").write_text("/old /newer 301\n")
        wait_until(lambda: location() == "/newer", 20)
        (site / "_redirects").write_text("/old /newest 301\n/bad relative\n")
        wait_until(lambda: "_redirects:2:6: a target begins" in server.stderr, 20)
        assert location() == "/newer"
        (site / "_redirects").unlink()
        wait_until(lambda: fetch(server.address, "/old").status == 404, 20)
        (site / "_redirects").write_text("/old /back 301\n")
        wait_until(lambda: location() == "/back", 20)


def test_serving_refuses_what_is_malformed(site: Path) -> None:
    (site / "_redirects").write_text("/a /b 3011\n/c\n")
    done = cli(site, "--addr", "127.0.0.1:0")
    assert done.returncode == 1
    assert "_redirects:1:7: error: not a status: 3011" in done.stderr
    assert "_redirects:2:3: error: no target" in done.stderr


def test_eject(site: Path) -> None:
    before = cli("eject", site, "--stdout")
    done = cli("eject", site, "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(path.name for path in site.iterdir()) == [".zeroserve", "index.html"]
    script = site / ".zeroserve/scripts/50-rules.py"
    assert script.read_text() == before.stdout
    for engine in ("native", "cpython"):
        behaves(Client(site, engine=engine))
    again = cli("eject", site, "--yes")
    assert again.returncode == 1
    assert "there are no rules" in again.stderr


def test_eject_asks(site: Path, tmp_path: Path) -> None:
    done = cli("eject", site, stdin="y\n")  # a pipe is nobody to ask
    assert done.returncode == 2
    assert "give --yes, or --stdout" in done.stderr
    (site / ".zeroserve/scripts").mkdir(parents=True)
    (site / ".zeroserve/scripts/50-rules.c").write_text("")
    done = cli("eject", site, "--yes")
    assert done.returncode == 1
    assert "there is such a script already" in done.stderr
    assert (site / "_redirects").exists() and (site / "_headers").exists()


def test_eject_of_an_archive(site: Path, tmp_path: Path) -> None:
    pack(site, tmp_path / "site.tar")
    assert cli("eject", tmp_path / "site.tar").returncode == 1
    done = cli("eject", tmp_path / "site.tar", "--stdout")
    assert done.stdout == cli("eject", site, "--stdout").stdout


@pytest.mark.parametrize("kind", ["directory", "archive"])
def test_explain_names_the_lines(site: Path, tmp_path: Path, kind: str) -> None:
    at = site
    if kind == "archive":
        at = tmp_path / "site.tar"
        pack(site, at)
    done = cli("explain", at, "/blog/x?y=1")
    assert done.stdout.startswith(
        "rule _redirects:2: /blog/* /news/:splat: 302 to /news/x?y=1\n"
        "rule _headers:2: X-Frame-Options: DENY\n"
    )
    record = json.loads(cli("explain", at, "/deep", "--json").stdout)
    assert record["rules"][0] == "_redirects:3: /* /index.html 200: answered with /index.html"
    assert "_redirects" not in cli("explain", at, "/").stdout


def test_check(site: Path, tmp_path: Path) -> None:
    assert cli("check", site).returncode == 0
    pack(site, tmp_path / "site.tar")
    assert cli("check", tmp_path / "site.tar").returncode == 0
    (site / "_redirects").write_text("/a /b\n/b /a\n/x /missing.html 404\n")
    done = cli("check", site)
    assert done.returncode == 2
    assert "entry '_redirects': line 1: a loop of redirects: lines 1, 2" in done.stdout
    assert "line 3: no such page: /missing.html" in done.stdout
    (site / "_headers").write_text("/*\n  X-Good 1\nnothing\n")
    done = cli("check", site)
    assert done.returncode == 2
    assert "'_headers': line 2, column 3: neither a pattern nor a header" in done.stdout
    assert "'_headers': line 3, column 1" in done.stdout


def test_limits() -> None:
    rows = "".join(f"/a{n} /b\n" for n in range(lines.MAX_RULES + 5))
    found, read = redirects.read(rows.encode(), "cloudflare")
    assert len(found) == lines.MAX_RULES
    assert [one.message for one in read.mistakes] == ["more than 100,000 rules"]
    long = "/a /" + "b" * lines.MAX_LINE_CHARS
    _, read = redirects.read(long.encode(), "cloudflare")
    assert [one.message for one in read.mistakes] == ["a line of more than 4,000 characters"]
    _, read = redirects.read(b"bad\n" * 1000, "cloudflare")
    assert len(read.mistakes) == lines.MAX_MISTAKES
    many = "/x " + " ".join(f"k{n}=1" for n in range(20)) + " /y"
    _, read = redirects.read(many.encode(), "netlify")
    assert [one.message for one in read.mistakes] == ["more than 16 parameters"]


def test_many_rules_are_cheap_and_right(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("home")
    (tmp_path / "_redirects").write_text(
        "".join(f"/old/page-{n} /new/{n} 301\n" for n in range(10_000))
    )
    (tmp_path / "_headers").write_text(
        "".join(f"/dir-{n}/*\n  X-Number: {n}\n" for n in range(200))
    )
    client = Client(tmp_path)
    for number in (0, 4_999, 9_999):
        assert client.get(f"/old/page-{number}").headers["location"] == f"/new/{number}"
    assert client.get("/dir-123/x").headers["x-number"] == "123"
    assert client.get("/old/page-10000").status == 404


LINE = st.one_of(
    st.binary(max_size=30),
    st.text("/:*#! \t=.,%abA301?\r\0é", max_size=30).map(str.encode),
    st.sampled_from([b"/a/* /b/:splat 301", b"https://x.y/* /z", b"X-A: :splat", b"! X", b"/:a"]),
)


@given(st.lists(LINE, max_size=20).map(b"\n".join), st.sampled_from(["cloudflare", "netlify"]))
def test_any_bytes_are_rules_or_mistakes(data: bytes, dialect: str) -> None:
    found, read = redirects.read(data, dialect)  # type: ignore[arg-type]
    blocks, more = headers.read(data, dialect)  # type: ignore[arg-type]
    source = emit.script(Rules("cloudflare", tuple(found), tuple(blocks)))
    compile(source, "50-rules.py", "exec")
    for one in (*read.mistakes, *more.mistakes, *read.notes, *more.notes):
        assert one.line >= 1 and one.column >= 1 and one.message


def test_a_byte_order_mark_and_line_ends() -> None:
    found, read = redirects.read(b"\xef\xbb\xbf/a /b\r\n/c /d 301\r\n", "cloudflare")
    assert [rule.text for rule in found] == ["/a /b", "/c /d 301"] and not read.mistakes
    _, read = redirects.read("/ä /b\n/\xff /b\n".encode("latin-1"), "cloudflare")
    assert [(one.line, one.column, one.message) for one in read.mistakes] == [
        (1, 2, "not UTF-8"),
        (2, 2, "not UTF-8"),
    ]


def test_the_library(site: Path) -> None:
    with zeroserve.Server(site, threads=1) as server:
        host, port = server.url.removeprefix("http://").split(":")
        assert fetch((host, int(port)), "/old").header("location") == "/new"


def test_objects_are_kept(site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    from zeroserve import compiler, object_cache

    monkeypatch.setattr(object_cache, "CLOCK_TICK_NS", -60_000_000_000)
    first = rules.made(str(site))
    assert first is not None
    object_cache._kept.clear()
    monkeypatch.setattr(compiler, "compile_text", None)
    assert rules.made(str(site)) == first
