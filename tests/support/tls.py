"""Certificates of every kind, and clients that speak TLS.

The certificates are made by OpenSSL when a test asks for them; those of a development authority
by ``zeroserve._core`` itself.

    with secure(site, authority.issue(tmp_path, "a.test")) as server:
        with connect(server, authority.trust()) as connection:
            connection.send(request("/hello.txt"))
"""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from socket import socket as Socket
from typing import Literal, Self

from support.server import Server, running
from support.wire import Address, Connection, Response, request

KeyKind = Literal["ec", "rsa"]
NAME = "a.test"

OPENSSL = shutil.which("openssl")
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
KEYS: dict[KeyKind, list[str]] = {
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}


def openssl(*arguments: str | Path, stdin: str | None = None, timeout_s: float = 30) -> str:
    """Run ``openssl ARGUMENTS``, which has to succeed; returns both of its outputs."""
    done = openssl_run(*arguments, stdin=stdin, timeout_s=timeout_s)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def openssl_run(
    *arguments: str | Path, stdin: str | None = None, timeout_s: float = 30
) -> subprocess.CompletedProcess[str]:
    """Run ``openssl ARGUMENTS``, whatever comes of it."""
    return subprocess.run(
        ["openssl", *map(str, arguments)],
        input=stdin or "",
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


@dataclass(frozen=True)
class Pair:
    """Files of a certificate chain and its key."""

    chain: Path
    key: Path

    @property
    def options(self) -> list[str | Path]:
        return ["--cert", self.chain, "--key", self.key]

    @cached_property
    def leaf(self) -> bytes:
        """The certificate, DER."""
        return leaf_of(self.chain.read_text())

    def copy_to(self, directory: Path, stem: str) -> "Pair":
        """The same under another name: ``STEM.pem`` and ``STEM.key``."""
        directory.mkdir(exist_ok=True)
        copy = Pair(directory / f"{stem}.pem", directory / f"{stem}.key")
        shutil.copy(self.chain, copy.chain)
        shutil.copy(self.key, copy.key)
        return copy


def leaf_of(pem: str) -> bytes:
    """The first certificate of a chain, DER."""
    end = "-----END CERTIFICATE-----"
    begin = pem.index("-----BEGIN CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(pem[begin : pem.index(end) + len(end)] + "\n")


@dataclass
class Authority:
    """A certificate authority in a directory."""

    place: Path
    name: str = "test authority"
    issued: int = 0

    def __post_init__(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        self.certificate = self.place / "ca.pem"
        self.key = self.place / "ca.key"
        arguments = ["req", "-x509", "-nodes", "-days", "30", "-subj", f"/CN={self.name}"]
        openssl(*arguments, *KEYS["ec"], "-keyout", self.key, "-out", self.certificate)

    def issue(
        self,
        *names: str,
        days: int = 30,
        kind: KeyKind = "ec",
        usage: Literal["serverAuth", "clientAuth"] = "serverAuth",
    ) -> Pair:
        """A certificate for the names; one of negative days has expired."""
        self.issued += 1
        stem = f"{self.issued}-{(names[0] if names else 'none').replace('*', '_')}"
        pair = Pair(self.place / f"{stem}.pem", self.place / f"{stem}.key")
        signing, extensions = self.place / "req.csr", self.place / "ext.cnf"
        subject = f"/CN={names[0] if names else 'nobody'}"
        openssl("req", "-new", "-nodes", "-subj", subject, *KEYS[kind], "-keyout", pair.key,
                "-out", signing)  # fmt: skip
        kinds = [f"{'IP' if name[-1].isdigit() or ':' in name else 'DNS'}:{name}" for name in names]
        lines = [f"extendedKeyUsage={usage}", "keyUsage=digitalSignature,keyEncipherment"]
        lines += [f"subjectAltName={','.join(kinds)}"] if names else []
        extensions.write_text("\n".join(lines) + "\n")
        openssl("x509", "-req", "-in", signing, "-CA", self.certificate, "-CAkey", self.key,
                "-CAcreateserial", "-days", str(days), "-extfile", extensions,
                "-out", pair.chain)  # fmt: skip
        return pair

    def trust(
        self,
        *,
        version: str | None = None,
        ciphers: str | None = None,
        cert: Pair | None = None,
    ) -> ssl.SSLContext:
        """What a client needs that believes in this authority."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if version is not None:
            context.minimum_version = context.maximum_version = VERSIONS[version]
        if ciphers is not None:
            context.set_ciphers(ciphers)
        if cert is not None:
            context.load_cert_chain(cert.chain, cert.key)
        return context


def blind() -> ssl.SSLContext:
    """A client that takes any certificate, also one that has expired."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Secure(Connection):
    """An encrypted connection."""

    socket: ssl.SSLSocket

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        *,
        name: str | None = NAME,
        timeout_s: float = 10.0,
        receive_buffer_bytes: int = 0,
    ) -> None:
        super().__init__(address, timeout_s=timeout_s, receive_buffer_bytes=receive_buffer_bytes)
        plain: Socket = self.socket
        try:
            self.socket = context.wrap_socket(
                plain, server_hostname=name, suppress_ragged_eofs=False
            )
        except BaseException:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    @property
    def leaf(self) -> bytes:
        """The certificate that the server showed, DER."""
        found = self.socket.getpeercert(binary_form=True)
        assert found is not None
        return found

    def close_properly(self) -> Socket:
        """Say that nothing more comes, and wait for the server to say the same."""
        return self.socket.unwrap()


def address_of(server: Server, scheme: str = "https") -> tuple[str, int]:
    """Where it listens for encrypted connections."""
    line = server.wait_line(rf"^listening on {scheme}://(\S+):(\d+)$")
    return line[1].strip("[]"), int(line[2])


@contextmanager
def secure(
    site: str | Path, *options: str | Path, addr: str | None = None, threads: int = 1
) -> Iterator[Server]:
    """A server with an encrypted listener, which is also its ``address``, but for ``addr``."""
    arguments: list[str | Path] = ["--tls-addr", "127.0.0.1:0", "--threads", str(threads)]
    if "--access-log" not in options:
        arguments += ["--access-log", "off"]
    with running(site, *options, *arguments, addr=addr) as server:
        if addr is None:
            assert server.address == address_of(server)
        yield server


def fetch_secure(
    address: Address,
    context: ssl.SSLContext,
    target: str = "/hello.txt",
    *,
    name: str | None = NAME,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """One request on an encrypted connection of its own, ended by close_notify."""
    with Secure(address, context, name=name) as connection:
        sent = {"Host": name or "a.test", "Connection": "close", **(headers or {})}
        connection.send(request(target, sent, method=method, body=body))
        response = connection.response(method)
        assert connection.at_end(), "bytes after the response"
        return response


def leaf_for(address: Address, name: str | None, context: ssl.SSLContext | None = None) -> bytes:
    """The certificate that a client gets who asks for that name."""
    with Secure(address, context or blind(), name=name) as connection:
        return connection.leaf


def key_hash(chain: str) -> str:
    """SHA-256 of the public key of the first certificate, in Base64, as browsers name it."""
    found = subprocess.run(
        "openssl x509 -pubkey -noout | openssl pkey -pubin -outform der"
        " | openssl dgst -sha256 -binary | base64",
        shell=True,
        input=chain,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.strip()
