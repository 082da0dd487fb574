"""What ``zeroserve explain SITE METHOD PATH`` says of a request."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import c
from support.server import command, no_traceback
from zeroserve.pack import pack
from zeroserve.testing import Client

pytestmark = c.needed

FIRST = """\
#include <zeroserve.h>
static char path[64];
ZS_ENTRY zs_u64 first(void)
{
    zs_req_path(path, sizeof path);
    zs_meta_set(ZS_STR("from"), ZS_STR("first"));
    if (zs_strcmp(path, "/old") == 0)
        zs_req_set_uri(ZS_STR("/new.html"));
    if (zs_strcmp(path, "/no") == 0)
        zs_respond(403, ZS_STR("no\\n"));
    return 0;
}
"""

SECOND = """\
#include <zeroserve.h>
static char path[64];
static volatile zs_u64 sum;
ZS_ENTRY zs_u64 second(void)
{
    zs_req_path(path, sizeof path);
    if (zs_strcmp(path, "/trap") == 0)
        *(volatile char *)1 = 1;
    if (zs_strcmp(path, "/up") == 0)
        zs_reverse_proxy(ZS_STR("http://127.0.0.1:9"));
    if (zs_strcmp(path, "/long") == 0)
        for (zs_u64 i = 0; i < 50000; i++) {
            sum += i;
            sum ^= 1;
        }
    return 0;
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    folder = root / ".zeroserve" / "scripts"
    folder.mkdir(parents=True)
    (folder / "10-first.c").write_text(FIRST)
    (folder / "20-second.c").write_text(SECOND)
    (root / "new.html").write_text("<p>new</p>\n" * 40)
    (root / "index.html").write_text("<p>start</p>\n" * 40)
    return root


def explained(*arguments: str | Path) -> dict[str, Any]:
    done = command("explain", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_each_function_and_how_it_ended(site: Path) -> None:
    found = explained(site, "GET", "/no")
    (first,) = found["functions"]
    assert (first["script"], first["function"]) == ("10-first", "first")
    assert (first["section"], first["role"]) == ("zeroserve.request", "request")
    assert first["result"] == {"kind": "responded", "status": 403, "bytes": 3}
    assert first["changes"] == [{"what": "meta from", "from": None, "to": "first"}]
    assert found["fuel"] == first["fuel"] > 0
    assert found["decision"] == first["result"]
    assert found["entry"] is None
    assert found["response"]["status"] == 403
    assert found["response"]["body_bytes"] == 3
    assert found["trace"] is None


def test_changes_and_the_file(site: Path) -> None:
    found = explained(site, "GET", "/old")
    first, second = found["functions"]
    assert {"what": "target", "from": "/old", "to": "/new.html"} in first["changes"]
    assert second["changes"] == []
    assert [one["result"]["kind"] for one in (first, second)] == ["fell through"] * 2
    assert found["decision"] == {"kind": "file"}
    assert found["entry"] == {"name": "new.html", "coding": None}


def test_no_file(site: Path) -> None:
    found = explained(site, "GET", "/none")
    assert (found["decision"], found["entry"]) == ({"kind": "no file"}, None)
    assert found["response"]["status"] == 404


def test_a_trap_has_its_place(site: Path) -> None:
    found = explained(site, "/trap")
    result = found["functions"][1]["result"]
    assert (result["kind"], result["file"], result["line"]) == ("trapped", "20-second.c", 8)
    assert found["decision"]["kind"] == "trapped"
    assert found["decision"]["script"] == "20-second"
    assert found["response"]["status"] == 500
    text = command("explain", site, "GET", "/trap").stdout
    assert "20-second: second in zeroserve.request: stopped at 20-second.c:8: write of 1" in text


def test_an_upstream(site: Path) -> None:
    found = explained(site, "GET", "/up")
    assert found["decision"] == {"kind": "proxied", "url": "http://127.0.0.1:9"}


def test_the_variant_of_an_archive(site: Path, tmp_path: Path) -> None:
    pack(site, tmp_path / "site.tar")
    found = explained(tmp_path / "site.tar", "/", "-H", "Accept-Encoding: br, gzip")
    assert found["entry"] == {"name": "index.html", "coding": "br"}
    assert ["Content-Encoding", "br"] in found["response"]["headers"]
    text = command("explain", tmp_path / "site.tar", "/", "-H", "accept-encoding: gzip").stdout
    assert "decision: file 'index.html', gzip variant\n" in text


def test_what_it_says_is_what_the_pipeline_does(site: Path) -> None:
    client = Client(site)
    for path in ("/", "/no", "/old", "/none", "/trap"):
        assert explained(site, path)["response"]["status"] == client.get(path).status


def test_words_for_people(site: Path) -> None:
    done = command("explain", site, "GET", "/old")
    lines = done.stdout.splitlines()
    assert re.fullmatch(
        r"10-first: first in zeroserve.request: fell through, fuel [\d,]+", lines[0]
    )
    assert "  target: /old -> /new.html" in lines
    assert "decision: file 'new.html'" in lines
    assert "HTTP/1.1 200 OK" in lines
    assert lines[-1] == "440 bytes of body"


def test_lines_in_the_order_in_which_they_ran(site: Path, tmp_path: Path) -> None:
    lines = command("explain", site, "GET", "/no", "--trace").stdout.splitlines()
    shown = [line.strip() for line in lines if line.startswith("    ")]
    assert shown[0] == "10-first.c:5: zs_req_path(path, sizeof path);"
    numbers = [int(line.split(":")[1]) for line in shown]
    assert all(one != other for one, other in itertools.pairwise(numbers))
    assert numbers.index(7) < numbers.index(10)
    assert '10-first.c:10: zs_respond(403, ZS_STR("no\\n"));' in shown
    # An archive has no sources: places alone.
    pack(site, tmp_path / "site.tar")
    bare = command("explain", tmp_path / "site.tar", "GET", "/no", "--trace").stdout
    assert "    10-first.c:10\n" in bare


def test_a_trace_has_a_bound(site: Path) -> None:
    found = explained(site, "/long", "--trace")
    assert len(found["trace"]) == 20_000
    assert found["trace_left_out"] > 10_000
    # Being watched costs a script nothing.
    assert found["fuel"] == explained(site, "/long")["fuel"]


def test_plugins_and_lone_scripts(site: Path, tmp_path: Path) -> None:
    plugin = site / ".zeroserve" / "scripts" / "10-first.c"
    found = explained(plugin, "/no")
    assert [one["script"] for one in found["functions"]] == ["10-first"]
    (tmp_path / "bare").mkdir()
    found = explained(tmp_path / "bare", "/no", "--plugin", plugin)
    assert found["response"]["status"] == 403


def test_no_scripts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    lines = command("explain", tmp_path, "HEAD", "/a.txt").stdout.splitlines()
    assert lines[:2] == ["no script ran", "decision: file 'a.txt'"]
    assert lines[-1] == "0 bytes of body"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["."], 2, "METHOD and PATH are missing"),
        ([".", "GET", "/", "-H", "x"], 2, "--header: not NAME: VALUE: 'x'"),
        (["/nowhere", "/"], 1, "/nowhere: "),
        ([".", "G T", "/"], 2, "not a method: 'G T'"),
        ([".", "GET", "/", "-H", "a b: c"], 2, "not a header name: 'a b'"),
    ],
    ids=str,
)
def test_refusals(arguments: list[str], code: int, error: str) -> None:
    done = command("explain", *arguments)
    no_traceback(done.stderr)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"zeroserve: error: {error}"), done.stderr


def test_forms_of_a_script_in_c(site: Path) -> None:
    script = site / ".zeroserve" / "scripts" / "10-first.c"
    done = command("compile", script, "--emit", "asm")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == command("explain", "--asm", script).stdout
    done = command("compile", script, "--emit", "llvm")
    assert done.returncode == 2
    assert "is not a script in Python" in done.stderr
