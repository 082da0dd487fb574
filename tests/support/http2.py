"""A raw HTTP/2 client over cleartext: every frame is looked at, and any frame can be sent.

with Http2(server.address) as client:
    assert client.get("/hello.txt").body == HELLO
"""

import socket
import ssl
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from hpack import Decoder, Encoder

from support.wire import Address

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, PRIORITY_UPDATE = 5, 6, 7, 8, 9, 16

END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8

INITIAL_WINDOW_SIZE = 4

NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED = 0, 1, 3, 5
INTERNAL_ERROR, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL = 2, 6, 7, 8
COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 9, 11

Fields = Iterable[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in values.items()))


@dataclass(frozen=True)
class Frame:
    """One frame of the server's."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """Error code of RST_STREAM, increment of WINDOW_UPDATE."""
        return int.from_bytes(self.payload[:4])


@dataclass
class Response:
    """What came on one stream so far."""

    interim: list[int] = field(default_factory=list)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    reset: int | None = None


class Closed(Exception):
    """The server closed the connection."""


class Http2:
    """One connection, over TLS when there is a ``context``.

    ``window`` is that of each stream; ``refill`` keeps it open.
    """

    def __init__(
        self,
        address: Address,
        *,
        window: int = 65_535,
        refill: bool = True,
        timeout_s: float = 10.0,
        greet: bool = True,
        context: ssl.SSLContext | None = None,
    ) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            context.set_alpn_protocols(["h2", "http/1.1"])
            secured = context.wrap_socket(self.socket, server_hostname="localhost")
            assert secured.selected_alpn_protocol() == "h2"
            self.socket = secured
        self.scheme = "http" if context is None else "https"
        self.authority = "site.test"
        self.buffer = b""
        self.encoder, self.decoder = Encoder(), Decoder()
        self.streams: dict[int, Response] = {}
        self.order: list[int] = []
        """The stream of each DATA frame, in order."""
        self.going: tuple[int, int] | None = None
        """Last stream and code of the latest GOAWAY."""
        self.pongs: list[bytes] = []
        self.settings: dict[int, int] = {}
        self.acked = 0
        self.refill = refill
        self.next_stream = 1
        self.windows = {0: 65_535}
        """What the server gives: for the connection, and for streams above the initial window."""
        self.sent: dict[int, int] = {0: 0}
        """Bytes of bodies that ``push`` has sent, on each stream and altogether."""
        if greet:
            self.send(PREFACE + settings({INITIAL_WINDOW_SIZE: window}))

    def __enter__(self) -> "Http2":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_frame(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        self.send(frame(kind, flags, stream, payload))

    def block(self, path: str, method: str = "GET", headers: Fields = ()) -> bytes:
        """The header block of a request."""
        pseudo = [(":method", method), (":scheme", self.scheme), (":path", path)]
        return self.encoder.encode([*pseudo, (":authority", self.authority), *headers])

    def open(self, block: bytes, *, end: bool = True) -> int:
        """Send a header block on a new stream; returns its number."""
        stream = self.next_stream
        self.next_stream += 2
        self.send_frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)
        return stream

    def ask(
        self, path: str, method: str = "GET", headers: Fields = (), *, body: bytes | None = None
    ) -> int:
        """Send a request, its body in one frame; returns its stream."""
        stream = self.open(self.block(path, method, headers), end=body is None)
        if body is not None:
            self.send_frame(DATA, END_STREAM, stream, body)
        return stream

    def read_frame(self) -> Frame:
        """The next frame, whatever it is."""
        head = self._take(9)
        length = int.from_bytes(head[:3])
        assert length <= 16384, f"a frame of {length} bytes"
        stream = int.from_bytes(head[5:9])
        return Frame(head[3], head[4], stream, self._take(length))

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def step(self) -> Frame:
        """Read a frame and do what a client does about it."""
        got = self.read_frame()
        stream = self.streams.setdefault(got.stream, Response())
        if got.kind == HEADERS:
            assert not stream.ended
            block, last = got.payload, got
            while not last.flags & END_HEADERS:
                last = self.read_frame()
                assert (last.kind, last.stream) == (CONTINUATION, got.stream)
                block += last.payload
            decoded = self.decoder.decode(block, raw=True)
            fields = [
                (bytes(name).decode(), bytes(value).decode("latin-1")) for name, value in decoded
            ]
            assert all(name == name.lower() for name, _ in fields)
            is_trailers = bool(stream.status)
            assert is_trailers == (":status" not in dict(fields))
            status = int(dict(fields).get(":status", stream.status))
            if is_trailers:
                assert got.flags & END_STREAM, "trailers that do not end the stream"
                stream.trailers = dict(fields)
            elif status < 200:
                stream.interim.append(status)
            else:
                stream.status = status
                stream.headers = dict(fields)
            stream.ended = bool(got.flags & END_STREAM)
        elif got.kind == DATA:
            assert stream.status, "a body without a head"
            assert not stream.ended
            stream.body += got.payload
            stream.ended = bool(got.flags & END_STREAM)
            self.order.append(got.stream)
            if self.refill and got.payload:
                update = struct.pack(">I", len(got.payload))
                more = b"" if stream.ended else frame(WINDOW_UPDATE, 0, got.stream, update)
                self.send(frame(WINDOW_UPDATE, 0, 0, update) + more)
        elif got.kind == RST_STREAM:
            stream.reset = got.number
        elif got.kind == SETTINGS and not got.flags & ACK:
            pairs = (got.payload[at : at + 6] for at in range(0, len(got.payload), 6))
            self.settings.update(struct.unpack(">HI", pair) for pair in pairs)
            self.send_frame(SETTINGS, ACK, 0)
        elif got.kind == SETTINGS:
            self.acked += 1
        elif got.kind == PING and got.flags & ACK:
            self.pongs.append(got.payload)
        elif got.kind == PING:
            self.send_frame(PING, ACK, 0, got.payload)
        elif got.kind == WINDOW_UPDATE:
            self.windows[got.stream] = self.windows.get(got.stream, 0) + got.number
        elif got.kind == GOAWAY:
            self.going = struct.unpack(">II", got.payload[:8])
        return got

    def response(self, stream: int) -> Response:
        """The response on a stream, once it is whole or was reset."""
        got = self.streams.setdefault(stream, Response())
        while not got.ended and got.reset is None:
            self.step()
        return got

    def get(self, path: str, headers: Fields = (), *, method: str = "GET") -> Response:
        """One request and its response."""
        return self.response(self.ask(path, method, headers))

    def post(self, path: str, body: bytes, headers: Fields = ()) -> Response:
        """One request with a body and its response."""
        return self.response(self.ask(path, "POST", headers, body=body))

    def room(self, stream: int) -> int:
        """How much of a body may be sent now."""
        initial = self.settings.get(INITIAL_WINDOW_SIZE, 65_535)
        own = initial + self.windows.get(stream, 0) - self.sent.get(stream, 0)
        return min(own, self.windows[0] - self.sent[0])

    def push(self, stream: int, total: int) -> None:
        """Send of a body of zeros what may be sent now, up to ``total`` of it."""
        while True:
            done = self.sent.get(stream, 0)
            if (size := min(self.room(stream), total - done, 16_384)) <= 0:
                return
            self.send_frame(DATA, 0, stream, bytes(size))
            self.sent[stream] = done + size
            self.sent[0] += size

    def until_closed(self) -> int | None:
        """Read to the end of the connection; returns the code of the last GOAWAY."""
        try:
            while True:
                self.step()
        except Closed:
            return None if self.going is None else self.going[1]
