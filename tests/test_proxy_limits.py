"""Bodies that are longer than a server takes: refused, and never whole upstream."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from support.http2 import DATA, END_STREAM, Response
from support.proxying import Front, by_field, named
from support.upstream import Upstream, chunks
from support.wire import Closed, FramingError

MOST = 100_000
NONE = Response()


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with by_field(tmp_path_factory.mktemp("narrow"), "--max-upload-bytes", str(MOST)) as front:
        yield front


@pytest.mark.parametrize("size", [0, 1, MOST - 1, MOST])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_bodies_up_to_the_limit(narrow: Front, framing: str, size: int) -> None:
    with Upstream() as upstream, narrow.connect() as connection:
        body = bytes(size)
        headers = {"Content-Length": str(size)}
        if framing == "chunked":
            headers = {"Transfer-Encoding": "chunked"}
            body = chunks(body) if size else chunks()
        connection.send(narrow.request(upstream, headers=headers, method="PUT") + body)
        assert connection.response().status == 200
        assert len(upstream.last.body()) == size


def test_a_length_beyond_it(narrow: Front) -> None:
    """Known from the head: nobody upstream hears of it."""
    with Upstream() as upstream, narrow.connect() as connection:
        headers = {"Content-Length": str(MOST + 1)}
        connection.send(narrow.request(upstream, headers=headers, method="PUT"))
        got = connection.response()
        assert got.status == 413
        assert not upstream.calls


def test_chunks_beyond_it(narrow: Front) -> None:
    with Upstream() as upstream, narrow.connect() as connection:
        headers = {"Transfer-Encoding": "chunked"}
        connection.send(narrow.request(upstream, headers=headers, method="PUT"))
        with suppress(ConnectionError):
            for _ in range(3):
                connection.send(chunks(bytes(MOST // 2), end=b""))
            connection.send(b"0\r\n\r\n")
        with suppress(Closed, FramingError, ConnectionError):
            assert connection.response().status == 413
        assert not any(call.is_read for call in upstream.calls)


@pytest.mark.parametrize("with_length", [True, False])
def test_beyond_it_over_http2(narrow: Front, with_length: bool) -> None:
    with Upstream() as upstream, narrow.connect2() as client:
        total = MOST + 1
        fields = [*named(upstream)]
        if with_length:
            fields.append(("content-length", str(total)))
        stream = client.open(client.block("/", "PUT", fields), end=False)
        while client.sent.get(stream, 0) < total and not client.streams.get(stream, NONE).status:
            client.push(stream, total)
            if client.sent.get(stream, 0) < total:
                client.step()
                if client.streams.get(stream, NONE).reset is not None:
                    break
        client.send_frame(DATA, END_STREAM, stream)
        got = client.response(stream)
        assert got.status == 413 or got.reset not in (None, 0)
        assert not any(call.is_read for call in upstream.calls)
        assert client.get("/", named(upstream)).status == 200
