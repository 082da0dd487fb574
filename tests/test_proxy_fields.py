"""Fields that proxies take away and add (RFC 9110 section 7.6), in both directions."""

import re
from pathlib import Path

import pytest
from support.proxying import Front, by_field, named, scripted
from support.upstream import Upstream, chunks, reply, response, say
from support.wire import fetch, request

OWN = {"host", "content-length", "transfer-encoding", "connection", "x-forwarded-for"}
OWN |= {"x-forwarded-proto", "x-forwarded-host", "forwarded", "via"}

HOP_BY_HOP = {
    "Keep-Alive": "timeout=5",
    "Proxy-Connection": "keep-alive",
    "TE": "gzip",
    "Trailer": "X-T",
    "Upgrade": "h2c",
    "Proxy-Authorization": "Basic YTpi",
}


@pytest.mark.parametrize("name", ["Keep-Alive", "Proxy-Connection", "TE", "Upgrade"])
def test_hop_by_hop_fields_of_requests(front: Front, name: str) -> None:
    with Upstream() as upstream:
        front.fetch(upstream, headers={name: HOP_BY_HOP[name], "X-Stays": "a"})
        assert upstream.last.header(name.lower()) in (None, "trailers")
        assert upstream.last.header("x-stays") == "a"


@pytest.mark.parametrize(
    ("connection", "gone", "stays"),
    [
        ("X-One, close", ["X-One"], ["X-Two"]),
        ("close,x-one, X-TWO", ["X-One", "X-Two"], ["X-Three"]),
        ("X-One,,X-Two , close", ["X-One", "X-Two"], ["X-Three"]),
        ("close, keep-alive, X-Three", ["X-Three"], ["X-One", "X-Two"]),
    ],
)
def test_what_connection_names_is_removed(
    front: Front, connection: str, gone: list[str], stays: list[str]
) -> None:
    with Upstream() as upstream:
        names = dict.fromkeys((*gone, *stays), "a")
        front.fetch(upstream, headers={**names, "Connection": connection})
        for name in gone:
            assert upstream.last.header(name.lower()) is None, name
        for name in stays:
            assert upstream.last.header(name.lower()) == "a", name
        assert set(upstream.last.tokens("connection")) <= {"keep-alive", "close"}


@pytest.mark.parametrize(
    "named_too",
    ["Host", "Content-Length", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via"],
)
def test_connection_removes_nothing_that_proxies_set(front: Front, named_too: str) -> None:
    """A client that names them hides nothing from the upstream, and frames nothing anew."""
    with Upstream() as upstream:
        headers = {"Connection": f"close, {named_too}"}
        front.fetch(upstream, headers=headers, method="POST", body=b"12345")
        assert upstream.last.header("host") == "site.test"
        assert upstream.last.body() == b"12345"
        for name in ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"):
            assert upstream.last.all(name), name


def test_connection_may_occur_twice(front: Front) -> None:
    with Upstream() as upstream, front.connect() as connection:
        data = front.request(upstream, headers={"X-One": "a", "X-Two": "b"})
        connection.send(data[:-2] + b"Connection: X-One\r\nConnection: X-Two\r\n\r\n")
        assert connection.response().status == 200
        assert upstream.last.header("x-one") is None
        assert upstream.last.header("x-two") is None


def test_hop_by_hop_fields_of_responses(front: Front) -> None:
    said = {
        "Connection": "X-Private, keep-alive",
        "X-Private": "a",
        "Keep-Alive": "timeout=1",
        "Proxy-Connection": "keep-alive",
        "Upgrade": "h2c",
        "X-Stays": "b",
    }
    with Upstream(reply(b"hello", fields=said)) as upstream, front.connect() as connection:
        for _ in range(2):
            connection.send(front.request(upstream))
            got = connection.response()
            assert got.body == b"hello"
            assert got.tokens("connection") <= {"keep-alive", "close"}
            for name in ("x-private", "keep-alive", "proxy-connection", "upgrade"):
                assert got.header(name) is None, name
            assert got.header("x-stays") == "b"
        assert upstream.accepted == 1


def test_a_response_cannot_remove_its_own_framing(front: Front) -> None:
    said = {"Connection": "Content-Length, Content-Type, Transfer-Encoding", "Content-Type": "a/b"}
    with Upstream(reply(b"hello", fields=said)) as upstream, front.connect() as connection:
        for _ in range(2):
            connection.send(front.request(upstream))
            assert connection.response().body == b"hello"


def test_a_response_for_clients_says_nothing_of_chunks_upstream(front: Front) -> None:
    data = response(fields={"Transfer-Encoding": "chunked", "Trailer": "X-T"}) + chunks(b"hello")
    with Upstream(say(data)) as upstream:
        got = front.fetch(upstream)
        assert got.body == b"hello"
        assert len(got.all("transfer-encoding")) + len(got.all("content-length")) == 1


# --- who asks ---------------------------------------------------------------------------------


def test_host_is_kept(front: Front) -> None:
    with Upstream() as upstream:
        front.fetch(upstream, headers={"Host": "Shop.Example:8443"})
        assert upstream.last.header("host") == "Shop.Example:8443"
        assert upstream.last.header("x-forwarded-host") == "Shop.Example:8443"


def test_forwarded_fields(front: Front) -> None:
    with Upstream() as upstream:
        front.fetch(upstream)
        call = upstream.last
        assert call.header("x-forwarded-for") == "127.0.0.1"
        assert call.header("x-forwarded-proto") == "http"
        assert call.header("x-forwarded-host") == "site.test"
        forwarded = call.header("forwarded")
        assert forwarded is not None
        pairs = {pair.strip().partition("=")[::2] for pair in forwarded.lower().split(";")}
        assert {(name, value.strip('"')) for name, value in pairs} >= {
            ("for", "127.0.0.1"),
            ("proto", "http"),
            ("host", "site.test"),
        }


def test_via_names_the_version_of_each_side(front: Front) -> None:
    with Upstream(reply(b"hello")) as upstream:
        front.fetch(upstream)
        assert re.fullmatch(r"(HTTP/)?1\.1 [\w.:-]+( \(.*\))?", upstream.last.header("via") or "")
        front.fetch(upstream, version="1.0", headers={"Host": "a"})
        assert (upstream.last.header("via") or "").removeprefix("HTTP/").startswith("1.0 ")
        with front.connect2() as client:
            client.get("/", named(upstream))
        assert re.match(r"(HTTP/)?2(\.0)? ", upstream.last.header("via") or "")


def test_via_goes_on(front: Front) -> None:
    with Upstream() as upstream:
        front.fetch(upstream, headers={"Via": "1.0 fred, 1.1 other.test"})
        via = ", ".join(upstream.last.all("via"))
        assert via.startswith("1.0 fred, 1.1 other.test, ")


def test_what_a_client_claims_comes_before_what_is_known(front: Front) -> None:
    """The last address is that of the connection, whatever the client wrote."""
    claimed = {"X-Forwarded-For": "203.0.113.9, 198.51.100.1", "Forwarded": "for=203.0.113.9"}
    with Upstream() as upstream:
        front.fetch(upstream, headers=claimed)
        addresses = upstream.last.tokens("x-forwarded-for")
        assert addresses[-1] == "127.0.0.1"
        assert len(upstream.last.all("x-forwarded-for")) == 1
        elements = upstream.last.tokens("forwarded")
        assert "for=127.0.0.1" in elements[-1].lower().replace('"', "")


def test_x_forwarded_for_twice(front: Front) -> None:
    """One reader takes the first line, another the last: only one goes on."""
    with Upstream() as upstream, front.connect() as connection:
        data = front.request(upstream, headers={"X-Forwarded-For": "192.0.2.1"})
        connection.send(data[:-2] + b"X-Forwarded-For: 192.0.2.2\r\n\r\n")
        assert connection.response().status == 200
        assert len(upstream.last.all("x-forwarded-for")) == 1
        assert upstream.last.tokens("x-forwarded-for")[-1] == "127.0.0.1"


@pytest.mark.parametrize(("network", "trusted"), [("127.0.0.0/8", True), ("192.0.2.0/24", False)])
def test_what_a_trusted_proxy_says_is_kept(tmp_path: Path, network: str, trusted: bool) -> None:
    """What it says comes first, and who it is last; of others nothing is kept."""
    claimed = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "outer.test",
        "Forwarded": "for=203.0.113.9;proto=https",
    }
    with Upstream() as upstream, by_field(tmp_path, "--trusted-proxy", network) as front:
        front.fetch(upstream, headers=claimed)
        call = upstream.last
        expected = ["203.0.113.9", "127.0.0.1"] if trusted else ["127.0.0.1"]
        assert call.tokens("x-forwarded-for") == expected
        assert call.header("x-forwarded-proto") == ("https" if trusted else "http")
        assert call.header("x-forwarded-host") == ("outer.test" if trusted else "site.test")
        forwarded = call.tokens("forwarded")
        assert len(forwarded) == len(expected)
        assert ("203.0.113.9" in forwarded[0]) == trusted
        assert "for=127.0.0.1" in forwarded[-1]


def test_https_is_told(front: Front) -> None:
    with Upstream() as upstream, front.connect2(tls=True) as client:
        assert client.get("/", named(upstream)).status == 200
        assert upstream.last.header("x-forwarded-proto") == "https"
        assert "proto=https" in (upstream.last.header("forwarded") or "").lower()


def test_scripts_may_say_it_themselves(tmp_path: Path) -> None:
    """A Host that a script set goes to the upstream, and the one asked for beside it."""
    source = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    req.set_header("host", "inner.test")
    return proxy("URL")
"""
    with Upstream() as upstream, scripted(source.replace("URL", upstream.url), tmp_path) as front:
        fetch(front.address, "/", {"Host": "outer.test"})
        assert upstream.last.header("host") == "inner.test"


def test_nothing_is_added_that_nobody_asked_for(front: Front) -> None:
    with Upstream() as upstream:
        front.fetch(upstream, headers={"Accept": "a/b"})
        names = {name for name, _ in upstream.last.fields}
        assert names <= OWN | {"accept"}, names - OWN


def test_many_fields_are_passed_on(front: Front) -> None:
    fields = {f"X-Field-{number}": "v" * number for number in range(60)}
    with Upstream(reply(b"", fields=fields)) as upstream:
        got = front.fetch(upstream, headers=fields)
        for name, value in fields.items():
            assert upstream.last.header(name.lower()) == value
            assert got.header(name) == value


def test_a_large_cookie(front: Front) -> None:
    cookie = "a=" + "x" * 7000
    with Upstream(reply(b"", fields={"Set-Cookie": cookie})) as upstream:
        assert front.fetch(upstream, headers={"Cookie": cookie}).header("set-cookie") == cookie
        assert upstream.last.header("cookie") == cookie


def test_the_field_of_the_tests_stays_here(front: Front) -> None:
    """Without it there is no upstream, with it the script removes it."""
    assert fetch(front.address, "/").status == 421
    with Upstream() as upstream:
        front.fetch(upstream)
        assert upstream.last.header("x-upstream") is None


def test_expect_without_a_body_to_wait_for(front: Front) -> None:
    with Upstream() as upstream, front.connect() as connection:
        headers = {"Expect": "100-continue", "Content-Length": "0"}
        connection.send(front.request(upstream, headers=headers, method="POST"))
        got = connection.response()
        if got.status == 100:
            got = connection.response()
        assert got.status == 200
        connection.send(request("/"))
        assert connection.response().status == 421
