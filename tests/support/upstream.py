"""An upstream that trusts nothing: each request has to be clear to every reader, byte by byte.

    with Upstream(reply(b"hello")) as upstream:
        assert fetch(server.address, "/").body == b"hello"
        assert upstream.calls[0].target == "/"

What another reader could take differently is noted in ``unclear``, which leaving the block checks.
An answer is a function of the ``Call``: it may send any bytes at any time, close, or do nothing.
"""

import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from support.server import wait_until

TIMEOUT_S = 20.0
# Longer than the server waits for an upstream.
PATIENCE_S = 120.0
REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/(1\.[01])")
FIELD_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?"
)
CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}")
MAX_HEAD_BYTES = 256 * 1024


class Unclear(Exception):
    """Bytes that are no request, or that two readers could take differently."""


class Gone(Exception):
    """The connection ended inside of a request."""


class Call:
    """One request, its body read when it is asked for, and the way back."""

    def __init__(self, link: "Link", head: bytes) -> None:
        self.link = link
        self.head = head
        first, *lines = head.split(b"\r\n")
        start = REQUEST_LINE.fullmatch(first)
        if start is None:
            raise Unclear(f"request line: {first[:200]!r}")
        self.method, self.target, self.version = (part.decode() for part in start.groups())
        self.fields: list[tuple[str, str]] = []
        for line in lines:
            field = FIELD_LINE.fullmatch(line)
            if field is None:
                raise Unclear(f"field line: {line[:200]!r}")
            self.fields.append((field[1].decode().lower(), (field[2] or b"").decode("latin-1")))
        self.trailers: list[tuple[str, str]] = []
        self.length = self._framing()
        self._body: bytes | None = None
        self._reading = False
        self.is_read = False

    def _framing(self) -> int | None:
        """The length of the body, None for chunks."""
        hosts, lengths, codings = map(self.all, ("host", "content-length", "transfer-encoding"))
        if len(hosts) != 1:
            raise Unclear(f"Host: {hosts}")
        if len(lengths) + len(codings) > 1:
            raise Unclear(f"framing: {lengths} {codings}")
        if codings and (codings[0].lower() != "chunked" or self.version == "1.0"):
            raise Unclear(f"Transfer-Encoding: {codings[0]!r} in HTTP/{self.version}")
        if lengths and not re.fullmatch("0|[1-9][0-9]{0,17}", lengths[0]):
            raise Unclear(f"Content-Length: {lengths[0]!r}")
        return None if codings else int(lengths[0]) if lengths else 0

    def all(self, name: str) -> list[str]:
        """Values of every field line of that name, in order."""
        return [value for key, value in self.fields if key == name]

    def header(self, name: str) -> str | None:
        """The value of a field that may occur once."""
        values = self.all(name)
        assert len(values) < 2, f"{name} occurs {len(values)} times: {values}"
        return values[0] if values else None

    def tokens(self, name: str) -> list[str]:
        """A comma-separated list field."""
        parts = ",".join(self.all(name)).split(",")
        return [part.strip() for part in parts if part.strip()]

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes."""
        assert not self._reading, "the body can be read once"
        self._reading = True
        if self.length is not None:
            left = self.length
            while left:
                piece = self.link.some(left)
                left -= len(piece)
                yield piece
            self.is_read = True
            return
        while True:
            line = self.link.line()
            if not CHUNK_LINE.fullmatch(line):
                raise Unclear(f"chunk size: {line[:80]!r}")
            if not (left := int(line, 16)):
                break
            while left:
                piece = self.link.some(left)
                left -= len(piece)
                yield piece
            if (end := self.link.line()) != b"":
                raise Unclear(f"after a chunk: {end[:80]!r}")
        while line := self.link.line():
            field = FIELD_LINE.fullmatch(line)
            if field is None:
                raise Unclear(f"trailer: {line[:80]!r}")
            self.trailers.append((field[1].decode().lower(), (field[2] or b"").decode("latin-1")))
        self.is_read = True

    def body(self) -> bytes:
        """The whole body."""
        if self._body is None:
            self._body = b"".join(self.pieces())
        return self._body

    def send(self, data: bytes) -> None:
        """Send bytes, whatever they are."""
        self.link.socket.sendall(data)

    def finish(self) -> None:
        """Close the sending half."""
        with suppress(OSError):
            self.link.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection."""
        self.link.close()

    def reset(self) -> None:
        """End the connection with a reset."""
        self.link.reset()

    def drain(self) -> None:
        """Read the rest of the body, if nobody has."""
        if not self._reading and not self.link.closed:
            self.body()

    def wait_closed(self) -> bool:
        """True once the other side has ended the connection, and sent nothing before."""
        return self.link.at_end()


class Link:
    """One connection that was accepted."""

    def __init__(self, number: int, accepted: socket.socket) -> None:
        self.number = number
        self.socket = accepted
        self.buffer = b""
        self.closed = False
        self.thread: threading.Thread | None = None

    def _fill(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise Gone
        self.buffer += data

    def head(self) -> bytes | None:
        """Lines up to the empty one, None at the end of the connection."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > MAX_HEAD_BYTES:
                raise Unclear("a head without an end")
            try:
                self._fill()
            except Gone:
                if self.buffer:
                    raise
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head

    def line(self) -> bytes:
        """A line of the framing."""
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > MAX_HEAD_BYTES:
                raise Unclear(f"a line without an end: {self.buffer[:80]!r}")
            self._fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def some(self, most: int) -> bytes:
        """At least one byte."""
        if not self.buffer:
            self._fill()
        piece, self.buffer = self.buffer[:most], self.buffer[most:]
        return piece

    def at_end(self) -> bool:
        """Whether the next thing that happens is the end."""
        try:
            return not self.buffer and not self.socket.recv(1)
        except ConnectionError:
            return True

    def close(self) -> None:
        """End it. The descriptor goes when its thread has noticed, lest another one gets its
        number meanwhile."""
        if not self.closed:
            self.closed = True
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End it with a reset."""
        self.closed = True
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if threading.current_thread() is self.thread:
            self.socket.close()
            return
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)
        assert self.thread is not None
        self.thread.join(TIMEOUT_S)


Answer = Callable[[Call], None]


def response(
    body: bytes = b"", status: int = 200, fields: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a response; Content-Length is added unless ``fields`` frames it."""
    given = dict(fields or {})
    if not {name.lower() for name in given} & {"content-length", "transfer-encoding"}:
        given["Content-Length"] = str(len(body))
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunks(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Pieces in the chunked coding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


def reply(body: bytes = b"", status: int = 200, fields: Mapping[str, str] | None = None) -> Answer:
    """Answer each request with the same response, once its body is there."""
    return say(response(body, status, fields))


def say(data: bytes) -> Answer:
    """Answer each request with the same bytes, once its body is there."""

    def answer(call: Call) -> None:
        call.drain()
        call.send(data)

    return answer


def say_and_close(data: bytes) -> Answer:
    """The same, and close the connection behind them."""

    def answer(call: Call) -> None:
        call.drain()
        call.send(data)
        call.close()

    return answer


def echo(call: Call) -> None:
    """Answer with what was asked, as JSON."""
    body = call.body()
    said = {
        "method": call.method,
        "target": call.target,
        "fields": call.fields,
        "body": body.decode("latin-1"),
        "trailers": call.trailers,
        "connection": call.link.number,
    }
    content = b"" if call.method == "HEAD" else json.dumps(said).encode()
    call.send(response(content, fields={"Content-Type": "application/json"}))


class Upstream:
    """A listening socket, a thread for each connection, and what has come so far."""

    def __init__(
        self,
        answer: Answer = echo,
        *,
        path: Path | None = None,
        port: int = 0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.links: list[Link] = []
        self.unclear: list[str] = []
        self._context = context
        self._lock = threading.Lock()
        self._closing = False
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
            self.port = int(self._listener.getsockname()[1])
            self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        else:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(path))
            self._listener.listen(256)
            self.port, self.url = 0, f"unix:{path}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def accepted(self) -> int:
        """Connections that were made so far."""
        return len(self.links)

    @property
    def last(self) -> Call:
        """The latest request."""
        return self.calls[-1]

    def wait_calls(self, count: int) -> list[Call]:
        """The requests once there are that many."""
        wait_until(lambda: len(self.calls) >= count, TIMEOUT_S, f"fewer than {count} requests")
        return self.calls

    def close_idle(self) -> None:
        """Close every connection; nothing may be under way on them."""
        for link in self.links:
            link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close()
        if kind is None:
            assert not self.unclear, self.unclear

    def close(self) -> None:
        """End the listener and all connections."""
        self._closing = True
        # A listener that is closed while its thread waits goes on waiting.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(TIMEOUT_S)
        self._listener.close()
        for link in self.links:
            link.close()
        for link in self.links:
            if link.thread is not None:
                link.thread.join(TIMEOUT_S)

    def _accept(self) -> None:
        while not self._closing:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            accepted.settimeout(PATIENCE_S)
            if accepted.family == socket.AF_INET:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                link = Link(len(self.links) + 1, accepted)
                self.links.append(link)
            link.thread = threading.Thread(target=self._serve, args=(link,), daemon=True)
            link.thread.start()

    def _serve(self, link: Link) -> None:
        try:
            if self._context is not None:
                link.socket = self._context.wrap_socket(link.socket, server_side=True)
            while not link.closed:
                head = link.head()
                if head is None:
                    break
                call = Call(link, head)
                with self._lock:
                    self.calls.append(call)
                self.answer(call)
                call.drain()
                if not call.is_read:
                    # What follows is the rest of a body that nobody wanted.
                    break
        except Unclear as error:
            self.unclear.append(str(error))
        except (Gone, OSError, ValueError):
            # It went away, or the test has ended; what a test expects it asks for itself.
            pass
        finally:
            link.close()
            link.socket.close()
