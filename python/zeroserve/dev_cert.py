"""Certificates for HTTPS on a development machine.

An authority is made once and kept with its key in the user's own data directory; what it signs
can only be for names of this machine and of private networks. Browsers believe in it once it is
among their trusted authorities.
"""

import fcntl
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from zeroserve import _core

NAMES = ("localhost", "*.localhost", "127.0.0.1", "::1")
"""What a certificate is for unless other names are given."""

RENEW_S = 30 * 86_400
"""A certificate that is valid for less than this is made anew."""


class Made(NamedTuple):
    """Where the files are."""

    certificate: str
    key: str
    authority: str
    """The authority's certificate: what has to be trusted."""
    fresh: bool
    """Whether the authority was made just now, so that nobody trusts it yet."""


def directory() -> str:
    """Where the files are kept: below ``XDG_DATA_HOME``, which is ``~/.local/share``."""
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111
    return os.path.join(base, "zeroserve", "dev-cert")  # noqa: PTH118


def ensure(names: tuple[str, ...] = NAMES, place: str | None = None, renew: bool = False) -> Made:
    """Files with a certificate for ``names``; made when they are not there or end soon.

    Raises ``Error`` for a name that such a certificate can't have, and ``OSError``.
    """
    place = place or directory()
    os.makedirs(place, mode=0o700, exist_ok=True)  # noqa: PTH103
    authority, files = _Files(place, "authority"), _Files(place, _stem(names))
    with _alone(place):
        fresh = renew or not authority.lasts()
        pair = authority.read() if not fresh else None
        pair = pair or _core.dev_authority(platform.node() or "this machine")
        if fresh or names != NAMES or not files.lasts():
            # Before anything is written: a name may be refused.
            made = _core.dev_certificate(pair, list(names))
            if fresh:
                authority.write(*pair)
            files.write(*made)
    return Made(files.certificate, files.key, authority.certificate, fresh)


def how_to_trust(authority: str) -> list[str]:
    """Lines that say how to make programs of this machine believe in the authority."""
    return [
        f"to trust it, once: the authority is {authority}",
        "  Debian, Ubuntu:  sudo cp FILE /usr/local/share/ca-certificates/zeroserve-dev.crt"
        " && sudo update-ca-certificates",
        "  Fedora, RHEL:    sudo trust anchor FILE",
        "  Arch:            sudo trust anchor --store FILE",
        "  Chrome on Linux: certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n zeroserve-dev -i FILE",
        "  Firefox:         Settings, Privacy & Security, View Certificates, Import",
        "  curl:            curl --cacert FILE https://localhost:8443/",
    ]


def _stem(names: tuple[str, ...]) -> str:
    """What the files are called; those of the usual names belong to nobody else."""
    if names == NAMES:
        return "localhost"
    stem = re.sub(r"[^A-Za-z0-9.-]", "_", names[0])[:100]
    return f"{stem}-only" if stem in ("localhost", "authority") else stem


@contextmanager
def _alone(place: str) -> Iterator[None]:
    """Two at a time could make two authorities, and a certificate of the one that is lost."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


class _Files:
    """A certificate and its key."""

    def __init__(self, place: str, stem: str) -> None:
        self.certificate = os.path.join(place, stem + ".pem")  # noqa: PTH118
        self.key = os.path.join(place, stem + ".key")  # noqa: PTH118

    def read(self) -> tuple[str, str]:
        with open(self.certificate) as certificate, open(self.key) as key:  # noqa: PTH123
            return certificate.read(), key.read()

    def lasts(self) -> bool:
        """Whether both are there, belong together and are valid for a while."""
        try:
            certificate, key = self.read()
        except (FileNotFoundError, UnicodeDecodeError):
            return False
        end = _core.certificate_end(certificate, key)
        return end is not None and end > time.time() + RENEW_S

    def write(self, certificate: str, key: str) -> None:
        """Nobody else can read the key at any moment."""
        _replace(self.key, key, 0o600)
        _replace(self.certificate, certificate, 0o644)


def _replace(path: str, text: str, mode: int) -> None:
    fresh = f"{path}.{os.getpid()}.tmp"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(fd, "w") as file:  # noqa: PTH123
            file.write(text)
        os.replace(fresh, path)  # noqa: PTH105
    except OSError:
        if os.path.exists(fresh):  # noqa: PTH110
            os.unlink(fresh)  # noqa: PTH108
        raise
