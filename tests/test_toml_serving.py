"""zeroserve.toml over real sockets: directories, archives, --config."""

import signal
import tarfile
import time
from pathlib import Path

import pytest
from support.configured import site
from support.server import command, running
from support.wire import fetch
from zeroserve.pack import pack
from zeroserve.testing import Client

GUARD = '[paths."/admin"]\ndeny = ["0.0.0.0/0", "::/0"]\n'


def test_a_change_is_served(tmp_path: Path) -> None:
    folder = site(tmp_path, GUARD)
    with running(folder, "--threads", "1") as server:
        assert fetch(server.address, "/admin/").status == 403
        (folder / ".zeroserve" / "zeroserve.toml").write_text(
            '[paths."/admin/*"]\ncache = "no-store"\n'
        )
        server.wait_line("reloaded")
        answer = fetch(server.address, "/admin/")
        assert (answer.status, answer.need("cache-control")) == (200, "no-store")
        (folder / ".zeroserve" / "zeroserve.toml").write_text('[paths."/admin"]\ncach = 3\n')
        server.wait_line("reload refused.*unknown key")
        assert fetch(server.address, "/admin/").status == 200


def test_an_archive(tmp_path: Path) -> None:
    folder, archive = site(tmp_path, GUARD), tmp_path / "site.tar"
    pack(folder, archive)
    assert Client(archive).get("/admin/").status == 403
    assert command("check", archive).returncode == 0
    with running(archive, "--threads", "1") as server:
        assert fetch(server.address, "/Admin.html").status == 403
        assert fetch(server.address, "/").status == 200


def test_an_archive_whose_guards_are_not_compiled_is_refused(tmp_path: Path) -> None:
    folder, archive = site(tmp_path, GUARD), tmp_path / "site.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, ".")
    done = command(archive, "--addr", "127.0.0.1:0")
    assert done.returncode == 1
    assert "rules that were not compiled" in done.stderr
    assert "zeroserve pack" in done.stderr


def test_a_file_with_pools_alone_needs_no_script(tmp_path: Path) -> None:
    folder = site(tmp_path, '[pools.a]\nupstreams = ["http://127.0.0.1:1"]\n')
    (folder / ".zeroserve" / "scripts").mkdir()
    script = folder / ".zeroserve" / "scripts" / "50-rules.py"
    script.write_text(
        "from zeroserve.script import Request, Response, on_request\n\n\n@on_request\n"
        'def a(req: Request) -> Response | None:\n    return Response(200, "own")\n'
    )
    assert Client(folder).get("/").body == b"own"


def test_clients_behind_a_proxy(tmp_path: Path) -> None:
    toml = '[paths."/*"]\nallow = ["192.0.2.0/24"]\n'
    with running(site(tmp_path, toml), "--trusted-proxy", "127.0.0.1", "--threads", "1") as server:
        for said, status in (
            ("192.0.2.7", 200),
            ("203.0.113.9", 403),
            ("192.0.2.7, 203.0.113.9", 403),
        ):
            answer = fetch(server.address, "/", headers={"X-Forwarded-For": said})
            assert answer.status == status, said
    with running(site(tmp_path / "b", toml), "--threads", "1") as server:
        answer = fetch(server.address, "/", headers={"X-Forwarded-For": "192.0.2.7"})
        assert answer.status == 403


def test_a_unix_socket_is_nobody(tmp_path: Path) -> None:
    folder = site(tmp_path, '[paths."/admin"]\ndeny = ["203.0.113.0/24"]\n')
    with running(folder, "--addr", f"unix:{tmp_path}/s", "--threads", "1") as server:
        assert fetch(server.address, "/admin/").status == 403
        assert fetch(server.address, "/").status == 200


PROCESS = """
[server]
addr = "127.0.0.1:0"
threads = 1
access_log = "log"

[limits]
keep_generations = 0

[sites]
"a.example" = "a/site"
"*" = "b/site"

[paths."/admin"]
deny = ["0.0.0.0/0", "::/0"]

[paths."/*"]
headers = { X-From = "process" }
"""


def test_the_process(tmp_path: Path) -> None:
    site(tmp_path / "a", '[paths."/*"]\nheaders = { X-From = "site", X-Site = "a" }\n')
    site(tmp_path / "b", "", {"index.html": "b"})
    config = tmp_path / "own.toml"
    config.write_text(PROCESS)
    with running("--config", config) as server:
        first = fetch(server.address, "/", headers={"Host": "a.example"})
        assert (first.body, first.need("x-from"), first.need("x-site")) == (
            b"home",
            "site",
            "a",
        )
        other = fetch(server.address, "/", headers={"Host": "b.example"})
        assert (other.body, other.need("x-from")) == (b"b", "process")
        for host in ("a.example", "b.example"):
            assert fetch(server.address, "/admin.html", headers={"Host": host}).status == 403
        config.write_text('[paths."/*"]\nredirect = "https://example.org/:splat"\n')
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while fetch(server.address, "/x").status != 302 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert fetch(server.address, "/x").need("location") == "https://example.org/x"
        server.wait_line(r"own.toml: \[server\], \[limits\] and \[sites\] take a start")
        config.write_text('[paths."/*"]\nredirect = "nowhere"\n')
        server.process.send_signal(signal.SIGHUP)
        server.wait_line("own.toml:2: .*not a path or a URL")
        assert fetch(server.address, "/x").status == 302
    assert (tmp_path / "log").exists()


def test_options_count_more_than_the_file(tmp_path: Path) -> None:
    site(tmp_path, "")
    config = tmp_path / "own.toml"
    config.write_text('[server]\naddr = "127.0.0.1:1"\nindex = "about.html"\n')
    with running(tmp_path / "site", "--config", config, "--addr", "127.0.0.1:0") as server:
        assert fetch(server.address, "/").body == b"about"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nthread = 3\n", "own.toml:2: server.thread: unknown key"),
        ("[server]\nthreads = 0\n", "own.toml:2: server.threads: outside of 1 to 1024"),
        ('[server]\nthreads = "x"\n', "own.toml:2: server.threads: not a number"),
        ("[server]\naddr = 'x'\n", "own.toml:2: server.addr: address without a port"),
        ("[server]\nredirect_https = 1\n", "own.toml:2: server.redirect_https: not true or false"),
        ("spa = true\n", "own.toml:1: spa: only in a site's own .zeroserve/zeroserve.toml"),
        ('[sites]\n"a b" = "x"\n', "own.toml:2: sites.a b: not the name of a host"),
        ("[limits]\nidle_timeout_s = -1\n", "own.toml:2: limits.idle_timeout_s: outside of"),
    ],
)
def test_what_a_process_refuses(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "own.toml"
    config.write_text(text)
    done = command(site(tmp_path, ""), "--config", config)
    assert done.returncode == 1
    assert said in done.stderr
    checked = command("check", config)
    assert (checked.returncode, said in checked.stdout) == (2, True)
    assert checked.stdout.endswith("1 error, 0 warnings\n")


def test_check_of_a_good_file_of_a_process(tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text(PROCESS)
    done = command("check", config)
    assert (done.returncode, done.stdout) == (0, "0 errors, 0 warnings\n")
    missing = command("check", tmp_path / "none.toml")
    assert (missing.returncode, "can't read" in missing.stderr) == (1, True)


def test_a_site_has_no_say_in_the_process(tmp_path: Path) -> None:
    done = command(site(tmp_path, "[server]\nthreads = 1\n"), "--addr", "127.0.0.1:0")
    assert done.returncode == 1
    assert "server: only in --config FILE" in done.stderr


NOTED = """
spa = "/app.html"

[error_pages]
404 = "/nowhere.html"

[maintenance]
page = "/closed.html"

[paths."/private/*"]
basic_auth = { users = { ada = "${ADA}" } }
deny = ["10.0.0.0/8"]
allow = ["10.1.0.0/16", "192.0.2.0/24"]

[paths."/open/*"]
rewrite = "/private/:splat"

[paths."/api/*"]
proxy = "pool:nowhere"

[paths."/a"]
redirect = "/b"

[paths."/b"]
redirect = "/docs/"
"""


def test_check_has_notes(tmp_path: Path) -> None:
    folder = site(tmp_path, NOTED)
    done = command("check", folder)
    assert done.returncode == 0
    said = [line.partition("zeroserve.toml': ")[2] for line in done.stdout.splitlines()[:-1]]
    assert said == [
        "line 5: error_pages.404: no such file in the site: /nowhere.html",
        "line 2: spa: no such file in the site: /app.html",
        "line 8: maintenance.page: no such file in the site: /closed.html",
        "line 13: paths./private/*.allow: denied all the same: 10.1.0.0/16",
        "line 16: paths./open/*.rewrite: leads behind the guard of /private/*, which is not asked",
        "line 19: paths./api/*.proxy: no [pools.nowhere] here: the process has to have it",
        "line 22: paths./a.redirect: sends clients on to /b, from where /b sends them on again",
    ]
    archive = tmp_path / "site.tar"
    pack(folder, archive)
    assert "nowhere.html" in command("check", archive).stdout


def test_check_sees_rules_that_go_around_guards(tmp_path: Path) -> None:
    folder = site(tmp_path, '[paths."/admin"]\ndeny = "10.0.0.0/8"\n')
    (folder / "_redirects").write_text("/x /admin/secret.txt 200\n/admin/y /admin/ 200\n")
    said = command("check", folder).stdout
    assert "line 1: leads behind the guard of /admin, which is not asked" in said
    assert said.count("behind the guard") == 1


def test_check_of_a_site_that_is_as_it_should_be(tmp_path: Path) -> None:
    toml = 'spa = true\nclean_urls = true\n[error_pages]\n404 = "/errors/404.html"\n'
    folder = site(tmp_path, toml + '[paths."/x"]\nredirect = "/docs/?a"\n')
    assert command("check", folder).stdout == "0 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("pattern", "target", "loops"),
    [
        ("/old/*", "/old/:splat", True),
        ("/*", "/en/:splat", True),
        ("/*", "https://example.org/:splat", False),
        ("/old/*", "/new/:splat", False),
        ("/x", "/x?a=b", True),
        ("/x", "/x/", False),
        ("/:a/b", "/:a/c", False),
        ("/:a/b", "/c:a/b", True),
        ("/docs/*", "/docs", True),
    ],
)
def test_loops_are_refused(tmp_path: Path, pattern: str, target: str, loops: bool) -> None:
    folder = site(tmp_path, f'[paths."{pattern}"]\nredirect = "{target}"\n')
    assert ("again and again" in command("check", folder).stdout) is loops
