"""Requests passed on and responses passed back, over HTTP/1: what each side sees of the other."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from support.proxying import Front, constant, scripted
from support.upstream import Call, Upstream, chunks, echo, reply, response, say, say_and_close
from support.wire import Closed, fetch, request

BODY = b"a body of some length\n"
LARGE = bytes(range(256)) * 4096


# --- requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "M-SEARCH", "get"]
)
def test_methods_are_kept(front: Front, method: str) -> None:
    with Upstream() as upstream:
        assert json.loads(front.fetch(upstream, method=method).body)["method"] == method
        assert upstream.last.length == 0


def test_a_method_that_asks_for_a_body_may_have_none(front: Front) -> None:
    """RFC 9110 section 8.6: POST without content has Content-Length 0, or upstreams answer 411."""
    with Upstream() as upstream:
        front.fetch(upstream, method="POST", headers={"Content-Length": "0"})
        assert upstream.last.header("content-length") == "0"


@pytest.mark.parametrize("body", [b"x", BODY, LARGE], ids=["one", "some", "large"])
@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
def test_a_body_with_a_length(front: Front, method: str, body: bytes) -> None:
    with Upstream() as upstream:
        front.fetch(upstream, method=method, body=body)
        assert upstream.last.body() == body
        assert upstream.last.length == len(body)


@pytest.mark.parametrize(
    "pieces", [(), (b"x",), (b"one", b"two", b"three"), (LARGE,)], ids=["none", "one", "3", "large"]
)
def test_a_body_in_chunks(front: Front, pieces: tuple[bytes, ...]) -> None:
    with Upstream() as upstream, front.connect() as connection:
        headers = {"Transfer-Encoding": "chunked"}
        for _ in range(2):
            connection.send(front.request(upstream, "/", headers, method="POST"))
            connection.send(chunks(*pieces))
            assert json.loads(connection.response().body)["method"] == "POST"
            assert upstream.last.body() == b"".join(pieces)


def test_chunk_extensions_end_here(front: Front) -> None:
    with Upstream() as upstream, front.connect() as connection:
        headers = {"Transfer-Encoding": "chunked"}
        connection.send(front.request(upstream, "/", headers, method="POST"))
        connection.send(b'3;a=b\r\none\r\n3;c="d;e"\r\ntwo\r\n0;last\r\n\r\n')
        assert connection.response().status == 200
        assert upstream.last.body() == b"onetwo"


def test_http_1_0_clients(front: Front) -> None:
    with Upstream(
        say(response(fields={"Transfer-Encoding": "chunked"}) + chunks(BODY))
    ) as upstream:
        got = front.fetch(upstream, version="1.0", headers={"Host": "a.test"})
        assert got.body == BODY
        assert got.header("transfer-encoding") is None
        assert upstream.last.version == "1.1"


def test_a_1_0_client_without_a_host(front: Front) -> None:
    """The upstream is asked over HTTP/1.1, where a Host has to be: any, but one."""
    with Upstream() as upstream:
        assert front.fetch(upstream, version="1.0").status == 200


# --- targets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "asked", "expected"),
    [
        ("", "/", "/"),
        ("", "/a/b?c=d", "/a/b?c=d"),
        ("", "/a?", None),
        ("", "/%61%2Fb%20c", None),
        ("", "/%E4%BD%A0", "/%E4%BD%A0"),
        ("", "/a?x=%26&y=+1&&z", "/a?x=%26&y=+1&&z"),
        ("/", "/a", "/a"),
        ("/base", "/a", "/base/a"),
        ("/base/", "/a", "/base/a"),
        ("/base", "/", "/base/"),
        ("/base/more", "/a/b?c", "/base/more/a/b?c"),
        ("/base?k=v", "/a?c=d", "/base/a?k=v&c=d"),
        ("/base?k=v", "/a", "/base/a?k=v"),
        ("?k=v", "/a?c=d", "/a?k=v&c=d"),
    ],
)
def test_the_target_follows_the_base(
    front: Front, base: str, asked: str, expected: str | None
) -> None:
    with Upstream() as upstream:
        assert front.fetch(upstream.url + base, asked).status == 200
        if expected is not None:
            assert upstream.last.target == expected
        else:
            # How these are written is open; not what they mean.
            assert upstream.last.target.startswith("/")


def test_an_encoded_path_stays_encoded(front: Front) -> None:
    """A slash or a question mark that was part of a name does not become one that separates."""
    with Upstream() as upstream:
        front.fetch(upstream, "/a%2Fb%3Fc%23d%25e%0D%0A")
        assert upstream.last.target.lower() == "/a%2fb%3fc%23d%25e%0d%0a"


def test_absolute_form_becomes_origin_form(front: Front) -> None:
    with Upstream() as upstream:
        front.fetch(upstream, "http://other.test/a?b", {"Host": "other.test"})
        assert upstream.last.target == "/a?b"
        assert upstream.last.header("host") == "other.test"


def test_a_long_target(front: Front) -> None:
    target = "/" + "a" * 4000 + "?" + "b" * 3000
    with Upstream() as upstream:
        assert front.fetch(upstream, target).status == 200
        assert upstream.last.target == target


def test_a_script_may_change_the_request(tmp_path: Path) -> None:
    source = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    req.rewrite("/elsewhere?a=b")
    req.set_method("PUT")
    req.set_header("x-added", "one")
    req.delete_header("x-removed")
    return proxy("{url}")
"""
    with Upstream() as upstream, scripted(source.replace("{url}", upstream.url), tmp_path) as front:
        fetch(front.address, "/here", {"X-Removed": "two"}, method="POST", body=BODY)
        call = upstream.last
        assert (call.method, call.target) == ("PUT", "/elsewhere?a=b")
        assert call.header("x-added") == "one"
        assert call.header("x-removed") is None
        assert call.body() == BODY


def test_a_script_that_reads_the_body_passes_it_on(tmp_path: Path) -> None:
    source = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    if req.body() != b"refused":
        return proxy("{url}")
    return Response(403, "no\\n")
"""
    with Upstream() as upstream, scripted(source.replace("{url}", upstream.url), tmp_path) as front:
        assert fetch(front.address, "/", method="POST", body=b"refused").status == 403
        assert not upstream.calls
        assert fetch(front.address, "/", method="POST", body=BODY).status == 200
        assert upstream.last.body() == BODY


# --- responses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", [200, 201, 202, 203, 206, 226, 300, 302, 308, 400, 404, 418, 451, 500, 502, 503, 599]
)
def test_statuses_are_kept(front: Front, status: int) -> None:
    with Upstream(reply(BODY, status)) as upstream:
        got = front.fetch(upstream)
        assert (got.status, got.body) == (status, BODY)


@pytest.mark.parametrize("body", [b"", b"x", BODY, LARGE], ids=["none", "one", "some", "large"])
def test_a_response_with_a_length(front: Front, body: bytes) -> None:
    with Upstream(reply(body)) as upstream:
        got = front.fetch(upstream)
        assert got.body == body
        assert got.header("content-length") == str(len(body))


@pytest.mark.parametrize(
    "pieces", [(), (b"x",), (b"one", b"two"), (LARGE, LARGE)], ids=["none", "one", "two", "large"]
)
def test_a_response_in_chunks(front: Front, pieces: tuple[bytes, ...]) -> None:
    data = response(fields={"Transfer-Encoding": "chunked"}) + chunks(*pieces)
    with Upstream(say(data)) as upstream, front.connect() as connection:
        for _ in range(3):
            connection.send(front.request(upstream))
            assert connection.response().body == b"".join(pieces)
        assert upstream.accepted == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
    ],
)
@pytest.mark.parametrize("body", [b"", BODY, LARGE], ids=["none", "some", "large"])
def test_a_response_that_ends_with_the_connection(front: Front, head: bytes, body: bytes) -> None:
    """It is framed for the client, whose connection goes on."""
    with Upstream(say_and_close(head + body)) as upstream, front.connect() as connection:
        for _ in range(2):
            connection.send(front.request(upstream))
            got = connection.response()
            assert got.body == body
            assert "close" not in got.tokens("connection")
        assert upstream.accepted == 2


def test_http_1_0_upstreams_with_a_length(front: Front) -> None:
    data = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    with Upstream(say_and_close(data)) as upstream:
        assert front.fetch(upstream).body == b"hello"


def test_http_1_0_upstreams_that_stay(front: Front) -> None:
    """With keep-alive and a length the connection may be used again; without it is not."""
    data = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    with Upstream(say(data)) as upstream, front.connect() as connection:
        for _ in range(2):
            connection.send(front.request(upstream))
            assert connection.response().body == b"hello"
        assert upstream.accepted == 2


def test_a_reason_may_be_missing_or_long(front: Front) -> None:
    for line in (b"HTTP/1.1 200 ", b"HTTP/1.1 200 All is well here", b"HTTP/1.1 200"):
        with Upstream(say(line + b"\r\nContent-Length: 2\r\n\r\nok")) as upstream:
            assert front.fetch(upstream).body == b"ok"


@pytest.mark.parametrize(
    "fields",
    [{"Content-Length": "174"}, {"Transfer-Encoding": "chunked"}, {"X-None": "a"}],
    ids=["length", "chunked", "nothing"],
)
def test_head_has_no_body(front: Front, fields: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    data = f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()
    with Upstream(say(data)) as upstream, front.connect() as connection:
        for _ in range(2):
            connection.send(front.request(upstream, method="HEAD"))
            got = connection.response("HEAD")
            assert got.status == 200
            if "Content-Length" in fields:
                assert got.header("content-length") == "174"
        assert upstream.last.method == "HEAD"
        assert upstream.accepted == 1


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 174\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_responses_without_content(front: Front, data: bytes) -> None:
    """Whatever their fields say, nothing follows, and the connection can be used again."""
    with Upstream(say(data)) as upstream, front.connect() as connection:
        for _ in range(3):
            connection.send(front.request(upstream))
            got = connection.response()
            assert got.status == int(data[9:12])
            assert got.body == b""
        assert upstream.accepted == 1


def test_a_205_is_empty(front: Front) -> None:
    with Upstream(say(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")) as upstream:
        got = front.fetch(upstream)
        assert (got.status, got.body) == (205, b"")


def test_conditions_and_ranges_are_the_upstreams(front: Front) -> None:
    """It is asked with them, and what it answers is passed on as it is."""
    asked = {"Range": "bytes=0-3", "If-None-Match": '"x"', "Accept-Encoding": "br"}
    said = {"Content-Range": "bytes 0-3/10", "ETag": '"x"', "Content-Encoding": "br"}
    with Upstream(reply(b"0123", 206, said)) as upstream:
        got = front.fetch(upstream, headers=asked)
        assert got.status == 206
        assert got.body == b"0123"
        for name, value in said.items():
            assert got.header(name) == value
        for name, value in asked.items():
            assert upstream.last.header(name.lower()) == value


def test_fields_that_occur_more_than_once_stay_apart(front: Front) -> None:
    data = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-One: 1\r\nset-cookie: b=2; Path=/\r\n"
        b'Content-Length: 0\r\nX-Empty:\r\nX-Odd: a, "b"; c=\xe9\r\n\r\n'
    )
    with Upstream(say(data)) as upstream:
        got = front.fetch(upstream)
        assert got.all("set-cookie") == ["a=1", "b=2; Path=/"]
        assert got.header("x-one") == "1"
        assert got.header("x-empty") == ""
        assert got.header("x-odd") == 'a, "b"; c=\xe9'


def test_a_date_is_there_once(front: Front) -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    with Upstream(reply(BODY, fields={"Date": date})) as upstream:
        assert front.fetch(upstream).header("date") == date
    with Upstream(reply(BODY)) as upstream:
        assert front.fetch(upstream).need("date") != date


# --- connections ------------------------------------------------------------------------------


def test_connections_to_the_upstream_are_used_again(front: Front) -> None:
    with Upstream() as upstream:
        with front.connect() as connection:
            for _ in range(20):
                connection.send(front.request(upstream))
                assert connection.response().status == 200
        for _ in range(20):
            front.fetch(upstream)
        assert len(upstream.calls) == 40
        assert upstream.accepted == 1


def test_a_post_uses_them_too(front: Front) -> None:
    with Upstream() as upstream:
        for _ in range(10):
            front.fetch(upstream, method="POST", body=BODY)
        assert upstream.accepted == 1


def test_an_upstream_that_says_close_is_believed(front: Front) -> None:
    """Also when it leaves the connection open."""
    for value in ("close", "Close", "foo, close"):
        with Upstream(reply(BODY, fields={"Connection": value})) as upstream:
            for _ in range(3):
                assert front.fetch(upstream).body == BODY
            assert upstream.accepted == 3


def test_pipelined_requests_are_answered_in_order(front: Front) -> None:
    with Upstream() as upstream, front.connect() as connection:
        targets = [f"/{number}" for number in range(30)]
        connection.send(b"".join(front.request(upstream, target) for target in targets))
        for target in targets:
            assert json.loads(connection.response().body)["target"] == target


def test_two_at_a_time_have_a_connection_each(front: Front) -> None:
    with Upstream() as upstream, front.connect() as first, front.connect() as second:
        head = front.request(upstream, headers={"Content-Length": "1"}, method="POST")
        first.send(head)
        second.send(head)
        second.send(b"2")
        assert json.loads(second.response().body)["body"] == "2"
        first.send(b"1")
        assert json.loads(first.response().body)["body"] == "1"
        assert upstream.accepted == 2
        assert upstream.calls[0].link is not upstream.calls[1].link


def test_upstreams_are_not_mixed_up(front: Front) -> None:
    with (
        Upstream(reply(b"one")) as one,
        Upstream(reply(b"two")) as two,
        front.connect() as connection,
    ):
        for _ in range(5):
            connection.send(front.request(one) + front.request(two))
            assert connection.response().body == b"one"
            assert connection.response().body == b"two"


def test_a_unix_socket(front: Front, tmp_path: Path) -> None:
    with Upstream(path=tmp_path / "socket") as upstream:
        for _ in range(3):
            got = json.loads(front.fetch(upstream, "/a?b", method="POST", body=BODY).body)
            assert (got["target"], got["body"]) == ("/a?b", BODY.decode())
        assert upstream.accepted == 1


def test_a_name_is_resolved(front: Front) -> None:
    with Upstream() as upstream:
        assert front.fetch(f"http://localhost:{upstream.port}", "/").status == 200


def test_a_script_with_a_constant(tmp_path: Path) -> None:
    with Upstream(echo) as upstream, constant(f"{upstream.url}/base", tmp_path) as front:
        assert json.loads(fetch(front.address, "/a").body)["target"] == "/base/a"


def test_the_next_request_waits_for_the_body_of_this_one(front: Front) -> None:
    """What follows a body is not part of it, though both come in one segment."""
    with Upstream() as upstream, front.connect() as connection:
        connection.send(
            front.request(upstream, "/1", method="POST", body=b"one")
            + front.request(upstream, "/2", {"Transfer-Encoding": "chunked"}, method="POST")
            + chunks(b"two")
            + front.request(upstream, "/3")
        )
        bodies = [json.loads(connection.response().body)["body"] for _ in range(3)]
        assert bodies == ["one", "two", ""]


def test_own_answers_and_passed_ones_take_turns(front: Front) -> None:
    with Upstream(reply(BODY)) as upstream, front.connect() as connection:
        for _ in range(3):
            connection.send(request("/") + front.request(upstream) + request("/"))
            assert connection.response().status == 421
            assert connection.response().body == BODY
            assert connection.response().status == 421


def test_an_answer_before_the_body_is_read(front: Front) -> None:
    """The client gets it, and its connection goes on or is closed; nothing is mixed up."""

    def early(call: Call) -> None:
        call.send(response(b"no", 403))

    with Upstream(early) as upstream, front.connect() as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.send(front.request(upstream, method="POST", body=LARGE))
        got = connection.response()
        assert (got.status, got.body) == (403, b"no")
        if "close" not in got.tokens("connection"):
            with suppress(Closed, BrokenPipeError, ConnectionResetError):
                connection.send(front.request(upstream))
                assert connection.response().status == 403
