"""What a serving process gives up before it sees a stranger: its user, files, system calls.

All of this happens between binding and starting the workers, while there is one thread only.
Only the command line does it: a program that uses ``zeroserve.Server`` has files of its own.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from zeroserve import _core
from zeroserve.cli.flags import Options
from zeroserve.words import quoted, reason

Mode = Literal["auto", "require", "off"]
Grant = tuple[str, str]
"""A path, and what is allowed with it and all below it: a name of the core's ``Grant``."""

MAX_LINKS = 10_000
"""Links in a directory that are looked at, so that where they lead can be read."""

SYSTEM = (
    "/usr/lib",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/dev/urandom",
    # Names of hosts and users.
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/passwd",
    "/etc/group",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    # Who is trusted.
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
)
"""What any program reads: libraries, times, names, certificates of authorities. No keys."""

READ_FROM_OPTIONS = ("plugin", "cert", "key", "cert_dir", "client_ca", "config")
"""Flags whose values are read again by a reload."""


SOURCES = (".py", ".c")
"""Suffixes of scripts that are compiled."""


class Account(NamedTuple):
    """Who the server becomes."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def account(text: str) -> Account:
    """``NAME``, ``NAME:GROUP`` or numbers; raises ValueError with the reason.

    Without a group it is the user's own one, with those that the user is a member of.
    """
    import grp  # late: only root needs them
    import pwd

    user, colon, group = text.partition(":")
    try:
        found = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
        name, uid, gid = found.pw_name, found.pw_uid, found.pw_gid
    except (KeyError, OverflowError):
        if not user.isdecimal() or not colon:
            raise ValueError(f"no such user: {user!r}") from None
        name, uid, gid = user, int(user), -1
    if colon:
        try:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        except KeyError:
            raise ValueError(f"no such group: {group!r}") from None
    if uid == 0:
        raise ValueError(f"that is root: {text!r}")
    if not 0 < uid < 2**32 - 1 or not 0 <= gid < 2**32 - 1:
        raise ValueError(f"not a user: {text!r}")
    groups = [gid] if colon else os.getgrouplist(name, gid)
    return Account(name, uid, gid, tuple(groups))


def become(who: Account) -> None:
    """Become somebody else for good, in all threads; raises ``Error`` when that is refused."""
    _import_late_ones()
    try:
        _core.drop_bounding_set()
        os.setgroups(who.groups)
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
        _core.give_up_privileges(keep_file_access=False)
    except OSError as error:
        raise _core.Error(
            f"can't become {quoted(who.name)}: {reason(error)}", "--user is for root"
        ) from None


def _import_late_ones() -> None:
    """Who comes after root may not be able to read a Python that lies in root's home."""
    import codecs
    import difflib
    import importlib.metadata
    import importlib.util
    import json
    import platform
    import shutil
    import tempfile

    import watchfiles

    from zeroserve import clang, compiler, object_cache, overlay, scripts
    from zeroserve.config import emit, rules

    next(clang.compilers(), None)
    codecs.lookup("utf-8-sig")
    with suppress(importlib.metadata.PackageNotFoundError):
        compiler.version()
    # Named, so that what they are for is seen.
    _ = difflib, importlib.util, json, platform, shutil, tempfile, watchfiles
    _ = object_cache, overlay, scripts, emit, rules


class Sandbox(NamedTuple):
    """What is in force."""

    line: str
    """``sandbox: landlock (ABI 7), seccomp, no new privileges``"""
    scratch: str | None
    """A directory for the compiler's files, to be removed at the end."""


def confine(
    options: Options,
    sites: Sequence[str],
    addresses: Iterable[str],
    log: str | None,
    also_read: Iterable[str] = (),
) -> Sandbox:
    """Give up what serving these sites does not take, as far as this system can.

    ``addresses``: all that were bound; for none further is there a way. ``also_read``: files that
    a reload reads again and no flag names.

    Raises ``Error`` when ``--sandbox require`` was given and something is missing.
    """
    compiles = any(needs_compiler(site, options.plugin or ()) for site in sites)
    compiles = compiles or has_shared_rules(options.config)
    also_read = (*also_read, *_of_pools(options.config))
    scratch = _make_scratch() if compiles else None
    read = (*sites, *_values(options), *also_read)
    grants = [*_grants(options, read, addresses, log), *_for_compiler(scratch)]
    done, missing = [], []
    try:
        _core.give_up_privileges(keep_file_access=os.geteuid() == 0)
    except OSError as error:
        missing.append(f"capabilities: {reason(error)}")
    try:
        done.append(f"landlock (ABI {_core.forbid_files(grants)})")
    except _core.Error as error:
        missing.append(f"landlock: {error.args[0]}")
    try:
        _core.forbid_calls(commands=compiles)
        done.append("seccomp")
    except _core.Error as error:
        missing.append(f"seccomp: {error.args[0]}")
    if done or not missing:
        done.append("no new privileges")
    if missing and options.sandbox == "require":
        raise _core.Error(
            f"no complete sandbox: {'; '.join(missing)}", "--sandbox auto goes on without"
        )
    without = f" (without {'; '.join(missing)})" if missing else ""
    return Sandbox(f"sandbox: {', '.join(done) or 'none'}{without}", scratch)


def clean_up(sandbox: Sandbox | None) -> None:
    """Remove what was made for the time of serving."""
    if sandbox is not None and sandbox.scratch is not None:
        import shutil

        shutil.rmtree(sandbox.scratch, ignore_errors=True)


def needs_compiler(site: str, plugins: Iterable[str]) -> bool:
    """Whether a reload compiles scripts."""
    if any(path.endswith(SOURCES) for path in (site, *plugins)):
        return True
    from zeroserve import scripts

    if scripts.rules_of(site) is not None:
        return True
    try:
        names = os.listdir(os.path.join(site, ".zeroserve", "scripts"))  # noqa: PTH118, PTH208
    except OSError:
        return False
    return any(name.endswith(SOURCES) for name in names)


def has_shared_rules(config: str | None) -> bool:
    """Whether the file of the process says anything of requests."""
    if config is None:
        return False
    from zeroserve.config import file
    from zeroserve.config.site import Shared

    return file.load(config).shared != Shared()


def _of_pools(config: str | None) -> Iterator[str]:
    """Files that the pools of the process name."""
    if config is None:
        return
    from zeroserve.config import file

    for pool in file.load(config).pools.values():
        if pool.tls is not None:
            yield from pool.tls.files


def _grants(
    options: Options, read: Iterable[str], addresses: Iterable[str], log: str | None
) -> Iterator[Grant]:
    for path in SYSTEM:
        yield path, "read"
    yield "/dev/null", "write"
    for path in (*sys.path, sys.prefix, sys.base_prefix):
        yield path or ".", "read"
    for path in read:
        for place in (*around(path), *_leading_out(path)):
            yield place, "read"
    for path in options.allow_read or ():
        yield path, "read"
    for address in addresses:
        if address.startswith("unix:"):
            yield _parent(address.removeprefix("unix:").removesuffix(",proxy")), "unlink"
    if log is not None and log != "-":
        yield from _for_log(log)


def around(path: str) -> Iterator[str]:
    """What has to be readable so that ``path`` can be replaced: the directory that it lies in.

    If it is a link, that is where the link lies, and where it leads to the directory one further
    up: ``current -> releases/7/site`` is pointed to ``releases/8/site`` next.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100
    yield _parent(absolute)
    real = os.path.realpath(absolute)
    if real == absolute:
        return
    yield _parent(real)
    further = _parent(_parent(real))
    if further != "/":
        yield further


def _values(options: Options) -> Iterator[str]:
    for name in READ_FROM_OPTIONS:
        value = getattr(options, name, None)
        if value is not None:
            yield from [value] if isinstance(value, str) else value


def _leading_out(directory: str) -> Iterator[str]:
    """Where links in a directory lead that lead out of it: such a link is followed."""
    if not os.path.isdir(directory):  # noqa: PTH112
        return
    root = os.path.realpath(directory)
    pending, links = [root], 0
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        real = os.path.realpath(entry.path)
                        links += 1
                        if not real.startswith(root + "/"):
                            # A file there may be replaced like any other.
                            yield real if entry.is_dir() else _parent(real)
                    elif not _hidden(entry.name) and entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    if links >= MAX_LINKS:
                        return
        except OSError:
            continue  # whoever opens the site says so


def _hidden(name: str) -> bool:
    return name.startswith(".") and name not in (".well-known", ".zeroserve")


def _for_log(path: str) -> Iterator[Grant]:
    """It is opened again after a rotation, when there is none of that name."""
    real = os.path.realpath(path)
    if os.path.exists(real) and not os.path.isfile(real):  # noqa: PTH110, PTH113
        yield real, "write"  # /dev/stdout, a named pipe
        return
    yield _parent(os.path.abspath(path)), "log"  # noqa: PTH100
    yield _parent(real), "log"


def _make_scratch() -> str:
    import tempfile

    directory = tempfile.mkdtemp(prefix="zeroserve-")
    # Where the compiler and whoever calls it put their files from now on.
    tempfile.tempdir = directory
    os.environ["TMPDIR"] = directory
    return directory


def _for_compiler(scratch: str | None) -> Iterator[Grant]:
    if scratch is None:
        return
    from zeroserve import clang

    yield scratch, "scratch"
    # To remove it at the end; a directory that is not empty stays in any case.
    yield _parent(scratch), "rmdir"
    for path in ("/usr/lib", "/usr/local/lib", "/lib", "/lib64", sys.prefix, sys.base_prefix):
        yield path, "run"
    # Programs look themselves up there. What belongs to others there stays hidden.
    yield "/proc", "read"
    for compiler in clang.compilers():
        yield compiler.command[0], "run"
        yield _parent(os.path.realpath(compiler.command[0])), "run"


def _parent(path: str) -> str:
    return os.path.dirname(path) or "."  # noqa: PTH120
