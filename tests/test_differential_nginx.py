"""The same directory served by zeroserve and by the real nginx: the answers agree.

Some 750 requests are compared by status, body and the fields that matter. Where the two
differ on purpose, ``DIFFERENCES`` says so and why; a row that no longer applies to any request
fails the test, so the table can not go stale.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import nginx, sites
from support.cases import Case, generate
from support.server import running
from support.wire import Address, Response, fetch

CASES_AT_LEAST = 200
PRESENCE = ("vary", "etag", "last-modified", "accept-ranges")


@dataclass(frozen=True)
class Pair:
    """One request and what each server made of it."""

    case: Case
    ours: Response
    theirs: Response

    @property
    def statuses(self) -> tuple[int, int]:
        return self.ours.status, self.theirs.status


def parts(response: Response) -> list[tuple[str, bytes]]:
    """Content-Range and bytes of each part of a multipart/byteranges body."""
    found = re.search(r"boundary=([^;]+)", response.need("content-type"))
    assert found
    pieces = (b"\r\n" + response.body).split(b"\r\n--" + found[1].strip('"').encode())
    result = []
    for piece in pieces[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        where = re.search(rb"(?i)content-range: (.*)", head)
        assert where
        result.append((where[1].decode().strip(), body))
    return result


def differs(pair: Pair) -> Iterator[str]:
    """Names of what is not the same. Bodies of errors are each server's own affair,

    except that of a 404, which both take from the site.
    """
    ours, theirs = pair.ours, pair.theirs
    if ours.status != theirs.status:
        yield "status"
        return
    if ours.header("content-range") != theirs.header("content-range"):
        yield "content-range"
    if ours.status == 301:
        place = [
            (r.header("location") or "").removeprefix("http://site.test") for r in (ours, theirs)
        ]
        if place[0] != place[1]:
            yield "location"
        return
    if ours.status not in (200, 206, 304, 404):
        return
    if ours.media_type != theirs.media_type:
        yield "content-type"
    if ours.header("content-encoding") != theirs.header("content-encoding"):
        yield "content-encoding"
    several = ours.media_type == theirs.media_type == "multipart/byteranges" and ours.body
    if several:
        if parts(ours) != parts(theirs):
            yield "parts"
    else:
        if ours.body != theirs.body:
            yield "body"
        if ours.status != 304 and ours.header("content-length") != theirs.header("content-length"):
            yield "content-length"
    if ours.status != 404:
        for name in PRESENCE:
            if (ours.header(name) is None) != (theirs.header(name) is None):
                yield name


@dataclass(frozen=True)
class Difference:
    """Where we differ on purpose: what, when, why."""

    fields: str
    why: str
    when: Callable[[Pair], bool]


def ranged(pair: Pair) -> bool:
    return pair.case.has("Range") and pair.case.value("Range").startswith("bytes=")


def malformed(pair: Pair) -> bool:
    """A byte range that does not follow the grammar."""
    specs = pair.case.value("Range").removeprefix("bytes=").split(",")
    for spec in (spec.strip() for spec in specs):
        found = re.fullmatch(r"(\d*)-(\d*)", spec)
        if not found or spec == "-":
            return True
        if found[1] and found[2] and int(found[2]) < int(found[1]):
            return True
    return False


def negotiated(pair: Pair) -> bool:
    return pair.case.has("Accept-Encoding") and pair.case.target in ("/app.js", "/style.css")


DIFFERENCES: list[Difference] = []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The common site, with the one kind of precompressed sibling that nginx knows."""
    files = {name: data for name, data in sites.FILES.items() if not name.endswith((".br", ".zst"))}
    return sites.write_tree(tmp_path_factory.mktemp("peer") / "tree", files)


def ask(address: Address, case: Case) -> Response:
    """The answer of one server, its own tag in place of ``{etag}``."""
    negotiation = {k: v for k, v in case.headers if k == "Accept-Encoding"}
    etag = fetch(address, case.target, negotiation).header("etag") or '"none"'
    return fetch(address, case.target, case.sent(etag), method=case.method, version=case.version)


@pytest.mark.skipif(nginx.find() is None, reason="nginx is not installed")
def test_same_answers_as_nginx(tree: Path, tmp_path: Path) -> None:
    cases = generate()
    assert len(cases) >= CASES_AT_LEAST
    used: Counter[int] = Counter()
    unexplained = []
    with running(tree, "--threads", "1") as server, nginx.running(tree, tmp_path) as peer:
        for case in cases:
            pair = Pair(case, ask(server.address, case), ask(peer, case))
            for field in differs(pair):
                rows = [
                    number
                    for number, row in enumerate(DIFFERENCES)
                    if field in row.fields.split() and row.when(pair)
                ]
                used.update(rows[:1])
                if not rows:
                    unexplained.append(describe(field, pair))
    assert not unexplained, f"{len(unexplained)} differences:\n" + "\n".join(unexplained)
    unused = [row.why for number, row in enumerate(DIFFERENCES) if not used[number]]
    assert not unused, f"these differences no longer occur, strike them: {unused}"


def describe(field: str, pair: Pair) -> str:
    """One line for a person."""
    if field == "status":
        return f"{pair.case}: status {pair.ours.status}, nginx {pair.theirs.status}"
    if field in ("body", "parts"):
        return f"{pair.case}: {field} differs ({len(pair.ours.body)}, {len(pair.theirs.body)})"
    values = pair.ours.header(field), pair.theirs.header(field)
    return f"{pair.case}: {field} {values[0]!r}, nginx {values[1]!r}"
