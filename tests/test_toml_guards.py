"""Who may ask, how often, and with what: guards of zeroserve.toml, and all ways around them."""

import base64
import importlib.util
import random
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.configured import Both, script, site
from support.server import executable
from zeroserve import _core
from zeroserve.config import paths, values
from zeroserve.script import Request, clock
from zeroserve.script.limiter import counting

ADMIN = (
    "/admin",
    "/admin/",
    "/admin/index.html",
    "/admin.html",
    "/admin.html.br",
    "/admin.br",
    "/admin/index.html.gz",
    "/admin/secret.txt",
    "/admin/none/x",
    "//admin",
    "/./admin/",
    "/x/../admin/secret.txt",
    "/x/%2e%2e/admin/secret.txt",
    "/%61dmin",
    "/admin%2fsecret.txt",
    "/admin/%2e/secret.txt",
    "/ADMIN",
    "/Admin/Secret.txt",
    "/admin.HTML",
    "/admin//",
    "/admin?x=/about",
)
"""All are `/admin`, or below it."""

NAMELESS = ("/%zz", "/x/%zz/../admin/", "/..", "/../admin", "/%2e%2e/admin", "/a%00", "/admin%")
"""Nobody can tell what they are."""

OTHERS = ("/", "/about.html", "/administrator", "/x/admin", "/admin-x", "/docs/?/admin", "/adminx/")


@pytest.mark.parametrize("pattern", ["/admin", "/admin/*", "/admin/", "/admin.html", "/Admin"])
def test_guards_hold_for_all_spellings(tmp_path: Path, pattern: str) -> None:
    ask = Both(site(tmp_path, f'[paths."{pattern}"]\ndeny = ["0.0.0.0/0", "::/0"]\n'))
    for path in ADMIN:
        assert ask(path).status == 403, path
    for path in NAMELESS:
        assert ask(path).status == 400, path
    for path in OTHERS:
        assert ask(path).status not in (400, 403), path


@pytest.mark.parametrize("pattern", ["/admin*", "/*/index.html", "/:a/:b", "/:dir/index.html"])
def test_patterns_hold_for_all_spellings(tmp_path: Path, pattern: str) -> None:
    ask = Both(site(tmp_path, f'[paths."{pattern}"]\ndeny = ["0.0.0.0/0", "::/0"]\n'))
    for path in ("/admin/", "/admin/index.html", "/ADMIN/index.html.br", "/x/../admin/index.html"):
        assert ask(path).status == 403, path
    assert ask("/").status == 200


def test_guards_of_the_root_hold_for_everything(tmp_path: Path) -> None:
    for number, pattern in enumerate(("/", "/*", "/index.html")):
        toml = f'[paths."{pattern}"]\ndeny = ["127.0.0.0/8", "::/0"]\n'
        ask = Both(site(tmp_path / str(number), toml))
        for path in ("/", "/index.html", "/docs/", "/none"):
            assert ask(path).status == 403, (pattern, path)


def test_a_directory_that_is_called_like_a_page(tmp_path: Path) -> None:
    for number, name in enumerate(("index", "a.html", "b.br")):
        toml = f'[paths."/{name}/*"]\ndeny = ["127.0.0.0/8", "::/0"]\n'
        ask = Both(site(tmp_path / str(number), toml, {f"{name}/x": "x"}))
        for path in (f"/{name}/x", f"/{name}/", f"/{name}", f"/{name.upper()}/x"):
            assert ask(path).status == 403, path
        assert ask("/").status == 200
        assert ask("/docs/").status == 200


@given(path=st.text("/.%2eEadminADMIN\\;#ht\u0130\u017f", max_size=16).map("/".__add__))
def test_what_a_guard_lets_through_is_no_file_behind_it(path: str) -> None:
    """Whatever is asked for: what the server would send is behind the guard."""
    from zeroserve.script.target import resolve

    try:
        found = resolve(path)
    except ValueError:
        return
    names = [found, found.rstrip("/") + "/index.html", found + ".html", found + ".br"]
    behind = any(name == "/admin.html" or name.startswith("/admin/") for name in names)
    key = paths.plain(found)
    if behind:
        assert key == "/admin" or key.startswith("/admin/")


def module(toml: str) -> ModuleType:
    """The script as a module, for requests from anywhere."""
    spec = importlib.util.spec_from_loader("rules", loader=None)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    exec(compile(script(toml), "rules.py", "exec"), vars(made))
    return made


def status(rules: ModuleType, **given: Any) -> int:
    """What the guards answer; 200 when they let it through."""
    hook = rules.guards
    answer = hook(Request(**given))
    return 200 if answer is None else int(answer.status)


def test_allow_and_deny() -> None:
    rules = module(
        """
[paths."/*"]
deny = ["203.0.113.0/24", "2001:db8:bad::/48"]
[paths."/admin/*"]
allow = ["192.0.2.0/24", "2001:db8::/32", "203.0.113.7"]
deny = "192.0.2.66"
"""
    )
    expected = {
        "192.0.2.1": (200, 200),
        "192.0.2.66": (200, 403),
        "198.51.100.1": (200, 403),
        "203.0.113.7": (403, 403),  # what a wide pattern denies, no narrow one allows
        "2001:db8::1": (200, 200),
        "2001:db8:bad::1": (403, 403),
        "::ffff:192.0.2.1": (200, 200),
        "::ffff:203.0.113.9": (403, 403),
        "": (403, 403),  # a Unix socket: it can't be decided
    }
    for ip, wanted in expected.items():
        assert (
            status(rules, path="/", client_ip=ip),
            status(rules, path="/admin/x", client_ip=ip),
        ) == wanted, ip


def test_many_networks(tmp_path: Path) -> None:
    numbers = random.Random(1).sample(range(256), 150)
    nets = ", ".join(f'"10.{number}.0.0/17"' for number in numbers)
    rules = module(f'[paths."/*"]\nallow = [{nets}]\n')
    for number in range(256):
        wanted = 200 if number in numbers else 403
        assert status(rules, path="/", client_ip=f"10.{number}.1.1") == wanted
        assert status(rules, path="/", client_ip=f"10.{number}.128.1") == 403
    rules = module(f'[paths."/*"]\nallow = [{nets}, "2001:db8::/32", "192.0.2.7"]\n')
    others = {"2001:db8::1": 200, "2001:db9::1": 403, "192.0.2.7": 200, "192.0.2.8": 403}
    for ip, expected in others.items():
        assert status(rules, path="/", client_ip=ip) == expected, ip
    ask = Both(site(tmp_path / "a", f'[paths."/docs/*"]\nallow = [{nets}]\n'))
    assert (ask("/").status, ask("/docs/").status) == (200, 403)
    ask = Both(site(tmp_path / "b", f'[paths."/docs/*"]\nallow = [{nets}, "127.0.0.0/8"]\n'))
    assert ask("/docs/").status == 200
    ask = Both(site(tmp_path / "c", f"[maintenance]\nallow = [{nets}]\n"))
    assert ask("/docs/").status == 503


def test_rate_limit() -> None:
    rules = module(
        """
[paths."/*"]
rate_limit = { per_minute = 5 }
[paths."/api/*"]
rate_limit = { per_minute = 2, by = "header X-Key" }
"""
    )
    with clock.fixed() as now, counting():
        ask = [
            status(rules, path="/api/x", client_ip="192.0.2.1", headers={"X-Key": "a"})
            for _ in "123"
        ]
        assert ask == [200, 200, 429]
        assert status(rules, path="/api/x", client_ip="192.0.2.1", headers={"X-Key": "b"}) == 200
        assert status(rules, path="/", client_ip="192.0.2.1") == 200
        assert status(rules, path="/", client_ip="192.0.2.1") == 200
        assert status(rules, path="/", client_ip="192.0.2.1") == 429  # all of them count there
        assert status(rules, path="/", client_ip="192.0.2.2") == 200
        for last in range(5):
            assert status(rules, path="/", client_ip=f"2001:db8::{last}") == 200
        assert status(rules, path="/", client_ip="2001:db8::9") == 429
        assert status(rules, path="/", client_ip="2001:db8:0:1::9") == 200
        now.advance(60)
        assert status(rules, path="/", client_ip="192.0.2.1") == 200


def test_rate_limit_in_both_engines(tmp_path: Path) -> None:
    toml = '[paths."/docs/*"]\nrate_limit = { per_hour = 2 }\n[paths."/*.js"]\n'
    toml += 'rate_limit = { per_second = 1000, per_hour = 1, by = "header X-Key" }\n'
    ask = Both(site(tmp_path, toml))
    assert [ask("/docs/").status for _ in range(3)] == [200, 200, 429]
    assert ask("/docs").headers["retry-after"] == "3600"
    assert ask("/").status == 200
    assert [ask("/assets/plain.js").status for _ in range(2)] == [200, 429]
    assert ask("/assets/plain.js", headers={"x-key": "\u00e4" * 300}).status == 200


def test_methods(tmp_path: Path) -> None:
    toml = '[paths."/*"]\nmethods = "GET"\n[paths."/api/*"]\nmethods = ["POST", "PUT"]\n'
    ask = Both(site(tmp_path, toml))
    assert ask("/").status == 200
    assert ask("/", "HEAD").status == 200
    for method in ("POST", "DELETE", "OPTIONS", "get"):
        refused = ask("/", method)
        assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD"), method
    assert ask("/api/x").headers["allow"] == "POST, PUT"
    assert ask("/api/x", "POST").status != 200  # the narrowest pattern lets it through


def test_max_body(tmp_path: Path) -> None:
    toml = """
[paths."/*"]
max_body = 5
[paths."/big/*"]
max_body = "1 KiB"
"""
    ask = Both(site(tmp_path, toml))
    assert ask("/", "POST", body=b"123456").status == 413
    assert ask("/", "POST", body=b"12345").status == 405
    assert ask("/big/x", "POST", body=b"1" * 1024).status != 413
    assert ask("/big/x", "POST", body=b"1" * 1025).status == 413
    assert ask("/BIG.html", "POST", body=b"1" * 1025).status == 413


# --- passwords ------------------------------------------------------------------------------------

BCRYPT = "$2b$04$abcdefghijklmnopqrstuuPPYh1tJfDNKGkzLWW4dgJUnvHaGtK7G"


def basic(user: str, password: str) -> dict[str, str]:
    """The header of a client that knows, or does not."""
    data = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {data}"}


@pytest.fixture(scope="module")
def hashed() -> str:
    return _core.hash_password("correct horse")


def users(hash: str) -> str:
    return f'basic_auth = {{ realm = "back room", users = {{ ada = "{hash}" }} }}\n'


def test_a_password(tmp_path: Path, hashed: str) -> None:
    ask = Both(site(tmp_path, '[paths."/admin"]\n' + users(hashed)))
    asked = ask("/admin/")
    assert asked.status == 401
    assert asked.headers["www-authenticate"] == 'Basic realm="back room", charset="UTF-8"'
    assert asked.headers["cache-control"] == "no-store"
    assert ask("/admin/", headers=basic("ada", "correct horse")).body == b"admin index"
    for header in (
        basic("ada", "wrong"),
        basic("ada", ""),
        basic("bob", "correct horse"),
        basic("", ""),
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Bearer x"},
        {"authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
    ):
        assert ask("/admin/", headers=header).status == 401, header
    for path in ADMIN:
        assert ask(path).status == 401, path
    assert ask("/").status == 200


def test_a_narrower_pattern_has_users_of_its_own_or_none(tmp_path: Path, hashed: str) -> None:
    other = _core.hash_password("other")
    toml = (
        f'[paths."/*"]\n{users(hashed)}[paths."/admin"]\n{users(other)}'
        '[paths."/docs/*"]\nbasic_auth = false\n'
    )
    ask = Both(site(tmp_path, toml))
    assert ask("/", headers=basic("ada", "correct horse")).status == 200
    assert ask("/admin/", headers=basic("ada", "correct horse")).status == 401
    assert ask("/admin/", headers=basic("ada", "other")).status == 200
    assert ask("/docs/").status == 200
    assert ask("/DOCS/").status == 401  # what opens is taken as it is written
    assert ask("/docs.html").status == 401
    assert ask("/docs/../about.html").status == 401


def test_a_hash_from_the_environment(
    tmp_path: Path, hashed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = site(tmp_path, '[paths."/admin"]\n' + users("${ADA_HASH}"))
    monkeypatch.delenv("ADA_HASH", raising=False)
    assert Both(folder)("/admin/", headers=basic("ada", "correct horse")).status == 401
    monkeypatch.setenv("ADA_HASH", hashed)
    assert Both(folder)("/admin/", headers=basic("ada", "correct horse")).status == 200
    monkeypatch.setenv("ADA_HASH", "nonsense")
    assert Both(folder)("/admin/", headers=basic("ada", "correct horse")).status == 500


def test_guesses_are_few(hashed: str) -> None:
    rules = module('[paths."/*"]\n' + users(hashed))
    with clock.fixed():
        given = {"path": "/", "client_ip": "192.0.2.1", "headers": basic("ada", "x")}
        said = [status(rules, **given) for _ in range(25)]
        assert said == [401] * 20 + [429] * 5
        assert status(rules, **{**given, "client_ip": "192.0.2.2"}) == 401


def test_hash_password(tmp_path: Path) -> None:
    done = subprocess.run(
        [executable(), "hash-password"],
        input="correct horse\n",
        capture_output=True,
        text=True,
        check=True,
    )
    made = done.stdout.strip()
    assert _core.verify_password(b"correct horse", made)
    assert values.users({"ada": made}) == {"ada": made}
    assert done.stderr == ""
    for typed, said in (
        (b"\n", "empty"),
        (b"", "empty"),
        (b"\xff\n", "not UTF-8"),
        (b"x" * 1025, "longer"),
    ):
        refused = subprocess.run(
            [executable(), "hash-password"], input=typed, capture_output=True, check=False
        )
        assert (refused.returncode, said in refused.stderr.decode()) == (1, True), typed


@pytest.mark.parametrize(
    ("hash", "good"),
    [
        (BCRYPT, True),
        (BCRYPT.replace("$04$", "$15$"), False),
        ("$argon2id$v=19$m=65536,t=16,p=16$c2FsdHNhbHQ$" + "A" * 43, True),
        ("$argon2id$v=19$m=65537,t=2,p=1$c2FsdHNhbHQ$" + "A" * 43, False),
        ("$argon2id$v=19$m=65536,t=17,p=1$c2FsdHNhbHQ$" + "A" * 43, False),
        ("$argon2d$v=19$m=65536,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43, False),
        ("$5$rounds=1000$abc$def", False),
        ("${NAME}", True),
        ("${NA ME}", False),
        ("${NAME}x", False),
        ("", False),
    ],
)
def test_hashes(hash: str, good: bool) -> None:
    if good:
        values.users({"ada": hash})
        return
    with pytest.raises(ValueError, match="not a hash"):
        values.users({"ada": hash})
