"""Many sites in one server: by the host that a request names, each with a life of its own."""

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zeroserve
from support import sites
from support.admin import administered, answer, get, post
from support.server import Server, command, no_traceback, running, wait_until
from support.tls import Secure
from support.wire import Connection, Response, fetch, request
from zeroserve import Error, hosts
from zeroserve._core import dev_authority, dev_certificate

HOSTS = [f"site{number}.example.org" for number in range(20)]

COUNTED = "zeroserve_requests_total"


def deploy(folder: Path, host: str, text: str) -> None:
    """By rename: half of it is never there."""
    fresh = sites.python_tar(folder.parent / "fresh.new", {"index.html": text.encode()})
    sites.replace(folder / f"{host}.tar", fresh)


def ask(server: Server, host: str, target: str = "/") -> Response:
    return fetch(server.address, target, {"Host": host})


def page(server: Server, host: str) -> str:
    found = ask(server, host)
    return found.body.decode() if found.status == 200 else str(found.status)


def becomes(server: Server, host: str, text: str) -> None:
    wait_until(lambda: page(server, host) == text, 5, f"{host} is not {text}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sites"
    folder.mkdir()
    for host in HOSTS:
        deploy(folder, host, host)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with running(folder, "--threads", "2", "--access-log", "off") as server:
        yield server


def test_each_host_has_its_site(server: Server) -> None:
    server.wait_line("20 sites, 20 entries")
    for host in HOSTS:
        assert page(server, host) == host
    for text in ("SITE7.Example.ORG", "site7.example.org.", "site7.example.org:8080"):
        assert page(server, text) == "site7.example.org"


def test_one_connection_asks_for_many(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(b"".join(request("/", {"Host": host}) for host in HOSTS * 3))
        for host in HOSTS * 3:
            assert connection.response().body.decode() == host


def test_other_hosts_are_misdirected(server: Server) -> None:
    for host in ("example.org", "site99.example.org", "127.0.0.1", "", "a" * 300, "[::1]:80"):
        found = ask(server, host)
        assert (found.status, found.reason) == (421, "Misdirected Request"), host
    assert fetch(server.address, "/", version="1.0").status == 421
    # The host of the target counts, not that of the field (RFC 9112, section 3.2.2).
    found = fetch(server.address, f"http://{HOSTS[3]}/", {"Host": "elsewhere.test"})
    assert found.body.decode() == HOSTS[3]


def test_one_replaced_by_garbage(folder: Path) -> None:
    with administered(folder) as (server, admin):
        deploy(folder, HOSTS[5], "new")
        becomes(server, HOSTS[5], "new")
        server.wait_line(rf"reloaded .*{HOSTS[5]}\.tar: generation 2")
        garbage = folder.parent / "garbage.new"
        garbage.write_bytes(b"no tar" * 100)
        sites.replace(folder / f"{HOSTS[5]}.tar", garbage)
        server.wait_line(rf"reload refused, still serving generation 2: .*{HOSTS[5]}\.tar")
        for host in HOSTS:
            assert page(server, host) == ("new" if host == HOSTS[5] else host)
        assert post(admin, "/rollback", {"site": HOSTS[5]}).status == 200
        becomes(server, HOSTS[5], HOSTS[5])
        found = {one["name"]: one for one in answer(admin, "/status")["sites"]}
        assert sorted(found) == sorted(HOSTS)
        for host, one in found.items():
            rolled = host == HOSTS[5]
            assert one["generation"] == 1
            assert (one["rollbacks"], one["reloads_failed"]) == (rolled, rolled)
        # Not taken up again before the file changes.
        time.sleep(1)
        assert page(server, HOSTS[5]) == HOSTS[5]
        deploy(folder, HOSTS[5], "third")
        becomes(server, HOSTS[5], "third")


def test_sites_come_and_go(folder: Path, server: Server) -> None:
    deploy(folder, "late.example.org", "late")
    becomes(server, "late.example.org", "late")
    (folder / f"{HOSTS[0]}.tar").unlink()
    becomes(server, HOSTS[0], "421")
    server.wait_line(f"{HOSTS[0]} is no longer served")
    assert page(server, HOSTS[1]) == HOSTS[1]
    deploy(folder, HOSTS[0], "again")
    becomes(server, HOSTS[0], "again")
    # What names no host is no site, and no reason to stop.
    (folder / "notes.txt").write_text("x")
    (folder / "no host.tar").write_bytes(b"")
    deploy(folder, HOSTS[1], "changed")
    becomes(server, HOSTS[1], "changed")


def test_hangup_reloads_all(folder: Path) -> None:
    with running(folder, "--no-watch", "--access-log", "off") as server:
        deploy(folder, HOSTS[2], "new")
        server.hang_up()
        becomes(server, HOSTS[2], "new")
        assert page(server, HOSTS[3]) == HOSTS[3]


def test_what_is_refused_at_the_start_costs_itself_only(folder: Path) -> None:
    (folder / f"{HOSTS[4]}.tar").write_bytes(b"no tar")
    with running(folder, "--access-log", "off") as server:
        server.wait_line(rf"not served: .*{HOSTS[4]}\.tar")
        assert page(server, HOSTS[4]) == "421"
        assert page(server, HOSTS[5]) == HOSTS[5]
        deploy(folder, HOSTS[4], "better")
        becomes(server, HOSTS[4], "better")


def test_nothing_but_garbage(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.example.org.tar").write_bytes(b"no tar")
    refused = command(tmp_path / "sites", "--addr", "127.0.0.1:0")
    assert refused.returncode == 1 and "a.example.org.tar" in refused.stderr, refused.stderr
    no_traceback(refused.stderr)


def test_a_directory_with_other_files_is_one_site(folder: Path) -> None:
    (folder / "index.html").write_text("an index of archives")
    with running(folder, "--access-log", "off") as server:
        assert page(server, HOSTS[0]) == "an index of archives"
        assert ask(server, "any", f"/{HOSTS[0]}.tar").status == 200


def test_sites_by_option(tmp_path: Path) -> None:
    one = sites.python_tar(tmp_path / "one.tar", {"index.html": b"one"})
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "index.html").write_text("two")
    named = ("--site", f"One.test={one}", "--site", f"two.test={tmp_path / 'two'}")
    rest = sites.python_tar(tmp_path / "rest.tar", {"index.html": b"rest"})
    with running(rest, *named, "--access-log", "off") as server:
        assert [page(server, host) for host in ("one.test", "two.test", "x.test")] == [
            "one",
            "two",
            "rest",
        ]
        (tmp_path / "two" / "index.html").write_text("two, changed")
        becomes(server, "two.test", "two, changed")


@pytest.mark.parametrize("value", ["one.tar", "=one.tar", "a.test=", "a b=one.tar", "-.test=x"])
def test_wrong_options(value: str) -> None:
    refused = command("--site", value)
    assert refused.returncode == 2 and "--site" in refused.stderr, refused.stderr
    no_traceback(refused.stderr)


def test_missing_site_of_an_option(tmp_path: Path) -> None:
    refused = command("--site", f"a.test={tmp_path / 'nothing.tar'}", "--addr", "127.0.0.1:0")
    assert refused.returncode == 1 and "nothing.tar" in refused.stderr, refused.stderr


def test_counters_by_site(folder: Path) -> None:
    with administered(folder) as (server, admin):
        for _ in range(3):
            ask(server, HOSTS[1])
        ask(server, HOSTS[2], "/nothing")
        ask(server, "elsewhere.test")

        def sample(site: str, status: str) -> float:
            start = f'{COUNTED}{{site="{site}",status="{status}"}} '
            lines = get(admin, "/metrics").body.decode().splitlines()
            (found,) = (line for line in lines if line.startswith(start))
            return float(found.removeprefix(start))

        wait_until(lambda: sample("", "4xx") == 1, 5, "not counted")
        assert sample(HOSTS[1], "2xx") == 3
        assert sample(HOSTS[2], "4xx") == 1
        assert sample(HOSTS[3], "2xx") == 0
        refused = post(admin, "/rollback", {})
        assert refused.status == 400 and "several sites" in json.loads(refused.body)["error"]
        assert post(admin, "/reload", {"site": "nothing.test"}).status == 404


def test_certificate_and_site_of_one_name(folder: Path, tmp_path: Path) -> None:
    authority = dev_authority("here")
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    for name in ("a.test", "b.test"):
        deploy(folder, name, f"page of {name}")
        chain, key = dev_certificate(authority, [name])
        (certificates / f"{name}.pem").write_text(chain + key)
    context = ssl.create_default_context(cadata=authority[0])
    options = ("--tls-addr", "127.0.0.1:0", "--cert-dir", certificates, "--access-log", "off")
    with running(folder, *options, addr=None) as server:
        for name in ("a.test", "b.test"):
            with Secure(server.address, context, name=name) as connection:
                connection.send(request("/", {"Host": name}))
                assert connection.response().body.decode() == f"page of {name}"


def test_from_python(folder: Path, tmp_path: Path) -> None:
    rest = sites.python_tar(tmp_path / "rest.tar", {"index.html": b"rest"})
    one = folder / f"{HOSTS[0]}.tar"
    with zeroserve.Server(rest, sites={"one.test": one}, threads=1, watch=False) as server:
        address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
        assert fetch(address, "/", {"Host": "one.test"}).body.decode() == HOSTS[0]
        assert fetch(address, "/", {"Host": "x.test"}).body == b"rest"
        deploy(folder, HOSTS[0], "new")
        assert server.reload("one.test") == 2
        assert server.reload() == 2
        assert server.rollback(site="one.test") == 1
        assert fetch(address, "/", {"Host": "one.test"}).body.decode() == HOSTS[0]
        with pytest.raises(Error, match="no such site"):
            server.reload("nothing.test")
        assert server.stats()["sites"] == 2
    with pytest.raises(Error, match="not the name of a host"):
        zeroserve.Server(sites={"a b": one})
    with pytest.raises(Error, match="no site"):
        zeroserve.Server()


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("example.org.tar", "example.org"),
        ("WWW.Example.org.TAR", None),
        ("WWW.Example.org.tar", "www.example.org"),
        ("localhost.tar", "localhost"),
        ("127.0.0.1.tar", "127.0.0.1"),
        ("site.tar", None),
        ("site.v2.tar.gz", None),
        ("-a.org.tar", None),
        ("a..org.tar", None),
        (".tar", None),
        ("a" * 64 + ".org.tar", None),
    ],
)
def test_names_of_archives(name: str, host: str | None) -> None:
    assert hosts.of_file(name) == host
