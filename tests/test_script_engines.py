"""Scripts in Python give the same answers compiled and in CPython, down to the header fields.

Here is what scripts ask of the server. What they do with values is compared elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import zeroserve
from zeroserve.testing import Client, HeadersIn

IMPORTS = (
    "from zeroserve.script import Request, Response, Table, abort, env, on_request, on_response\n"
    "from zeroserve.script import proxy, rate_limit, redirect\n"
)
FILES = {
    "index.html": "<h1>home</h1>",
    "a.txt": "hello\n",
    "dir/index.html": "inside",
    "page.html": "<p><zs-meta>user</zs-meta></p>",
}


class Sent(NamedTuple):
    """A request."""

    method: str = "GET"
    path: str = "/a.txt"
    headers: HeadersIn = ()
    body: bytes | None = None


def on_request(body: str) -> str:
    return f"@on_request\ndef f(req: Request) -> Response | None:\n    {body}\n"


def on_response(body: str) -> str:
    return f"@on_response\ndef g(req: Request, res: Response) -> None:\n    {body}\n"


def answers(site: Path, engine: str, sent: list[Sent]) -> list[object]:
    try:
        client = Client(site, engine=engine)
    except zeroserve.Error as error:
        if "do not run yet" in str(error):
            pytest.skip("scripts in Python are not compiled")
        raise
    found: list[object] = []
    for request in sent:
        try:
            made = client.request(*request)
        except zeroserve.Error as error:
            found.append(str(error))
            continue
        fields = [(name, value) for name, value in made.headers.items() if name != "date"]
        found.append((made.status, fields, made.body))
    return found


def require_same(tmp_path: Path, script: str, sent: list[Sent]) -> None:
    for name, text in {**FILES, ".zeroserve/scripts/s.py": IMPORTS + script}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    native, cpython = (answers(tmp_path, engine, sent) for engine in ("native", "cpython"))
    for request, one, two in zip(sent, native, cpython, strict=True):
        assert one == two, request


ODD = [
    Sent(path=path, headers=headers)
    for path in (
        "/",
        "/a%20b/../%C3%BC?q=1+2&q=3",
        "/%ff%C3%A4?x=%ff",
        "/..",
        "/%zz",
        "/a?a=b?c",
        "//a///b/./c/",
        "/a%2fb",
        "/?flag&=x&e=%C3%BC+%ff",
    )
    for headers in ((), (("X", "1"), ("x", " 2 "), ("X", "ü")))
] + [Sent("OPTIONS", "*"), Sent("HEAD")]

FIELDS = ["method", "path", "raw_path", "query", "scheme", "host", "peer_ip", "http_version"]


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_requests(name: str, tmp_path: Path) -> None:
    body = f"""req.set_header("copy", req.{name})
    copied = req.header("copy") or ""
    try:
        return Response(200, req.{name} + str(req.peer_port), headers={{"copy": copied}})
    except UnicodeEncodeError:
        return Response(400, "no text", headers={{"copy": copied}})"""
    require_same(tmp_path, on_request(body), ODD)


LOOK_UPS = ["query_param('q')", "query_param('flag')", "query_param('')", "query_param('e')"]
LOOK_UPS += ["header('x')", "header('HOST')", "header('none')", "header('')", "cookie('x')"]


@pytest.mark.parametrize("call", LOOK_UPS)
def test_look_ups(call: str, tmp_path: Path) -> None:
    body = f"value = req.{call}\n    return Response(200, 'None' if value is None else '+' + value)"
    require_same(tmp_path, on_request(body), ODD)


@pytest.mark.parametrize("name", ["a", "b", "c", "", "d", "e", "f", "g"])
def test_cookies(name: str, tmp_path: Path) -> None:
    fields = [("Cookie", 'a=1; b = "two" ;c;=x; b=3; d="'), ("cookie", 'e=5; a=9; f=""')]
    body = f"value = req.cookie({name!r})\n    return Response(200, value or str(value is None))"
    require_same(tmp_path, on_request(body), [Sent(headers=fields)])


@pytest.mark.parametrize("host", ["A.b", "A.b:80", "[::1]:80", "[::F]", "a.b."])
def test_hosts(host: str, tmp_path: Path) -> None:
    sent = [Sent(headers={"Host": host})]
    require_same(tmp_path, on_request("return Response(200, req.host)"), sent)


STEPS = [
    "req.set_header('a b', 'c')",
    "req.set_header('', 'c')",
    "req.set_header('Content-Length', '1')",
    r"req.set_header('a', 'b\r\nc')",
    r"req.set_header('a', 'b\n')",
    r"req.set_header('a', '\x7f')",
    r"req.set_header('a', '\ud800')",
    r"req.set_header('a', ' \t x ')",
    "req.rewrite('a')",
    "req.rewrite('')",
    "req.rewrite('/../a')",
    "req.rewrite('/%00')",
    "req.rewrite('/%zz')",
    "req.rewrite('/ü b/100%?x y#z')",
    "req.rewrite('/a?b=c?d')",
    "req.rewrite('//x//y')",
    "req.rewrite(req.path)",
    "req.set_method('a b')",
    "req.set_method('')",
    "req.set_method('PURGE')",
    "req.set_method('M' * 33)",
    "Response(199)",
    "Response(600)",
    "Response(200, content_type='')",
    r"Response(200, content_type='a\n')",
    "Response(200, headers={'Date': 'x'})",
    "Response(200, headers={'Connection': 'x'})",
    "Response(200, headers={'a b': 'x'})",
    r"Response(200, headers={'a': 'x\0'})",
    "redirect('')",
    "redirect('/', 200)",
    r"redirect('/a\n')",
    r"redirect('/\x7f')",
    "proxy('ftp://a')",
    "proxy('http://')",
    "proxy('http://u@a')",
    "proxy('http://a b')",
    "proxy('http://ü')",
    "proxy('unix:/run/a.sock')",
    "proxy('unix:a')",
    "proxy('pool:a-1')",
    "proxy('pool:a/b')",
    "req.meta['none']",
    "req.meta[''] = 'x'",
    "req.meta['x' * 257] = 'x'",
    r"req.meta['a'] = '\udcff'",
    r"req.meta['\udcff'] = 'a'",
    "req.meta['zs.response.header.'] = 'x'",
    "req.meta['zs.response.header.content-length'] = '1'",
    "req.meta['zs.response.header.Connection'] = 'x'",
    r"req.meta['zs.response.header.a'] = 'b\n'",
    "req.meta['zs.response.header.X-A'] = ' z '",
    "rate_limit('')",
    "rate_limit('', per_second=1)",
    "rate_limit('x' * 257, per_second=1)",
    "rate_limit('ü' * 129, per_second=1)",
    "rate_limit('a', per_second=-1)",
]


@pytest.mark.parametrize("step", STEPS)
def test_what_is_refused(step: str, tmp_path: Path) -> None:
    body = f"""try:
        {step}
    except ValueError:
        return Response(400, "ValueError")
    except KeyError:
        return Response(404, "KeyError")
    return Response(200, f"{{req.method}} {{req.path}} {{req.query}} {{req.header('a')}}")"""
    require_same(tmp_path, on_request(body), [Sent(path="/a%20b?x=1")])


ANSWERS = [
    "Response(200)",
    "Response(201, 'ü')",
    "Response(200, b'x')",
    "Response(200, 'x', content_type='a/b')",
    "Response(200, 'x', content_type='a/b', headers={'content-type': 'c/d'})",
    "Response(200, 'x', headers={'Content-Type': 'c/d', 'X': ' 1 ', 'Set-Cookie': 'a=1'})",
    "Response(200, 'x', headers={'X': 'ü', 'x': '2'})",
    "Response(204, 'no', headers={'X': '1'})",
    "Response(304, 'no', content_type='a/b')",
    "redirect('/a b%#c?ü')",
    "redirect('https://x/', 308)",
    "proxy('http://127.0.0.1:1')",
    "abort()",
    "None",
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("more", ["", on_response("pass"), on_response("res.set_header('x', '3')")])
def test_answers(answer: str, more: str, tmp_path: Path) -> None:
    body = f"""if req.query:
        req.meta['zs.response.header.X'] = '9'
    return {answer}"""
    paths = ("/a.txt", "/a.txt?x")
    sent = [Sent(method, path) for method in ("GET", "HEAD") for path in paths]
    sent.append(Sent("POST", body=b"abc"))
    require_same(tmp_path, on_request(body) + more, sent)


CHANGES = [
    "res.set_header('X-Was', str(res.status) + (res.header('content-type') or ''))",
    "res.append_header('Vary', 'Cookie')\n    res.append_header('vary', 'Accept')",
    "res.delete_header('ETag')",
    "res.delete_header('Content-Length')\n    res.delete_header('Date')",
    "res.status = 410",
    "res.status = 204",
    "res.status = 99",
    "res.set_header('content-length', '9')",
    "res.set_header('Date', '9')",
    "res.set_header('ETag', '\"x\"')",
    "res.set_header('x', '')",
    "res.set_header('x', str(len(req.body())))",
    "res.set_header('x', req.path + req.raw_path)",
    "res.set_header('x', res.header('CONTENT-LENGTH') or 'none')",
    "res.set_header('x', 'none' if res.header('date') is None else 'some')",
    "req.meta['zs.response.header.x'] = 'y'",
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_responses(change: str, tmp_path: Path) -> None:
    sent = [
        Sent(),
        Sent("HEAD"),
        Sent(path="/none"),
        Sent(headers={"range": "bytes=1-2"}),
        Sent("POST", body=b"abc"),
        Sent(path="/dir"),
        Sent(path="/.."),
    ]
    require_same(tmp_path, on_response(change), sent)


REWRITES = [
    "req.rewrite('/a.txt')",
    "req.set_header('Range', 'bytes=1-2')\n    req.rewrite('/a.txt?x')",
    "req.set_method('DELETE')",
    "req.delete_header('if-none-match')\n    req.delete_header('host')",
    "req.delete_header('content-length')",
    "req.meta['user'] = '<A&da>'\n    req.rewrite('/page.html')",
    "req.set_header('Host', 'other')\n    req.rewrite('/dir')",
]


@pytest.mark.parametrize("change", REWRITES)
def test_changes_of_requests(change: str, tmp_path: Path) -> None:
    sent = [Sent(path="/x"), Sent("HEAD", "/x", {"if-none-match": "*"})]
    sent.append(Sent("POST", "/x", {}, b"abc"))
    require_same(tmp_path, on_request(change + "\n    return None"), sent)


@pytest.mark.parametrize("more", ["", on_response("res.set_header('x', str(len(req.body())))")])
def test_bodies(more: str, tmp_path: Path) -> None:
    body = """try:
        return Response(200, str(len(req.body())))
    except Exception:
        return Response(200, "caught")"""
    large = b"x" * 262_145
    sent = [
        Sent("POST", "/", {}, large[:-1]),
        Sent("POST", "/", {}, large),
        Sent(),
        Sent("POST", "/", {"transfer-encoding": "chunked"}, b"3\r\nabc\r\n0\r\n\r\n"),
        Sent("POST", "/", {"expect": "100-continue"}, b"abc"),
    ]
    require_same(tmp_path, on_request(body) + more, sent)


def test_json(tmp_path: Path) -> None:
    body = """try:
        return Response(200, str(req.json()["a"]))
    except ValueError:
        return Response(400, "ValueError")
    except KeyError:
        return Response(404, "KeyError")"""
    documents = [b'{"a": 1}', b'{"a": "x"}', b'{"b": 1}', b"[1]", b"{", b"", b"\xff", b'"\xff"']
    documents += [b'\xef\xbb\xbf{"a": 1}', '{"a": 1}'.encode("utf-16"), b'{"a": 1,}', b"1e5"]
    require_same(tmp_path, on_request(body), [Sent("POST", "/", {}, data) for data in documents])


def test_tables(tmp_path: Path) -> None:
    script = "hits = Table(str, int, max_entries=2)\nlast = Table(int, str, max_entries=1)\n"
    body = """before = last.get(1, "nothing")
    last.set(1, req.path)
    count = hits.add(req.path, 1)
    seen = f"{before} {count} {hits.get('/b', -1)} {hits.get('/a')} {hits.get('/c', 0)}"
    hits.delete("/d")
    return Response(200, seen)"""
    sent = [Sent(path=f"/{name}") for name in "aabcaddba"]
    require_same(tmp_path, script + on_request(body), sent)


def test_tables_of_modules_that_scripts_share(tmp_path: Path) -> None:
    folder = tmp_path / ".zeroserve" / "scripts"
    folder.mkdir(parents=True)
    table = "hits = Table(str, int, max_entries=9)\n"
    shared = "from zeroserve.script import Table\n" + table
    shared += "def count() -> int:\n    return hits.add('n', 1)\n"
    (folder / "shared.py").write_text(shared, encoding="utf-8")
    first = "from shared import count\n" + table
    first += on_request("hits.add('n', 10)\n    req.meta['a'] = str(count())\n    return None")
    (folder / "first.py").write_text(IMPORTS + first, encoding="utf-8")
    body = "return Response(200, f'{req.meta.get(\"a\")} {shared.count()}')"
    require_same(tmp_path, "import shared\n" + on_request(body), [Sent(), Sent()])


@pytest.mark.parametrize("n", [1, 2**63 - 1, -(2**63)])
def test_sums_that_do_not_fit(n: int, tmp_path: Path) -> None:
    script = "t = Table(str, int, max_entries=2)\n"
    body = f"t.add('a', {n})\n    return Response(200, str(t.add('a', {n})))"
    require_same(tmp_path, script + on_request(body), [Sent()])


def test_rate_limits(tmp_path: Path) -> None:
    body = "return None if rate_limit(req.path, per_hour=2) else Response(429)"
    sent = [Sent(), Sent(), Sent(), Sent(path="/"), Sent()]
    require_same(tmp_path, on_request(body), sent)


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZS_TEST", "ü")
    values = ", ".join(f"env({name!r})" for name in ("ZS_TEST", "ZS_NONE", "", "A=B"))
    body = f"""for value in ({values}):
        req.meta["all"] = f"{{req.meta.get('all')}} {{value}}"
    return Response(200, req.meta["all"])"""
    require_same(tmp_path, on_request(body), [Sent()])


@pytest.mark.parametrize("body", ["assert req.path == ''", "return Response(int('x'))"])
def test_exceptions(body: str, tmp_path: Path) -> None:
    more = on_response("res.set_header('x', 'is not reached')")
    require_same(tmp_path, on_request(body) + more, [Sent(), Sent("HEAD")])
