"""Whose request it is, and how long its body may be: what rules of an operator go by."""

from pathlib import Path

import pytest
from support.proxying import scripted
from support.upstream import Call, Upstream, reply
from support.wire import fetch
from zeroserve.testing import Client

SCRIPT = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def answer(req: Request) -> Response | None:
    most = req.header("x-most")
    if most is not None:
        req.limit_body(int(most))
        req.limit_body(1000)
    if req.path == "/ip":
        req.set_header("X-Forwarded-For", "203.0.113.1")
        return Response(200, req.client_ip + " " + req.peer_ip)
    if req.path == "/read":
        return Response(200, str(len(req.body())))
    upstream = req.header("x-upstream")
    if upstream is not None:
        return proxy(upstream)
    return Response(200, "unread")
"""


@pytest.fixture(params=["native", "cpython"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    script = tmp_path / "limits.py"
    script.write_text(SCRIPT)
    return Client(script, engine=request.param)


def test_bodies_of_announced_length(client: Client) -> None:
    for path in ("/", "/read"):
        for size, most, status in [(5, 5, 200), (6, 5, 413), (0, 0, 200), (1, 0, 413)]:
            got = client.post(path, {"x-most": str(most)}, b"x" * size)
            assert got.status == status, (path, size, most)
        assert client.post(path, {"x-most": "5000"}, b"x" * 1001).status == 413
        assert client.post(path, {}, b"x" * 1001).status == 200
        assert client.post(path, {"x-most": "-1"}, b"").status == 500


def test_bodies_of_unknown_length(client: Client) -> None:
    fields = {"transfer-encoding": "chunked", "x-most": "5"}
    for size, status in [(5, 200), (6, 413)]:
        body = f"{size}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n"
        assert client.post("/read", fields, body).status == status
        assert client.post("/", fields, body).status == 200
    with Upstream(_count) as upstream:
        for size, status in [(5, 200), (6, 413)]:
            body = f"{size}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n"
            got = client.post("/", {**fields, "x-upstream": upstream.url}, body)
            assert got.status == status


def _count(call: Call) -> None:
    reply(str(len(call.body())).encode())(call)


def test_uploads_over_sockets(tmp_path: Path) -> None:
    with Upstream(_count) as upstream, scripted(SCRIPT, tmp_path) as front:
        fields = {"x-upstream": upstream.url, "x-most": "5"}
        with front.connect2() as two:
            for size, status in [(5, 200), (6, 413)]:
                got = fetch(front.address, "/", fields, method="POST", body=b"x" * size)
                assert got.status == status
                got2 = two.post("/", b"x" * size, [*fields.items(), ("content-length", str(size))])
                assert got2.status == status
            got2 = two.post("/", b"x" * 5, list(fields.items()))
            assert (got2.status, got2.body) == (200, b"5")
            got2 = two.post("/", b"x" * 6, list(fields.items()))
            assert got2.status == 413 or got2.reset is not None


@pytest.mark.parametrize("trusted", [False, True])
def test_clients_behind_proxies(tmp_path: Path, trusted: bool) -> None:
    options = ["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "10.0.0.0/8"] if trusted else []
    with scripted(SCRIPT, tmp_path, *options) as front, front.connect2() as two:
        for value, expected in [
            ("192.0.2.7", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
            ("2001:DB8::1", "2001:db8::1"),
            ("garbage", "127.0.0.1"),
        ]:
            text = f"{expected if trusted else '127.0.0.1'} 127.0.0.1".encode()
            assert fetch(front.address, "/ip", {"X-Forwarded-For": value}).body == text
            assert two.get("/ip", [("x-forwarded-for", value)]).body == text
        spoofed = {"Forwarded": "for=6.6.6.6", "X-Forwarded-For": "192.0.2.7"}
        expected = "192.0.2.7" if trusted else "127.0.0.1"
        assert fetch(front.address, "/ip", spoofed).body == f"{expected} 127.0.0.1".encode()
        expected = "6.6.6.6" if trusted else "127.0.0.1"
        got = fetch(front.address, "/ip", {"Forwarded": "for=6.6.6.6"})
        assert got.body == f"{expected} 127.0.0.1".encode()


def test_without_proxies(client: Client) -> None:
    got = client.get("/ip", {"x-forwarded-for": "192.0.2.7"})
    assert got.text() == "127.0.0.1 127.0.0.1"
