"""Proxies of path tables: upstreams, pools, credentials, TLS."""

import base64
import shutil
from pathlib import Path

import pytest
from support.configured import site
from support.server import command, running
from support.tls import Authority, secure
from support.upstream import Upstream, echo, reply
from support.wire import fetch

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed"
)


def test_a_path_goes_to_an_upstream(tmp_path: Path) -> None:
    with Upstream(echo) as upstream:
        toml = f"""
[error_pages]
4xx = "/errors/404.html"
[paths."/*"]
headers = {{ X-Where = "all" }}
[paths."/api/*"]
rewrite = "/v2/:splat"
proxy.to = "{upstream.url}/base"
proxy.headers = {{ Authorization = "Bearer ${{TOKEN}}", X-B = "b" }}
headers = {{ X-Where = "api" }}
cors = "data"
[paths."/raw/*"]
proxy = "{upstream.url}"
max_body = 4
methods = ["GET", "POST"]
"""
        folder = site(tmp_path, toml)
        with running(folder, "--threads", "1", env={"TOKEN": "s3cret"}) as server:
            answer = fetch(server.address, "/api/a%20b/c?x=1&y")
            call = upstream.last
            assert call.target == "/base/v2/a%20b/c?x=1&y"
            assert call.header("authorization") == "Bearer s3cret"
            assert call.header("x-b") == "b"
            assert answer.need("x-where") == "api"
            assert answer.need("access-control-allow-origin") == "*"
            fetch(server.address, "/raw/x%2Fy?z", method="POST", body=b"1234")
            assert upstream.last.target == "/raw/x%2Fy?z"
            before = len(upstream.calls)
            assert fetch(server.address, "/raw/x", method="POST", body=b"12345").status == 413
            assert fetch(server.address, "/raw/x", method="DELETE").status == 405
            assert len(upstream.calls) == before
            assert "s3cret" not in server.stderr


def test_an_answer_of_an_upstream_stays(tmp_path: Path) -> None:
    with Upstream(reply(b'{"error": 1}', 404, {"Content-Type": "application/json"})) as upstream:
        toml = '[error_pages]\n404 = "/errors/404.html"\n5xx = "/errors/5xx.html"\n'
        toml += f'[paths."/api/*"]\nproxy = "{upstream.url}"\n'
        toml += '[paths."/dead/*"]\nproxy = "http://127.0.0.1:1"\n'
        toml += '[paths."/other/*"]\nheaders = { X-Where = "other" }\n'
        folder = site(tmp_path, toml)
        (folder / "_redirects").write_text(f"/other/* {upstream.url}/v2/:splat 200\n")
        with running(folder, "--threads", "1") as server:
            for path in ("/api/x", "/other/x"):
                answer = fetch(server.address, path)
                assert (answer.status, answer.body) == (404, b'{"error": 1}')
            assert answer.need("x-where") == "other"
            assert upstream.last.target == "/v2/x"
            assert fetch(server.address, "/none").body == b"not found page"
            dead = fetch(server.address, "/dead/x")
            assert (dead.status, dead.body) == (502, b"sorry page")


def test_an_upstream_says_itself_how_long_it_is_kept(tmp_path: Path) -> None:
    private = reply(b"mine", 200, {"Cache-Control": "private, no-cache"})
    with Upstream(private) as upstream:
        toml = '[paths."/*"]\ncache = 3600\n[paths."/never/*"]\ncache = "no-store"\n'
        toml += f'[paths."/api/*"]\nproxy = "{upstream.url}"\n'
        toml += f'[paths."/never/api/*"]\nproxy = "{upstream.url}"\n'
        with running(site(tmp_path, toml), "--threads", "1") as server:
            assert fetch(server.address, "/api/x").need("cache-control") == "private, no-cache"
            assert fetch(server.address, "/never/api/x").need("cache-control") == "no-store"
            assert fetch(server.address, "/").need("cache-control") == "public, max-age=3600"


def test_a_credential_that_is_not_there(tmp_path: Path) -> None:
    with Upstream(echo) as upstream:
        toml = f'[paths."/*".proxy]\nto = "{upstream.url}"\nheaders.A = "${{NOPE_X}}"\n'
        with running(site(tmp_path, toml), "--threads", "1") as server:
            assert fetch(server.address, "/x").status == 500
            assert upstream.calls == []


def test_passwords_over_sockets(tmp_path: Path) -> None:
    made = command("hash-password", timeout_s=60).returncode  # no password: an error, not a hang
    assert made == 1
    from zeroserve import _core

    hash = _core.hash_password("p\u00e4ss")
    folder = site(tmp_path, f'[paths."/admin"]\nbasic_auth = {{ users = {{ ada = "{hash}" }} }}\n')
    given = base64.b64encode("ada:p\u00e4ss".encode()).decode()
    with running(folder, "--threads", "1") as server:
        assert fetch(server.address, "/admin/").status == 401
        assert fetch(server.address, "/admin.html").status == 401
        for _ in range(30):
            answer = fetch(server.address, "/admin/", headers={"Authorization": f"Basic {given}"})
            assert answer.status == 200


@needs_openssl
def test_tls_to_upstreams_of_a_pool(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    own, client = authority.issue("inner.test"), authority.issue("edge", usage="clientAuth")
    inner = site(tmp_path / "inner", "", {"index.html": "inner"})
    outer = site(tmp_path / "outer", '[paths."/*"]\nproxy = "pool:inner"\n')
    with secure(inner, *own.options, "--client-ca", authority.certificate) as upstream:
        port = upstream.address[1]
        pool = f'[pools.inner]\nupstreams = ["https://127.0.0.1:{port}"]\nhost = "upstream"\n'
        tls = (
            '[pools.inner.tls]\nca = "ca/ca.pem"\nserver_name = "inner.test"\n'
            f'client_cert = "{client.chain}"\nclient_key = "{client.key}"\n'
        )
        config = tmp_path / "own.toml"
        for text, status in (
            (pool, 502),  # an unknown issuer
            (pool + tls, 200),
            (pool + tls.replace("inner.test", "other.test"), 502),
            (pool + '[pools.inner.tls]\nca = "ca/ca.pem"\nserver_name = "inner.test"\n', 502),
            (pool + tls.replace('ca = "ca/ca.pem"', "verify = false"), 200),
        ):
            config.write_text(text)
            with running(outer, "--config", config, "--threads", "1") as server:
                assert fetch(server.address, "/").status == status, text
    config.write_text(pool + tls.replace("ca/ca.pem", "ca/none.pem"))
    done = command(outer, "--config", config, "--addr", "127.0.0.1:0")
    assert (done.returncode, "none.pem" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('upstreams = ["http://a"]\n[pools.p.tls]\nverify = false\n', "no upstream is encrypted"),
        ('upstreams = ["https://a"]\n[pools.p.tls]\nclient_key = "x"\n', "a key without a certi"),
        (
            'upstreams = ["https://a"]\n[pools.p.tls]\nca_file = "x"\n',
            "known keys: ca, client_cert",
        ),
    ],
)
def test_tls_that_makes_no_sense(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "own.toml"
    config.write_text("[pools.p]\n" + text)
    done = command(site(tmp_path, ""), "--config", config, "--addr", "127.0.0.1:0")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_a_site_names_no_files_of_the_server(tmp_path: Path) -> None:
    toml = '[pools.p]\nupstreams = ["https://a"]\n[pools.p.tls]\nca = "/etc/passwd"\n'
    done = command("check", site(tmp_path, toml))
    assert (done.returncode, "only in --config FILE" in done.stdout) == (2, True)
