"""``zeroserve SITE``: serve until a signal says otherwise.

SIGHUP reloads the site and opens the access log again. SIGTERM and SIGINT drain: the first
one stops accepting and lets running requests finish, exit code 0; a second one ends the
process at once, exit code 128 + its number.
"""

import os
import signal
import threading
from typing import Literal, NamedTuple

from zeroserve import _core, address
from zeroserve.cli.flags import Options, UsageError, nearest
from zeroserve.cli.terminal import complain, say
from zeroserve.reload import Severity
from zeroserve.server import Server
from zeroserve.words import plural, quoted

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

SCRIPTS = (".py", ".c", ".o")

SIGNAL_POLL_S = 0.02
"""How soon the end of a drain is noticed."""


class _Log(NamedTuple):
    path: str | None
    format: Literal["json", "combined"]


def run(options: Options) -> int:
    """Serve; returns the exit code when the server has been told to stop."""
    if options.version:
        print(f"zeroserve {_core.__version__}")
        return 0
    site, *more = options.operands or ["."]
    if more:
        raise UsageError(
            f"more than one SITE: {quoted(more[0])}", "start one zeroserve for each of them"
        )
    _require_site(site)
    # Before any thread exists: threads inherit the mask, so signals wait for this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    _raise_descriptor_limit()
    log = _access_log(options)
    server = Server(
        site,
        addr=options.addr or address.inherited() or address.DEFAULT,
        threads=options.threads,
        index=options.index,
        try_html=options.try_html,
        access_log=log.path,
        access_log_format=log.format,
        watch=options.watch,
        drain_timeout_s=options.drain_timeout_s,
        report=_report,
        **{limit.name: getattr(options, limit.name) for limit in _core.LIMITS},
    )
    server.start()
    for url in server.urls:
        say(f"listening on {url}")
    say(f"serving {site}: {plural(server.stats()['entries'], 'entry', 'entries')}")
    _until_told_to_stop(server)
    return _drain(server)


def _until_told_to_stop(server: Server) -> None:
    while signal.sigwait(SIGNALS) == signal.SIGHUP:
        try:
            server.reopen_log()
        except _core.Error as error:
            _report("error", str(error.args[0]))
        server.try_reload()


def _drain(server: Server) -> int:
    draining = threading.Thread(target=server.stop, name="zeroserve-drain", daemon=True)
    draining.start()
    while draining.is_alive():
        told = signal.sigtimedwait(SIGNALS, SIGNAL_POLL_S)
        if told is not None and told.si_signo != signal.SIGHUP:
            server.stop(0)
            os._exit(128 + told.si_signo)  # at once: nothing here is worth waiting for
    return 0


def _report(severity: Severity, line: str) -> None:
    if severity == "info":
        say(f"zeroserve: {line}")
    else:
        complain(line, severity=severity)


def _require_site(site: str) -> None:
    if os.path.isdir(site):  # noqa: PTH112
        return
    if site.endswith(SCRIPTS):
        raise UsageError(
            f"scripts do not run yet: {quoted(site)}", "give a .tar archive or a directory"
        )
    if not os.path.exists(site):  # noqa: PTH110
        raise _core.Error(f"no such file or directory: {quoted(site)}", _meant(site))
    if not os.path.isfile(site):  # noqa: PTH113
        raise _core.Error(f"not a file or directory: {quoted(site)}")


def _meant(site: str) -> str | None:
    from zeroserve.cli.commands import COMMANDS

    if "/" in site or "." in site:
        return None
    command = nearest(site, [command.name for command in COMMANDS])
    return f"did you mean `zeroserve {command}`?" if command else None


def _access_log(options: Options) -> _Log:
    path: str | None = options.access_log
    terminal = os.isatty(2)
    if path is None and terminal:
        path = "-"
    form: Literal["json", "combined"] | None = options.access_log_format
    if form is None:
        form = "combined" if path == "-" and terminal else "json"
    return _Log(None if path == "off" else path, form)


def _raise_descriptor_limit() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            complain(f"file descriptor limit stays at {soft}: {error}", severity="warning")
