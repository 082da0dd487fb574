"""What else belongs to HTTPS: redirects, HSTS, what scripts and the log see, dev-cert."""

import json
import re
import shutil
import ssl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeroserve
from support import sites
from support.server import Server, command, running, wait_until
from support.sites import HELLO
from support.tls import (
    NAME,
    Authority,
    Pair,
    Secure,
    address_of,
    blind,
    fetch_secure,
    leaf_for,
    openssl,
    openssl_run,
    secure,
)
from support.wire import Connection, Response, fetch, request
from zeroserve import _core, clang

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

HSTS = "max-age=31536000"
CHALLENGE = b"token.thumbprint"
FILES = {
    "hello.txt": HELLO,
    "docs/index.html": b"<p>docs</p>",
    ".well-known/acme-challenge/to-ken_1": CHALLENGE,
    ".well-known/security.txt": b"Contact: mailto:a@example.test\n",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue(NAME)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.python_tar(tmp_path_factory.mktemp("options") / "site.tar", FILES)


# --- redirects ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redirecting(site: Path, pair: Pair) -> Iterator[Server]:
    options = [*pair.options, "--redirect-https", "--hsts"]
    with secure(site, *options, addr="127.0.0.1:0") as server:
        yield server


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("a.test", "a.test"),
        ("a.test:8080", "a.test"),
        ("A.Test:80", "A.Test"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:db8::1]:8080", "[2001:db8::1]"),
        ("a.test:", "a.test"),
    ],
)
def test_redirect_keeps_the_host(redirecting: Server, host: str, shown: str) -> None:
    plain = address_of(redirecting, "http")
    port = address_of(redirecting)[1]
    response = fetch(plain, "/x/y?a=b&c=%20", {"Host": host})
    assert response.status == 308
    assert response.need("location") == f"https://{shown}:{port}/x/y?a=b&c=%20"
    assert response.header("strict-transport-security") is None


@pytest.mark.parametrize("target", ["/", "/?", "/a?b?c", "//other.test/x", "/%0d%0aX:%20y", "/a//b",
                                    "/../x", "/.well-known/security.txt"])  # fmt: skip
def test_redirect_keeps_the_target(redirecting: Server, target: str) -> None:
    plain = address_of(redirecting, "http")
    response = fetch(plain, target, {"Host": NAME})
    assert response.status == 308
    assert response.need("location") == f"https://{NAME}:{address_of(redirecting)[1]}{target}"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PURGE", "OPTIONS"])
def test_redirect_of_other_methods(redirecting: Server, method: str) -> None:
    plain = address_of(redirecting, "http")
    with Connection(plain) as connection:
        for _ in range(2):
            body = b"x" * 5000 if method in ("POST", "PUT") else b""
            connection.send(request("/x", {"Host": NAME}, method=method, body=body))
            response = connection.response(method)
            assert response.status == 308
            assert response.need("location").endswith("/x")


def test_redirect_of_a_whole_url(redirecting: Server) -> None:
    """Its host counts, as RFC 9112, section 3.2.2, has it."""
    response = fetch(address_of(redirecting, "http"), "http://b.test:81/x?y", {"Host": NAME})
    assert response.need("location") == f"https://b.test:{address_of(redirecting)[1]}/x?y"
    response = fetch(address_of(redirecting, "http"), "*", {"Host": NAME}, method="OPTIONS")
    assert response.need("location") == f"https://{NAME}:{address_of(redirecting)[1]}/"


@pytest.mark.parametrize("headers", [{}, {"Host": ""}, {"Host": ":80"}, {"Host": ":"}])
def test_redirect_without_a_host(redirecting: Server, headers: dict[str, str]) -> None:
    plain = address_of(redirecting, "http")
    version = "1.1" if headers else "1.0"
    with Connection(plain) as connection:
        connection.send(request("/", headers, version=version))
        response = connection.response()
        assert response.status == 400
        assert response.header("location") is None


@pytest.mark.parametrize("host", ["a b", "a/b", "user@a.test", "a.test\\x", "<a>", "a.test:x"])
def test_redirect_with_an_odd_host(redirecting: Server, host: str) -> None:
    response = fetch(address_of(redirecting, "http"), "/", {"Host": host})
    assert response.status == 400
    assert response.header("location") is None


def test_challenges_are_answered_in_the_clear(redirecting: Server) -> None:
    plain, path = address_of(redirecting, "http"), "/.well-known/acme-challenge/"
    assert fetch(plain, path + "to-ken_1", {"Host": NAME}).body == CHALLENGE
    assert fetch(plain, path + "other", {"Host": NAME}).status == 404
    # No way to other files without encryption.
    for way in ("../../hello.txt", "%2e%2e/%2e%2e/hello.txt", "x/../../../hello.txt", "a%2fb"):
        assert fetch(plain, path + way, {"Host": NAME}).status == 308


def test_redirect_to_the_usual_port(site: Path, pair: Pair, tmp_path: Path) -> None:
    """A Unix socket has no port: what stands before it is reached at 443."""
    options = [*pair.options, "--redirect-https", "--tls-addr", f"unix:{tmp_path}/tls.sock"]
    with running(site, *options, "--access-log", "off") as server:
        response = fetch(server.address, "/x", {"Host": "a.test:8080"})
        assert response.need("location") == "https://a.test/x"


def test_redirect_without_plain_listener(site: Path, pair: Pair) -> None:
    done = command(site, "--tls-addr", "127.0.0.1:0", *pair.options, "--redirect-https")
    assert done.returncode in (1, 2)
    assert "--addr" in done.stderr


# --- HSTS -----------------------------------------------------------------------------------------


def test_hsts_on_every_answer(site: Path, authority: Authority, pair: Pair) -> None:
    context = authority.trust()
    with secure(site, *pair.options, "--hsts", addr="127.0.0.1:0") as server:
        place = address_of(server)
        plain = address_of(server, "http")
        ok = fetch_secure(place, context)
        kinds: dict[int, Response] = {
            200: ok,
            301: fetch_secure(place, context, "/docs"),
            304: fetch_secure(place, context, headers={"If-None-Match": ok.need("etag")}),
            404: fetch_secure(place, context, "/nothing"),
            206: fetch_secure(place, context, headers={"Range": "bytes=0-1"}),
            416: fetch_secure(place, context, headers={"Range": "bytes=99-"}),
            405: fetch_secure(place, context, method="POST", body=b"x"),
            412: fetch_secure(place, context, headers={"If-Match": '"x"'}),
        }
        for status, response in kinds.items():
            assert response.status == status
            assert response.header("strict-transport-security") == HSTS, status
        with Secure(place, context) as connection:
            connection.send(b"nonsense\r\n\r\n")
            response = connection.response()
            assert response.status == 400
            assert response.header("strict-transport-security") == HSTS
        for target in ("/hello.txt", "/nothing", "/docs"):
            assert fetch(plain, target).header("strict-transport-security") is None
        with Connection(place) as unencrypted:
            unencrypted.send(request("/hello.txt"))
            assert unencrypted.response().header("strict-transport-security") is None


def test_plain_and_encrypted_side_by_side(site: Path, authority: Authority, pair: Pair) -> None:
    with secure(site, *pair.options, addr="127.0.0.1:0", threads=2) as server:
        for _ in range(5):
            assert fetch(address_of(server, "http"), "/hello.txt").body == HELLO
            assert fetch_secure(address_of(server), authority.trust()).body == HELLO


# --- scripts and the log --------------------------------------------------------------------------

SCRIPT = """
#include <zeroserve.h>

ZS_ENTRY zs_u64 show(void)
{
    char scheme[16];
    zs_s64 len = zs_req_scheme(scheme, sizeof scheme);
    if (len < 0 || len > (zs_s64)sizeof scheme)
        return 1;
    zs_meta_set(ZS_STR("zs.response.header.x-scheme"), scheme, len);
    zs_json_respond(200, zs_connection_info());
    return 0;
}
"""


JA4 = re.compile(r"t1[23][di]\d{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}")


@pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)
def test_what_scripts_see(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    script = tmp_path / "show.c"
    script.write_text(SCRIPT)
    with secure(script, *pair.options, addr="127.0.0.1:0") as server:

        def see(context: ssl.SSLContext, name: str | None = NAME) -> dict[str, Any]:
            response = fetch_secure(address_of(server), context, name=name)
            assert response.need("x-scheme") == "https"
            found = json.loads(response.body)
            assert isinstance(found, dict)
            return found

        info = see(authority.trust())
        assert info["tls"] is True
        assert info["tls_handshake_complete"] is True
        assert info["sni"]["outer"] == NAME
        assert info["alpn"] is None
        assert JA4.fullmatch(info["fingerprint"]["ja4"])
        assert info["fingerprint"]["ja4"].startswith("t13d")
        assert see(authority.trust()) == info
        old = see(authority.trust(version="1.2"))["fingerprint"]["ja4"]
        assert old.startswith("t12d")
        context = authority.trust()
        context.set_alpn_protocols(["http/1.1"])
        spoken = see(context)
        assert spoken["alpn"] == "http/1.1"
        assert spoken["fingerprint"]["ja4"][8:10] == "h1"
        nameless = see(blind(), None)
        assert nameless["sni"]["outer"] is None
        assert nameless["fingerprint"]["ja4"][3] == "i"
        response = fetch(address_of(server, "http"), "/")
        assert response.need("x-scheme") == "http"
        plain = json.loads(response.body)
        assert plain["tls"] is False
        assert plain["fingerprint"]["ja4"] is None


@pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)
def test_hsts_of_a_script(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """It counts, alone: browsers take the first of two, other readers neither."""
    script = tmp_path / "own.c"
    script.write_text(
        "#include <zeroserve.h>\n"
        "ZS_ENTRY zs_u64 own(void)\n{\n"
        "    if (zs_req_is_tls() == 1)\n"
        '        zs_meta_set(ZS_STR("zs.response.header.strict-transport-security"),\n'
        '                    ZS_STR("max-age=60"));\n'
        '    zs_respond(200, ZS_STR("x"));\n'
        "    return 0;\n}\n"
    )
    with (
        secure(script, *pair.options, "--hsts") as server,
        Secure(server.address, authority.trust()) as connection,
    ):
        connection.send(request("/") * 3)
        for _ in range(3):
            assert connection.response().header("strict-transport-security") == "max-age=60"


def test_protocols_that_both_sides_do_not_share(
    site: Path, authority: Authority, pair: Pair
) -> None:
    """RFC 7301, section 3.2: an alert, rather than a protocol that was not offered."""
    with secure(site, *pair.options) as server:
        context = authority.trust()
        context.set_alpn_protocols(["spdy/3"])
        with pytest.raises(ssl.SSLError, match=r"(?i)no_application_protocol|application protocol"):
            fetch_secure(server.address, context)
        context.set_alpn_protocols(["spdy/3", "http/1.1"])
        assert fetch_secure(server.address, context).body == HELLO


def test_access_log(site: Path, authority: Authority, pair: Pair, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with secure(site, *pair.options, "--access-log", log, addr="127.0.0.1:0") as server:
        for version in ("1.3", "1.2", "1.3"):
            fetch_secure(address_of(server), authority.trust(version=version))
        fetch_secure(address_of(server), blind(), name=None)
        with Secure(address_of(server), blind()) as connection:
            connection.send(b"nonsense\r\n\r\n")
            connection.response()
        fetch(address_of(server, "http"), "/hello.txt")
        with Connection(address_of(server)) as unencrypted:
            unencrypted.send(request("/hello.txt"))
            unencrypted.response()
        wait_until(lambda: len(log.read_text().splitlines()) >= 6, 10, "six lines")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 6
    encrypted, nameless, odd, plain = lines[:3], *lines[3:]
    assert [line["tls"] for line in encrypted] == ["1.3", "1.2", "1.3"]
    assert {line["sni"] for line in encrypted} == {NAME}
    assert all(JA4.fullmatch(line["ja4"]) for line in (*encrypted, nameless))
    assert encrypted[0]["ja4"] == encrypted[2]["ja4"] != encrypted[1]["ja4"]
    assert "sni" not in nameless
    assert odd["status"] == 400
    assert odd["tls"] == "1.3"
    assert not {"tls", "sni", "ja4"} & set(plain)


# --- from Python ----------------------------------------------------------------------------------


def test_library(site: Path, authority: Authority, tmp_path: Path) -> None:
    live = authority.issue(NAME).copy_to(tmp_path / "live", "a")
    said: list[tuple[str, str]] = []
    server = zeroserve.Server(
        site,
        addr=(),
        tls_addr="127.0.0.1:0",
        certs=[(live.chain, live.key)],
        threads=1,
        watch=False,
        report=lambda severity, line: said.append((severity, line)),
    )
    with server:
        assert server.url.startswith("https://127.0.0.1:")
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        assert fetch_secure(address, authority.trust()).body == HELLO
        fresh = authority.issue(NAME)
        live.chain.write_bytes(fresh.chain.read_bytes())
        assert not server.try_reload_certificates()
        live.key.write_bytes(fresh.key.read_bytes())
        assert server.try_reload_certificates()
        assert leaf_for(address, NAME) == fresh.leaf
    assert [severity for severity, _ in said] == ["error", "info"]
    assert not [thread for thread in threading.enumerate() if thread.name == "zeroserve-certs"]


# --- dev-cert -------------------------------------------------------------------------------------


def dev_cert(home: Path, *arguments: str | Path) -> dict[str, str]:
    """What the command printed: file by kind."""
    done = command("dev-cert", *arguments, env={"XDG_DATA_HOME": str(home)})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(re.findall(r"^(certificate|key|authority|names) +(.*)$", done.stdout, re.MULTILINE))


def test_dev_cert(tmp_path: Path) -> None:
    made = dev_cert(tmp_path)
    place = tmp_path / "zeroserve" / "dev-cert"
    assert made["certificate"] == str(place / "localhost.pem")
    assert made["authority"] == f"{place / 'authority.pem'}  (new)"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()}
    assert modes == {
        "localhost.pem": 0o644,
        "localhost.key": 0o600,
        "authority.pem": 0o644,
        "authority.key": 0o600,
    }
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    again = dev_cert(tmp_path)
    assert again["authority"] == str(place / "authority.pem")
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    dev_cert(tmp_path, "--renew")
    assert all(path.read_bytes() != before[path.name] for path in place.iterdir())


def test_dev_cert_of_other_names(tmp_path: Path) -> None:
    """They leave that of the usual names alone."""
    usual = Path(dev_cert(tmp_path)["certificate"])
    before = usual.read_bytes()
    for names in (["app.test", "*.app.test", "10.0.0.7"], ["*.x.internal"], ["localhost"], ["::1"]):
        made = dev_cert(tmp_path, *names)
        shown = openssl("x509", "-in", made["certificate"], "-noout", "-ext", "subjectAltName")
        for name in names:
            assert name.replace("::1", "0:0:0:0:0:0:0:1") in shown
        checked = openssl("verify", "-CAfile", made["authority"], made["certificate"])
        assert checked.endswith("OK\n")
    assert usual.read_bytes() == before


@pytest.mark.parametrize("name", ["example.org", "8.8.8.8", "a b.test", "", "../x.test", "test.",
                                  "a\n.test", "*", "*.*.test", "2001:db8::1"])  # fmt: skip
def test_dev_cert_refuses_names_of_others(tmp_path: Path, name: str) -> None:
    done = command("dev-cert", "app.test", name, env={"XDG_DATA_HOME": str(tmp_path)})
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) <= 2
    assert not list(tmp_path.rglob("*.key"))


def test_dev_cert_in_a_directory_of_choice(tmp_path: Path) -> None:
    made = dev_cert(tmp_path / "home", "--dir", tmp_path / "here" / "deep")
    assert made["key"] == str(tmp_path / "here" / "deep" / "localhost.key")
    assert not (tmp_path / "home").exists()


def test_dev_cert_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("dev-cert", "--dir", tmp_path / "file" / "x")
    assert done.returncode == 1
    assert str(tmp_path / "file" / "x") in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize("broken", ["authority.key", "authority.pem", "localhost.key",
                                    "localhost.pem"])  # fmt: skip
@pytest.mark.parametrize("how", ["gone", "garbage", "other"])
def test_dev_cert_mends_what_is_broken(tmp_path: Path, broken: str, how: str) -> None:
    """Also one that was cut short, or whose key is not its own."""
    place = tmp_path / "certs"
    dev_cert(tmp_path, "--dir", place)
    if how == "gone":
        (place / broken).unlink()
    elif how == "garbage":
        (place / broken).write_text("garbage")
    else:
        dev_cert(tmp_path, "--dir", tmp_path / "others")
        shutil.copy(tmp_path / "others" / broken, place / broken)
    dev_cert(tmp_path, "--dir", place)
    assert "OK" in openssl("verify", "-CAfile", place / "authority.pem", place / "localhost.pem")
    shown = openssl("x509", "-in", place / "localhost.pem", "-noout", "-pubkey")
    assert shown == openssl("pkey", "-in", place / "localhost.key", "-pubout")


def test_two_at_a_time(tmp_path: Path) -> None:
    threads = [threading.Thread(target=dev_cert, args=(tmp_path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place = tmp_path / "zeroserve" / "dev-cert"
    assert "OK" in openssl("verify", "-CAfile", place / "authority.pem", place / "localhost.pem")
    assert len(list(place.iterdir())) == 4


def test_names_of_others_can_not_be_forged(tmp_path: Path) -> None:
    """Who gets hold of the authority's key can't be anybody on the internet."""
    certificate, key = _core.dev_authority("here")
    (tmp_path / "ca.pem").write_text(certificate)
    (tmp_path / "ca.key").write_text(key)

    def forged(alternative: str, usage: str = "serverAuth") -> str:
        made = tmp_path / "forged.pem"
        (tmp_path / "ext").write_text(f"subjectAltName={alternative}\nextendedKeyUsage={usage}\n")
        openssl("req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-subj", "/O=x", "-keyout", tmp_path / "f.key",
                "-out", tmp_path / "f.csr")  # fmt: skip
        openssl("x509", "-req", "-in", tmp_path / "f.csr", "-CA", tmp_path / "ca.pem", "-CAkey",
                tmp_path / "ca.key", "-CAcreateserial", "-days", "9", "-extfile",
                tmp_path / "ext", "-out", made)  # fmt: skip
        purpose = "sslserver" if usage == "serverAuth" else "smimesign"
        done = openssl_run("verify", "-purpose", purpose, "-CAfile", tmp_path / "ca.pem", made)
        return done.stdout + done.stderr

    for good in ("DNS:localhost", "DNS:x.localhost", "DNS:a.b.test", "IP:127.0.0.1", "IP:10.1.2.3",
                 "IP:::1", "IP:fd00::1"):  # fmt: skip
        assert forged(good).endswith(": OK\n"), good
    for bad in ("DNS:example.org", "DNS:xtest", "DNS:test.example.org", "IP:8.8.8.8",
                "IP:2001:db8::1", "DNS:localhost,DNS:example.org"):  # fmt: skip
        assert "permitted subtree violation" in forged(bad), bad
    assert "OK" not in forged("email:a@example.org", "emailProtection").splitlines()[-1]


def test_https(site: Path, tmp_path: Path) -> None:
    """On a machine without certificates they are made; the next time they are used again."""
    env = {"XDG_DATA_HOME": str(tmp_path)}
    authority = tmp_path / "zeroserve" / "dev-cert" / "authority.pem"
    leaves = []
    for turn in range(2):
        options = ["--https", "--tls-addr", "127.0.0.1:0", "--access-log", "off"]
        with running(site, *options, addr=None, env=env) as server:
            assert ("authority for this machine" in server.stderr) == (turn == 0)
            context = ssl.create_default_context(cafile=str(authority))
            for name in ("localhost", "127.0.0.1"):
                response = fetch_secure(address_of(server), context, name=name)
                assert response.body == HELLO
            leaves.append(leaf_for(address_of(server), "localhost"))
    assert leaves[0] == leaves[1]


def test_https_where_nothing_can_be_written(site: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command(site, "--https", env={"XDG_DATA_HOME": str(tmp_path / "file")})
    assert done.returncode == 1
    assert "--cert" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_https_with_a_certificate(site: Path, pair: Pair, tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path)}
    options = ["--https", "--tls-addr", "127.0.0.1:0", *pair.options]
    with running(site, *options, addr=None, env=env) as server:
        assert leaf_for(address_of(server), NAME) == pair.leaf
    assert list(tmp_path.iterdir()) == []
