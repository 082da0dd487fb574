"""Proxies that ask themselves, or each other in a circle: an answer comes, and soon."""

from pathlib import Path

import pytest
from support import nginx
from support.proxying import CONSTANT, Front, by_field, certificate, constant, named
from support.server import running
from support.upstream import Upstream, reply
from support.wire import Connection, fetch, request

LOOP = (502, 508)


@pytest.fixture
def port() -> int:
    """One that a server gets which has to know it beforehand."""
    return nginx.free_port()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_server_that_asks_itself(tmp_path: Path, port: int, threads: str) -> None:
    script = tmp_path / "loop.py"
    script.write_text(CONSTANT.format(url=f"http://127.0.0.1:{port}"))
    options = ["--threads", threads, "--access-log", "off"]
    with running(script, *options, addr=f"127.0.0.1:{port}") as server:
        for _ in range(20):
            assert fetch(server.address, "/").status in LOOP
        got = fetch(server.address, "/", method="POST", body=b"x" * 100_000)
        assert got.status in LOOP
        # Nothing goes round any more.
        with Connection(server.address) as connection:
            connection.send(request("/"))
            assert connection.response().status in LOOP


def test_a_loop_over_tls_and_http2(tmp_path: Path, port: int) -> None:
    script = tmp_path / "loop.py"
    script.write_text(CONSTANT.format(url=f"http://127.0.0.1:{port}"))
    options = ["--threads", "1", "--tls-addr", "127.0.0.1:0", *certificate(tmp_path)]
    with (
        running(script, *options, "--access-log", "off", addr=f"127.0.0.1:{port}") as server,
        Front(server).connect2(tls=True) as client,
    ):
        for _ in range(5):
            assert client.get("/").status in LOOP


def test_two_servers_that_ask_each_other(tmp_path: Path) -> None:
    """A third is asked where each of them finds the other."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    ports = [nginx.free_port(), nginx.free_port()]
    scripts = []
    for number in (0, 1):
        script = tmp_path / ("one", "two")[number] / "loop.py"
        script.write_text(CONSTANT.format(url=f"http://127.0.0.1:{ports[1 - number]}"))
        scripts.append(script)
    options = ["--threads", "1", "--access-log", "off"]
    with (
        running(scripts[0], *options, addr=f"127.0.0.1:{ports[0]}") as first,
        running(scripts[1], *options, addr=f"127.0.0.1:{ports[1]}") as second,
    ):
        for server in (first, second):
            for _ in range(5):
                assert fetch(server.address, "/").status in LOOP


def test_a_chain_is_no_loop(tmp_path: Path) -> None:
    """Three servers one behind the other, and the last one behind them."""
    with Upstream(reply(b"hello")) as upstream:
        places = [tmp_path / name for name in ("a", "b", "c")]
        for place in places:
            place.mkdir()
        with constant(upstream.url, places[0]) as inner:
            assert not isinstance(inner.address, str)
            url = f"http://127.0.0.1:{inner.address[1]}"
            with constant(url, places[1]) as middle:
                assert not isinstance(middle.address, str)
                url = f"http://127.0.0.1:{middle.address[1]}"
                with constant(url, places[2]) as outer:
                    assert fetch(outer.address, "/").body == b"hello"
                    assert len(upstream.last.tokens("via")) == 3


def test_what_others_say_in_via_is_no_loop(tmp_path: Path) -> None:
    with Upstream(reply(b"hello")) as upstream, by_field(tmp_path) as front:
        via = ", ".join(f"1.1 proxy{number}" for number in range(50))
        assert front.fetch(upstream, headers={"Via": via}).status in (200, *LOOP)
        assert front.fetch(upstream, headers={"Via": "1.1 zeroserve, 1.1 a"}).status == 200
        with front.connect2() as client:
            assert client.get("/", named(upstream)).status == 200
