"""A directory that is being worked on: open pages load themselves anew, errors are shown."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import c, chromium
from support.http2 import Http2
from support.server import Server, running
from support.wire import Connection, Response, fetch, request
from zeroserve.pack import pack

PAGE = "<!doctype html>\n<html><body><h1>one</h1></body></html>\n"
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
LIVE = "/.zeroserve/live"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    root.mkdir()
    (root / "index.html").write_text(PAGE)
    (root / "style.css").write_text("p { color: red }")
    return root


@pytest.fixture
def server(tree: Path) -> Iterator[Server]:
    with running(tree, "--threads", "2") as server:
        yield server


def get(server: Server, path: str, headers: dict[str, str] | None = None) -> Response:
    assert not isinstance(server.address, str)
    host = {"Host": f"localhost:{server.address[1]}"}
    return fetch(server.address, path, {**host, **BROWSER, **(headers or {})})


def version(page: Response) -> int:
    found = re.search(rb"/\.zeroserve/live\?(\d+)", page.body)
    assert found, page.body
    return int(found[1])


def is_live(page: Response) -> bool:
    return LIVE.encode() in page.body


# Pages


def test_a_page_gets_the_script_and_loses_what_is_no_longer_true(server: Server) -> None:
    page = get(server, "/")
    assert page.status == 200
    assert page.body.startswith(PAGE.partition("</body>")[0].encode() + b"<script>")
    assert page.body.endswith(b"</script></body></html>\n")
    assert int(page.need("content-length")) == len(page.body)
    for name in ("etag", "last-modified", "accept-ranges"):
        assert page.header(name) is None
    head = fetch(server.address, "/", {"Host": "localhost", **BROWSER}, method="HEAD")
    assert head.need("content-length") == page.need("content-length")
    assert head.header("etag") is None


def test_conditions_ranges_and_codings_are_those_of_the_whole_page(server: Server) -> None:
    plain = fetch(server.address, "/", {"Host": "localhost"})
    tag, day = plain.need("etag"), plain.need("last-modified")
    for fields in (
        {"If-None-Match": tag},
        {"If-Modified-Since": day},
        {"Range": "bytes=0-4"},
        {"If-Match": '"other"'},
    ):
        page = get(server, "/", fields)
        assert (page.status, is_live(page)) == (200, True), fields
    page = get(server, "/style.css", {"Range": "bytes=0-4"})
    assert (page.status, page.body) == (206, b"p { c")
    tag = get(server, "/style.css").need("etag")
    assert get(server, "/style.css", {"If-None-Match": tag}).status == 304


def test_variants_beside_a_page(tree: Path) -> None:
    (tree / "index.html.gz").write_bytes(b"compressed, perhaps")
    (tree / "only.html.br").write_bytes(b"so is this")
    (tree / "404.html").write_text("<body>nothing</body>")
    with running(tree) as server:
        page = get(server, "/", {"Accept-Encoding": "gzip"})
        assert (is_live(page), page.header("content-encoding")) == (True, None)
        page = get(server, "/only.html", {"Accept-Encoding": "br"})
        assert (page.status, page.body) == (200, b"so is this")
        page = get(server, "/none", {"Accept-Encoding": "br"})
        assert (page.status, is_live(page)) == (404, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*"},
        {"Accept": "text/plain"},
        {"Sec-Fetch-Dest": "empty"},
        {"Host": "www.example.org"},
        {"Host": "localhost.example.org"},
        {"Host": "192.0.2.1"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"Via": "1.1 proxy"},
        {"Forwarded": "for=192.0.2.1"},
    ],
    ids=str,
)
def test_who_gets_the_file_as_it_is(server: Server, headers: dict[str, str]) -> None:
    page = get(server, "/", headers)
    assert (page.status, page.body) == (200, PAGE.encode())
    assert page.header("etag")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:80", "app.localhost"])
def test_names_of_this_machine(server: Server, host: str) -> None:
    assert is_live(get(server, "/", {"Host": host}))


def test_posts_and_other_methods_are_left_alone(server: Server) -> None:
    answer = fetch(server.address, "/", {"Host": "localhost", **BROWSER}, method="POST")
    assert (answer.status, is_live(answer)) == (405, False)


def test_never_from_an_archive_and_not_when_it_is_off(tree: Path, tmp_path: Path) -> None:
    pack(tree, tmp_path / "site.tar")
    for arguments in ([tmp_path / "site.tar"], [tree, "--no-live-reload"]):
        with running(*arguments) as server:
            page = get(server, "/")
            assert page.body == PAGE.encode()
            assert page.header("etag")
            assert get(server, LIVE).status == 404


def test_only_at_loopback_addresses(tree: Path) -> None:
    with running(tree, addr="0.0.0.0:0") as server:
        assert not isinstance(server.address, str)
        server.address = ("127.0.0.1", server.address[1])
        assert get(server, "/").body == PAGE.encode()
    with running(tree, addr="127.0.0.1:0,proxy") as server, Connection(server.address) as client:
        client.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 1024 80\r\n")
        client.send(request("/", {"Host": "localhost", **BROWSER}))
        assert client.response().body == PAGE.encode()
    socket = tree.parent / "socket"
    with running(tree, addr=f"unix:{socket}") as server:
        page = fetch(server.address, "/", {"Host": "localhost", **BROWSER})
        assert page.body == PAGE.encode()


def test_a_directory_that_becomes_an_archive(tree: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(tree)
    with running(link) as server:
        assert is_live(get(server, "/"))
        pack(tree, tmp_path / "site.tar")
        (tmp_path / "next").symlink_to(tmp_path / "site.tar")
        (tmp_path / "next").rename(link)
        server.wait_line("reloaded")
        assert not is_live(get(server, "/"))


def test_over_http2(server: Server) -> None:
    with Http2(server.address) as client:
        client.authority = "localhost"
        page = client.get("/", [(name.lower(), value) for name, value in BROWSER.items()])
        assert LIVE.encode() in page.body
        assert int(page.headers["content-length"]) == len(page.body)
        assert "etag" not in page.headers


# News


def changed(tree: Path) -> None:
    (tree / "index.html").write_text(PAGE.replace("one", "two"))


def test_news_come_at_once(server: Server, tree: Path) -> None:
    seen = version(get(server, "/"))
    answers: list[int] = []

    def ask() -> None:
        answers.append(int(get(server, f"{LIVE}?{seen}").body))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for one in asking:
        one.start()
    time.sleep(0.5)
    assert answers == []
    changed(tree)
    for one in asking:
        one.join(10)
    page = get(server, "/")
    assert answers == [version(page)] * 3
    assert version(page) != seen
    assert b"two" in page.body
    # Who asks about something older hears of it without waiting.
    answer = get(server, f"{LIVE}?{seen}")
    assert (answer.need("cache-control"), int(answer.body)) == ("no-store", version(page))


def test_news_over_http2_beside_other_requests(server: Server, tree: Path) -> None:
    seen = version(get(server, "/"))
    with Http2(server.address) as client:
        client.authority = "localhost"
        stream = client.ask(f"{LIVE}?{seen}")
        assert client.get("/style.css").status == 200
        assert stream not in client.streams
        changed(tree)
        answer = client.response(stream)
        assert int(answer.body) == version(get(server, "/")) != seen


def test_a_page_that_waits_does_not_hold_up_the_end(server: Server) -> None:
    seen = version(get(server, "/"))
    asking = threading.Thread(target=lambda: get(server, f"{LIVE}?{seen}"), daemon=True)
    asking.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 8  # drained, not cut
    asking.join(5)
    assert not asking.is_alive()


def test_asking_leaves_no_line_in_the_log(tree: Path) -> None:
    with running(tree, "--access-log", "-") as server:
        get(server, LIVE)
        get(server, "/style.css")
        server.wait_line("/style.css")
        assert LIVE not in server.stderr


# Scripts


@c.needed
class TestScripts:
    """With scripts in C; those in Python are the same to the server."""

    def test_a_script_that_answers_and_one_that_looks(self, tree: Path) -> None:
        c.write(
            tree,
            "a",
            'if (at("/made")) {'
            ' zs_meta_set(ZS_STR("zs.response.header.content-type"), ZS_STR("text/html"));'
            ' zs_meta_set(ZS_STR("zs.response.header.etag"), ZS_STR("\\"x\\""));'
            ' zs_respond(200, ZS_STR("<p>made</p>")); }'
            'if (at("/moved")) zs_req_set_uri(ZS_STR("/index.html"));'
            'if (at("/json")) zs_respond(200, ZS_STR("{}"));',
        )
        with running(tree) as server:
            page = get(server, "/made")
            assert page.body.startswith(b"<p>made</p><script>")
            assert page.header("etag") is None
            page = get(server, "/moved", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
            assert (page.status, is_live(page)) == (200, True)
            assert not is_live(get(server, "/json"))

    def test_a_script_does_not_see_who_asks_for_news(self, tree: Path) -> None:
        c.write(tree, "a", 'zs_respond(401, ZS_STR("who are you\\n"));')
        with running(tree) as server:
            assert get(server, "/").status == 401
            assert get(server, LIVE).status == 200

    def test_an_error_is_shown_until_it_is_repaired(self, tree: Path) -> None:
        c.write(tree, "a", 'if (at("/old")) zs_respond(200, ZS_STR("good"));')
        with running(tree, "--threads", "1") as server:
            seen = version(get(server, "/"))
            c.write(tree, "a", 'zs_respond(200, ZS_STR("<b>")); nothing(1); } int more( {')
            assert int(get(server, f"{LIVE}?{seen}").body) != seen
            page = get(server, "/")
            assert (page.status, page.need("content-type")) == (500, "text/html; charset=utf-8")
            assert page.need("cache-control") == "no-store"
            text = page.body.decode()
            assert "a.c:" in text and "error: " in text
            assert "&lt;b&gt;" in text or "<b>" not in text
            assert "http://" not in text and "https://" not in text
            assert is_live(page)
            head = fetch(server.address, "/", {"Host": "localhost", **BROWSER}, method="HEAD")
            assert (head.status, head.need("content-length")) == (500, str(len(page.body)))
            # In the terminal there is all of it.
            server.wait_line(r"^zeroserve: error: reload refused, still serving generation 1: ")
            assert len(re.findall(r"a\.c:\d+:\d+: error: ", server.stderr)) > 1
            # All else is served as it was.
            assert get(server, "/old", {"Accept": "*/*"}).body == b"good"
            assert get(server, "/style.css", {"Accept": "text/css"}).status == 200
            assert get(server, "/", {"Host": "www.example.org"}).status == 200
            c.write(tree, "a", 'zs_respond(200, ZS_STR("repaired"));')
            news = version(page)
            assert int(get(server, f"{LIVE}?{news}").body) != news
            assert get(server, "/").body == b"repaired"

    def test_no_overlay_where_it_is_off(self, tree: Path) -> None:
        c.write(tree, "a", "")
        with running(tree, "--no-live-reload") as server:
            c.write(tree, "a", "nothing(1);")
            server.wait_line("reload refused")
            assert get(server, "/").status == 200


# Browsers


@pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed")
def test_in_a_browser(tree: Path, tmp_path: Path) -> None:
    with running(tree) as server, chromium.browser(tmp_path) as page:
        page.open(server.url + "/")
        page.wait_for("document.querySelector('h1')?.textContent === 'one'")
        changed(tree)
        page.wait_for("document.querySelector('h1')?.textContent === 'two'")
        assert [one for one in page.complaints if "favicon" not in one] == []
