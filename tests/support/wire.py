"""A raw HTTP/1.1 client that trusts nothing: every byte of a response is checked.

It does not use ``http.client``, whose leniency would hide framing mistakes. A response is
read exactly to its end; what follows stays in the buffer and can be asked about.

    with Connection(server.address) as connection:
        connection.send(request("/hello.txt"))
        assert connection.response().status == 200
"""

import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

Address = tuple[str, int] | str
"""A loopback host and port, or the path of a Unix socket."""

MAX_HEAD_BYTES = 64 * 1024
STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9]{2}) ([\t -~]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
IMF_FIXDATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


class FramingError(AssertionError):
    """The bytes of a response do not follow RFC 9112."""


class Closed(Exception):
    """The server closed the connection where a response was due."""


@dataclass(frozen=True)
class Response:
    """One response as it came over the wire."""

    version: str
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Values of every field line of that name, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of a field that may occur once."""
        values = self.all(name)
        if len(values) > 1:
            raise FramingError(f"{name} occurs {len(values)} times: {values}")
        return values[0] if values else None

    def need(self, name: str) -> str:
        """The value of a field that has to be there."""
        value = self.header(name)
        if value is None:
            raise AssertionError(f"no {name} in {self.status} {self.fields}")
        return value

    def tokens(self, name: str) -> set[str]:
        """A comma-separated list field as a set of lower-case tokens."""
        joined = ",".join(self.all(name))
        return {token.strip().lower() for token in joined.split(",") if token.strip()}

    @property
    def media_type(self) -> str:
        """Content-Type without its parameters, lower-case; empty without the field."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


def request(
    target: str | bytes,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    version: str = "1.1",
    body: bytes = b"",
) -> bytes:
    """The bytes of a request; Host is added unless ``headers`` names it."""
    lines: dict[str, str] = dict(headers or {})
    names = {name.lower() for name in lines}
    if "host" not in names and version == "1.1":
        lines = {"Host": "site.test", **lines}
    if body and not names & {"content-length", "transfer-encoding"}:
        lines["Content-Length"] = str(len(body))
    raw_target = target if isinstance(target, bytes) else target.encode("latin-1")
    head = method.encode("latin-1") + b" " + raw_target + b" HTTP/" + version.encode() + b"\r\n"
    for name, value in lines.items():
        head += f"{name}: {value}\r\n".encode("latin-1")
    return head + b"\r\n" + body


class Connection:
    """One connection; ``timeout_s`` bounds every single read."""

    def __init__(
        self, address: Address, *, timeout_s: float = 10.0, receive_buffer_bytes: int = 0
    ) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.buffer = b""
        self.trailers: list[tuple[str, str]] = []
        """Fields behind the chunks that were read last."""
        try:
            if receive_buffer_bytes:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            self.socket.settimeout(timeout_s)
            self.socket.connect(address)
            if family == socket.AF_INET:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_in_pieces(self, data: bytes, size: int = 1, pause_s: float = 0.0) -> None:
        """Each piece in a segment of its own (Nagle's algorithm is off)."""
        for start in range(0, len(data), size):
            self.socket.sendall(data[start : start + size])
            if pause_s:
                time.sleep(pause_s)

    def finish(self) -> None:
        """Close the sending half only."""
        self.socket.shutdown(socket.SHUT_WR)

    def fill(self) -> bool:
        """Read once into the buffer; False at the end of the connection."""
        data = self.socket.recv(256 * 1024)
        self.buffer += data
        return bool(data)

    def take(self, count: int) -> bytes:
        """So many bytes."""
        parts = [self.buffer]
        have = len(self.buffer)
        while have < count:
            data = self.socket.recv(min(1 << 20, max(count - have, 4096)))
            if not data:
                raise FramingError(f"connection closed {count - have} bytes before the end")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def _line(self) -> bytes:
        while b"\n" not in self.buffer:
            if len(self.buffer) > MAX_HEAD_BYTES:
                raise FramingError("line too long")
            if not self.fill():
                if not self.buffer:
                    raise Closed
                raise FramingError(f"connection closed inside a line: {self.buffer[:80]!r}")
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise FramingError(f"line does not end in CRLF: {line[:80]!r}")
        return line[:-1]

    def head(self) -> Response:
        """Status line and fields of the next response, its body left unread."""
        status = STATUS_LINE.fullmatch(line := self._line())
        if status is None:
            raise FramingError(f"not a status line: {line[:80]!r}")
        fields: list[tuple[str, str]] = []
        while line := self._line():
            field = FIELD_LINE.fullmatch(line)
            if field is None:
                raise FramingError(f"not a field line: {line[:80]!r}")
            fields.append((field[1].decode(), field[2].decode("latin-1")))
        return Response(status[1].decode(), int(status[2]), status[3].decode(), tuple(fields), b"")

    def response(self, method: str = "GET") -> Response:
        """The next response, interim ones included, read exactly to its end."""
        head = self.head()
        body = self.body(head, method)
        return Response(head.version, head.status, head.reason, head.fields, body)

    def body(self, head: Response, method: str = "GET") -> bytes:
        """What follows a head, read exactly to its end."""
        length = head.header("content-length")
        coding = head.header("transfer-encoding")
        if length is not None and coding is not None:
            raise FramingError("both Content-Length and Transfer-Encoding")
        if length is not None and not re.fullmatch("[0-9]+", length):
            raise FramingError(f"bad Content-Length: {length}")
        if (head.status < 200 or head.status == 204) and (length or coding):
            raise FramingError(f"{head.status} with framing fields: {head.fields}")
        if method == "HEAD" or head.status < 200 or head.status in (204, 304):
            return b""
        if coding is not None:
            if coding.lower() != "chunked":
                raise FramingError(f"unknown transfer coding: {coding}")
            body = b"".join(self.chunks())
            if self.trailers:
                raise FramingError(f"trailers are not expected here: {self.trailers}")
            return body
        if length is not None:
            return self.take(int(length))
        if head.version == "1.1" and "close" not in head.tokens("connection"):
            raise FramingError("a body with no length and no announced close")
        while self.fill():
            pass
        body, self.buffer = self.buffer, b""
        return body

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a body as they come; behind the last one ``trailers`` are known."""
        self.trailers = []
        while True:
            size = self._line()
            if not CHUNK_SIZE.fullmatch(size):
                raise FramingError(f"bad chunk size: {size[:40]!r}")
            if int(size, 16) == 0:
                break
            yield self.take(int(size, 16))
            if self.take(2) != b"\r\n":
                raise FramingError("chunk not followed by CRLF")
        while line := self._line():
            field = FIELD_LINE.fullmatch(line)
            if field is None:
                raise FramingError(f"not a trailer: {line[:80]!r}")
            self.trailers.append((field[1].decode(), field[2].decode("latin-1")))

    def at_end(self) -> bool:
        """True when the server closed and sent nothing more; waits for one or the other."""
        if self.buffer:
            return False
        try:
            return not self.fill()
        except ConnectionResetError:
            return True


def fetch(
    address: Address,
    target: str | bytes,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    version: str = "1.1",
    body: bytes = b"",
) -> Response:
    """One request on a connection of its own; nothing may follow the response."""
    sent: dict[str, str] = dict(headers or {})
    if version == "1.1" and "connection" not in {name.lower() for name in sent}:
        sent["Connection"] = "close"
    with Connection(address) as connection:
        connection.send(request(target, sent, method=method, version=version, body=body))
        response = connection.response(method)
        assert connection.at_end(), f"bytes after the response: {connection.buffer[:80]!r}"
        return response


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail when the block takes longer."""
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    assert took <= seconds, f"took {took:.1f} s, more than {seconds} s"


def http_date(text: str) -> float:
    """Seconds since 1970 of an IMF-fixdate, the only format a server may send."""
    assert IMF_FIXDATE.fullmatch(text), f"not an IMF-fixdate: {text}"
    return parsedate_to_datetime(text).timestamp()
