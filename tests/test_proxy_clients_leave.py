"""Clients that go away, or break off what they were saying."""

import threading
from contextlib import suppress

import pytest
from support.http2 import CANCEL, RST_STREAM
from support.proxying import Front, named
from support.upstream import Call, Gone, Upstream, chunks, reply, response
from support.wire import Closed

PIECE = bytes(range(256)) * 1024


def test_a_client_that_leaves_ends_the_request_upstream(front: Front) -> None:
    ended = threading.Event()

    def answer(call: Call) -> None:
        call.send(response(fields={"Transfer-Encoding": "chunked"}))
        try:
            while True:
                call.send(chunks(PIECE, end=b""))
        except OSError:
            ended.set()
            raise

    with Upstream(answer) as upstream:
        with front.connect() as connection:
            connection.send(front.request(upstream))
            assert connection.head().status == 200
        assert ended.wait(20)


def test_a_client_that_leaves_before_there_is_an_answer(front: Front) -> None:
    ended = threading.Event()

    def answer(call: Call) -> None:
        if call.wait_closed():
            ended.set()

    with Upstream(answer) as upstream:
        connection = front.connect()
        connection.send(front.request(upstream))
        upstream.wait_calls(1)
        connection.close()
        assert ended.wait(20)


def test_a_stream_that_is_reset_ends_the_request_upstream(front: Front) -> None:
    ended = threading.Event()

    def answer(call: Call) -> None:
        if call.target == "/":
            call.send(response(b"hello"))
        elif call.wait_closed():
            ended.set()

    with Upstream(answer) as upstream, front.connect2() as client:
        stream = client.ask("/waits", headers=named(upstream))
        upstream.wait_calls(1)
        client.send_frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4))
        assert ended.wait(20)
        assert client.get("/", named(upstream)).body == b"hello"


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": "100"}, {"Transfer-Encoding": "chunked"}],
    ids=["length", "chunked"],
)
def test_an_upload_that_breaks_off_is_never_whole_upstream(
    front: Front, headers: dict[str, str]
) -> None:
    """An upstream must not take half a body for all of it."""
    broken = threading.Event()

    def answer(call: Call) -> None:
        try:
            call.body()
        except Gone:
            broken.set()
            raise

    with Upstream(answer) as upstream:
        with front.connect() as connection:
            connection.send(front.request(upstream, headers=headers, method="POST"))
            connection.send(b"5\r\nhello\r\n")
            upstream.wait_calls(1)
        assert broken.wait(20)


def test_a_half_closed_client_leaves_nothing_behind(front: Front) -> None:
    """Most that end their side have gone, so the upstream need not go on; either is right."""
    with Upstream(reply(b"hello")) as upstream:
        for _ in range(3):
            with front.connect() as connection:
                connection.send(front.request(upstream))
                connection.finish()
                with suppress(Closed):
                    assert connection.response().body == b"hello"
                assert connection.at_end()
        assert front.fetch(upstream).body == b"hello"
