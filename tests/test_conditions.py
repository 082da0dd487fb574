"""Conditional requests: validators and the order of RFC 9110 section 13.2.2."""

from email.utils import formatdate
from pathlib import Path

import pytest
from support import sites
from support.server import Server, running, wait_until
from support.sites import FILES, HELLO, SCRIPT
from support.tars import MTIME
from support.wire import Response, fetch

SAME = formatdate(MTIME, usegmt=True)
OLDER = formatdate(MTIME - 3600, usegmt=True)
NEWER = formatdate(MTIME + 3600, usegmt=True)
RFC_850 = "Tuesday, 02-Jan-24 03:04:05 GMT"
ASCTIME = "Tue Jan  2 03:04:05 2024"
BAD_DATES = ("yesterday", "", "0", "2024-01-02T03:04:05Z", "Tue, 02 Jan 2024 03:04:05 +0100", ",,")


@pytest.fixture(scope="module")
def etag(site: Server) -> str:
    """The validator of /hello.txt."""
    return fetch(site.address, "/hello.txt").need("etag")


def get(site: Server, headers: dict[str, str], target: str = "/hello.txt") -> Response:
    return fetch(site.address, target, headers)


# --- If-None-Match --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["{}", "W/{}", '"a", {}', '{}, "b"', '"a" ,\t{},"b"', '"a,b", {}', ", , {}", "*"]
)
def test_if_none_match_holds_the_tag(site: Server, etag: str, form: str) -> None:
    for method in ("GET", "HEAD"):
        headers = {"If-None-Match": form.format(etag)}
        response = fetch(site.address, "/hello.txt", headers, method=method)
        assert response.status == 304
        assert response.need("etag") == etag
        assert response.header("date")
        assert response.header("content-encoding") is None


@pytest.mark.parametrize(
    "value",
    ['"other"', 'W/"other"', '"a", "b"', "", "unquoted", '"*"', '"open', "W/", "\xff", '"" '],
)
def test_if_none_match_does_not(site: Server, value: str) -> None:
    response = get(site, {"If-None-Match": value})
    assert (response.status, response.body) == (200, HELLO)


def test_the_tag_without_its_quotes_is_another(site: Server, etag: str) -> None:
    assert get(site, {"If-None-Match": etag.strip('"')}).status == 200
    assert get(site, {"If-None-Match": '"' + etag.strip('"')[:-1] + '"'}).status == 200


def test_if_none_match_on_several_lines(site: Server, etag: str) -> None:
    """A list may be spread over several field lines, RFC 9110 section 5.3."""
    response = get(site, {"If-None-Match": '"a"', "if-none-match": etag})
    assert response.status == 304


# --- If-Modified-Since ------------------------------------------------------------------------


@pytest.mark.parametrize("date", [SAME, NEWER, RFC_850, ASCTIME])
def test_not_modified_since(site: Server, date: str) -> None:
    assert get(site, {"If-Modified-Since": date}).status == 304


@pytest.mark.parametrize("date", [OLDER, formatdate(0, usegmt=True), *BAD_DATES])
def test_modified_since_or_no_date(site: Server, date: str) -> None:
    response = get(site, {"If-Modified-Since": date})
    assert (response.status, response.body) == (200, HELLO)


def test_if_modified_since_is_ignored_beside_if_none_match(site: Server, etag: str) -> None:
    assert get(site, {"If-None-Match": '"other"', "If-Modified-Since": SAME}).status == 200
    assert get(site, {"If-None-Match": etag, "If-Modified-Since": OLDER}).status == 304


# --- If-Match and If-Unmodified-Since -----------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", '"a", {}', "*", '"a" , {} , "b"'])
def test_if_match_holds(site: Server, etag: str, form: str) -> None:
    assert get(site, {"If-Match": form.format(etag)}).status == 200


@pytest.mark.parametrize("form", ['"other"', "W/{}", '"a", W/{}', "nonsense"])
def test_if_match_fails(site: Server, etag: str, form: str) -> None:
    """A weak tag never matches strongly."""
    for method in ("GET", "HEAD"):
        headers = {"If-Match": form.format(etag)}
        assert fetch(site.address, "/hello.txt", headers, method=method).status == 412


@pytest.mark.parametrize("date", [SAME, NEWER, RFC_850, ASCTIME, *BAD_DATES])
def test_unmodified_since_or_no_date(site: Server, date: str) -> None:
    assert get(site, {"If-Unmodified-Since": date}).status == 200


def test_modified_since_then_precondition_fails(site: Server) -> None:
    assert get(site, {"If-Unmodified-Since": OLDER}).status == 412


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": "{}", "If-Unmodified-Since": OLDER}, 200),
        ({"If-Match": '"x"', "If-Unmodified-Since": NEWER}, 412),
        ({"If-Match": '"x"', "If-None-Match": "{}"}, 412),
        ({"If-Match": "{}", "If-None-Match": "{}"}, 304),
        ({"If-Unmodified-Since": OLDER, "If-None-Match": "{}"}, 412),
        ({"If-Unmodified-Since": OLDER, "If-Modified-Since": SAME}, 412),
        ({"If-Unmodified-Since": SAME, "If-Modified-Since": SAME}, 304),
        ({"If-Match": "*", "If-None-Match": '"x"', "If-Modified-Since": NEWER}, 200),
        ({"If-None-Match": "{}", "Range": "bytes=0-1"}, 304),
        ({"If-Match": '"x"', "Range": "bytes=0-1"}, 412),
        ({"If-Match": "{}", "Range": "bytes=0-1"}, 206),
        ({"If-None-Match": '"x"', "Range": "bytes=0-1"}, 206),
        ({"If-Match": '"x"', "Range": "bytes=900-"}, 412),
        ({"If-None-Match": "{}", "Range": "bytes=900-"}, 304),
    ],
)
def test_order_of_conditions(site: Server, etag: str, headers: dict[str, str], status: int) -> None:
    sent = {name: value.replace("{}", etag) for name, value in headers.items()}
    assert get(site, sent).status == status


def test_conditions_do_not_reach_errors_and_redirects(site: Server) -> None:
    """RFC 9110 section 13.2.1: only where the answer without them would be 2xx (or 412)."""
    assert get(site, {"If-None-Match": "*"}, "/docs").status == 301
    assert get(site, {"If-None-Match": "*"}, "/missing").status == 404
    assert get(site, {"If-Modified-Since": NEWER}, "/docs").status == 301


# --- validators ---------------------------------------------------------------------------------


def test_one_tag_per_content(site: Server) -> None:
    tags = {name: fetch(site.address, "/" + name).need("etag") for name in ("hello.txt", "one.bin")}
    assert tags["hello.txt"] != tags["one.bin"]
    assert fetch(site.address, "/hello.txt").need("etag") == tags["hello.txt"]


@pytest.mark.parametrize("kind", sites.KINDS)
def test_the_tag_survives_repacking(kind: sites.Kind, tmp_path: Path) -> None:
    """A deploy that does not change a file must not change its validator (DuckDB aborts)."""
    tags = []
    for turn, extra in enumerate(({}, {"0-first.txt": b"moves all offsets"})):
        files = {"data.bin": FILES["data.bin"], "app.js": SCRIPT, **extra}
        path = sites.make(kind, tmp_path / str(turn), files)
        with running(path, "--threads", "1") as server:
            tags.append(fetch(server.address, "/data.bin").need("etag"))
    assert tags[0] == tags[1]


@pytest.mark.parametrize("mtime", [0, 1, 315532800, 315532801])
@pytest.mark.parametrize("kind", sites.KINDS)
def test_no_stale_304_where_every_mtime_is_the_same(
    kind: sites.Kind, mtime: int, tmp_path: Path
) -> None:
    """Reproducible builds set all times to 1970 or 1980: then a date says nothing."""
    replies: list[Response] = []
    headers: dict[str, str] = {}
    for turn, body in enumerate((b"first", b"again")):
        directory = tmp_path / str(turn)
        tree = sites.write_tree(directory / "tree", {"a.txt": body}, mtime=mtime)
        path = directory / "site.tar"
        if kind == "directory":
            path = tree
        elif kind == "tar":
            sites.gnu_tar(tree, path)
        else:
            sites.pack(tree, path)
        with running(path, "--threads", "1") as server:
            if turn:
                first = replies[0]
                headers = {"If-None-Match": first.need("etag")}
                date = first.header("last-modified")
                if date is not None:
                    headers["If-Modified-Since"] = date
                    assert get(server, {"If-Modified-Since": date}, "/a.txt").body == body
            replies.append(get(server, headers, "/a.txt"))
    assert [reply.body for reply in replies] == [b"first", b"again"]


@pytest.mark.parametrize("size", [5, 300_000, 17_000_000])
@pytest.mark.parametrize("kind", ["tar", "directory"])
def test_a_change_of_the_same_size_and_time_changes_the_tag(
    kind: sites.Kind, size: int, tmp_path: Path
) -> None:
    """Two deploys can agree in everything but the bytes; some files are too large to hash."""
    old, new = (sites.noise(size, seed=seed) for seed in (31, 32))
    path = sites.make(kind, tmp_path / "site", {"a.bin": old})
    with running(path, "--threads", "1") as server:
        first = get(server, {}, "/a.bin")
        assert first.body == old
        other = sites.make(kind, tmp_path / "next", {"a.bin": new})
        if kind == "directory":
            sites.replace(path / "a.bin", other / "a.bin")
        else:
            sites.replace(path, other)
        server.hang_up()
        wait_until(lambda: get(server, {}, "/a.bin").body == new, 5)
        second = get(server, {"If-None-Match": first.need("etag")}, "/a.bin")
        assert (second.status, second.body == new) == (200, True)
        assert second.need("etag") != first.need("etag")
