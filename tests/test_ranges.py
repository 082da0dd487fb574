"""Range requests, RFC 9110 section 14, and what the readers of data files depend on."""

from email.utils import formatdate

import pytest
from support.ranges import full, partial
from support.server import Server
from support.sites import FILES, SCRIPT
from support.tars import MTIME
from support.wire import Connection, Response, fetch, request

DATA = FILES["data.bin"]
SIZE = len(DATA)


def get(site: Server, value: str, target: str = "/data.bin", **extra: str) -> Response:
    headers = {"Range": value}
    headers.update({name.replace("_", "-"): text for name, text in extra.items()})
    return fetch(site.address, target, headers)


# --- one range ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=10-19", 10, 19),
        ("bytes=500-", 500, SIZE - 1),
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        ("bytes=-500", SIZE - 500, SIZE - 1),
        (f"bytes=-{SIZE}", 0, SIZE - 1),
        (f"bytes=-{SIZE + 1}", 0, SIZE - 1),
        ("bytes=-99999999999999999999999", 0, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
        (f"bytes={SIZE - 1}-{SIZE - 1}", SIZE - 1, SIZE - 1),
        (f"bytes=0-{SIZE - 1}", 0, SIZE - 1),
        (f"bytes=0-{SIZE}", 0, SIZE - 1),
        ("bytes=99990-16383999", 99990, SIZE - 1),
        ("bytes=5-18446744073709551615", 5, SIZE - 1),
        ("bytes=5-99999999999999999999999", 5, SIZE - 1),
        ("bytes=00-009", 0, 9),
        ("bytes= 3-4", 3, 4),
        ("bytes=,3-4,", 3, 4),
        ("bytes=3-4 ", 3, 4),
        ("Bytes=3-4", 3, 4),
    ],
)
def test_one_range(site: Server, value: str, first: int, last: int) -> None:
    response = get(site, value)
    if value.startswith(("Bytes", "bytes= ", "bytes=,")) and response.status == 200:
        full(response, DATA)  # odd spellings may be ignored, never misread
        return
    partial(response, first, last, DATA)


def test_a_range_of_a_large_file(site: Server) -> None:
    big = FILES["big.bin"]
    partial(get(site, "bytes=1000000-2999999", "/big.bin"), 1000000, 2999999, big)
    partial(get(site, "bytes=-1", "/big.bin"), len(big) - 1, len(big) - 1, big)


def test_ranges_cover_a_file_exactly(site: Server) -> None:
    """Reading a file in pieces gives the file, over one connection."""
    pieces = []
    with Connection(site.address) as connection:
        for first in range(0, SIZE, 7919):
            connection.send(request("/data.bin", {"Range": f"bytes={first}-{first + 7918}"}))
            pieces.append(connection.response().body)
    assert b"".join(pieces) == DATA


def test_fields_of_a_partial_response(site: Server) -> None:
    whole = fetch(site.address, "/data.bin")
    response = get(site, "bytes=0-9")
    for name in ("etag", "last-modified", "content-type", "accept-ranges", "vary"):
        assert response.header(name) == whole.header(name)
    assert response.header("x-content-type-options") == "nosniff"


# --- not satisfiable, not understood ----------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        f"bytes={SIZE}-",
        f"bytes={SIZE}-{SIZE + 5}",
        "bytes=18446744073709551615-",
        "bytes=99999999999999999999999-",
        "bytes=-0",
        f"bytes=-0,{SIZE}-",
    ],
)
def test_unsatisfiable(site: Server, value: str) -> None:
    response = get(site, value)
    assert response.status == 416
    assert response.need("content-range") == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "value",
    [
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1-b",
        "bytes=--5",
        "bytes=5-2",
        "bytes=0-1-2",
        "bytes=0x0-0x5",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=0-1;2-3",
        "bytes: 0-1",
        "bytes=0-4,5-2",
        "bytes=0-4,x",
        "items=0-5",
        "",
        "0-5",
    ],
)
def test_malformed_is_ignored_or_refused(site: Server, value: str) -> None:
    """RFC 9110 section 14.2 leaves the choice; a wrong part of the file is no choice."""
    response = get(site, value)
    if response.status == 416:
        assert response.need("content-range") == f"bytes */{SIZE}"
        assert not value.startswith("items"), "an unknown unit has to be ignored"
    else:
        full(response, DATA)


def test_a_satisfiable_range_beside_one_that_is_not(site: Server) -> None:
    partial(get(site, f"bytes={SIZE + 5}-,0-1"), 0, 1, DATA)


def test_an_empty_file(site: Server) -> None:
    for value in ("bytes=0-", "bytes=0-0", "bytes=5-9"):
        response = get(site, value, "/empty.txt")
        assert response.status == 416
        assert response.need("content-range") == "bytes */0"
    full(get(site, "bytes=-5", "/empty.txt"), b"")  # satisfiable: RFC 9110 section 14.1.2


def test_only_get_has_ranges(site: Server) -> None:
    """RFC 9110 section 14.2; early data clients probe with HEAD and want the whole length."""
    for value in ("bytes=0-9", "bytes=5-", f"bytes={SIZE}-", "bytes=0-1,4-5"):
        response = fetch(site.address, "/data.bin", {"Range": value}, method="HEAD")
        assert response.status == 200
        assert response.need("content-length") == str(SIZE)
        assert response.header("content-range") is None


def test_ranges_of_http_1_0(site: Server) -> None:
    response = fetch(site.address, "/data.bin", {"Range": "bytes=5-9"}, version="1.0")
    if response.status == 206:
        partial(response, 5, 9, DATA)
    else:
        full(response, DATA)


def test_two_range_fields(site: Server) -> None:
    response = fetch(site.address, "/data.bin", {"Range": "bytes=0-1", "range": "bytes=5-6"})
    assert response.status in (200, 206, 400, 416)
    if response.status == 206 and response.media_type != "multipart/byteranges":
        raise AssertionError("one of two ranges alone")


# --- If-Range -----------------------------------------------------------------------------------


def test_if_range_with_the_tag(site: Server) -> None:
    """Chromium resumes media this way by itself."""
    etag = fetch(site.address, "/data.bin").need("etag")
    partial(get(site, "bytes=500-", if_range=etag), 500, SIZE - 1, DATA)
    partial(get(site, "bytes=0-", if_range=etag), 0, SIZE - 1, DATA)
    for other in ('"other"', f"W/{etag}", etag.strip('"'), "*", "", f'{etag}, "b"'):
        full(get(site, "bytes=500-", if_range=other), DATA)
        full(get(site, f"bytes={SIZE}-", if_range=other), DATA)
    assert get(site, f"bytes={SIZE}-", if_range=etag).status == 416


def test_if_range_with_a_date(site: Server) -> None:
    """Only the exact Last-Modified counts, RFC 9110 section 13.1.5."""
    partial(get(site, "bytes=5-9", if_range=formatdate(MTIME, usegmt=True)), 5, 9, DATA)
    for other in (MTIME - 1, MTIME + 1, MTIME + 100_000):
        full(get(site, "bytes=5-9", if_range=formatdate(other, usegmt=True)), DATA)
    full(get(site, "bytes=5-9", if_range="last week"), DATA)


def test_if_range_without_range_does_nothing(site: Server) -> None:
    full(fetch(site.address, "/data.bin", {"If-Range": '"other"'}), DATA)


# --- ranges and encodings ---------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip", "gzip, br, zstd", "identity;q=0, gzip"])
def test_a_range_is_never_encoded(site: Server, coding: str) -> None:
    """Bytes of a compressed form are of no use to who asked for bytes of the file."""
    identity = fetch(site.address, "/app.js").need("etag")
    response = get(site, "bytes=10-19", "/app.js", accept_encoding=coding)
    if coding.startswith("identity;q=0") and response.status == 406:
        return
    partial(response, 10, 19, SCRIPT)
    assert response.need("etag") == identity
    assert "accept-encoding" in response.tokens("vary")


def test_a_whole_file_as_range_has_every_byte(site: Server) -> None:
    """A precompressed file asked for as ``bytes=0-`` came one byte short elsewhere."""
    response = get(site, "bytes=0-", "/app.js", accept_encoding="gzip, br, zstd")
    partial(response, 0, len(SCRIPT) - 1, SCRIPT)


def test_if_range_with_the_tag_of_a_variant(site: Server) -> None:
    """The tag of the gzip form does not vouch for ranges of the identity form."""
    variant = fetch(site.address, "/app.js", {"Accept-Encoding": "gzip"})
    headers = {"Range": "bytes=10-19", "If-Range": variant.need("etag")}
    response = fetch(site.address, "/app.js", headers)
    assert (response.status, response.body) == (200, SCRIPT)
