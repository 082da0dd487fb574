"""What a plain request gets: methods, connections, paths, types, and what is never served."""

import time
from urllib.parse import quote

import pytest
from support.server import Server, running
from support.sites import FILES, HELLO, HIDDEN, NOT_FOUND_PAGE, TYPES, write_tree
from support.tars import MTIME
from support.wire import Connection, fetch, http_date, request

PLAIN = [name for name in FILES if name not in HIDDEN]


# --- files ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAIN)
def test_every_file_is_served_as_it_is(site: Server, name: str) -> None:
    response = fetch(site.address, "/" + quote(name))
    assert response.status == 200
    assert response.body == FILES[name]
    assert response.header("content-encoding") is None
    assert response.need("content-length") == str(len(FILES[name]))


def test_fields_of_a_file(site: Server) -> None:
    response = fetch(site.address, "/hello.txt")
    assert response.version == "1.1"
    assert response.header("content-type") == "text/plain; charset=utf-8"
    assert response.header("x-content-type-options") == "nosniff"
    assert response.header("accept-ranges") == "bytes"
    assert http_date(response.need("last-modified")) == MTIME
    assert abs(http_date(response.need("date")) - time.time()) < 5
    etag = response.need("etag")
    assert etag.startswith('"') and etag.endswith('"') and len(etag) > 10


def test_date_moves(site: Server) -> None:
    with Connection(site.address) as connection:
        dates = []
        for _ in range(2):
            connection.send(request("/hello.txt"))
            dates.append(http_date(connection.response().need("date")))
            time.sleep(1.2)
    assert 1 <= dates[1] - dates[0] <= 3


@pytest.mark.parametrize("name", sorted(TYPES))
def test_media_types(site: Server, name: str) -> None:
    response = fetch(site.address, f"/types/{name}")
    allowed = TYPES[name].split()
    assert response.media_type in allowed
    charset = "charset=utf-8" in response.need("content-type").lower()
    assert charset or not response.media_type.startswith("text/")
    assert response.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize("target", ["/hello.txt", "/empty.txt", "/", "/missing", "/docs"])
def test_head_is_get_without_the_body(site: Server, target: str) -> None:
    get = fetch(site.address, target)
    head = fetch(site.address, target, method="HEAD")
    assert head.status == get.status
    assert head.body == b""
    skipped = {"date"}
    names = {name.lower(): value for name, value in get.fields if name.lower() not in skipped}
    assert {n.lower(): v for n, v in head.fields if n.lower() not in skipped} == names


# --- index documents, redirects, fallbacks ------------------------------------------------


@pytest.mark.parametrize(
    ("target", "name"),
    [("/", "index.html"), ("/docs/", "docs/index.html"), ("/both/", "both/index.html")],
)
def test_index_documents(site: Server, target: str, name: str) -> None:
    response = fetch(site.address, target)
    assert response.status == 200
    assert response.body == FILES[name]
    assert response.media_type == "text/html"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/docs", "/docs/"),
        ("/docs?", "/docs/?"),
        ("/docs?a=1&b=%2F%20", "/docs/?a=1&b=%2F%20"),
        ("/docs?next=//evil.example/", "/docs/?next=//evil.example/"),
        ("/docs/deep/../../docs", "/docs/"),
        ("/%64ocs", "/docs/"),
    ],
)
def test_directory_redirects_with_its_query(site: Server, target: str, location: str) -> None:
    response = fetch(site.address, target)
    assert response.status == 301
    got = response.need("location")
    for prefix in ("http://site.test", "//site.test"):
        got = got.removeprefix(prefix)
    assert got in (location, location.removesuffix("?"))


def test_redirect_escapes_what_a_field_can_not_hold(site: Server) -> None:
    """The name of a directory outside ASCII comes back percent-encoded."""
    response = fetch(site.address, "/" + quote("ünï"))
    assert response.status in (301, 404), "without an index document it may be missing"
    if response.status == 301:
        assert response.need("location").endswith("/" + quote("ünï") + "/")


@pytest.mark.parametrize(
    "target",
    [
        "//evil",
        "///evil",
        "//evil.example/..",
        "//evil.example/%2e%2e",
        "/\\evil",
        "/%5cevil.example/%2e%2e/docs",
        "//docs",
        "/./evil",
        "/.//evil",
        "/docs/..//evil",
        "/docs/../%2Fevil",
        "/%2fevil",
        "/%2f%2fevil",
        "/evil%0d%0aSet-Cookie:%20a=b",
        "/evil\\",
    ],
)
def test_no_redirect_leaves_the_site(site: Server, target: str) -> None:
    """``Location: //host`` and ``/\\host`` name another host to a browser."""
    response = fetch(site.address, target)
    assert response.status in (200, 301, 400, 404)
    location = response.header("location")
    if location is not None:
        path = location.removeprefix("http://site.test")
        assert path.startswith("/")
        assert path[1:2] not in ("/", "\\")
        assert not path.lower().startswith("/%5c")
    assert response.header("set-cookie") is None


@pytest.mark.parametrize("target", ["/missing", "/docs/missing.html", "/bare/", "/hello.txt/"])
def test_missing_is_404_with_the_page_of_the_archive(site: Server, target: str) -> None:
    response = fetch(site.address, target)
    assert response.status == 404
    assert response.body == NOT_FOUND_PAGE
    assert response.media_type == "text/html"


def test_not_found_page_ignores_conditions_and_ranges(site: Server) -> None:
    page = fetch(site.address, "/404.html")
    assert page.status == 200
    for headers in (
        {"If-None-Match": page.need("etag")},
        {"If-None-Match": "*"},
        {"Range": "bytes=0-3"},
    ):
        response = fetch(site.address, "/missing", headers)
        assert (response.status, response.body) == (404, NOT_FOUND_PAGE)


def test_missing_without_a_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    tree = write_tree(tmp_path_factory.mktemp("plain"), {"a.txt": b"a"})
    with running(tree, "--threads", "1") as server:
        response = fetch(server.address, "/missing")
        assert response.status == 404
        assert response.media_type in ("text/plain", "text/html")
        assert fetch(server.address, "/").status == 404, "no index document: not 403"


def test_index_option(tmp_path_factory: pytest.TempPathFactory) -> None:
    tree = write_tree(
        tmp_path_factory.mktemp("index"), {"d/start.htm": b"start", "d/index.html": b"index"}
    )
    with running(tree, "--threads", "1", "--index", "start.htm") as server:
        assert fetch(server.address, "/d/").body == b"start"


def test_try_html(tmp_path_factory: pytest.TempPathFactory) -> None:
    files = {
        "about.html": b"about",
        "both.html": b"file",
        "both/index.html": b"directory",
        "404.html": b"none",
    }
    tree = write_tree(tmp_path_factory.mktemp("try"), files)
    with running(tree, "--threads", "1", "--try-html") as server:
        about = fetch(server.address, "/about")
        assert (about.status, about.body, about.media_type) == (200, b"about", "text/html")
        assert fetch(server.address, "/about.html").body == b"about"
        assert fetch(server.address, "/about/").status == 404
        assert fetch(server.address, "/both/").body == b"directory"
        assert fetch(server.address, "/missing").status == 404
    with running(tree, "--threads", "1") as server:
        assert fetch(server.address, "/about").status == 404, "off unless asked for"


# --- paths ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/%68ello.txt",
        "/./hello.txt",
        "/docs/../hello.txt",
        "/docs/deep/er/../../../hello.txt",
        "/docs/%2e%2e/hello.txt",
        "/docs/.%2E/hello.txt",
        "/hello.txt?",
        "/hello.txt?a=b",
        "/hello.txt?/../../x",
        "http://site.test/hello.txt",
        "http://other.test:81/hello.txt?x",
    ],
)
def test_spellings_of_one_path(site: Server, target: str) -> None:
    assert fetch(site.address, target).body == HELLO


@pytest.mark.parametrize(
    "target",
    [
        "/../hello.txt",
        "/../../../../etc/passwd",
        "/docs/../../hello.txt",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/docs/..%2f..%2f..%2fetc/passwd",
        "/..%5c..%5cetc/passwd",
        "/%252e%252e/etc/passwd",
        "/%c0%ae%c0%ae/etc/passwd",
        "/....//....//etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/proc/self/environ",
    ],
)
def test_nothing_outside_of_the_site(site: Server, target: str) -> None:
    response = fetch(site.address, target)
    assert b"root:" not in response.body
    assert response.status in (400, 404) or response.body == HELLO


@pytest.mark.parametrize(
    "target",
    ["/%", "/%4", "/%zz", "/%00", "/hello.txt%00", "/hello.txt%00.html", "/%c3%28", "/%ff"],
)
def test_bad_escapes_find_nothing(site: Server, target: str) -> None:
    assert fetch(site.address, target).status in (400, 404)


@pytest.mark.parametrize("name", HIDDEN)
def test_dot_files_are_not_served(site: Server, name: str) -> None:
    for target in (name, name.replace(".", "%2e"), "docs/../" + name, name + "/"):
        response = fetch(site.address, "/" + target)
        assert response.status in (301, 404)
        assert b"secret" not in response.body


@pytest.mark.parametrize("target", ["/.zeroserve/index", "/.zeroserve/", "/.zeroserve"])
def test_the_index_of_an_archive_is_not_served(site: Server, target: str) -> None:
    assert fetch(site.address, target).status == 404


def test_well_known_is_served(site: Server) -> None:
    assert fetch(site.address, "/.well-known/security.txt").status == 200


# --- methods ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/hello.txt", "/docs/", "/missing", "*"])
def test_options(site: Server, target: str) -> None:
    response = fetch(site.address, target, method="OPTIONS")
    assert response.status in ((200, 204, 404) if target == "/missing" else (200, 204))
    if response.status != 404:
        assert response.tokens("allow") == {"get", "head", "options"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_other_methods_are_not_allowed(site: Server, method: str) -> None:
    response = fetch(site.address, "/hello.txt", method=method)
    assert response.status == 405
    assert response.tokens("allow") == {"get", "head", "options"}


@pytest.mark.parametrize("method", ["get", "Get", "BREW", "X-Y", "GETT", "A" * 40])
def test_unknown_methods(site: Server, method: str) -> None:
    """Method names are case-sensitive, RFC 9110 section 9.1."""
    assert fetch(site.address, "/hello.txt", method=method).status in (400, 405, 501)


@pytest.mark.parametrize("target", ["hello.txt", "*", "", "?a", "site.test:80", "ftp://a/b"])
def test_targets_that_are_no_path(site: Server, target: str) -> None:
    assert fetch(site.address, target).status in (400, 404)


# --- the order of things on one connection ------------------------------------------------


def test_a_refused_body_does_not_become_a_request(site: Server) -> None:
    """The body of a 405 is skipped or the connection closes: it is never parsed."""
    with Connection(site.address) as connection:
        smuggled = request("/hello.txt")
        connection.send(request("/hello.txt", method="POST", body=smuggled))
        connection.send(request("/docs/guide.html"))
        assert connection.response().status == 405
        if not connection.at_end():
            assert connection.response().body == FILES["docs/guide.html"]
