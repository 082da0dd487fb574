"""The same directory served by zeroserve and by the real nginx: the answers agree.

Some 750 requests are compared by status, body and the fields that matter. Where the two
differ on purpose, ``DIFFERENCES`` says so and why; a row that no longer applies to any request
fails the test, so the table can not go stale.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from support import nginx, sites
from support.cases import Case, generate
from support.ranges import parts
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
        if [part[1:] for part in parts(ours)] != [part[1:] for part in parts(theirs)]:
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


def overlapping(pair: Pair) -> bool:
    """Two of the byte ranges asked for share a byte, as far as numbers alone tell."""
    specs = pair.case.value("Range").removeprefix("bytes=").split(",")
    spans = []
    for first, _, last in (spec.strip().partition("-") for spec in specs):
        if first.isdigit():
            spans.append((int(first), int(last) if last.isdigit() else 1 << 63))
    spans.sort()
    return any(ahead[1] >= after[0] for ahead, after in pairwise(spans))


DIFFERENCES = [
    Difference(
        "content-type",
        "JavaScript is text/javascript: RFC 9239 section 6",
        lambda pair: pair.theirs.media_type == "application/javascript",
    ),
    Difference(
        "location",
        "an empty query is kept like any other: RFC 3986 section 6.2.3, '?' is not normalised away",
        lambda pair: pair.case.target.endswith("?"),
    ),
    Difference(
        "status",
        "a directory without an index document is missing, with or without its slash: data "
        "clients take nothing but 404 for an answer",
        lambda pair: pair.ours.status == 404 and pair.theirs.status in (301, 403),
    ),
    Difference(
        "accept-ranges",
        "data clients read it on every answer: without it fsspec only streams",
        lambda pair: pair.ours.header("accept-ranges") == "bytes",
    ),
    Difference(
        "status",
        "a date that is none is ignored: RFC 9110 section 13.1.4",
        lambda pair: (
            pair.case.value("If-Unmodified-Since") in ("yesterday", "")
            and pair.theirs.status == 412
        ),
    ),
    Difference(
        "status",
        "If-Unmodified-Since does not count beside If-Match: RFC 9110 section 13.1.4",
        lambda pair: (
            pair.case.has("If-Match")
            and pair.case.has("If-Unmodified-Since")
            and pair.theirs.status == 412
        ),
    ),
    Difference(
        "status",
        "If-Modified-Since does not count beside If-None-Match: RFC 9110 section 13.1.3",
        lambda pair: (
            pair.case.has("If-None-Match")
            and pair.case.has("If-Modified-Since")
            and pair.ours.status == 304
        ),
    ),
    Difference(
        "status",
        "a Range that does not follow the grammar is ignored as a whole: RFC 9110 section 14.2",
        lambda pair: ranged(pair) and malformed(pair) and pair.ours.status in (200, 304),
    ),
    Difference(
        "status",
        "a position too large for a machine word is past the end like any other: RFC 9110 "
        "section 14.1.2",
        lambda pair: "99999999999999999999" in pair.case.value("Range"),
    ),
    Difference(
        "status content-range content-type body content-length parts",
        "overlapping ranges are joined, not sent twice or given up: RFC 9110 section 14.2",
        lambda pair: overlapping(pair) and pair.ours.status == 206,
    ),
    Difference(
        "status",
        "no byte of an empty file can be first: RFC 9110 section 14.1.2",
        lambda pair: (
            pair.case.target == "/empty.txt"
            and pair.statuses == (416, 200)
            and "=-" not in pair.case.value("Range")
        ),
    ),
    Difference(
        "status",
        "Range is defined for GET only: RFC 9110 section 14.2; data clients probe with HEAD",
        lambda pair: pair.case.method == "HEAD" and ranged(pair) and pair.ours.status == 200,
    ),
    Difference(
        "status",
        "a range is never encoded, so the range wins over the coding: data clients",
        lambda pair: (
            ranged(pair)
            and pair.theirs.header("content-encoding") == "gzip"
            and pair.ours.status in (206, 416)
        ),
    ),
    Difference(
        "content-encoding body content-length",
        "* stands for every coding not listed: RFC 9110 section 12.5.3",
        lambda pair: (
            "*" in pair.case.value("Accept-Encoding")
            and pair.ours.header("content-encoding") == "gzip"
        ),
    ),
    Difference(
        "content-encoding body content-length",
        "x-gzip is gzip: RFC 9110 section 8.4.1.3",
        lambda pair: (
            pair.case.value("Accept-Encoding") == "x-gzip"
            and pair.ours.header("content-encoding") == "gzip"
        ),
    ),
    Difference(
        "content-encoding body content-length",
        "the highest quality wins, that of identity too: RFC 9110 section 12.4.2",
        lambda pair: pair.case.value("Accept-Encoding") == "gzip;q=0.5, identity",
    ),
    Difference(
        "status",
        "OPTIONS tells the methods: RFC 9110 section 9.3.7; CORS preflights need it",
        lambda pair: pair.case.method == "OPTIONS" and pair.statuses == (204, 405),
    ),
    Difference(
        "status",
        "an unknown method is well-formed, only not allowed: RFC 9110 section 9.1",
        lambda pair: pair.case.method == "get" and pair.statuses == (405, 400),
    ),
    Difference(
        "status",
        "no path takes POST, whether there is a file or not: RFC 9110 section 15.5.6",
        lambda pair: pair.case.method == "POST" and pair.statuses == (405, 404),
    ),
]


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
