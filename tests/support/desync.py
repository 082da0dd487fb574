"""What has been used to make two servers disagree about where a request ends.

Each attack is the bytes of one connection. How many requests there are in them is for the first
server to say; what must not be is that the one behind it sees others than were answered.
"""

from support.http2 import Fields

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Ignored: "
WHOLE = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

# Ways to write a Transfer-Encoding that one reader knows and another does not.
CODINGS: dict[str, bytes] = {
    "plain": b"Transfer-Encoding: chunked",
    "capitals": b"TRANSFER-ENCODING: CHUNKED",
    "space before the colon": b"Transfer-Encoding : chunked",
    "tab before the colon": b"Transfer-Encoding\t: chunked",
    "no space": b"Transfer-Encoding:chunked",
    "tab": b"Transfer-Encoding:\tchunked",
    "space behind": b"Transfer-Encoding: chunked ",
    "tab behind": b"Transfer-Encoding: chunked\t",
    "vertical tab": b"Transfer-Encoding: \x0bchunked",
    "form feed": b"Transfer-Encoding: \x0cchunked",
    "null before": b"Transfer-Encoding: \0chunked",
    "null behind": b"Transfer-Encoding: chunked\0",
    "no-break space": b"Transfer-Encoding: \xa0chunked",
    "x before": b"Transfer-Encoding: xchunked",
    "x behind": b"Transfer-Encoding: chunkedx",
    "cow": b"Transfer-Encoding: cow",
    "quoted": b'Transfer-Encoding: "chunked"',
    "single quotes": b"Transfer-Encoding: 'chunked'",
    "parameter": b"Transfer-Encoding: chunked;q=1",
    "identity first": b"Transfer-Encoding: identity, chunked",
    "identity last": b"Transfer-Encoding: chunked, identity",
    "twice in a list": b"Transfer-Encoding: chunked, chunked",
    "empty element": b"Transfer-Encoding: , chunked",
    "two lines": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "a second line of another": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    "a first line of another": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "a second empty line": b"Transfer-Encoding: chunked\r\nTransfer-Encoding:",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded with a tab": b"Transfer-Encoding:\r\n\tchunked",
    "folded name": b"Transfer-Encoding\r\n : chunked",
    "inside of a folded line": b"X-A: b\r\n Transfer-Encoding: chunked",
    "a space first": b" Transfer-Encoding: chunked",
    "behind a bare line feed": b"X-A: b\nTransfer-Encoding: chunked",
    "behind a bare return": b"X-A: b\rTransfer-Encoding: chunked",
    "ends in a bare line feed": b"Transfer-Encoding: chunked\nX-A: b",
    "two returns": b"Transfer-Encoding: chunked\r\r\nX-A: b",
    "a null in the name": b"Transfer-\0Encoding: chunked",
    "a byte in the name": b"Transfer-Encoding\xff: chunked",
    "an underscore": b"Transfer_Encoding: chunked",
    "a dot": b"Transfer.Encoding: chunked",
    "a semicolon": b"Transfer-Encoding;: chunked",
    "letters of another alphabet": "Transfer-Encoding: ch\u0443nked".encode(),
    "named by Connection": b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
    "an equals sign": b"Transfer-Encoding=chunked",
    "content-encoding": b"Content-Encoding: chunked",
    "te": b"TE: chunked",
}

LENGTHS: dict[str, bytes] = {
    "two": b"Content-Length: 0\r\nContent-Length: %d",
    "two turned around": b"Content-Length: %d\r\nContent-Length: 0",
    "a list": b"Content-Length: %d, 0",
    "the same twice": b"Content-Length: %d\r\nContent-Length: %d",
    "a sign": b"Content-Length: +%d",
    "minus": b"Content-Length: -%d",
    "hexadecimal": b"Content-Length: 0x%x",
    "leading zeros": b"Content-Length: 0000000000000000000000%d",
    "a space inside": b"Content-Length: 1 %d",
    "a space before the colon": b"Content-Length : %d",
    "an underscore": b"Content_Length: %d",
    "an underscore beside": b"Content-Length: 0\r\nContent_Length: %d",
    "a tab": b"Content-Length:\t%d",
    "vertical tab": b"Content-Length: \x0b%d",
    "a null": b"Content-Length: %d\0",
    "folded": b"Content-Length:\r\n %d",
    "a fraction": b"Content-Length: %d.0",
    "an exponent": b"Content-Length: %de0",
    "digits of another script": b"Content-Length: \xd9\xa3%d",
    "underscores": b"Content-Length: 0_%d",
    "a comma behind": b"Content-Length: %d,",
    "named by Connection": b"Connection: Content-Length\r\nContent-Length: %d",
    "empty": b"Content-Length: \r\nX-A: %d",
    "beyond 64 bits": b"Content-Length: 1844674407370955161%d",
}

CHUNKS: dict[str, bytes] = {
    "an extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "an extension with a line feed": b"5;a\nhello\r\n0\r\n\r\n" + WHOLE,
    "an extension with a return": b"5;a\rb\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "an extension of two lines": b"2;\nxx\r\n4c\r\n0\r\n\r\n" + WHOLE + b"\r\n0\r\n\r\n",
    "a quoted line end": b'5;a="\r\nhello\r\n0\r\n\r\n' + WHOLE,
    "a bare line feed": b"5\nhello\r\n0\r\n\r\n" + WHOLE,
    "bare line feeds": b"5\nhello\n0\n\n" + WHOLE,
    "a bare return": b"5\rhello\r\n0\r\n\r\n" + WHOLE,
    "a last line feed": b"5\r\nhello\r\n0\r\n\n" + WHOLE,
    "a prefix": b"0x5\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "a sign": b"+5\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "minus": b"-5\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "minus zero": b"-0\r\n\r\n" + WHOLE,
    "a space before": b" 5\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "a space behind": b"5 \r\nhello\r\n0\r\n\r\n" + WHOLE,
    "an underscore": b"0_5\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "wraps at 32 bits": b"100000000\r\n\r\n" + WHOLE,
    "wraps at 64 bits": b"10000000000000000\r\n\r\n" + WHOLE,
    "wraps to five": b"10000000000000005\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "many zeros": b"0" * 400 + b"5\r\nhello\r\n0\r\n\r\n",
    "a longer chunk": b"5\r\nhello!\r\n0\r\n\r\n" + WHOLE,
    "a shorter chunk": b"5\r\nhell\r\n0\r\n\r\n" + WHOLE,
    "other line ends": b"5\r\nhelloXX0\r\n\r\n" + WHOLE,
    "no size": b"\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "no hexadecimal": b"5g\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "a null": b"5\0\r\nhello\r\n0\r\n\r\n" + WHOLE,
    "a trailer that frames": b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n" + WHOLE,
    "a trailer that codes": b"5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n",
    "a trailer with a space": b"5\r\nhello\r\n0\r\nX : y\r\n\r\n" + WHOLE,
    "a trailer that is folded": b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n" + WHOLE,
    "a trailer with a line feed": b"5\r\nhello\r\n0\r\nX: y\n\r\n\r\n" + WHOLE,
    "a trailer without a colon": b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n" + WHOLE,
    "something behind": b"5\r\nhello\r\n0\r\n\r\nX" + WHOLE,
}

HEADS: dict[str, bytes] = {
    "a space in a name": b"GET /a HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n",
    "no name": b"GET /a HTTP/1.1\r\nHost: a\r\n: z\r\n\r\n",
    "a line without a colon": b"GET /a HTTP/1.1\r\nHost: a\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "folded": b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n GET /smuggled HTTP/1.1\r\n\r\n",
    "folded first": b"GET /a HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n",
    "line feeds": b"GET /a HTTP/1.1\nHost: a\n\n" + WHOLE,
    "a last line feed": b"GET /a HTTP/1.1\r\nHost: a\r\n\n" + WHOLE,
    "returns": b"GET /a HTTP/1.1\rHost: a\r\r" + WHOLE,
    "a return in a value": b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n" + WHOLE,
    "a null in a value": b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n",
    "two hosts": b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET /a HTTP/1.1\r\n\r\n",
    "hosts in a list": b"GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a host with a space": b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a space before Host": b"GET /a HTTP/1.1\r\n Host: a\r\n\r\n",
    "another host in the target": b"GET http://b/a HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tab": b"GET\t/a\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": b"GET /a /b HTTP/1.1\r\nHost: a\r\n\r\n",
    "two versions": b"GET /a HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "version 1.2": b"GET /a HTTP/1.2\r\nHost: a\r\n\r\n",
    "version 2": b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n",
    "version 1.1x": b"GET /a HTTP/1.1x\r\nHost: a\r\n\r\n",
    "no version": b"GET /a\r\nHost: a\r\n\r\n" + WHOLE,
    "a null in the target": b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a return in the target": b"GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes in the target": b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded line ends": b"GET /a%0d%0aX:%20y%0d%0a%0d%0aGET%20/smuggled HTTP/1.1\r\n"
    b"Host: a\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "an asterisk": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "no slash": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a slash more": b"GET //b/a HTTP/1.1\r\nHost: a\r\n\r\n",
    "dots": b"GET /a/../../b HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded dots": b"GET /a/%2e%2e/%2e%2e/b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a backslash": b"GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + WHOLE,
    "TRACE": b"TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "PRI": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + WHOLE,
    "a method of lines": b"GET /smuggled HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "an upgrade that nobody speaks": b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
    b"Upgrade: websocket\r\n\r\n",
    "an upgrade to HTTP/2": b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    "an expectation and a length": b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    b"Content-Length: 35\r\n\r\n" + WHOLE,
    "an expectation that is odd": b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: y 100-continue\r\n"
    b"Content-Length: 35\r\n\r\n" + WHOLE,
    "a GET with a body": b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n" + WHOLE,
    "a HEAD with a body": b"HEAD /a HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n" + WHOLE,
    "an OPTIONS with a body": b"OPTIONS /a HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n"
    + WHOLE,
    "a DELETE with chunks": b"DELETE /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    "chunks in 1.0": b"POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: keep-alive\r\n\r\n0\r\n\r\n" + WHOLE,
    "a method that is overridden": b"POST /a HTTP/1.1\r\nHost: a\r\n"
    b"X-HTTP-Method-Override: HEAD\r\nContent-Length: 0\r\n\r\n",
}


def _attacks() -> dict[str, bytes]:
    attacks = {f"head: {name}": data for name, data in HEADS.items()}
    start = b"POST /a HTTP/1.1\r\nHost: a\r\n"
    for name, coding in CODINGS.items():
        # One reader goes by the length, the other by the chunks: both ways round.
        body = b"0\r\n\r\n" + WHOLE
        length = b"Content-Length: %d\r\n" % len(body)
        attacks[f"length and chunks: {name}"] = start + length + coding + b"\r\n\r\n" + body
        attacks[f"chunks and length: {name}"] = start + coding + b"\r\n" + length + b"\r\n" + body
        inner = SMUGGLED + b"x" * 20
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
        length = b"Content-Length: %d\r\n" % len(b"%x\r\n" % len(inner))
        attacks[f"chunks over length: {name}"] = start + length + coding + b"\r\n\r\n" + body
        attacks[f"chunks alone: {name}"] = start + coding + b"\r\n\r\n0\r\n\r\n"
    for name, length in LENGTHS.items():
        count = length.count(b"%")
        attacks[f"length: {name}"] = start + length % ((len(WHOLE),) * count) + b"\r\n\r\n" + WHOLE
    for name, body in CHUNKS.items():
        attacks[f"chunks: {name}"] = start + b"Transfer-Encoding: chunked\r\n\r\n" + body
    return attacks


ATTACKS = _attacks()
"""The bytes of a connection, by what they try."""

_LINES = "a\r\nTransfer-Encoding: chunked"
_REQUEST = "a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

FIELDS2: dict[str, Fields] = {
    "a coding": [("transfer-encoding", "chunked")],
    "a coding in capitals": [("Transfer-Encoding", "chunked")],
    "a connection": [("connection", "close")],
    "a connection that names": [("connection", "content-length")],
    "keep-alive": [("keep-alive", "timeout=5")],
    "an upgrade": [("upgrade", "websocket")],
    "a proxy connection": [("proxy-connection", "close")],
    "te": [("te", "chunked")],
    "lines in a value": [("x-a", _LINES)],
    "a request in a value": [("x-a", _REQUEST)],
    "a line feed in a value": [("x-a", "a\nTransfer-Encoding: chunked")],
    "a return in a value": [("x-a", "a\rTransfer-Encoding: chunked")],
    "a null in a value": [("x-a", "a\0b")],
    "a space before a value": [("x-a", " b")],
    "a line end behind a value": [("x-a", "b\r\n")],
    "lines in a name": [("x-a: b\r\ntransfer-encoding: chunked\r\nx-b", "c")],
    "a colon in a name": [("transfer-encoding: chunked", "a")],
    "a colon at the end of a name": [("transfer-encoding:", "chunked")],
    "a space in a name": [("transfer-encoding ", "chunked")],
    "a null in a name": [("x\0a", "b")],
    "a line feed in a name": [("x\ntransfer-encoding", "chunked")],
    "an empty name": [("", "a")],
    "capitals in a name": [("X-A", "b")],
    "bytes in a name": [("x-\xff", "b")],
    "a length that is too large": [("content-length", "100")],
    "a length that is too small": [("content-length", "1")],
    "no length": [("content-length", "0")],
    "two lengths": [("content-length", "35"), ("content-length", "36")],
    "the same length twice": [("content-length", "35"), ("content-length", "35")],
    "lengths in a list": [("content-length", "35, 35")],
    "a length with a sign": [("content-length", "+35")],
    "a length that is none": [("content-length", "abc")],
    "an empty length": [("content-length", "")],
    "lines in a length": [("content-length", "35\r\nTransfer-Encoding: chunked")],
    "a host that differs": [("host", "evil.test")],
    "two hosts": [("host", "site.test"), ("host", "evil.test")],
    "lines in a host": [("host", "site.test\r\nTransfer-Encoding: chunked")],
    "an underscore": [("transfer_encoding", "chunked"), ("content_length", "0")],
    "a pseudo field behind others": [("x-a", "b"), (":path", "/smuggled")],
    "a pseudo field twice": [(":path", "/smuggled")],
    "an authority twice": [(":authority", "evil.test")],
    "an unknown pseudo field": [(":smuggled", "a")],
    "a status": [(":status", "200")],
    "a protocol": [(":protocol", "websocket")],
    "an expectation": [("expect", "100-continue")],
    "forwarded lines": [("x-forwarded-for", "1.2.3.4\r\nX-A: b")],
    "a cookie of lines": [("cookie", "a=b"), ("cookie", "c=d\r\nX-A: b")],
}

PSEUDO2: dict[str, dict[str, str]] = {
    "a request in the path": {":path": "/a HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled"},
    "lines in the path": {":path": "/a\r\nX-A: b"},
    "a version in the path": {":path": "/a HTTP/1.1"},
    "a space in the path": {":path": "/a b"},
    "a tab in the path": {":path": "/a\tb"},
    "a line feed in the path": {":path": "/a\nb"},
    "a null in the path": {":path": "/a\0b"},
    "a delete in the path": {":path": "/a\x7fb"},
    "bytes in the path": {":path": "/\xff"},
    "a fragment": {":path": "/a#b"},
    "an empty path": {":path": ""},
    "no slash": {":path": "a"},
    "an asterisk": {":path": "*"},
    "a URL as the path": {":path": "http://evil.test/a"},
    "two slashes": {":path": "//evil.test/a"},
    "nothing but a query": {":path": "?a"},
    "a request in the method": {":method": "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET"},
    "a space in the method": {":method": "GET /smuggled"},
    "an empty method": {":method": ""},
    "a line feed in the method": {":method": "GE\nT"},
    "a colon in the method": {":method": "GET:"},
    "CONNECT": {":method": "CONNECT"},
    "lines in the scheme": {":scheme": "http\r\nX-A: b"},
    "a URL as the scheme": {":scheme": "http://evil.test/?"},
    "an empty scheme": {":scheme": ""},
    "another scheme": {":scheme": "gopher"},
    "lines in the authority": {":authority": "a\r\nTransfer-Encoding: chunked"},
    "a request in the authority": {":authority": _REQUEST},
    "a space in the authority": {":authority": "a b"},
    "a slash in the authority": {":authority": "a/b"},
    "a user in the authority": {":authority": "user@a"},
    "an empty authority": {":authority": ""},
    "a null in the authority": {":authority": "a\0"},
}

TRAILERS2: dict[str, Fields] = {
    "a length": [("content-length", "0")],
    "a coding": [("transfer-encoding", "chunked")],
    "a host": [("host", "evil.test")],
    "a path": [(":path", "/smuggled")],
    "a method": [(":method", "GET")],
    "lines": [("x-a", _REQUEST)],
    "lines in a name": [("x-a: b\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx", "c")],
    "a space in a name": [("x a", "b")],
    "capitals": [("X-A", "b")],
}
