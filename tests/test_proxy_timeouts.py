"""Upstreams that say nothing, and those that are only slow."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from support.http2 import DATA, END_STREAM, NO_ERROR
from support.proxying import Front, by_field, named
from support.upstream import Answer, Call, Upstream, chunks, reply, response
from support.wire import Closed, FramingError

HELLO = b"hello"
AFTER = reply(b"after")

IMPATIENT = (
    *("--upstream-connect-timeout-s", "1", "--upstream-first-byte-timeout-s", "2"),
    *("--upstream-idle-timeout-s", "2", "--tunnel-timeout-s", "2"),
)


def never(call: Call) -> None:
    """Say nothing until the server gives up."""
    call.drain()
    call.wait_closed()
    call.close()


def half_a_head(call: Call) -> None:
    call.send(b"HTTP/1.1 200 OK\r\nContent-")
    never(call)


def half_a_body(call: Call) -> None:
    call.send(response(fields={"Content-Length": "10"}) + HELLO)
    never(call)


LONG_BODY_BYTES = 16 << 20


def over_http1(front: Front, upstream: Upstream, size: int) -> str:
    """A request with a body of so many bytes, and what comes of it."""
    with front.connect(timeout_s=40) as connection:
        with suppress(ConnectionError):
            connection.send(front.request(upstream, method="POST", body=bytes(size)))
        try:
            return str(connection.response().status)
        except (FramingError, Closed, ConnectionError):
            return "broken"


def over_http2(front: Front, upstream: Upstream, size: int) -> str:
    """The same; of a body that is not taken, as much as windows let through."""
    with front.connect2() as client:
        client.socket.settimeout(1.0)
        stream = client.open(client.block("/", "POST", named(upstream)), end=False)
        with suppress(TimeoutError):
            while client.sent[0] < size:
                client.push(stream, size)
                client.step()
        client.socket.settimeout(40.0)
        if size == 0:
            client.send_frame(DATA, END_STREAM, stream)
        got = client.response(stream)
        return "broken" if got.reset not in (None, NO_ERROR) else str(got.status)


def test_upstreams_that_hang(tmp_path: Path) -> None:
    """504, or a broken end where the response has begun; all at the same time."""
    ended = threading.Event()

    def unread(call: Call) -> None:
        """Take nothing of the body."""
        assert ended.wait(60)
        call.close()

    cases: list[tuple[Answer, int, set[str]]] = [
        (never, 0, {"504"}),
        (half_a_head, 0, {"504"}),
        (half_a_body, 0, {"broken"}),
        (unread, LONG_BODY_BYTES, {"504", "broken"}),
    ]
    outcomes: dict[str, str] = {}
    with by_field(tmp_path, *IMPATIENT) as front, ExitStack() as stack:
        threads, expected, upstreams = [], {}, []
        for answer, size, allowed in cases:
            for ask in (over_http1, over_http2):
                name = f"{answer.__name__} {ask.__name__}"
                upstreams.append(stack.enter_context(Upstream(answer)))
                expected[name] = allowed

                def run(
                    name: str = name,
                    ask: Callable[[Front, Upstream, int], str] = ask,
                    upstream: Upstream = upstreams[-1],
                    size: int = size,
                ) -> None:
                    outcomes[name] = ask(front, upstream, size)

                threads.append(threading.Thread(target=run))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        ended.set()
        for name, allowed in expected.items():
            assert outcomes.get(name) in allowed, outcomes
        for upstream in upstreams:
            upstream.answer = AFTER
            assert front.fetch(upstream).body == b"after"


def test_slow_is_not_hanging(tmp_path: Path) -> None:
    """Each part comes in time, though all together take longer than any of the limits."""

    def answer(call: Call) -> None:
        body = call.body()
        call.send(response(fields={"Transfer-Encoding": "chunked"}))
        for _ in range(8):
            time.sleep(0.5)
            call.send(chunks(b"part.", end=b""))
        call.send(chunks(body))

    with (
        Upstream(answer) as upstream,
        by_field(tmp_path, *IMPATIENT) as front,
        front.connect(timeout_s=20) as connection,
    ):
        headers = {"Content-Length": "8"}
        connection.send(front.request(upstream, headers=headers, method="PUT"))
        connection.send_in_pieces(b"12345678", 1, 0.5)
        assert connection.response().body == b"part." * 8 + b"12345678"


def test_a_tunnel_in_which_nothing_is_said(tmp_path: Path) -> None:
    def answer(call: Call) -> None:
        call.send(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x/1\r\n\r\n")
        for _ in range(8):
            call.send(call.link.some(1))
        if call.wait_closed():
            closed.set()

    closed = threading.Event()
    with Upstream(answer) as upstream, by_field(tmp_path, *IMPATIENT) as front:
        with front.connect(timeout_s=20) as connection:
            headers = {"Connection": "upgrade", "Upgrade": "x/1"}
            connection.send(front.request(upstream, headers=headers))
            assert connection.head().status == 101
            for _ in range(8):
                time.sleep(0.5)
                connection.send(b"x")
                assert connection.take(1) == b"x"
            assert connection.at_end()
        assert closed.wait(20)
