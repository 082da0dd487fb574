"""Files of the site that scripts look for and send: as the answer, or in place of another one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.proxying import Front, certificate
from support.server import command, running, wait_until
from support.upstream import Call, Upstream, reply, response, say_and_close
from support.wire import fetch, request
from zeroserve._core import Site
from zeroserve.server import loaded
from zeroserve.testing import Client, Response, encode

SCRIPT = """\
from zeroserve.script import (
    Request, Response, file_exists, on_request, on_response, proxy, send_file
)

PAGE = "/errors/gone.html"


@on_request
def answer(req: Request) -> Response | None:
    path = req.query_param("p") or ""
    if req.path == "/exists":
        return Response(200, str(file_exists(path)))
    if req.path == "/send":
        if req.query_param("user") is not None:
            req.meta["user"] = req.query_param("user") or ""
        status = int(req.query_param("s") or "200")
        if req.query_param("raise") is not None:
            return send_file(path, status)
        try:
            res = send_file(path, status)
        except ValueError:
            return Response(200, "refused")
        if req.query_param("own") is not None:
            res.append_header("Cache-Control", "max-age=7")
            res.append_header("Vary", "Cookie")
            res.append_header("ETag", '"mine"')
        return res
    if req.path == "/gone":
        return send_file(PAGE, 410)
    if req.path.startswith("/proxy"):
        fallback = req.header("x-fallback")
        if fallback is not None:
            req.meta["zs.proxy.fallback"] = fallback
        return proxy(req.header("x-upstream") or "http://127.0.0.1:1", cache=req.query == "cache")
    return None


@on_response
def replace(req: Request, res: Response) -> None:
    res.set_header("X-Error", res.upstream_error or "none")
    if req.path == "/exists":
        res.set_header("X-Again", str(file_exists(req.query_param("p") or "")))
    if res.upstream_error is not None and req.header("x-fallback") is None:
        res.send_file("/errors/upstream.html")
    page = req.header("x-page")
    if page is not None:
        res.set_header("Content-Language", "tlh")
        try:
            res.send_file(page)
        except ValueError:
            res.set_header("X-Raised", "yes")
        if req.header("x-type") is not None:
            res.set_header("Content-Type", req.header("x-type") or "")
        res.set_header("X-Seen", str(res.header("etag")) + " " + str(res.header("content-type")))
        status = req.header("x-status")
        if status is not None:
            res.status = int(status)
"""

GONE = b"<!doctype html><title>Gone</title><p>It is gone. <b>Really.</b></p>\n" * 30
UPSTREAM = b"<h1>Nobody there</h1>\n"
FILES = {
    "index.html": b"<h1>start</h1>\n",
    "a.txt": b"the letter a\n",
    "docs/index.html": b"<h1>docs</h1>\n",
    "plain.html": b"<h1>plain</h1>\n",
    "errors/gone.html": GONE,
    "errors/upstream.html": UPSTREAM,
    "errors/named.html": b"<p>Sorry, <zs-meta>user</zs-meta>.</p>\n",
    "empty.txt": b"",
    "per%20cent.txt": b"a percent sign\n",
    "with space/ü.txt": b"u\n",
    "large.bin": bytes(range(256)) * 4000,
    ".hidden": b"no\n",
    ".well-known/x": b"yes\n",
}


def tree(root: Path) -> Path:
    for name, data in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    scripts = root / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "files.py").write_text(SCRIPT)
    return root


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("files") / "site")


@pytest.fixture(scope="module")
def archive(directory: Path) -> Path:
    """The same packed, with variants."""
    path = directory.parent / "site.tar"
    done = command("pack", directory, "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module", params=["native", "cpython", "packed"])
def client(request: pytest.FixtureRequest, directory: Path, archive: Path) -> Client:
    if request.param == "packed":
        return Client(archive)
    return Client(directory, engine=request.param)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", True),
        ("/a.txt", True),
        ("/docs", True),
        ("/docs/", True),
        ("/docs/index.html", True),
        ("//docs/./../a.txt", True),
        ("/per%2520cent.txt", True),
        ("/per%20cent.txt", False),
        ("/with+space/%C3%BC.txt", True),
        ("/.well-known/x", True),
        ("/errors", False),
        ("/errors/", False),
        ("/plain", False),
        ("/a.txt/", False),
        ("/A.txt", False),
        ("/.hidden", False),
        ("/.zeroserve/scripts/files.py", False),
        ("/../a.txt", False),
        ("a.txt", False),
        ("", False),
        ("/a.txt%00", False),
        ("/%ff", False),
        ("/" + "x" * 7000, False),
    ],
)
def test_what_exists(client: Client, path: str, found: bool) -> None:
    got = client.get(f"/exists?p={path}")
    assert (got.status, got.text(), got.headers["x-again"]) == (200, str(found), str(found))


@pytest.mark.parametrize("engine", ["native", "cpython"])
def test_what_exists_with_try_html(directory: Path, engine: str) -> None:
    client = Client(directory, engine=engine, try_html=True, index="a.txt")
    for path, found in [("/plain", True), ("/plain/", False), ("/", True), ("/docs", False)]:
        assert client.get(f"/exists?p={path}").text() == str(found), path


def same(one: Response, other: Response) -> None:
    ignored = {"date", "x-error", "x-again"}
    fields = [{k: v for k, v in got.headers.items() if k not in ignored} for got in (one, other)]
    assert (one.status, one.body, fields[0]) == (other.status, other.body, fields[1])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"range": "bytes=2-4"},
        {"range": "bytes=0-1,3-4"},
        {"range": "bytes=999999999-"},
        {"if-none-match": "*"},
        {"if-match": '"other"'},
        {"accept-encoding": "br, gzip"},
        {"accept-encoding": "zstd;q=0.5, identity;q=0"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/a.txt", "/", "/docs/", "/docs", "/nothing", "/large.bin", "/errors/gone.html"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_with_200_it_is_what_a_request_gets(
    client: Client, method: str, path: str, fields: dict[str, str]
) -> None:
    sent = client.request(method, f"/send?p={path}", headers=fields)
    direct = client.request(method, f"{path}?p={path}", headers=fields)
    same(sent, direct)


def test_a_status_of_its_own(client: Client) -> None:
    fields = {"range": "bytes=0-1", "if-none-match": "*", "if-modified-since": "x"}
    for method in ("GET", "POST", "PUT"):
        got = client.request(method, "/gone", headers=fields)
        assert (got.status, got.body) == (410, GONE)
        assert got.headers["content-type"] == "text/html; charset=utf-8"
        assert not {"etag", "last-modified", "accept-ranges", "cache-control"} & set(got.headers)
    got = client.head("/gone")
    assert (got.status, got.body, got.headers["content-length"]) == (410, b"", str(len(GONE)))
    assert client.get("/send?p=/docs&s=403").body == FILES["docs/index.html"]
    assert client.get("/send?p=/empty.txt&s=403").body == b""
    got = client.get("/send?p=/large.bin&s=503")
    assert (got.status, got.body) == (503, FILES["large.bin"])
    assert got.headers["cache-control"] == "no-store"


def test_a_page_may_be_compressed(archive: Path) -> None:
    client = Client(archive)
    got = client.get("/gone", headers={"accept-encoding": "gzip", "range": "bytes=0-1"})
    assert (got.status, got.headers["content-encoding"]) == (410, "gzip")
    assert got.headers["vary"] == "Accept-Encoding"
    assert int(got.headers["content-length"]) == len(got.body) < len(GONE)
    assert client.get("/gone").body == GONE


def test_headers_of_the_script_replace_those_of_the_file(client: Client) -> None:
    for status in (200, 404):
        got = client.get(f"/send?p=/a.txt&own=&s={status}")
        assert (got.status, got.headers.getlist("etag")) == (status, ['"mine"'])
        assert got.headers["cache-control"] == "max-age=7"
        assert "Cookie" in got.headers.getlist("vary")
        assert got.headers.getlist("content-type") == ["text/plain; charset=utf-8"]


def test_pages_are_filled_in(client: Client) -> None:
    for status in (200, 500):
        got = client.get(f"/send?p=/errors/named.html&user=%3CAda%3E&s={status}")
        assert (got.status, got.body) == (status, b"<p>Sorry, &lt;Ada&gt;.</p>\n")
        assert client.get(f"/send?p=/a.txt&user=Ada&s={status}").body == FILES["a.txt"]


def test_what_is_not_there(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    assert client.get("/send?p=/nothing&s=418").body.startswith(b"418 ")
    assert client.get("/send?p=/.hidden&s=500").body == b"500 Internal Server Error\n"
    assert client.get("/send?p=/nothing").status == 404
    assert client.get("/send?p=/%ff").status == 404
    assert client.get("/send?p=/%ff&s=404").body == b"404 Not Found\n"


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("a.txt", 200, "a path has to begin with a slash: 'a.txt'"),
        ("", 404, "a path has to begin with a slash: ''"),
        ("/../x", 200, "the path leads out of the site: '/../x'"),
        ("/%00", 200, "the path contains a NUL byte: '/\\x00'"),
        ("/a.txt", 199, "status 199 is not from 200 to 599"),
        ("/a.txt", 600, "status 600 is not from 200 to 599"),
        ("/a.txt", 204, "status 204 is none of a file"),
        ("/a.txt", 206, "status 206 is none of a file"),
        ("/a.txt", 304, "status 304 is none of a file"),
        ("", 99, "status 99 is not from 200 to 599"),
    ],
)
@pytest.mark.parametrize("engine", ["native", "cpython"])
def test_what_is_refused(directory: Path, engine: str, path: str, status: int, why: str) -> None:
    client = Client(directory, engine=engine)
    assert client.get(f"/send?p={path}&s={status}").text() == "refused"
    target = f"/send?p={path}&s={status}&raise"
    if engine == "cpython":
        assert client.get(target).status == 500
        assert f"{type(client.errors[-1]).__name__}: {client.errors[-1]}" == f"ValueError: {why}"
        return
    site = Site(str(directory), scripts=loaded(str(directory)))
    answer, record = site.explain(encode("GET", target, None, None))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert json.loads(record)["decision"]["reason"] == f"ValueError: {why}"


def test_hooks_replace_content(client: Client) -> None:
    got = client.get("/a.txt", headers={"x-page": "/errors/gone.html", "x-status": "451"})
    assert (got.status, got.body) == (451, GONE)
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    assert got.headers["x-seen"] == "None None"
    assert "content-language" not in got.headers
    assert not {"etag", "last-modified", "accept-ranges"} & set(got.headers)
    got = client.get("/a.txt", headers={"x-page": "/a.txt", "x-type": "text/x-own"})
    assert (got.status, got.body) == (200, b"the letter a\n")
    assert got.headers.getlist("content-type") == ["text/x-own"]
    got = client.head("/a.txt", headers={"x-page": "/errors/gone.html"})
    assert (got.status, got.body, got.headers["content-length"]) == (200, b"", str(len(GONE)))
    got = client.get("/a.txt", headers={"x-page": "/large.bin"})
    assert got.body == FILES["large.bin"]


def test_hooks_and_what_has_no_content(client: Client) -> None:
    page = {"x-page": "/errors/gone.html"}
    got = client.get("/a.txt", headers={**page, "range": "bytes=1-2"})
    assert (got.status, got.body) == (200, GONE)
    assert "content-range" not in got.headers
    got = client.get("/a.txt", headers={**page, "if-none-match": "*"})
    assert (got.status, got.body) == (304, b"")
    assert "etag" in got.headers
    for status in ("204", "304"):
        got = client.get("/a.txt", headers={**page, "x-status": status})
        assert (got.status, got.body) == (int(status), b"")
    got = client.get("/a.txt", headers={**page, "x-status": "205"})
    assert (got.status, got.headers["content-length"]) == (205, "0")


def test_hooks_and_what_is_not_there(client: Client) -> None:
    got = client.get("/a.txt", headers={"x-page": "/nothing", "x-status": "500"})
    assert (got.status, got.body) == (500, b"500 Internal Server Error\n")
    got = client.get("/a.txt", headers={"x-page": "nothing"})
    assert (got.status, got.body) == (200, b"the letter a\n")
    assert got.headers["x-raised"] == "yes"


def test_upstreams_that_fail(client: Client) -> None:
    got = client.get("/proxy")
    assert (got.status, got.body, got.headers["x-error"]) == (502, UPSTREAM, "connect")
    assert got.headers["cache-control"] == "no-store"
    got = client.get("/proxy", headers={"x-upstream": "http://name.invalid"})
    assert (got.status, got.body, got.headers["x-error"]) == (502, UPSTREAM, "resolve")
    got = client.request("POST", "/proxy", body=b"x" * 1000)
    assert (got.status, got.body) == (502, UPSTREAM)
    assert client.get("/a.txt").headers["x-error"] == "none"


def test_upstreams_whose_answers_are_replaced(client: Client) -> None:
    answer = reply(b"secret " * 20_000, 502, {"X-Upstream": "here", "ETag": '"x"'})
    with Upstream(answer) as upstream:
        fields = {"x-upstream": upstream.url}
        got = client.get("/proxy", headers=fields)
        assert (got.status, got.headers["x-error"]) == (502, "none")
        assert got.body == b"secret " * 20_000
        for method in ("GET", "POST"):
            got = client.request(
                method,
                "/proxy",
                headers={**fields, "x-page": "/errors/gone.html"},
                body=b"x" * 70_000 if method == "POST" else None,
            )
            assert (got.status, got.body) == (502, GONE)
            assert got.headers["x-upstream"] == "here"
            assert "etag" not in got.headers
        got = client.head("/proxy", headers={**fields, "x-page": "/errors/gone.html"})
        assert (got.status, got.body, got.headers["content-length"]) == (502, b"", str(len(GONE)))


@pytest.fixture(scope="module", params=["directory", "archive"])
def front(request: pytest.FixtureRequest, directory: Path, archive: Path) -> Iterator[Front]:
    site = directory if request.param == "directory" else archive
    given = ["--threads", "1", "--tls-addr", "127.0.0.1:0", *certificate(directory.parent)]
    with running(site, *given, "--access-log", "off") as server:
        yield Front(server)


def test_over_sockets(front: Front) -> None:
    answer = reply(b"secret " * 20_000, 500)
    page, large = {"x-page": "/errors/gone.html"}, {"x-page": "/large.bin"}
    with Upstream(answer) as upstream, front.connect() as connection, front.connect2() as two:
        for _ in range(3):
            for target, fields, status, body in [
                ("/gone", {}, 410, GONE),
                ("/send?p=/a.txt", {}, 200, FILES["a.txt"]),
                ("/send?p=/large.bin&s=503", {}, 503, FILES["large.bin"]),
                ("/a.txt", page, 200, GONE),
                ("/a.txt", large, 200, FILES["large.bin"]),
                ("/proxy", {}, 502, UPSTREAM),
                ("/proxy", {"x-upstream": upstream.url, **page}, 500, GONE),
                ("/proxy", {"x-upstream": upstream.url, **large}, 500, FILES["large.bin"]),
            ]:
                connection.send(request(target, fields))
                got = connection.response()
                assert (got.status, got.body) == (status, body), target
                got2 = two.get(target, list(fields.items()))
                assert (got2.status, got2.body) == (status, body), target


def test_the_log_says_what_is_missing(directory: Path) -> None:
    with running(directory, "--threads", "1") as server:
        assert fetch(server.address, "/send?p=/not/there.html&s=503").body.startswith(b"503")
        server.wait_line(r"script files: no file of the site to send: /not/there\.html")


def test_a_body_that_goes_on_when_its_upstream_is_replaced(front: Front) -> None:
    """The rest of the body is no request."""
    with Upstream(reply(b"no", 500)) as upstream, front.connect() as connection:
        head = (
            f"POST /proxy HTTP/1.1\r\nHost: a\r\nX-Upstream: {upstream.url}\r\n"
            "X-Page: /errors/gone.html\r\nContent-Length: 100000\r\n\r\n"
        )
        connection.send(head.encode() + b"x" * 100_000)
        got = connection.response("POST")
        assert (got.status, got.body) == (500, GONE)


def test_an_upstream_that_answers_early(front: Front) -> None:
    """The rest of the body, which comes behind the answer, is no request."""

    def early(call: Call) -> None:
        call.send(response(b"too much", 500))
        call.drain()

    with Upstream(early) as upstream, front.connect() as connection:
        head = (
            f"POST /proxy HTTP/1.1\r\nHost: a\r\nX-Upstream: {upstream.url}\r\n"
            "X-Page: /errors/gone.html\r\nContent-Length: 100000\r\n\r\n"
        )
        connection.send(head.encode() + b"x" * 10_000)
        got = connection.response("POST")
        assert (got.status, got.body) == (500, GONE)
        assert got.header("connection") == "close"
        assert connection.at_end()


def test_uploads_over_http2_go_nowhere(front: Front) -> None:
    def early(call: Call) -> None:
        call.send(response(b"too much", 500))
        call.drain()

    with Upstream(early) as upstream, front.connect2() as two:
        fields = [("x-upstream", upstream.url), ("x-page", "/errors/gone.html")]
        for _ in range(2):
            got = two.post("/proxy", b"x" * 16_000, fields)
            assert (got.status, got.body) == (500, GONE)
        assert two.get("/a.txt").body == FILES["a.txt"]


def test_other_protocols_are_left_alone(front: Front) -> None:
    switching = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: example/1\r\n\r\n"
    with Upstream(say_and_close(switching + b"hello")) as upstream, front.connect() as connection:
        fields = {"Connection": "Upgrade", "Upgrade": "example/1", "X-Upstream": upstream.url}
        connection.send(request("/proxy", {**fields, "X-Page": "/a.txt"}))
        got = connection.head()
        assert (got.status, got.header("upgrade")) == (101, "example/1")
        assert connection.take(5) == b"hello"
    with Upstream(say_and_close(switching + b"hello")) as upstream, front.connect() as connection:
        fields = {"Connection": "Upgrade", "Upgrade": "example/1", "X-Upstream": upstream.url}
        connection.send(request("/proxy", {**fields, "X-Page": "/a.txt", "X-Status": "403"}))
        got = connection.response()
        assert (got.status, got.body) == (403, b"")


def test_what_is_kept_of_upstreams_is_replaced_for_who_asks(front: Front) -> None:
    page = {"x-page": "/errors/gone.html"}
    answer = reply(b"the upstream's own", 404, {"Cache-Control": "max-age=60"})
    with Upstream(answer) as upstream, front.connect2() as two:
        fields = {"x-upstream": upstream.url}
        replaced = [two.ask("/proxy?cache", "GET", [*fields.items(), *page.items()])]
        replaced += [two.ask("/proxy?cache", "GET", [*fields.items(), *page.items()])]
        assert [two.response(stream).body for stream in replaced] == [GONE, GONE]
        # All of it was kept, though nobody got it.
        wait_until(lambda: fetch(front.address, "/proxy?cache", fields).body[:3] == b"the", 10)
        assert len(upstream.calls) == 1
        got = fetch(front.address, "/proxy?cache", {**fields, **page})
        assert (got.status, got.body) == (404, GONE)
        assert got.header("etag") is None
        assert len(upstream.calls) == 1


def test_pages_by_metadata_are_compressed_too(archive: Path) -> None:
    client = Client(archive)
    fields = {"x-fallback": "/errors/gone.html", "accept-encoding": "gzip"}
    got = client.get("/proxy", headers=fields)
    assert (got.status, got.headers["content-encoding"]) == (502, "gzip")
    assert client.get("/proxy", headers={"x-fallback": "/errors/gone.html"}).body == GONE


def test_the_access_log_names_the_upstream(directory: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with (
        Upstream(reply(b"secret", 500)) as upstream,
        running(directory, "--threads", "1", "--access-log", log) as server,
    ):
        fields = {"x-upstream": upstream.url, "x-page": "/errors/gone.html"}
        assert fetch(server.address, "/proxy", fields).body == GONE
        wait_until(lambda: log.exists() and log.read_text().endswith("\n"), 10)
        line = json.loads(log.read_text())
        assert (line["status"], line["bytes"]) == (500, len(GONE))
        assert line["upstream"] == upstream.url
        assert line["upstream_us"] <= line["duration_us"]
