"""Configuration files: what may be written, and that all that is wrong is said at once."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.server import command, running
from support.wire import fetch
from zeroserve import Error, _core
from zeroserve.config import file, pools
from zeroserve.config.faults import Faults, lines
from zeroserve.config.keys import rows
from zeroserve.pack import pack

ROOT = Path(__file__).parent.parent

TABLES = (
    pools.Pool,
    pools.Upstream,
    pools.Health,
    pools.Ejection,
    pools.Retries,
    pools.Timeouts,
    pools.Breaker,
    pools.Queue,
    pools.Keepalive,
    pools.Tls,
)

EVERYTHING = """\
[pools.api]
upstreams = [
  "http://10.0.0.1:9000/base",
  { url = "unix:/run/app.sock", weight = 2, backup = true, max_connections = 100 },
]
policy = "hash"
hash = "cookie sid"
host = "upstream"
failure_status = ["502-504", 500]
slow_start_ms = 10000

[pools.api.health]
path = "/health?deep=1"
interval_ms = 1000
status = [200, "300-399"]
host = "api.example.org"

[pools.api.retries]
on = ["connect", "timeout"]
status = 503

[pools.api.breaker]
max_requests = 1000

[pools.other]
upstreams = ["https://example.org"]
timeouts.total_ms = 30000
"""


def faults(text: str) -> list[str]:
    return [str(one) for one in file.read(text.encode(), "f.toml")[1].found]


def accepted(configured: dict[str, pools.Pool]) -> None:
    """By the engine, too; it raises ``Error`` otherwise."""
    config = file.Config(configured).json or "{}"
    _core.Server(addrs=["127.0.0.1:0"], threads=1).set_config(config)


def test_everything() -> None:
    config, found = file.read(EVERYTHING.encode(), "f.toml")
    assert found.found == []
    accepted(config.pools)
    api = config.pools["api"]
    assert [one.url for one in api.upstreams] == ["http://10.0.0.1:9000/base", "unix:/run/app.sock"]
    assert (api.upstreams[1].weight, api.upstreams[1].max_connections) == (2, 100)
    assert api.health is not None
    assert (api.health.status, api.health.unhealthy) == (("200", "300-399"), 3)
    assert (api.retries.status, api.queue) == (("503",), pools.Queue())
    assert config.pools["other"].timeouts == pools.Timeouts(total_ms=30_000)


def test_all_that_is_wrong_is_said_with_its_line() -> None:
    text = """\
[pols.api]

[pools.api]
polcy = 1
upstreams = ["http://a:1", "http://a:1", "ftp://x", { weight = 0 }]
hash = "source"
[pools.api.health]
pth = "/h"
status = [20, "300-399"]
interval_ms = true

[pools.b]
upstreams = []
ejection.max_ms = 5
retries.on = ["always"]

[pools."c d"]
"""
    assert faults(text) == [
        "f.toml:1: pols: unknown key",
        "f.toml:4: pools.api.polcy: unknown key",
        "f.toml:8: pools.api.health.pth: unknown key",
        'f.toml:9: pools.api.health.status: not a status or a range like "200-299": 20',
        "f.toml:10: pools.api.health.interval_ms: not a whole number from 100 to 86400000: true",
        "f.toml:5: pools.api.upstreams[1]: named twice: 'http://a:1'",
        "f.toml:5: pools.api.upstreams[2].url: an upstream begins with http://, https://, h2://, "
        "h2c://, unix:/: 'ftp://x'",
        "f.toml:5: pools.api.upstreams[3].url: there has to be one",
        "f.toml:5: pools.api.upstreams[3].weight: not a whole number from 1 to 1000: 0",
        'f.toml:6: pools.api.hash: it is for policy = "hash"',
        "f.toml:15: pools.b.retries.on: not connect, closed or timeout: 'always'",
        "f.toml:13: pools.b.upstreams: there have to be some",
        "f.toml:14: pools.b.ejection.max_ms: less than base_ms, 5000: 5",
        "f.toml:17: pools.c d: a name is letters, digits, `-`, `_` and `.`",
    ]
    found = file.read(text.encode(), "f.toml")[1]
    assert found.found[1].hint == "did you mean policy?"
    error = found.error()
    assert error.args == ("f.toml:1: pols: unknown key (and 13 more)", "did you mean pools?")
    assert len(error.__notes__) == 14


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a = ", "f.toml: not TOML: invalid value"),
        (b"\n\n[pools.api\n", "f.toml:3: not TOML: "),
        (b"\n\xff", "f.toml:2: not UTF-8"),
        (b"pools = 3", "f.toml:1: pools: not a table: 3"),
        (b"[pools]\na = 3", "f.toml:2: pools.a: not a table: 3"),
        (b"x = " + b"[" * 5000, "f.toml: not TOML: "),
        (b"# " + b"x" * (1 << 20), "f.toml: longer than 1,048,576 bytes"),
    ],
)
def test_what_is_no_such_file(data: bytes, said: str) -> None:
    found = file.read(data, "f.toml")[1].found
    assert len(found) == 1
    assert str(found[0]).startswith(said)


def test_bounds_are_those_of_the_engine() -> None:
    """What is accepted here at the ends of its range is accepted there."""
    for of in TABLES[2:]:
        name = of.__name__.lower()
        for field, row in rows(of):
            least, most = _range(row.values)
            for value in (least, most):
                if value is None:
                    continue
                table: dict[str, Any] = {field.name: value}
                if (name, field.name) == ("ejection", "base_ms"):
                    table["max_ms"] = max(value, 60_000)
                if (name, field.name) == ("ejection", "max_ms"):
                    table["base_ms"] = 1
                text = f'[pools.p]\nupstreams = ["http://a"]\n[pools.p.{name}]\n'
                text += "\n".join(f"{key} = {given}" for key, given in table.items())
                config, found = file.read(text.encode(), "f.toml")
                assert found.found == []
                accepted(config.pools)


def _range(values: str) -> tuple[int | None, int | None]:
    if values.endswith(" ms to a day"):
        return int(values.split()[0]), pools.MAX_TIME_MS
    found = re.fullmatch(r"(\d+) to (\d+)", values)
    return (int(found[1]), int(found[2])) if found else (None, None)


URLS = ["http://a", "https://a:1/b/", "h2c://[::1]:9", "unix:/x", "http://", "http://a b", "x", ""]


@given(
    url=st.sampled_from(URLS) | st.text(max_size=20).map("http://".__add__),
    path=st.sampled_from(["/", "/a?b=c", "/a b", "a", "/#"]) | st.text(max_size=20),
    name=st.sampled_from(["source", "header X", "cookie a b", "header "]) | st.text(max_size=10),
    status=st.lists(st.integers(0, 700) | st.text("0123456789-", max_size=8), max_size=3),
)
def test_what_is_accepted_here_is_accepted_there(
    url: str, path: str, name: str, status: list[int | str]
) -> None:
    """But for what only the engine can tell of a URL."""
    values = {
        "p": {
            "upstreams": ["http://fine", url],
            "policy": "hash",
            "hash": name,
            "health": {"path": path},
            "failure_status": status,
        }
    }
    found = Faults("f.toml", "")
    configured = pools.read_pools(values, found)
    if not found.found:
        try:
            accepted(configured)
        except Error as error:
            assert "no URL of an upstream" in str(error)


def test_lines_of_keys() -> None:
    text = '[a."b c".d] # e\nx = 1\n\ny.z = 2\n[[list]]\nf = """\n"""\n'
    found = lines(text)
    assert found["a", "b c", "d", "x"] == 2
    assert found["a", "b c", "d", "y", "z"] == 4
    assert (found["a",], found["list",], found["list", "f"]) == (1, 5, 6)


# --- commands -------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site" / ".zeroserve"
    folder.mkdir(parents=True)
    (folder.parent / "index.html").write_text("index\n")
    return folder.parent


BAD = '[pools.api]\nupstreams = ["http://a"]\npolcy = 1\nqueue.max = -1\n'


def test_check(site: Path, tmp_path: Path) -> None:
    config = site / file.NAME
    config.write_text(EVERYTHING)
    assert command("check", site).returncode == 0
    config.write_text(BAD)
    done = command("check", site)
    assert done.returncode == 2
    assert done.stdout == (
        f"{site}: error: entry '.zeroserve/zeroserve.toml': line 3: pools.api.polcy: unknown key "
        "(did you mean policy?)\n"
        f"{site}: error: entry '.zeroserve/zeroserve.toml': line 4: pools.api.queue.max: not a "
        "whole number from 0 to 100000: -1\n"
        "2 errors, 0 warnings\n"
    )


def test_pack_refuses_and_packs(site: Path, tmp_path: Path) -> None:
    config, archive = site / file.NAME, tmp_path / "site.tar"
    config.write_text(BAD)
    done = command("pack", site, "-o", archive)
    assert done.returncode == 1
    assert "zeroserve.toml:3: pools.api.polcy: unknown key (and 1 more)" in done.stderr
    assert "zeroserve.toml:4: pools.api.queue.max" in done.stderr
    assert not archive.exists()
    config.write_text(EVERYTHING)
    pack(site, archive)
    assert command("check", archive).returncode == 0


def test_an_archive_with_a_bad_file_is_refused(site: Path, tmp_path: Path) -> None:
    """By whoever serves it, as a whole."""
    import tarfile

    (site / file.NAME).write_text(BAD)
    archive = tmp_path / "site.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(site, ".")
    assert command("check", archive).returncode == 2
    done = command(archive, "--addr", "127.0.0.1:0")
    assert done.returncode == 1
    assert "zeroserve.toml:3: pools.api.polcy: unknown key (and 1 more)" in done.stderr
    assert "hint: did you mean policy?" in done.stderr


def test_never_served(site: Path) -> None:
    (site / file.NAME).write_text(EVERYTHING)
    with running(site, "--threads", "1") as server:
        assert fetch(server.address, "/").body == b"index\n"
        assert fetch(server.address, f"/{file.NAME}").status == 404


def test_config_of_the_process(site: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    for text, said in ((BAD, "own.toml:3: pools.api.polcy"), (None, "can't read '")):
        config.unlink(missing_ok=True)
        if text is not None:
            config.write_text(text)
        done = command(site, "--addr", "127.0.0.1:0", "--config", config)
        assert done.returncode == 1
        assert said in done.stderr


def test_the_page_has_all_keys() -> None:
    page = (ROOT / "docs" / "proxy-pools.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example
    config, found = file.read(example[1].encode(), "example")
    assert found.found == []
    accepted(config.pools)
    for of in TABLES:
        for field, _ in rows(of):
            assert f"`{field.name}`" in page, field.name


def test_defaults_are_written_out() -> None:
    """The engine gets every key, so that no default can differ."""
    pool = pools.Pool(upstreams=(pools.Upstream(url="http://a"),), health=pools.Health())
    text = json.loads(file.Config({"p": pool}).json or "")["pools"]["p"]
    assert {*text, "tls"} == {field.name for field in dataclasses.fields(pools.Pool)}
    assert text["health"]["interval_ms"] == 5_000
