"""What scripts see and change of responses that come from upstreams, and what the log says."""

import json
from pathlib import Path

import pytest
from support.proxying import scripted
from support.server import wait_until
from support.upstream import Upstream, chunks, reply, response, say, say_and_close
from support.wire import Closed, Connection, FramingError, fetch, request

HOOK = """\
from zeroserve.script import Request, Response, on_request, on_response, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    req.meta["started"] = "yes"
    return proxy("URL")


@on_response
def change(req: Request, res: Response) -> None:
    res.set_header("x-seen", str(res.status) + " " + (res.header("x-upstream") or "none"))
    res.set_header("x-meta", req.meta.get("started") or "no")
    res.delete_header("server")
    res.append_header("set-cookie", "b=2")
    if res.status == 404:
        res.status = 410
"""


def with_url(source: str, upstream: Upstream) -> str:
    return source.replace("URL", upstream.url)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_hooks_see_and_change_the_response(tmp_path: Path, framing: str) -> None:
    fields = {"X-Upstream": "here", "Server": "secret", "Set-Cookie": "a=1"}
    data = response(b"hello", 201, fields)
    if framing == "chunked":
        data = response(b"", 201, {**fields, "Transfer-Encoding": "chunked"}) + chunks(b"hello")
    if framing == "close":
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        data = f"HTTP/1.1 201 Created\r\n{lines}\r\nhello".encode()
    answer = say_and_close(data) if framing == "close" else say(data)
    with Upstream(answer) as upstream, scripted(with_url(HOOK, upstream), tmp_path) as front:
        for _ in range(2):
            got = fetch(front.address, "/")
            assert (got.status, got.body) == (201, b"hello")
            assert got.header("x-seen") == "201 here"
            assert got.header("x-meta") == "yes"
            assert got.header("server") is None
            assert got.all("set-cookie") == ["a=1", "b=2"]
        with front.connect2() as client:
            got2 = client.get("/")
            assert (got2.status, got2.body) == (201, b"hello")
            assert got2.headers["x-seen"] == "201 here"
            assert "server" not in got2.headers


def test_a_hook_may_change_the_status(tmp_path: Path) -> None:
    with (
        Upstream(reply(b"hello", 404)) as upstream,
        scripted(with_url(HOOK, upstream), tmp_path) as front,
    ):
        got = fetch(front.address, "/")
        assert (got.status, got.body) == (410, b"hello")


def test_a_hook_sees_that_there_is_no_answer(tmp_path: Path) -> None:
    with Upstream() as upstream:
        upstream.close()
        with scripted(with_url(HOOK, upstream), tmp_path) as front:
            got = fetch(front.address, "/")
            assert got.status == 502
            assert got.header("x-seen") == "502 none"


def test_a_hook_that_stops_lets_nothing_through(tmp_path: Path) -> None:
    source = """\
from zeroserve.script import Request, Response, on_request, on_response, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    return proxy("URL")


@on_response
def change(req: Request, res: Response) -> None:
    if res.header("x-secret") is not None:
        raise ValueError("not for you")
"""
    with (
        Upstream(reply(b"secret", fields={"X-Secret": "a"})) as upstream,
        scripted(with_url(source, upstream), tmp_path) as front,
    ):
        for _ in range(2):
            got = fetch(front.address, "/")
            assert got.status == 500
            assert got.header("x-secret") is None
            assert b"secret" not in got.body
        upstream.answer = reply(b"hello")
        assert fetch(front.address, "/").body == b"hello"


def test_errors_are_not_cached_from_one_script_to_the_next(tmp_path: Path) -> None:
    source = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    if req.path == "/none":
        return proxy("pool:nothing-of-that-name")
    if req.path == "/own":
        return Response(200, "own\\n")
    return proxy("URL")
"""
    expected = {"/none": (502, 503), "/own": (200,), "/": (200,)}
    with (
        Upstream(reply(b"hello")) as upstream,
        scripted(with_url(source, upstream), tmp_path) as front,
        Connection(front.address) as connection,
    ):
        for target in ("/none", "/own", "/", "/none", "/", "/own"):
            connection.send(request(target))
            assert connection.response().status in expected[target]


# --- the access log ---------------------------------------------------------------------------


def test_lines_of_the_access_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    source = HOOK.replace('    res.set_header("x-meta"', '    # set_header("x-meta"')
    with Upstream() as upstream:
        with scripted(with_url(source, upstream), tmp_path, "--access-log", log) as front:
            upstream.answer = reply(b"x" * 1234, 203)
            fetch(front.address, "/a?b=c", {"User-Agent": "tester"}, method="POST", body=b"hello")
            upstream.answer = say_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            with Connection(front.address) as connection:
                connection.send(request("/short"))
                with pytest.raises((FramingError, Closed, ConnectionResetError)):
                    connection.response()
            upstream.answer = say_and_close(b"garbage\r\n\r\n")
            fetch(front.address, "/garbage")
            upstream.answer = reply(b"hello")
            with front.connect2() as client:
                client.get("/h2")
            wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= 4, 10)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 4
    by_target = {line["target"] if "target" in line else line["path"]: line for line in lines}
    assert set(by_target) == {"/a?b=c", "/short", "/garbage", "/h2"}
    first = by_target["/a?b=c"]
    assert first["status"] == 203
    assert first["bytes"] == 1234
    assert first["method"] == "POST"
    assert all(line["upstream"] == upstream.url for line in lines)
    assert all(isinstance(line["upstream_us"], int) for line in lines if line["status"] != 502)
    assert by_target["/garbage"]["status"] == 502
    assert "head" in by_target["/garbage"]["upstream_error"]
    assert "body" in by_target["/short"]["upstream_error"]
    assert not first.get("upstream_error")
    assert by_target["/short"]["status"] == 200
    assert by_target["/short"]["bytes"] < 100
    assert by_target["/h2"]["bytes"] == 5
