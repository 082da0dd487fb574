"""``zeroserve hash-password``: what ``basic_auth`` of zeroserve.toml compares passwords with."""

import sys

from zeroserve import _core
from zeroserve.cli.flags import Options

MAX_PASSWORD_BYTES = 1024
"""What comes in a header has to fit there."""


def run(_options: Options) -> int:
    """Read a password and print its hash; returns the exit code."""
    password = _asked() if sys.stdin.isatty() else _piped()
    if not password:
        raise _core.Error("the password is empty")
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        raise _core.Error(f"longer than {MAX_PASSWORD_BYTES:,} bytes")
    print(_core.hash_password(password))
    return 0


def _asked() -> str:
    import getpass

    password = getpass.getpass("password: ", sys.stderr)
    if password != getpass.getpass("again: ", sys.stderr):
        raise _core.Error("the two passwords differ")
    return password


def _piped() -> str:
    data = sys.stdin.buffer.readline(MAX_PASSWORD_BYTES + 3)
    try:
        return data.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise _core.Error("the password is not UTF-8") from None
