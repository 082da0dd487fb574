"""``Client`` with ``engine="cpython"``: scripts in Python decide, the real pipeline answers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import zeroserve
from support import c
from zeroserve.pack import pack
from zeroserve.script import clock
from zeroserve.testing import Client

HEAD = "from zeroserve.script import *\nfrom zeroserve.script import Request, Response\n"


def site(root: Path, files: dict[str, str] | None = None, /, **scripts: str) -> Path:
    """A directory with an index page and these scripts."""
    folder = root / "site"
    made = {"index.html": "<h1>home</h1>", "a.txt": "hello\n", **(files or {})}
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, text in scripts.items():
        path = folder / ".zeroserve" / "scripts" / f"{name.lstrip('_').replace('_', '-')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text, encoding="utf-8")
    return folder


def client(root: Path, files: dict[str, str] | None = None, /, **scripts: str) -> Client:
    return Client(site(root, files, **scripts), engine="cpython")


def on_request(body: str) -> str:
    return f"@on_request\ndef f(req: Request) -> Response | None:\n    {body}\n"


def on_response(body: str) -> str:
    return f"@on_response\ndef g(req: Request, res: Response) -> None:\n    {body}\n"


def test_a_script_answers_and_the_site_answers_the_rest(tmp_path: Path) -> None:
    body = """if req.path == "/health":
        return Response(200, '{"ok":true}', content_type="application/json")
    return None"""
    found = client(tmp_path, guard=on_request(body))
    health = found.get("/health")
    assert health.status == 200
    assert health.headers["content-type"] == "application/json"
    assert health.headers["content-length"] == "11"
    assert health.json() == {"ok": True}
    page = found.get("/")
    assert (page.status, page.body) == (200, b"<h1>home</h1>")
    assert "etag" in page.headers
    assert found.get("/nothing").status == 404


def test_what_scripts_leave_alone_is_answered_as_without_them(tmp_path: Path) -> None:
    plain = Client(site(tmp_path))
    looking = client(tmp_path, look=on_request("req.path, req.body(); return None"))
    for method, path, headers in [
        ("GET", "/", {}),
        ("HEAD", "/a.txt", {}),
        ("GET", "/a.txt", {"range": "bytes=1-2"}),
        ("GET", "/../x", {}),
        ("GET", "/%zz", {}),
        ("GET", "/%ff", {}),
        ("OPTIONS", "*", {}),
        ("DELETE", "/", {}),
        ("POST", "/", {"expect": "100-continue"}),
    ]:
        body = b"x" if method == "POST" else None
        one = plain.request(method, path, headers, body)
        two = looking.request(method, path, headers, body)
        without_date = [{k: v for k, v in r.headers.items() if k != "date"} for r in (one, two)]
        assert without_date[0] == without_date[1], (method, path)
        assert (one.status, one.body) == (two.status, two.body), (method, path)
    assert looking.errors == []


def test_the_request_as_scripts_see_it(tmp_path: Path) -> None:
    body = """return Response(200, repr([
        req.method, req.path, req.raw_path, req.query, req.scheme, req.host, req.peer_ip,
        req.peer_port, req.http_version, req.header("x-a"), req.query_param("q"),
        req.cookie("id"), req.body(), req.tls_sni, req.tls_alpn, req.ja4]))"""
    seen = client(tmp_path, look=on_request(body)).request(
        "POST",
        "/a%20b/../%C3%BC?q=1+2&q=3",
        headers=[("X-A", "1"), ("x-a", "2"), ("Host", "Example.org:80"), ("Cookie", "id=7")],
        body="data",
    )
    expected: list[object] = ["POST", "/ü", "/a%20b/../%C3%BC", "q=1+2&q=3", "http", "example.org"]
    expected += ["127.0.0.1", 0, "1.1", "1, 2", "1 2", "7", b"data", None, None, None]
    assert seen.text() == repr(expected)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    body = """req.set_header("x-copy", req.path)
    return Response(200, ascii([req.path, req.header("x-copy")]))"""
    seen = client(tmp_path, look=on_request(body)).get("/%ff%C3%A4")
    assert seen.text() == ascii(["/\udcffä", "/\udcffä"])


def test_scripts_run_in_the_order_of_their_names_until_one_answers(tmp_path: Path) -> None:
    found = client(
        tmp_path,
        _20_second=on_request("return Response(200, req.meta['trace'] + 'second')"),
        _10_first=on_request("req.meta['trace'] = 'first '")
        + on_request("req.meta['trace'] += 'again '").replace("def f", "def h"),
        _30_third=on_request("raise AssertionError('never')"),
    )
    assert found.get("/").text() == "first again second"
    assert found.errors == []


def test_changed_requests_go_through_the_site(tmp_path: Path) -> None:
    body = """if req.path.startswith("/old/"):
        req.rewrite("/" + req.path.removeprefix("/old/") + "?x=1")
    if req.header("x-range"):
        req.set_header("Range", req.header("x-range") or "")
    if req.path == "/delete":
        req.set_method("DELETE")
    req.delete_header("if-none-match")"""
    files = {"b c.txt": "two words"}
    found = client(tmp_path, files, change=on_request(body))
    assert found.get("/old/b%20c.txt").body == b"two words"
    assert found.get("/a.txt", {"x-range": "bytes=1-2"}).body == b"el"
    assert found.get("/delete").status == 405
    etag = found.get("/a.txt").headers["etag"]
    assert found.get("/a.txt", {"if-none-match": etag}).status == 200
    head = found.head("/old/a.txt")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "6")


def test_redirect_proxy_abort(tmp_path: Path) -> None:
    body = """if req.path == "/abort":
        return abort()
    if req.path == "/up":
        return proxy("http://127.0.0.1:1")
    return redirect("/new" + req.path, 301)"""
    found = client(tmp_path, go=on_request(body))
    moved = found.get("/a%20b%23c")
    assert moved.status == 301
    assert moved.headers["location"] == "/new/a%20b#c"
    assert moved.headers["content-length"] == "0"
    assert "content-type" not in moved.headers
    assert found.get("/up").status == 502
    with pytest.raises(zeroserve.Error, match="without an answer"):
        found.get("/abort")


def test_headers_of_a_response(tmp_path: Path) -> None:
    body = """return Response(203, b"x", headers={"X-A": " 1 ", "Set-Cookie": "a=1"})"""
    made = client(tmp_path, go=on_request(body)).get("/")
    assert (made.status, made.headers["x-a"], made.headers["set-cookie"]) == (203, "1", "a=1")
    assert made.headers["content-type"] == "application/octet-stream"
    body = """return Response(204, "no", headers={"X-A": "1"})"""
    made = client(tmp_path, go=on_request(body)).get("/")
    assert (made.status, made.body, made.headers["x-a"]) == (204, b"", "1")
    assert "content-type" not in made.headers
    assert "content-length" not in made.headers


def test_an_answer_to_head_has_no_body(tmp_path: Path) -> None:
    made = client(tmp_path, go=on_request('return Response(200, "four")')).head("/")
    assert (made.body, made.headers["content-length"]) == (b"", "4")


def test_hooks_see_and_change_any_response(tmp_path: Path) -> None:
    body = """res.set_header("X-Was", f"{res.status} {res.header('content-type')}")
    res.append_header("Vary", "Cookie")
    res.append_header("vary", "Accept")
    res.delete_header("ETag")
    res.delete_header("Content-Length")
    if res.status == 404:
        res.status = 410"""
    found = client(tmp_path, see=on_response(body) + on_request("req.meta['k'] = 'v'"))
    page = found.get("/a.txt")
    assert page.headers["x-was"] == "200 text/plain; charset=utf-8"
    assert page.headers.getlist("vary")[-2:] == ["Cookie", "Accept"]
    assert "etag" not in page.headers
    assert page.headers["content-length"] == "6"
    assert page.body == b"hello\n"
    gone = found.get("/nothing")
    assert gone.status == 410
    assert found.head("/a.txt").headers["content-length"] == "6"


def test_a_hook_that_does_nothing_changes_no_byte(tmp_path: Path) -> None:
    one = Client(site(tmp_path)).get("/a.txt")
    two = client(tmp_path, see=on_response("pass")).get("/a.txt")
    dated = [[(k, v) for k, v in r.headers.items() if k != "date"] for r in (one, two)]
    assert dated[0] == dated[1]


def test_metadata_in_pages_and_as_headers(tmp_path: Path) -> None:
    body = """req.meta["user"] = "<Ada>"
    req.meta["zs.response.header.X-Frame-Options"] = "DENY\""""
    page = client(
        tmp_path,
        {"index.html": "<p><zs-meta>user</zs-meta></p>"},
        a=on_request(body),
        b=on_response("req.meta['zs.response.header.x-late'] = req.meta['user']"),
    ).get("/")
    assert page.body == b"<p>&lt;Ada&gt;</p>"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["x-late"] == "<Ada>"
    assert "etag" not in page.headers


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('x')",
        "assert req.path == ''",
        "return req.meta['no such key']",
        "return 'text'",
        "return Response(99)",
        "req.rewrite('no slash')",
        "while True: req.meta[str(len(req.meta.items()))] = ''",
    ],
)
def test_an_exception_is_what_a_trap_is(
    body: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = client(tmp_path, _10_bad=on_request(body), _20_next=on_response("raise OSError"))
    answer = found.get("/")
    assert (answer.status, answer.text()) == (500, "500 Internal Server Error\n")
    assert len(found.errors) == 1
    said = capfd.readouterr().err
    assert said.startswith(f"zeroserve: script 10-bad: {type(found.errors[0]).__name__}")
    assert re.search(r" in f at 10-bad\.py:[35]; answered 500\n$", said)


def test_an_exception_in_a_hook_of_responses(tmp_path: Path) -> None:
    found = client(tmp_path, see=on_response("res.status = 99"))
    assert found.get("/").status == 500
    assert str(found.errors[0]) == "status 99 is not from 200 to 599"
    found = client(tmp_path, see=on_response("return Response(200)"))
    assert found.get("/").status == 500


@c.needed
def test_the_500_has_the_bytes_of_a_trap(tmp_path: Path) -> None:
    tree = tmp_path / "c"
    tree.mkdir()
    c.write(tree, "bad", c.TRAP)
    one = Client(tree).get("/")
    two = client(tmp_path, bad=on_request("raise ValueError")).get("/")
    assert (one.status, one.body, one.headers.keys()) == (two.status, two.body, two.headers.keys())


def test_what_is_no_exception_of_a_script_comes_through(tmp_path: Path) -> None:
    found = client(tmp_path, stop=on_request("raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        found.get("/")


def test_bodies_beyond_the_limit(tmp_path: Path) -> None:
    body = 'return Response(200, str(len(req.body()))) if req.path == "/read" else None'
    found = client(tmp_path, read=on_request(body))
    assert found.post("/read", body=b"x" * 262_144).text() == "262144"
    large = found.post("/read", body=b"x" * 262_145)
    assert (large.status, large.text()) == (413, "413 Content Too Large\n")
    assert found.post("/other", body=b"x" * 262_145).status == 405
    assert found.errors == []
    chunked = {"transfer-encoding": "chunked"}
    assert found.post("/read", chunked, b"3\r\nabc\r\n0\r\n\r\n").text() == "3"


def test_the_body_in_a_hook_of_responses(tmp_path: Path) -> None:
    show = on_response("res.set_header('x-len', str(len(req.body())))")
    read = on_request("req.body()")
    assert client(tmp_path, a=show + read).post("/", body=b"abc").headers["x-len"] == "3"
    assert client(tmp_path / "b", a=show).post("/", body=b"abc").status == 500


def test_json(tmp_path: Path) -> None:
    body = """try:
        return Response(200, str(req.json()["a"]))
    except ValueError:
        return Response(400)"""
    found = client(tmp_path, read=on_request(body))
    assert found.post("/", body='{"a": 1}').text() == "1"
    assert found.post("/", body=b'\xef\xbb\xbf{"a": 1}').text() == "1"
    for bad in (b"{", b"\xff", b""):
        assert found.post("/", body=bad).status == 400
    assert found.post("/", body='{"a": 1}'.encode("utf-16")).status == 500


def test_tables_and_limits_are_the_clients(tmp_path: Path) -> None:
    count = "hits = Table(str, int, max_entries=9)\n"
    count += on_request('return Response(200, str(hits.add("all", 1)))')
    found = client(tmp_path, count=count)
    assert [found.get("/").text() for _ in range(3)] == ["1", "2", "3"]
    assert Client(tmp_path / "site", engine="cpython").get("/").text() == "1"

    body = "return None if rate_limit(req.peer_ip, per_minute=1) else Response(429)"
    limited = client(tmp_path, count=on_request(body))
    again = Client(tmp_path / "site", engine="cpython")
    with clock.fixed() as now:
        assert [limited.get("/").status for _ in range(2)] == [200, 429]
        assert again.get("/").status == 200
        now.advance(60)
        assert limited.get("/").status == 200


def test_helpers_are_imported_and_nothing_stays(tmp_path: Path) -> None:
    before, path = set(sys.modules), list(sys.path)
    found = client(
        tmp_path,
        shared="from deeper import WORD\nloads = []\nloads.append(1)\n",
        deeper="WORD = 'deep'\n",
        a="import shared\n" + on_request("req.meta['n'] = str(len(shared.loads))"),
        b="from shared import WORD\n" + on_request("return Response(200, req.meta['n'] + WORD)"),
    )
    assert found.get("/").text() == "1deep"
    assert not {"shared", "deeper", "a", "b"} & (set(sys.modules) - before)
    assert sys.path == path
    scripts = tmp_path / "site" / ".zeroserve" / "scripts"
    assert {p.suffix for p in scripts.iterdir()} == {".py"}


def test_the_standard_library_comes_before_helpers(tmp_path: Path) -> None:
    found = client(
        tmp_path,
        json="raise_nothing = 1\n",
        a="import json\n" + on_request("return Response(200, json.dumps([1]))"),
    )
    assert found.get("/").text() == "[1]"


def test_a_lone_script_and_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("HELLO = 'hello'\n")
    (tmp_path / "other.py").write_text("raise RuntimeError('is not loaded')\n")
    app = tmp_path / "app.py"
    app.write_text("from words import HELLO\n" + HEAD + on_request("return Response(200, HELLO)"))
    assert Client(app, engine="cpython").get("/").text() == "hello"
    app.write_text(HEAD)
    with pytest.raises(zeroserve.Error, match=r"app\.py': no function is an entry"):
        Client(app, engine="cpython")


def test_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client(tmp_path, _10_say=on_request("log(f'path {req.path}\\n')")).get("/%0Ax")
    assert capfd.readouterr().err == "zeroserve: script 10-say: path /\\nx\\n\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", r"bad\.py': SyntaxError: invalid syntax in line 3"),
        (
            "x = 1\n1 / 0\n",
            r"bad\.py': ZeroDivisionError: division by zero in <module> at bad\.py:4",
        ),
        ("import nothing_of_that_name\n", r"ModuleNotFoundError: .* in <module> at bad\.py:3"),
        (
            "@on_request\ndef f(): ...\n",
            r"is for functions of \(req\): f takes 0 in <module> at bad\.py:3",
        ),
    ],
)
def test_scripts_that_do_not_load(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(zeroserve.Error, match=message):
        client(tmp_path, bad=text)
    assert "bad" not in sys.modules


def test_scripts_that_are_not_python(tmp_path: Path) -> None:
    folder = site(tmp_path, a=on_request("return None"))
    (folder / ".zeroserve" / "scripts" / "b.c").write_text("")
    with pytest.raises(zeroserve.Error, match=r"runs scripts in Python alone: 'b\.c'"):
        Client(folder, engine="cpython")
    with pytest.raises(zeroserve.Error, match="there is no such engine: 'pypy'"):
        Client(folder, engine="pypy")


def test_an_archive_without_scripts(tmp_path: Path) -> None:
    made = tmp_path / "site.tar"
    pack(site(tmp_path), made)
    assert Client(made, engine="cpython").get("/a.txt").body == b"hello\n"
