"""What answers to range requests have to look like."""

import re

from support.wire import Response

MULTIPART = re.compile(r'multipart/byteranges;\s*boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?')


def partial(response: Response, first: int, last: int, whole: bytes) -> None:
    """Exactly these bytes, said exactly."""
    assert response.status == 206
    assert response.need("content-range") == f"bytes {first}-{last}/{len(whole)}"
    assert response.need("content-length") == str(last - first + 1)
    assert response.body == whole[first : last + 1]
    assert response.header("content-encoding") is None


def full(response: Response, whole: bytes) -> None:
    """The whole file, as if there were no Range."""
    assert response.status == 200
    assert response.header("content-range") is None
    assert response.body == whole


def boundary(response: Response) -> bytes:
    found = MULTIPART.fullmatch(response.need("content-type"))
    assert found, response.need("content-type")
    return found[1].encode()


def parts(response: Response) -> list[tuple[str, str, bytes]]:
    """Content-Type, Content-Range and bytes of each part, the body strictly parsed."""
    assert response.status == 206
    assert response.header("content-range") is None, "belongs into the parts"
    pieces = (b"\r\n" + response.body).split(b"\r\n--" + boundary(response))
    assert pieces[0] in (b"", b"\r\n")
    assert pieces[-1] in (b"--", b"--\r\n")
    result = []
    for piece in pieces[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        lower = {name.lower(): value for name, value in fields.items()}
        result.append((lower["content-type"], lower["content-range"], body))
    return result
