"""What scripts in Python import, in plain Python: requests, responses, tables, limits, hooks."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
import types
from collections import OrderedDict
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroserve import script
from zeroserve.script import (
    Request,
    Response,
    Table,
    abort,
    clock,
    env,
    limits,
    log,
    on_request,
    on_response,
    proxy,
    rate_limit,
    redirect,
)
from zeroserve.script.hooks import hooks_of
from zeroserve.script.limiter import counting
from zeroserve.script.limits import BodyTooLarge, Stop
from zeroserve.script.meta import Meta
from zeroserve.script.response import decision
from zeroserve.script.target import encoded, resolve
from zeroserve.testing import Client

ROOT = Path(__file__).parent.parent
MODULES = sorted(module.name for module in pkgutil.iter_modules(script.__path__))


@pytest.mark.parametrize("name", ["", *(f".{name}" for name in MODULES)])
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"zeroserve.script{name}")).failed == 0


def test_importing_it_takes_nothing_of_the_server() -> None:
    code = "import sys, zeroserve.script; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    ours = {name for name in loaded if name.startswith("zeroserve")}
    assert ours == {"zeroserve", "zeroserve.script"} | {f"zeroserve.script.{m}" for m in MODULES}
    assert not {"asyncio", "socket", "http.client", "ssl", "rich", "inspect"} & set(loaded)


def test_all_is_what_the_contract_names() -> None:
    names = "Request Response on_request on_response redirect proxy abort rate_limit log env Table"
    names += " send_file file_exists verify_password send_listing fetch Fetched"
    names += " oidc_begin_login oidc_handle_callback oidc_session oidc_logout"
    assert sorted(script.__all__) == sorted(names.split())


def test_limits_are_those_of_the_server() -> None:
    """The numbers have one home, in Rust; these are copies."""
    source = (ROOT / "crates" / "host" / "src" / "limits.rs").read_text(encoding="utf-8")
    source += (ROOT / "crates" / "host" / "src" / "rate_limit.rs").read_text(encoding="utf-8")
    rows = re.findall(r"pub const (\w+): \w+ = ([0-9_ *<]+);", source)
    theirs = {name: eval(value) for name, value in rows}
    ours = {name: value for name, value in vars(limits).items() if name.startswith("MAX_")}
    common = ours.keys() & theirs.keys()
    assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}
    assert ours.keys() - common <= {name for name in ours if name.startswith("MAX_TABLE_")}


# ---- requests


def test_a_request_by_hand() -> None:
    req = Request(
        "POST",
        "/a%20b/./c?x=1",
        headers={"X-A": "1"},
        body="ü",
        scheme="https",
        host="Example.org:443",
        peer_ip="192.0.2.7",
        peer_port=5,
        http_version="2",
        tls_sni="example.org",
        tls_alpn="h2",
        ja4="t13d",
    )
    assert (req.method, req.path, req.raw_path, req.query) == (
        "POST",
        "/a b/c",
        "/a%20b/./c",
        "x=1",
    )
    assert (req.scheme, req.host, req.peer_ip, req.peer_port) == (
        "https",
        "example.org",
        "192.0.2.7",
        5,
    )
    assert (req.http_version, req.tls_sni, req.tls_alpn, req.ja4) == (
        "2",
        "example.org",
        "h2",
        "t13d",
    )
    assert req.body() == "ü".encode()
    assert req.header("content-length") == "2"
    assert req.header("host") == "Example.org:443"
    assert Request().header("host") == "localhost"
    assert Request(path="/a", query="b=c").query == "b=c"
    assert Request(path="/ü x?ö").raw_path == "/%C3%BC%20x"
    assert repr(req) == "<Request POST /a%20b/./c?x=1>"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Request(path="a"),
        lambda: Request(path="/../a"),
        lambda: Request(path="/%00"),
        lambda: Request(path="/a?b", query="c"),
        lambda: Request("NO SPACE"),
        lambda: Request(""),
        lambda: Request("M" * 33),
        lambda: Request(headers={"a b": "c"}),
        lambda: Request(headers={"a": "b\nc"}),
    ],
)
def test_what_no_client_sends(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=r"."):
        make()


PATHS = [
    ("/", "/"),
    ("/a/b.c", "/a/b.c"),
    ("//a///b", "/a/b"),
    ("/a/.", "/a/"),
    ("/a/b/..", "/a/"),
    ("/a/..", "/"),
    ("/a%2f..%2fb", "/b"),
    ("/..a/.b", "/..a/.b"),
    ("/%C3%BC+", "/ü+"),
    ("/%ff/x", "/\udcff/x"),
]


@pytest.mark.parametrize(("raw", "path"), PATHS)
def test_paths(raw: str, path: str) -> None:
    assert resolve(raw) == path


@pytest.mark.parametrize("raw", ["/..", "/a/../..", "/%2e%2e/x", "/%00", "/%", "/%4", "/%zz", "a"])
def test_paths_that_name_nothing(raw: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(raw))):
        resolve(raw)


@given(st.from_regex(r"/([ab.%/]|%2e|%2F|%2E%2e|%c3%bc|%ff){0,12}", fullmatch=True))
def test_nothing_leaves_the_site(raw: str) -> None:
    try:
        path = resolve(raw)
    except ValueError:
        return
    assert path.startswith("/")
    assert "//" not in path
    assert not {".", ".."} & set(path.split("/"))
    assert resolve(encoded(path.replace("%", "%25"))) == path


@given(st.text(max_size=20))
def test_any_path_can_be_encoded(text: str) -> None:
    """Lone surrogates that stand for no byte are no text for anybody."""
    path = "/" + text.replace("?", "").replace(".", "")
    try:
        made = encoded(path)
    except UnicodeEncodeError:
        return
    except ValueError as error:
        assert "NUL" in str(error)
        return
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made
    assert "#" not in made


@pytest.mark.parametrize(
    ("field", "host"),
    [("A.b", "a.b"), ("A.b:80", "a.b"), ("[::1]:80", "[::1]"), ("[::F]", "[::f]"), (":80", "")],
)
def test_hosts(field: str, host: str) -> None:
    assert Request(host=field).host == host
    assert Request(headers={"HOST": field}, host="other").host == host


@given(st.lists(st.tuples(st.sampled_from(["a", "A", "b", "%61", "c+"]), st.text(max_size=5))))
def test_parameters_are_those_of_parse_qsl(pairs: list[tuple[str, str]]) -> None:
    query = "&".join(f"{key}={value}" for key, value in pairs if "#" not in value)
    try:
        req = Request(path=f"/?{query}")
    except UnicodeEncodeError:
        return
    expected = parse_qsl(req.query, keep_blank_values=True)
    for name in ("a", "A", "b", "c ", "none"):
        first = next((value for key, value in expected if key == name), None)
        assert req.query_param(name) == first


def test_parameters() -> None:
    req = Request(path="/?a=1&a=2&blank=&flag&e=%C3%BC+%ff&=x")
    assert req.query_param("a") == "1"
    assert req.query_param("blank") == req.query_param("flag") == ""
    assert req.query_param("e") == "ü \ufffd"
    assert req.query_param("") == "x"
    assert req.query_param("A") is None


def test_cookies() -> None:
    req = Request(headers=[("Cookie", 'a=1; b = "two" ;c;=x; b=3; d="'), ("cookie", "e=5; a=9")])
    found = {name: req.cookie(name) for name in ("a", "b", "c", "", "d", "e", "f")}
    assert found == {"a": "1", "b": "two", "c": None, "": "x", "d": '"', "e": "5", "f": None}
    jar = SimpleCookie({"k": "v"})
    assert Request(headers={"cookie": jar.output(header="").strip()}).cookie("k") == "v"


def test_headers_of_a_request() -> None:
    req = Request(headers=[("X-A", "1"), ("B", "2"), ("x-a", "3")])
    assert (req.header("X-a"), req.header("c")) == ("1, 3", None)
    req.set_header("x-A", " 4\t")
    assert req.header("X-A") == "4"
    req.set_header("C", "")
    assert req.header("c") == ""
    req.delete_header("X-A")
    req.delete_header("content-length")
    assert req.header("x-a") is None
    assert Request(headers={"K": "x"}).header("\u212a") is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("a b", "c", "not a name of a header: 'a b'"),
        ("", "c", "not a name of a header: ''"),
        ("x" * 257, "c", "not a name of a header"),
        ("Content-Length", "1", "header Content-Length is up to the server"),
        ("transfer-encoding", "x", "header transfer-encoding is up to the server"),
        ("a", "b\r\nc: d", "value of header a has a control character"),
        ("a", "b\n", "value of header a has a control character"),
        ("a", "b\0", "value of header a has a control character"),
        ("a", "b\x7f", "value of header a has a control character"),
        ("a", "\ud800", "surrogates not allowed"),
    ],
)
def test_headers_that_can_not_be_set(name: str, value: str, message: str) -> None:
    req, res = Request(), Response(200)
    for change in (req.set_header, res.set_header, res.append_header):
        with pytest.raises(ValueError, match=message):
            change(name, value)
    with pytest.raises(ValueError, match=message):
        Response(200, headers={name: value})


def test_headers_have_bounds() -> None:
    req = Request()
    with pytest.raises(Stop):
        req.set_header("a", "x" * 65536)
    with pytest.raises(Stop):
        for number in range(257):
            req.set_header(f"a{number}", "")
    assert not issubclass(Stop, Exception)


def test_rewriting() -> None:
    req = Request(path="/a?b")
    req.rewrite("/c d/%20/100%/ü?e=f g#h")
    assert req.raw_path == "/c%20d/%20/100%25/%C3%BC"
    assert req.path == "/c d/ /100%/ü"
    assert req.query == "e=f%20g%23h"
    req.rewrite("/\udcff")
    assert req.path == "/\udcff"
    for bad, reason in [("a", "has to begin with a slash"), ("/../a", "leads out of the site")]:
        with pytest.raises(ValueError, match=f"{reason}: {re.escape(repr(bad))}"):
            req.rewrite(bad)
    with pytest.raises(Stop):
        req.rewrite("/" + "x" * 8192)
    assert req.path == "/\udcff"
    req.set_method("PURGE")
    assert req.method == "PURGE"
    with pytest.raises(ValueError, match="not a method: 'a b'"):
        req.set_method("a b")


def test_bodies() -> None:
    assert Request().body() == b""
    with pytest.raises(BodyTooLarge):
        Request(body=b"x" * 262_145).body()
    assert Request(body='{"a": null}').json() == {"a": None}
    with pytest.raises(json.JSONDecodeError):
        Request(body="{").json()
    with pytest.raises(UnicodeDecodeError):
        Request(body=b'"\xff"').json()
    with pytest.raises(Stop):
        Request(body='"a"'.encode("utf-16")).json()


def test_metadata() -> None:
    meta = Request().meta
    with pytest.raises(KeyError):
        meta["a"]
    meta["a"] = "1"
    meta["a"] = "2"
    assert (meta["a"], meta.get("a"), meta.get("b"), meta.get("b", "c")) == ("2", "2", None, "c")
    assert "a" in meta
    assert "b" not in meta
    meta["zs.response.header.X-Y"] = " z "
    assert meta["zs.response.header.x-y"] == "z"
    assert meta.items() == [("a", "2"), ("zs.response.header.x-y", "z")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", ""),
        ("x" * 257, ""),
        ("\udcff", ""),
        ("a", "\udcff"),
        ("zs.response.header.", "x"),
        ("zs.response.header.content-length", "1"),
        ("zs.response.header.Connection", "close"),
        ("zs.response.header.a", "b\nc"),
    ],
)
def test_metadata_that_can_not_be_set(key: str, value: str) -> None:
    meta = Meta()
    with pytest.raises(ValueError, match=r"."):
        meta[key] = value
    assert meta.items() == []


def test_metadata_has_bounds() -> None:
    meta = Meta()
    for number in range(256):
        meta[f"k{number}"] = ""
    meta["k0"] = "other"
    with pytest.raises(Stop):
        meta["one more"] = ""
    with pytest.raises(Stop):
        meta["k1"] = "x" * 262_144


# ---- responses


def test_responses() -> None:
    res = Response(201, "ü", headers={"X-A": "1"})
    assert (res.status, res.body, res.header("x-a")) == (201, "ü".encode(), "1")
    assert res.header("content-type") == "text/plain; charset=utf-8"
    assert Response(200, b"x").header("content-type") == "application/octet-stream"
    assert Response(200, "x", content_type="a/b").header("content-type") == "a/b"
    both = Response(200, "x", content_type="a/b", headers={"content-type": "c/d"})
    assert both.header("Content-Type") == "c/d"
    res.append_header("Set-Cookie", "a=1")
    res.append_header("Set-Cookie", "b=2")
    assert res.header("set-cookie") == "a=1, b=2"
    res.delete_header("SET-COOKIE")
    assert res.header("set-cookie") is None
    res.status = 404
    assert res.status == 404
    assert repr(res) == "<Response 404, 2 bytes>"


def test_responses_that_can_not_be() -> None:
    for status in (-1, 0, 100, 199, 600, 65736):
        with pytest.raises(ValueError, match=f"status {status} is not from 200 to 599"):
            Response(status)
        with pytest.raises(ValueError, match="is not from"):
            Response(200).status = status
    with pytest.raises(ValueError, match="header Date is up to the server"):
        Response(200, headers={"Date": "now"})
    with pytest.raises(ValueError, match="header connection is up"):
        Response(200).append_header("connection", "close")
    for kind in ("", " ", "a\nb"):
        with pytest.raises(ValueError, match="not a content type"):
            Response(200, content_type=kind)
    with pytest.raises(UnicodeEncodeError):
        Response(200, "\udcff")
    with pytest.raises(Stop):
        Response(200, b"x" * (8 * 1024 * 1024 + 1))


def test_redirects() -> None:
    made = redirect("https://a.example/ü b%#c")
    assert (made.status, made.body) == (302, b"")
    assert made.header("location") == "https://a.example/%C3%BC%20b%#c"
    assert made.header("content-type") is None
    for status in (301, 302, 303, 307, 308):
        assert redirect("/", status).status == status
    for status in (200, 300, 304, 306, 309):
        with pytest.raises(ValueError, match=f"status {status} is no redirect"):
            redirect("/", status)
    for url in ("", "/a\r\nb: c", "/\x7f"):
        with pytest.raises(ValueError, match="not a URL"):
            redirect(url)


UPSTREAMS = ["http://127.0.0.1:9000", "https://a.example/base?x=1", "unix:/run/app.sock"]
UPSTREAMS += ["h2://a.example:8443/base", "h2c://127.0.0.1:50051"]
NO_UPSTREAMS = ["", "http://", "http:///path", "ftp://a", "http://u@a", "http://a\n", "http://a/#b"]
NO_UPSTREAMS += ["unix:run", "unix:/a b", "pool:", "pool:a/b", "a", "http://ü", "http://a b"]
NO_UPSTREAMS += ["h2://", "h2d://a", "h3://a", "httpss://a", "H2://a"]


def test_upstreams() -> None:
    for url in [*UPSTREAMS, "pool:api-1"]:
        assert proxy(url).upstream == url
    for url in [*NO_UPSTREAMS, "http://" + "a" * 8192]:
        with pytest.raises(ValueError, match="not the URL of a server"):
            proxy(url)
    assert Response(200).upstream is None


def test_decisions() -> None:
    assert decision(abort()).kind == "abort"
    assert decision(proxy("http://a")) == ("proxy", 0, b"", "http://a", [])
    assert decision(Response(200, "x")) == ("respond", 200, b"x", "str", [])
    made = decision(Response(200, b"x", headers={"A": "b", "content-type": "c/d"}))
    assert made[:4] == ("respond", 200, b"x", "")
    assert made.fields == [("content-type", b"c/d"), ("A", b"b")]


# ---- tables


class Model:
    """A table, as simply as can be."""

    def __init__(self, max_entries: int) -> None:
        self.entries: OrderedDict[str, int] = OrderedDict()
        self.max_entries = max_entries

    def use(self, key: str) -> int | None:
        if key not in self.entries:
            return None
        self.entries.move_to_end(key)
        return self.entries[key]

    def put(self, key: str, value: int) -> None:
        self.entries.pop(key, None)
        if len(self.entries) == self.max_entries:
            self.entries.popitem(last=False)
        self.entries[key] = value


STEP = st.tuples(
    st.sampled_from(["get", "set", "add", "delete"]),
    st.sampled_from("abcde"),
    st.integers(-(2**63), 2**63 - 1),
)


@given(st.integers(1, 4), st.lists(STEP, max_size=40))
def test_tables_against_a_model(max_entries: int, steps: list[tuple[str, str, int]]) -> None:
    table = Table(str, int, max_entries=max_entries)
    model = Model(max_entries)
    for step, key, number in steps:
        if step == "get":
            assert table.get(key) == model.use(key)
        elif step == "set":
            table.set(key, number)
            model.put(key, number)
        elif step == "delete":
            table.delete(key)
            model.entries.pop(key, None)
        else:
            total = model.entries.get(key, 0) + number
            if -(2**63) <= total < 2**63:
                assert table.add(key, number) == total
                model.put(key, total)
            else:
                with pytest.raises(OverflowError):
                    table.add(key, number)
    for key in list(model.entries):
        assert table.get(key) == model.entries[key]


def test_types_of_tables() -> None:
    table = Table(str, int, max_entries=2)
    with pytest.raises(OverflowError):
        table.set("a", 2**63)
    with pytest.raises(TypeError):
        table.set("a", True)
    with pytest.raises(TypeError):
        table.get(1)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        Table(str, bytes, max_entries=2).add("a", 1)  # type: ignore[misc]
    with pytest.raises(TypeError):
        Table(str, float, max_entries=2)  # type: ignore[type-var]
    with pytest.raises(TypeError):
        Table(bool, int, max_entries=2)
    for count in (0, -1, 2**20 + 1):
        with pytest.raises(ValueError, match=str(count)):
            Table(str, int, max_entries=count)
    flags = Table(bytes, bool, max_entries=1)
    flags.set(b"a", True)
    assert flags.get(b"a", False) is True
    with pytest.raises(Stop):
        flags.get(b"x" * 1025)
    with pytest.raises(Stop):
        Table(int, str, max_entries=1).set(1, "ü" * 32769)


# ---- limits, clock, log, environment


def test_windows() -> None:
    """The same steps as the test of the server's limiter."""
    with clock.fixed() as now, counting():
        start = now.ms

        def check(ms: int) -> bool:
            now.ms = start + ms
            return rate_limit("key", per_second=2, per_minute=3, per_hour=4)

        steps = [0, 999, 999, 1000, 1000, 60_000, 120_000, 3_600_000]
        expected = [True, True, False, True, False, True, False, True]
        assert [check(ms) for ms in steps] == expected
        assert [rate_limit("other", per_second=1) for _ in range(2)] == [True, False]


def test_a_clock_that_is_set_back() -> None:
    with clock.fixed() as now, counting():
        assert rate_limit("a", per_second=1)
        now.advance(-0.5)
        assert not rate_limit("a", per_second=1)
        now.advance(-86_400)
        assert rate_limit("a", per_second=1)


def test_the_number_of_keys_is_bounded() -> None:
    with clock.fixed() as now, counting():
        allowed = sum(rate_limit(str(n), per_second=1) for n in range(limits.MAX_BUCKETS + 10))
        assert allowed == limits.MAX_BUCKETS
        now.advance(1)
        assert rate_limit("new", per_second=1)


def test_limits_that_mean_nothing() -> None:
    for key in ("", "x" * 257, "ü" * 129):
        with pytest.raises(ValueError, match="the key of a rate limit has"):
            rate_limit(key, per_second=1)
    with pytest.raises(ValueError, match="a rate limit is negative"):
        rate_limit("a", per_second=-1)
    with pytest.raises(ValueError, match="needs a limit"):
        rate_limit("a")


def test_the_clock_goes_by_itself() -> None:
    before = clock.now_ms()
    with clock.fixed(5):
        assert clock.now_ms() == 5
    assert clock.now_ms() >= before > 1_600_000_000_000


def test_log(capsys: pytest.CaptureFixture[str]) -> None:
    log("a\nb\x1b[2J\x85 ü")
    log("x" * 10_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "zeroserve: script test_script_sdk: a\\nb\\u{1b}[2J\\u{85} ü"
    assert len(lines) == 2
    assert lines[1] == "zeroserve: script test_script_sdk: " + "x" * 8192


def test_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZS_TEST", "ü")
    monkeypatch.setenv("ZS_BYTES", os.fsdecode(b"\xff"))
    assert env("ZS_TEST") == "ü"
    for name in ("ZS_BYTES", "ZS_NONE", "", "A=B", "A\0", "x" * 257):
        assert env(name) is None


# ---- hooks


def module(text: str) -> types.ModuleType:
    made = types.ModuleType("made")
    exec("from zeroserve.script import *\n" + text, vars(made))
    return made


def test_hooks_of_a_module_in_its_order() -> None:
    made = module(
        "@on_request\ndef b(req): return None\n"
        "@on_response\ndef c(req, res): pass\n"
        "@on_request\ndef a(req): return None\n"
        "def d(req): pass\n"
    )
    hooks = hooks_of(made)
    assert [f.__name__ for f in hooks.on_request] == ["b", "a"]
    assert [f.__name__ for f in hooks.on_response] == ["c"]
    other = types.ModuleType("other")
    vars(other).update(b=vars(made)["b"])
    assert hooks_of(other) == ((), ())


def test_hooks_stay_functions() -> None:
    @on_request
    def teapot(req: Request) -> Response | None:
        return Response(418) if req.path == "/tea" else None

    @on_response
    def mark(req: Request, res: Response) -> None:
        res.set_header("X-Path", req.path)

    made = teapot(Request(path="/tea"))
    assert made is not None
    mark(Request(path="/tea"), made)
    assert (made.status, made.header("x-path")) == (418, "/tea")
    assert teapot(Request()) is None


def test_what_can_be_no_hook() -> None:
    for text in ("on_request(1)", "on_request(lambda: 0)", "on_response(lambda req: 0)"):
        with pytest.raises(TypeError, match=r"is for functions"):
            module(text)


# ---- the same as the server


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Says how the server's requests look to a script."""
    path = tmp_path_factory.mktemp("mirror") / "mirror.py"
    path.write_text(
        "from zeroserve.script import Request, Response, on_request\n"
        "@on_request\n"
        "def mirror(req: Request) -> Response | None:\n"
        "    seen = [req.path, req.raw_path, req.query, req.host, req.header('x')]\n"
        "    return Response(200, ascii(seen))\n",
        encoding="utf-8",
    )
    return Client(path, engine="cpython")


@given(
    st.from_regex(r"/([ab./]|%2e|%2F|%c3%bc|%ff|%25){0,8}(\?[ab=&+%]{0,6})?", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
)
def test_requests_by_hand_are_like_those_of_the_server(
    mirror: Client, target: str, value: str
) -> None:
    try:
        req = Request(path=target, headers={"X": value})
    except ValueError:
        return
    seen = [req.path, req.raw_path, req.query, req.host, req.header("x")]
    if "%" in req.query:
        return  # by hand, what begins no escape is encoded
    assert mirror.get(target, {"X": value}).text() == ascii(seen)
