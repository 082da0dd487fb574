"""Certificates: which one a client gets, what is refused, and replacing them while serving."""

import os
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import sites
from support.server import Server, command, wait_until
from support.sites import HELLO
from support.tls import (
    NAME,
    Authority,
    Pair,
    Secure,
    blind,
    fetch_secure,
    leaf_for,
    openssl,
    secure,
)
from support.wire import Connection, request

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

CHANGED_S = 1.0
"""Within so long changed files are promised to be in use; the tests allow for a busy machine."""

PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue(NAME)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.python_tar(tmp_path_factory.mktemp("certs") / "site.tar", {"hello.txt": HELLO})


# --- which one ------------------------------------------------------------------------------------


def test_by_name(site: Path, authority: Authority) -> None:
    """Exact before wildcard, one label for a star, the first for everybody else."""
    first = authority.issue("first.test", "second-name.test")
    exact = authority.issue("www.b.test")
    star = authority.issue("*.b.test", "b.test")
    options = [*star.options, *exact.options]
    with secure(site, *first.options, *options) as server:
        for name, expected in {
            "first.test": first,
            "second-name.test": first,
            "www.b.test": exact,
            "WWW.B.TEST": exact,
            "other.b.test": star,
            "b.test": star,
            "deep.other.b.test": first,
            "unknown.test": first,
            None: first,
            "localhost": first,
        }.items():
            assert leaf_for(server.address, name) == expected.leaf, name
        for name in ("first.test", "www.b.test", "other.b.test", "b.test"):
            assert fetch_secure(server.address, authority.trust(), name=name).body == HELLO


def test_those_that_are_valid_first(site: Path, authority: Authority) -> None:
    """Also where the one that has expired is for exactly that name; nothing else, it is served."""
    expired = authority.issue("www.c.test", days=-1)
    star = authority.issue("*.c.test")
    longer = authority.issue("*.c.test", days=60)
    alone = authority.issue("alone.test", days=-1)
    pairs = [expired, star, longer, alone]
    with secure(site, *(option for one in pairs for option in one.options)) as server:
        assert leaf_for(server.address, "www.c.test") == longer.leaf
        assert leaf_for(server.address, "alone.test") == alone.leaf
        assert leaf_for(server.address, "unknown.test") == expired.leaf
        server.wait_line(r"warning: certificate '.*' \(www\.c\.test\) expired on \d{4}-\d\d-\d\d")
        server.wait_line(r"warning: certificate '.*' \(alone\.test\) expired on ")


@pytest.mark.parametrize("order", ["rsa first", "ec first"])
@pytest.mark.parametrize("name", [NAME, "unknown.test", None])
def test_by_kind_of_key(site: Path, authority: Authority, order: str, name: str | None) -> None:
    """Each client gets one that it can verify; who can do both, the cheaper one."""
    rsa, ec = authority.issue(NAME, kind="rsa"), authority.issue(NAME)
    pairs = [rsa, ec] if order == "rsa first" else [ec, rsa]
    only = {
        "ec": ("ECDHE-ECDSA-AES128-GCM-SHA256", ec),
        "rsa": ("ECDHE-RSA-AES128-GCM-SHA256", rsa),
    }
    with secure(site, *(option for pair in pairs for option in pair.options)) as server:
        for cipher, expected in only.values():
            context = blind()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(cipher)
            assert leaf_for(server.address, name, context) == expected.leaf, cipher
        default = pairs[0] if name != NAME else ec
        assert leaf_for(server.address, name) == default.leaf


def test_key_in_the_file_of_the_chain(site: Path, authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(NAME)
    for order in ((pair.chain, pair.key), (pair.key, pair.chain)):
        both = tmp_path / "both.pem"
        both.write_text("".join(path.read_text() for path in order))
        with secure(site, "--cert", both) as server:
            assert leaf_for(server.address, NAME) == pair.leaf


@pytest.mark.parametrize("form", ["rsa", "ec", "pkcs1", "sec1"])
def test_forms_of_keys(site: Path, authority: Authority, tmp_path: Path, form: str) -> None:
    pair = authority.issue(NAME, kind="rsa" if form in ("rsa", "pkcs1") else "ec")
    key = tmp_path / "key.pem"
    kind = {"pkcs1": ["rsa", "-traditional"], "sec1": ["ec"]}.get(form, ["pkey"])
    openssl(*kind, "-in", pair.key, "-out", key)
    begins = {"pkcs1": "BEGIN RSA PRIVATE KEY", "sec1": "BEGIN EC PRIVATE KEY"}
    assert begins.get(form, "BEGIN PRIVATE KEY") in key.read_text()
    with secure(site, "--cert", pair.chain, "--key", key) as server:
        assert fetch_secure(server.address, authority.trust()).body == HELLO


def test_a_chain_of_two(site: Path, authority: Authority, tmp_path: Path) -> None:
    """All of the file is sent, in its order; text around the certificates does not matter."""
    pair = authority.issue(NAME)
    chain = tmp_path / "chain.pem"
    text = openssl("x509", "-in", pair.chain, "-text")
    chain.write_text(text + "\n# authority\n" + authority.certificate.read_text())
    with secure(site, "--cert", chain, "--key", pair.key) as server:
        assert not isinstance(server.address, str)
        place = f"127.0.0.1:{server.address[1]}"
        shown = openssl("s_client", "-connect", place, "-servername", NAME, "-showcerts")
        assert shown.count("BEGIN CERTIFICATE") == 2


# --- a directory ----------------------------------------------------------------------------------


def test_directory(site: Path, authority: Authority, tmp_path: Path) -> None:
    """Files are matched by their keys, whatever they are called."""
    place = tmp_path / "certs"
    place.mkdir()
    pairs = [authority.issue(f"{letter}.dir.test") for letter in "abc"]
    for at, pair in enumerate(pairs):
        shutil.copy(pair.chain, place / f"{at}.crt")
        shutil.copy(pair.key, place / f"{9 - at}-other.key")
    with secure(site, "--cert-dir", place) as server:
        for letter, pair in zip("abc", pairs, strict=True):
            assert leaf_for(server.address, f"{letter}.dir.test") == pair.leaf
        assert leaf_for(server.address, "unknown.test") == pairs[0].leaf


def test_directory_with_other_things_in_it(
    site: Path, authority: Authority, tmp_path: Path
) -> None:
    """What is of no use is left out with a line each, and the rest is in use."""
    place = tmp_path / "certs"
    pair = authority.issue(NAME).copy_to(place, "good")
    (place / "README").write_text("not looked at")
    (place / "sub.pem").mkdir()
    (place / "garbage.pem").write_bytes(sites.noise(1000))
    (place / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----")
    (place / "empty.crt").write_text("")
    os.mkfifo(place / "pipe.pem")
    (place / "gone.pem").symlink_to("nowhere")
    lonely = authority.issue("lonely.test")
    shutil.copy(lonely.chain, place / "lonely.pem")
    locked = authority.issue("locked.test")
    openssl("pkey", "-in", locked.key, "-aes256", "-passout", "pass:x", "-out",
            place / "locked.key")  # fmt: skip
    with secure(site, "--cert-dir", place) as server:
        assert leaf_for(server.address, NAME) == pair.leaf
        wait_until(lambda: server.stderr.count("not in use") == 5, 10, "five lines")
        server.wait_line("and 2 more files")
        for name in ("broken.pem", "empty.crt", "garbage.pem", "gone.pem", "locked.key"):
            server.wait_line(rf"warning: not in use: \S*/{name}: ")
        assert "README" not in server.stderr
        assert "passphrase" in server.stderr


def test_directory_of_an_acme_client(site: Path, authority: Authority, tmp_path: Path) -> None:
    """The certificate is there twice, and the one with its chain is sent, to everybody."""
    place = tmp_path / "live"
    place.mkdir()
    pair = authority.issue(NAME)
    (place / "cert.pem").write_text(pair.chain.read_text())
    (place / "chain.pem").write_text(authority.certificate.read_text())
    (place / "fullchain.pem").write_text(pair.chain.read_text() + authority.certificate.read_text())
    (place / "privkey.pem").write_text(pair.key.read_text())
    with secure(site, "--cert-dir", place) as server:
        assert not isinstance(server.address, str)
        for name in (["-servername", NAME], ["-noservername"]):
            place_of = f"127.0.0.1:{server.address[1]}"
            shown = openssl("s_client", "-connect", place_of, "-showcerts", *name)
            assert shown.count("BEGIN CERTIFICATE") == 2


def test_pair_and_directory_together(site: Path, authority: Authority, tmp_path: Path) -> None:
    first, other = authority.issue("first.test"), authority.issue("other.test")
    other.copy_to(tmp_path / "certs", "0")
    with secure(site, *first.options, "--cert-dir", tmp_path / "certs") as server:
        assert leaf_for(server.address, "other.test") == other.leaf
        assert leaf_for(server.address, None) == first.leaf


# --- what is refused ------------------------------------------------------------------------------


def start(site: Path, *options: str | Path) -> tuple[int, str]:
    done = command(site, "--tls-addr", "127.0.0.1:0", *options, timeout_s=20)
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


Refusal = tuple[list[str | Path], Path | str, str]


def refusals(authority: Authority, place: Path) -> Iterator[tuple[str, Refusal]]:
    """What is given, the file that the error names, and a word of it."""
    pair, other = authority.issue(NAME), authority.issue("other.test")
    place.mkdir()
    garbage, missing, empty = place / "garbage.pem", place / "missing.pem", place / "empty"
    garbage.write_bytes(sites.noise(500))
    empty.mkdir()
    yield "other key", (["--cert", pair.chain, "--key", other.key], other.key, str(pair.chain))
    yield "no key", (["--cert", pair.chain], pair.chain, "private key")
    yield "key for chain", (["--cert", pair.key, "--key", pair.key], pair.key, "no certificate")
    yield "garbage", (["--cert", garbage, "--key", pair.key], garbage, "no certificate")
    yield "garbage key", (["--cert", pair.chain, "--key", garbage], garbage, "private key")
    yield "missing", (["--cert", missing, "--key", pair.key], missing, "no such file")
    yield "missing key", (["--cert", pair.chain, "--key", missing], missing, "no such file")
    yield "directory", (["--cert", empty, "--key", pair.key], empty, "directory")
    yield "empty directory", (["--cert-dir", empty], empty, "no certificate")
    yield "missing directory", (["--cert-dir", missing], missing, "no such file")
    yield "file for directory", (["--cert-dir", pair.chain], pair.chain, "not a directory")
    for form in ("pkey", "rsa"):
        locked = place / f"{form}.key"
        rsa = authority.issue(NAME, kind="rsa")
        extra = ["-traditional"] if form == "rsa" else []
        openssl(form, "-in", rsa.key, "-aes256", "-passout", "pass:x", "-out", locked, *extra)
        yield f"encrypted {form}", (["--cert", rsa.chain, "--key", locked], locked, "passphrase")
    cut, odd, two = place / "cut.pem", place / "odd.pem", place / "two.pem"
    cut.write_text(pair.chain.read_text()[:-40])
    odd.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    two.write_text(pair.key.read_text() + other.key.read_text())
    yield "cut", (["--cert", cut, "--key", pair.key], cut, "PEM")
    yield "not a certificate", (["--cert", odd, "--key", pair.key], odd, "can't be read")
    yield "two keys", (["--cert", pair.chain, "--key", two], two, "more than one")
    large = place / "large.pem"
    large.write_bytes(b"#" * 5_000_000)
    yield "large", (["--cert", large, "--key", pair.key], large, "larger")
    second = [*pair.options, "--cert", other.chain, "--key", pair.key]
    yield "second pair", (second, pair.key, str(other.chain))
    client = [*pair.options, "--client-ca"]
    yield "client ca missing", ([*client, missing], missing, "no such file")
    yield "client ca garbage", ([*client, garbage], garbage, "no certificate")
    yield "client ca odd", ([*client, odd], odd, "certificate")


def test_refused_at_the_start(site: Path, authority: Authority, tmp_path: Path) -> None:
    for what, (options, named, word) in refusals(authority, tmp_path / "refused"):
        code, said = start(site, *options)
        assert code == 1, what
        assert str(named) in said, what
        assert word in said, what


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_directory_without_permission(site: Path, pair: Pair, tmp_path: Path) -> None:
    pair.copy_to(tmp_path / "certs", "a")
    (tmp_path / "certs").chmod(0)
    try:
        code, said = start(site, "--cert-dir", tmp_path / "certs")
    finally:
        (tmp_path / "certs").chmod(0o700)
    assert code == 1
    assert "permission denied" in said


def test_wrong_usage(site: Path, pair: Pair) -> None:
    for options in (
        ["--key", pair.key],
        [*pair.options, "--cert", pair.chain],
        [*pair.options, "--key", pair.key],
        [*pair.options, "--client-auth", "maybe"],
    ):
        code, said = start(site, *options)
        assert code == 2, said


@pytest.mark.parametrize(
    "options", [["--cert", "x"], ["--cert-dir", "x"], ["--client-ca", "x"], ["--redirect-https"],
                ["--hsts"]], ids=lambda options: options[0]
)  # fmt: skip
def test_options_of_encryption_without_it(site: Path, options: list[str]) -> None:
    done = command(site, "--addr", "127.0.0.1:0", *options, timeout_s=20)
    assert done.returncode in (1, 2)
    assert options[0] in done.stderr
    assert "--tls-addr" in done.stderr


def test_encryption_without_certificates(site: Path) -> None:
    code, said = start(site)
    assert code in (1, 2)
    assert "--cert" in said


# --- warnings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "warned"), [(-1, "expired on"), (2, "expires in 1 day,"),
                                              (10, "expires in 9 days,"), (20, "")])  # fmt: skip
def test_warned_before_the_end(site: Path, authority: Authority, days: int, warned: str) -> None:
    pair = authority.issue(NAME, days=days)
    with secure(site, *pair.options) as server:
        assert leaf_for(server.address, NAME) == pair.leaf
        if warned:
            server.wait_line(rf"warning: certificate '{pair.chain}' \({NAME}\) {warned}")
        else:
            server.wait_line("^serving ")
            assert "expire" not in server.stderr


# --- replacing them -------------------------------------------------------------------------------


def rename(new: Path, old: Path) -> None:
    beside = old.with_name(old.name + ".new")
    shutil.copy(new, beside)
    beside.replace(old)


def write(new: Path, old: Path) -> None:
    old.write_bytes(new.read_bytes())


def write_slowly(new: Path, old: Path) -> None:
    data = new.read_bytes()
    with old.open("wb") as file:
        for start in range(0, len(data), 100):
            file.write(data[start : start + 100])
            file.flush()
            time.sleep(0.01)


def repoint(new: Path, old: Path) -> None:
    """As certbot does: the name is a link to a file with a number."""
    numbered = old.with_name(old.name + ".2")
    shutil.copy(new, numbered)
    beside = old.with_name(old.name + ".new")
    beside.symlink_to(numbered)
    beside.replace(old)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "rename": rename,
    "write": write,
    "slowly": write_slowly,
    "link": repoint,
}


class Load:
    """Connections that stay, and connections made all the time; both count what failed."""

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        self.server, self.context = server, context
        self.faults: list[str] = []
        self.requests = 0
        self.opened = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._stay) for _ in range(8)]
        self._threads += [threading.Thread(target=self._come) for _ in range(2)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self, connection: Connection) -> None:
        connection.send(request("/hello.txt"))
        if connection.response().body != HELLO:
            self.faults.append("wrong body")
        self.requests += 1

    def _stay(self) -> None:
        try:
            with Secure(self.server.address, self.context) as connection:
                while not self._stop.wait(0.005):
                    self._ask(connection)
        except Exception as error:
            self.faults.append(f"of one that stays: {error!r}")

    def _come(self) -> None:
        while not self._stop.wait(0.005):
            try:
                with Secure(self.server.address, self.context) as connection:
                    self._ask(connection)
                    self.opened += 1
            except Exception as error:
                self.faults.append(f"of one that comes: {error!r}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", ["pair", "directory"])
def test_renewed_under_load(
    site: Path, authority: Authority, tmp_path: Path, way: str, form: str
) -> None:
    """No request fails, connections stay, and new ones see the new certificate."""
    place = tmp_path / "certs"
    live = authority.issue(NAME).copy_to(place, "live")
    authority.issue("other.test").copy_to(place, "other")
    options: list[str | Path] = live.options if form == "pair" else ["--cert-dir", place]
    with (
        secure(site, *options, threads=2) as server,
        Load(server, authority.trust()) as load,
        Secure(server.address, authority.trust()) as stays,
    ):
        first = stays.leaf
        for turn in range(3):
            fresh = authority.issue(NAME)
            requests, opened = load.requests, load.opened
            # The key comes first and last by turns.
            for part in ("chain", "key")[:: 1 if turn % 2 else -1]:
                WAYS[way](getattr(fresh, part), getattr(live, part))
                time.sleep(0.1)
            wait_until(
                lambda fresh=fresh: leaf_for(server.address, NAME) == fresh.leaf,  # type: ignore[misc]
                PATIENCE_S,
                "the new certificate is in use",
            )
            wait_until(lambda r=requests: load.requests > r + 50, 20)  # type: ignore[misc]
            wait_until(lambda o=opened: load.opened > o + 5, 20)  # type: ignore[misc]
        stays.send(request("/hello.txt"))
        assert stays.response().body == HELLO
        assert stays.leaf == first
        load.__exit__()
        assert load.faults == []


def test_halves_of_a_pair_long_after_each_other(
    site: Path, authority: Authority, tmp_path: Path
) -> None:
    """The old pair goes on meanwhile, given alone as well as in a directory."""
    place = tmp_path / "certs"
    alone = authority.issue(NAME).copy_to(tmp_path / "alone", "a")
    listed = authority.issue("dir.test").copy_to(place, "b")
    authority.issue("0.test").copy_to(place, "0")
    with secure(site, *alone.options, "--cert-dir", place) as server:
        for live, name in ((alone, NAME), (listed, "dir.test")):
            old, fresh = live.leaf, authority.issue(name)
            said = len(server.lines)
            rename(fresh.chain, live.chain)
            server.wait_line("old ones? goe?s? on", after=said)
            assert leaf_for(server.address, name) == old
            server.hang_up()
            server.wait_line("old ones? goe?s? on", after=len(server.lines) - 1)
            assert leaf_for(server.address, name) == old
            rename(fresh.key, live.key)
            wait_until(lambda n=name, f=fresh: leaf_for(server.address, n) == f.leaf, PATIENCE_S)  # type: ignore[misc]


def test_refused_on_reload(site: Path, authority: Authority, tmp_path: Path) -> None:
    """Said in one line that names the file; the old ones go on until there are better ones."""
    live = authority.issue(NAME).copy_to(tmp_path / "live", "a")
    old = live.leaf
    good = live.chain.read_bytes()
    with secure(site, *live.options) as server:
        for bad in (b"", b"garbage", good[:100], authority.issue("b.test").chain.read_bytes()):
            said = len(server.lines)
            live.chain.write_bytes(bad)
            server.wait_line("error: certificates refused, old ones go on: /", after=said)
            said = len(server.lines)
            server.hang_up()
            server.wait_line("error: certificates refused, old ones go on: /", after=said)
            assert leaf_for(server.address, NAME) == old
        said = len(server.lines)
        live.chain.unlink()
        server.wait_line("refused.* no such file", after=said)
        assert leaf_for(server.address, NAME) == old
        said = len(server.lines)
        live.chain.write_bytes(good)
        server.wait_line("reloaded 1 certificate", after=said)
        assert leaf_for(server.address, NAME) == old


def test_renewed_with_one_that_has_expired(
    site: Path, authority: Authority, tmp_path: Path
) -> None:
    live = authority.issue(NAME).copy_to(tmp_path / "live", "a")
    expired = authority.issue(NAME, days=-1)
    with secure(site, *live.options) as server:
        rename(expired.chain, live.chain)
        rename(expired.key, live.key)
        server.wait_line("warning: certificate .* expired on")
        assert leaf_for(server.address, NAME) == expired.leaf


def test_directory_grows_and_shrinks(site: Path, authority: Authority, tmp_path: Path) -> None:
    place = tmp_path / "certs"
    first = authority.issue("0.test").copy_to(place, "0")
    with secure(site, "--cert-dir", place) as server:
        added = authority.issue("added.test").copy_to(place, "added")
        wait_until(lambda: leaf_for(server.address, "added.test") == added.leaf, PATIENCE_S)
        gone = added.leaf
        added.chain.unlink()
        wait_until(lambda: leaf_for(server.address, "added.test") != gone, PATIENCE_S)
        said = len(server.lines)
        leaf = first.leaf
        first.chain.unlink()
        server.wait_line("certificates refused, old ones go on", after=said)
        assert leaf_for(server.address, "0.test") == leaf


def test_a_busy_file_beside(site: Path, authority: Authority, tmp_path: Path) -> None:
    """A log in the directory of certificates neither reloads them nor keeps them from it."""
    place = tmp_path / "certs"
    live = authority.issue(NAME).copy_to(place, "live")
    stop = threading.Event()

    def keep_writing() -> None:
        with (place / "renewal.log").open("a") as log:
            while not stop.wait(0.02):
                log.write("line\n")
                log.flush()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        with secure(site, "--cert-dir", place) as server:
            time.sleep(1)
            assert "reloaded" not in server.stderr
            fresh = authority.issue(NAME)
            rename(fresh.chain, live.chain)
            rename(fresh.key, live.key)
            wait_until(lambda: leaf_for(server.address, NAME) == fresh.leaf, PATIENCE_S)
    finally:
        stop.set()
        writer.join()


def test_not_watched(site: Path, authority: Authority, tmp_path: Path) -> None:
    live = authority.issue(NAME).copy_to(tmp_path / "live", "a")
    old = live.leaf
    with secure(site, *live.options, "--no-watch") as server:
        fresh = authority.issue(NAME)
        rename(fresh.chain, live.chain)
        rename(fresh.key, live.key)
        time.sleep(2 * CHANGED_S)
        assert leaf_for(server.address, NAME) == old
        server.hang_up()
        wait_until(lambda: leaf_for(server.address, NAME) == fresh.leaf, PATIENCE_S)


# --- certificates of clients ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("people"), "people")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_client_certificates_are_required(
    site: Path, authority: Authority, pair: Pair, people: Authority, version: str
) -> None:
    """Who has none, one of others, or one that has expired is told so, by an alert."""
    someone = people.issue("someone", usage="clientAuth")
    late = people.issue("late", usage="clientAuth", days=-1)
    wrong_use = people.issue("server.test")
    stranger = authority.issue("stranger", usage="clientAuth")
    with secure(site, *pair.options, "--client-ca", people.certificate) as server:
        context = authority.trust(version=version, cert=someone)
        for _ in range(3):
            assert fetch_secure(server.address, context).body == HELLO
        for bad in (None, late, wrong_use, stranger):
            with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
                fetch_secure(server.address, authority.trust(version=version, cert=bad))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_client_certificates_are_requested(
    site: Path, authority: Authority, pair: Pair, people: Authority, version: str
) -> None:
    someone = people.issue("someone", usage="clientAuth")
    stranger = authority.issue("stranger", usage="clientAuth")
    options: list[str | Path] = ["--client-ca", people.certificate, "--client-auth", "request"]
    with secure(site, *pair.options, *options) as server:
        for good in (None, someone):
            context = authority.trust(version=version, cert=good)
            assert fetch_secure(server.address, context).body == HELLO
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            fetch_secure(server.address, authority.trust(version=version, cert=stranger))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_client_authorities_are_replaced(
    site: Path, authority: Authority, pair: Pair, tmp_path: Path, version: str
) -> None:
    """A session that the old ones let in is not resumed: it would be past the check."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    accepted = tmp_path / "accepted.pem"
    accepted.write_bytes(old.certificate.read_bytes())
    someone = old.issue("someone", usage="clientAuth")
    context = authority.trust(version=version, cert=someone)
    with secure(site, *pair.options, "--client-ca", accepted) as server:
        with Secure(server.address, context) as connection:
            connection.send(request("/hello.txt"))
            assert connection.response().body == HELLO
            session = connection.socket.session
        assert resumes(server, context, session)
        rename(new.certificate, accepted)
        server.wait_line("reloaded 1 certificate")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            resumes(server, context, session)


def resumes(server: Server, context: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    import socket

    assert not isinstance(server.address, str)
    plain = socket.create_connection(server.address, 10)
    with context.wrap_socket(plain, server_hostname=NAME, session=session) as secured:
        secured.sendall(request("/hello.txt", {"Connection": "close"}))
        data = b""
        while more := secured.recv(65_536):
            data += more
        assert data.endswith(HELLO)
        return bool(secured.session_reused)
