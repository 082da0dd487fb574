"""Request smuggling: what a client says is one request for everybody, or none.

Three servers that people use, and an upstream that notes whatever is unclear, stand behind ours.
They may see exactly the requests that were answered by them, in the same order, and whatever was
tried, each request that comes after it gets its own answer.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support import peers
from support.desync import ATTACKS, FIELDS2, PSEUDO2, TRAILERS2, WHOLE
from support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, Closed, Fields, Http2
from support.proxying import Front, constant
from support.server import wait_until
from support.upstream import Call, Upstream, response
from support.wire import Closed as Closed1
from support.wire import Connection, FramingError, fetch, request

VICTIMS = 3
"""Requests behind each attack, on connections of their own."""


def note(call: Call) -> None:
    """What the servers of ``support.peers`` answer."""
    call.drain()
    content = b"" if call.method == "HEAD" else f"{call.method} {call.target}".encode()
    call.send(response(content, fields={"X-Target": call.target}))


@pytest.fixture(scope="module")
def recorder() -> Iterator[Upstream]:
    with Upstream(note) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def recorded(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with constant(recorder.url, tmp_path_factory.mktemp("recorded")) as front:
        yield front


def answered(front: Front, data: bytes) -> list[str]:
    """The targets of the answers that came from behind, to the end of the connection."""
    targets: list[str] = []
    method = "HEAD" if data.startswith(b"HEAD") else "GET"
    # Where the server waits for the rest of a body, nothing comes any more.
    with Connection(front.address, timeout_s=1) as connection:
        connection.send(data + request("/next", {"Connection": "close"}))
        with suppress(Closed1, FramingError, ConnectionResetError, TimeoutError):
            while True:
                got = connection.response(method)
                if got.status >= 200:
                    method = "GET"
                if target := got.header("x-target"):
                    targets.append(target)
    return targets


def victims(front: Front) -> None:
    """Whoever comes next gets what it asked for."""
    for number in range(VICTIMS):
        got = fetch(front.address, f"/victim/{number}")
        assert (got.status, got.header("x-target")) == (200, f"/victim/{number}")
        assert got.body == b"GET /victim/%d" % number


@pytest.mark.parametrize("name", ATTACKS)
def test_over_http1(recorder: Upstream, recorded: Front, name: str) -> None:
    recorder.calls.clear()
    recorder.unclear.clear()
    targets = answered(recorded, ATTACKS[name])
    # One whose body never ends is never answered.
    whole = [call for call in recorder.calls if call.is_read]
    assert [call.target for call in whole] == targets
    assert recorder.calls[:-1] == whole[: len(recorder.calls) - 1]
    assert not recorder.unclear
    victims(recorded)


def open_with(client: Http2, pseudo: dict[str, str], fields: Fields, body: bytes | None) -> int:
    """A request of any fields; the encoder asks no questions."""
    start = {":method": "POST", ":scheme": "http", ":path": "/a", ":authority": "site.test"}
    given = [*{**start, **pseudo}.items(), *fields]
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given]
    stream = client.open(client.encoder.encode(pairs), end=body is None)
    if body is not None:
        client.send_frame(DATA, END_STREAM, stream, body)
    return stream


def answered2(
    front: Front,
    pseudo: dict[str, str],
    fields: Fields,
    body: bytes | None,
    trailers: Fields = (),
) -> list[str]:
    """The target of the answer, if it came from behind."""
    with front.connect2() as client, suppress(Closed, ConnectionError):
        if trailers:
            stream = client.open(client.block("/a", "POST", fields), end=False)
            client.send_frame(DATA, 0, stream, body or b"")
            pairs = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in trailers]
            block = client.encoder.encode(pairs)
            client.send_frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
        else:
            stream = open_with(client, pseudo, fields, body)
        got = client.response(stream)
        return [got.headers["x-target"]] if "x-target" in got.headers else []
    return []


BODIES2 = (None, b"0\r\n\r\n" + WHOLE[:30])

CASES2: dict[str, tuple[dict[str, str], Fields, Fields]] = {
    **{f"fields: {name}": ({}, fields, ()) for name, fields in FIELDS2.items()},
    **{f"pseudo: {name}": (pseudo, (), ()) for name, pseudo in PSEUDO2.items()},
    **{f"trailers: {name}": ({}, (), fields) for name, fields in TRAILERS2.items()},
}


@pytest.mark.parametrize("body", BODIES2, ids=["no body", "body"])
@pytest.mark.parametrize("name", CASES2)
def test_over_http2(recorder: Upstream, recorded: Front, name: str, body: bytes | None) -> None:
    pseudo, fields, trailers = CASES2[name]
    recorder.calls.clear()
    recorder.unclear.clear()
    targets = answered2(recorded, pseudo, fields, body, trailers)
    seen = [call.target for call in recorder.calls]
    # One that is found to be wrong after it was passed on is broken off there.
    assert seen == targets or (not targets and len(seen) <= 1)
    assert not recorder.unclear
    for call in recorder.calls:
        assert b"smuggled" not in call.head
        assert call.all("host") == ["site.test"] or "authority" in str(pseudo)
        if targets:
            assert call.body() == (body or b"")
        for name in ("connection", "keep-alive", "upgrade", "proxy-connection"):
            assert set(call.tokens(name)) <= {"keep-alive", "close"}
    victims(recorded)


@pytest.mark.parametrize("name", peers.PEERS)
def test_with_servers_that_people_use(name: str, tmp_path: Path) -> None:
    """All of the above, one after the other: they see what was answered by them."""
    if peers.find(name) is None:
        pytest.skip(f"{name} is not installed")
    wrong: list[str] = []
    with peers.running(name, tmp_path) as peer, constant(peer.url, tmp_path) as front:
        known = 0

        def judge(what: str, targets: list[str]) -> None:
            """The lines that are new, up to those of the requests that come after."""
            nonlocal known
            victims(front)
            last = f"/victim/{VICTIMS - 1}"
            wait_until(lambda: [line for line in peer.seen()[known:] if last in line], 10)
            lines = peer.seen()[known:]
            known += len(lines)
            # What it could not read at all has no target.
            seen = [target for line in lines if (target := line.split(" ")[1]) != "-"]
            seen = [target for target in seen if not target.startswith("/victim/")]
            seen = [target.replace("\\x5C", "\\") for target in seen]
            broken_off = not targets and len(seen) <= 1 and "/smuggled" not in seen
            if seen != targets and not broken_off:
                wrong.append(f"{what}: answered {targets}, seen {seen}")

        for what, data in ATTACKS.items():
            judge(what, answered(front, data))
        for what, (pseudo, fields, trailers) in CASES2.items():
            for body in BODIES2:
                judge(what, answered2(front, pseudo, fields, body, trailers))
    assert not wrong, "\n".join(wrong)
