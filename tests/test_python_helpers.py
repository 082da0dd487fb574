"""What compiled Python asks of the server, in the request pipeline: called from C by hand.

What each helper does is tested beside it; here is what becomes of it: answers, limits, reloads.
"""

import struct
from pathlib import Path

import pytest
from support.server import running
from support.wire import Connection, request
from zeroserve import Error, _core, clang
from zeroserve.testing import Client

pytestmark = pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)

SCRIPTS = ".zeroserve/scripts"

PRELUDE = """\
#include <zeroserve.h>

/* The word of a str that is ASCII. */
#define WORD(text) ((zs_u64)(text) | (zs_u64)(sizeof(text) - 1) << 32)
#define OUT(place) ((zs_u64)&(place))

extern zs_u64 zs_py_req_field(zs_u64 field);
extern zs_u64 zs_py_req_body(void);
extern zs_u64 zs_py_response(zs_u64, zs_u64, zs_u64, zs_u64, zs_u64);
extern zs_u64 zs_py_response_header(zs_u64, zs_u64, zs_u64);
extern zs_u64 zs_py_redirect(zs_u64, zs_u64, zs_u64);
extern zs_u64 zs_py_answer(zs_u64);
extern zs_u64 zs_py_res_set_status(zs_u64);
extern zs_u64 zs_py_res_header(zs_u64);
extern zs_u64 zs_py_res_set_header(zs_u64, zs_u64);
extern zs_u64 zs_py_res_append_header(zs_u64, zs_u64);
extern zs_u64 zs_py_res_delete_header(zs_u64);
extern zs_u64 zs_py_table_add(zs_u64, zs_u64, zs_u64);
extern zs_u64 zs_py_re_search(zs_u64, zs_u64);

static char digits[32];

static ZS_MAYBE_UNUSED int at(const char *wanted)
{
    static char path[64];
    zs_req_path(path, sizeof path);
    return zs_strcmp(path, wanted) == 0;
}

static ZS_MAYBE_UNUSED void answer(zs_u64 body, zs_u64 is_bytes)
{
    zs_u64 handle;
    if (zs_py_response(200, body, 0, is_bytes, OUT(handle)) == 0)
        zs_py_answer(handle);
}

static ZS_MAYBE_UNUSED void count(zs_u64 number)
{
    zs_u64 len = zs_utoa10(number, digits, sizeof digits);
    answer((zs_u64)digits | len << 32, 0);
}
"""

ANSWERS = """
ZS_ENTRY zs_u64 answers(void)
{
    zs_u64 handle;
    if (at("/cookies")) {
        zs_py_response(201, WORD("made\\n"), WORD("text/html"), 0, OUT(handle));
        zs_py_response_header(handle, WORD("Set-Cookie"), WORD("a=1"));
        zs_py_response_header(handle, WORD("Set-Cookie"), WORD("b=2"));
        zs_py_answer(handle);
    }
    if (at("/given")) {
        zs_meta_set(ZS_STR("zs.response.header.x-a"), ZS_STR("meta"));
        zs_py_response(200, WORD("given"), 0, 1, OUT(handle));
        zs_py_response_header(handle, WORD("X-A"), WORD("own"));
        zs_py_answer(handle);
    }
    if (at("/redirect")) {
        zs_py_redirect(WORD("/to?q=1"), 307, OUT(handle));
        zs_py_answer(handle);
    }
    if (at("/empty")) {
        zs_py_response(204, WORD(""), 0, 0, OUT(handle));
        zs_py_answer(handle);
    }
    if (at("/echo"))
        answer(zs_py_req_body(), 1);
    if (at("/hooked"))
        answer(WORD("hooked"), 0);
    return 0;
}
"""

HOOKS = """
__attribute__((section("zeroserve.response"), used)) zs_u64 hook(void)
{
    if (!at("/hooked") && !at("/page.txt"))
        return 0;
    zs_py_res_set_status(203);
    zs_py_res_set_header(WORD("Content-Type"), WORD("text/x-own"));
    zs_py_res_append_header(WORD("Set-Cookie"), WORD("a=1"));
    zs_py_res_append_header(WORD("Set-Cookie"), WORD("b=2"));
    zs_py_res_delete_header(WORD("ETag"));
    zs_py_res_delete_header(WORD("Content-Length"));
    return 0;
}
"""

TABLE = """
ZS_ENTRY zs_u64 visits(void)
{
    static const char name[] = "visits";
    struct {
        unsigned key, value;
        zs_u64 max;
        unsigned name, len;
    } table = {1, 0, MOST, (unsigned)(zs_u64)name, sizeof name - 1};
    static char path[64];
    zs_u64 len = zs_req_path(path, sizeof path);
    count(zs_py_table_add((zs_u64)&table, (zs_u64)path | len << 32, 1));
    return 0;
}
"""

PATTERN = """
__asm__(".pushsection zeroserve.patterns,\\"\\",@progbits\\n.byte BYTES\\n.popsection");

ZS_ENTRY zs_u64 matches(void)
{
    count(zs_py_re_search(0, zs_py_req_field(1)) != 0);
    return 0;
}
"""


def site(tmp_path: Path, **scripts: str) -> Path:
    (tmp_path / SCRIPTS).mkdir(parents=True)
    (tmp_path / "page.txt").write_text("page\n")
    for name, text in scripts.items():
        (tmp_path / SCRIPTS / f"{name}.c").write_text(PRELUDE + text)
    return tmp_path


def test_answers(tmp_path: Path) -> None:
    client = Client(site(tmp_path, answers=ANSWERS))
    made = client.get("/cookies")
    assert (made.status, made.body) == (201, b"made\n")
    assert made.headers.getlist("content-type") == ["text/html"]
    assert made.headers.getlist("set-cookie") == ["a=1", "b=2"]
    given = client.get("/given")
    assert given.headers["content-type"] == "application/octet-stream"
    assert given.headers.getlist("x-a") == ["meta"]
    redirect = client.get("/redirect")
    assert (redirect.status, redirect.body) == (307, b"")
    assert redirect.headers["location"] == "/to?q=1"
    assert "content-type" not in redirect.headers
    empty = client.get("/empty")
    assert (empty.status, empty.body) == (204, b"")
    assert client.get("/page.txt").body == b"page\n"
    assert client.head("/cookies").headers["content-length"] == "5"


def test_bodies_and_their_limit(tmp_path: Path) -> None:
    with running(site(tmp_path, answers=ANSWERS)) as server, Connection(server.address) as client:
        for body, status in [(b"x" * 262_144, 200), (b"y" * 262_145, 413), (b"", 200)]:
            client.send(request("/echo", method="POST", body=body))
            answer = client.response("POST")
            assert answer.status == status
            assert (answer.body == body) == (status == 200)
        client.send(request("/page.txt"))
        assert client.response().body == b"page\n"
        assert "trap" not in server.stderr


def test_hooks(tmp_path: Path) -> None:
    client = Client(site(tmp_path, answers=ANSWERS, hooks=HOOKS))
    for path, body in [("/hooked", b"hooked"), ("/page.txt", b"page\n")]:
        answer = client.get(path)
        assert (answer.status, answer.body) == (203, body)
        assert answer.headers.getlist("content-type") == ["text/x-own"]
        assert answer.headers.getlist("set-cookie") == ["a=1", "b=2"]
        assert answer.headers.getlist("content-length") == [str(len(body))]
        assert len(answer.headers.getlist("date")) == 1
        assert "etag" not in answer.headers
    assert client.get("/cookies").headers.getlist("set-cookie") == ["a=1", "b=2"]


def test_tables_outlive_reloads(tmp_path: Path) -> None:
    root = site(tmp_path, visits=TABLE.replace("MOST", "2"))
    with running(root) as server, Connection(server.address) as client:

        def visit(path: str) -> int:
            client.send(request(path))
            return int(client.response().body)

        assert [visit(path) for path in ["/a", "/a", "/b"]] == [1, 2, 1]
        script = root / SCRIPTS / "visits.c"
        script.write_text(PRELUDE + TABLE.replace("MOST", "1"))
        server.hang_up()
        server.wait_line("generation 2")
        # Of the two the one that was used last is left.
        assert [visit(path) for path in ["/b", "/a", "/b"]] == [2, 1, 1]


def patterns(*texts: str) -> str:
    data = struct.pack("<I", len(texts))
    for text in texts:
        data += struct.pack("<I", len(text)) + text.encode() + struct.pack("<I", 0)
    return PATTERN.replace("BYTES", ", ".join(map(str, data)))


def test_patterns(tmp_path: Path) -> None:
    client = Client(site(tmp_path, matches=patterns(r"^/(\w+)-é*\d$")))
    assert client.get("/abc-1").body == b"1"
    assert client.get("/abc-").body == b"0"


def test_a_bad_pattern_refuses_the_script(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"matches'.*: pattern a\(: unclosed group, at character 2"):
        Client(site(tmp_path, matches=patterns("a(")))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a(", "unclosed group, at character 2"),
        (r"(a)\1", "backreferences are not supported, at character 4"),
        (r"(?:\w{100}){100}", "it takes more than 1048576 bytes once it is compiled"),
    ],
)
def test_check_pattern(text: str, reason: str) -> None:
    with pytest.raises(Error) as caught:
        _core.check_pattern(text)
    assert str(caught.value) == reason


def test_check_pattern_of_a_good_one() -> None:
    _core.check_pattern(r"\A(?:\d+|x)\z")
