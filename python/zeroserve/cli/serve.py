"""``zeroserve SITE``: serve until a signal says otherwise.

SIGHUP reloads the site and opens the access log again. SIGTERM and SIGINT drain: the first
one stops accepting and lets running requests finish, exit code 0; a second one ends the
process at once, exit code 128 + its number. Three threads see to it: one takes signals and does
nothing that could block, one reloads and reports, the main thread waits and drains.
"""

import os
import signal
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from zeroserve import _core, address, systemd
from zeroserve.cli import confine
from zeroserve.cli.flags import Options, UsageError, nearest
from zeroserve.cli.terminal import complain, say, say_lines, spinner
from zeroserve.config import waiting
from zeroserve.reload import Severity
from zeroserve.server import Server
from zeroserve.words import plural, quoted, reason

if TYPE_CHECKING:
    from zeroserve.app import App

DENIED_HINT = "the sandbox lets what was named at the start be read: --allow-read PATH adds to it"
"""For a link that was pointed elsewhere, say: the person in charge may not think of it."""

TOGETHER = {
    "cert": {"cert", "key"},
    "key": {"cert", "key"},
    "sandbox": {"sandbox", "no_sandbox"},
}
"""Options that only make sense together: one on the command line replaces those in the file."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Tls(NamedTuple):
    addrs: list[str]
    certs: list[tuple[str, str]]


class _Log(NamedTuple):
    path: str | None
    format: Literal["json", "combined"]


def run(options: Options) -> int:
    """Serve; returns the exit code when the server has been told to stop."""
    if options.version:
        print(f"zeroserve {_core.__version__}")
        return 0
    otherwise, named = _configured(options)
    sites = {**named, **dict(options.site or ())}
    operands: list[str] = options.operands or otherwise or ([] if sites else ["."])
    site, more = (operands[0] if operands else None), operands[1:]
    if more:
        raise UsageError(
            f"more than one SITE: {quoted(more[0])}", "start one zeroserve for each of them"
        )
    for path in (site, *sites.values()):
        if path is not None:
            _require_site(path)
    # Before any thread exists: threads inherit the mask, so signals wait for this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    manager = systemd.Notifier()
    _raise_descriptor_limit()
    waiting.around = spinner
    tls = _tls(options)
    log = _access_log(options)
    report = _Reporter()
    served = [path for path in (site, *sites.values()) if path is not None]
    app = _application(options, served)
    default = [] if tls.addrs else address.inherited() or [address.DEFAULT]
    addresses: list[str] = options.addr or default
    server = Server(
        site,
        sites=sites,
        addr=addresses,
        tls_addr=tls.addrs,
        certs=tls.certs,
        cert_dir=options.cert_dir,
        client_ca=options.client_ca,
        client_auth=options.client_auth,
        redirect_https=options.redirect_https,
        hsts=options.hsts,
        proxy_from=options.proxy_from or (),
        trusted_proxies=options.trusted_proxy or (),
        threads=options.threads,
        index=options.index,
        try_html=options.try_html,
        plugins=options.plugin or (),
        access_log=log.path,
        access_log_format=log.format,
        watch=options.watch,
        live_reload=options.live_reload,
        drain_timeout_s=options.drain_timeout_s,
        report=report,
        admin=options.admin,
        admin_anywhere=options.admin_anywhere,
        app=app,
        config=options.config,
        **{limit.name: getattr(options, limit.name) for limit in _core.LIMITS},
    )
    if app is not None:
        # Before there is a sandbox, and before anybody can come.
        _start(app)
    try:
        server.bind()
        # While this is the only thread: others inherit what it has given up.
        bound = [*addresses, *tls.addrs, *([options.admin] if options.admin else [])]
        files = [path for pair in tls.certs for path in pair]
        sandbox = _give_up(options, served, bound, log.path, files)
    except _core.Error:
        if app is not None:
            app.stop()
        raise
    report.confined = sandbox is not None
    signals = _Signals()
    signals.start()
    try:
        server.start()
    except _core.Error:
        confine.clean_up(sandbox)
        raise
    signals.serving = True
    behind = f", behind it {options.app}" if app is not None else ""
    house = _House(server, ", ".join(served), behind, signals, manager, sandbox, report)
    threading.Thread(target=house.keep, name="zeroserve-house", daemon=True).start()
    manager.keep_alive(server.is_turning)
    signals.told.wait()
    manager.tell(systemd.STOPPING, systemd.status("finishing what runs"))
    server.stop()
    confine.clean_up(sandbox)
    # Python's own end would wait for the locks of a thread that reloads or writes to a pipe that
    # nobody reads.
    os._exit(0)


def _configured(options: Options) -> tuple[list[str], dict[str, str]]:
    """Give options that are not on the command line the values of ``--config``.

    Returns the site for all hosts that have none of their own, if it names one, and sites by host.
    """
    if options.config is None:
        return [], {}
    from zeroserve.config import file  # late: most servers have none
    from zeroserve.config.process import DEFAULT_SITE

    found = file.load(options.config)
    for name, value in found.server.items():
        if not options.given & TOGETHER.get(name, {name}):
            setattr(options, name, value)
    sites = dict(found.sites)
    otherwise = sites.pop(DEFAULT_SITE, None)
    return [] if otherwise is None else [otherwise], sites


class _Signals:
    """Takes the signals that ``run`` has blocked, in a thread of its own."""

    def __init__(self) -> None:
        self.told = threading.Event()
        """Set by the first SIGTERM or SIGINT."""
        self.hung_up = threading.Event()
        """Set by SIGHUP; whoever acts on it clears it before."""
        self.serving = False
        """Before, there is nothing to drain."""

    def start(self) -> None:
        """Take signals from now on; those that came since they are blocked are not lost."""
        threading.Thread(target=self._run, name="zeroserve-signals", daemon=True).start()

    def _run(self) -> None:
        while True:
            number = signal.sigwait(SIGNALS)
            if number == signal.SIGHUP:
                self.hung_up.set()
            elif self.told.is_set():
                os._exit(128 + number)  # at once: nothing here is worth waiting for
            elif self.serving:
                self.told.set()
            else:
                os._exit(0)


class _House(NamedTuple):
    """Whatever may take long or block: reloads, and each line on stderr."""

    server: Server
    site: str
    behind: str
    """An application, in words."""
    signals: _Signals
    manager: systemd.Notifier
    sandbox: confine.Sandbox | None
    report: "_Reporter"

    def keep(self) -> None:
        """Say what there is to say, then do as SIGHUP tells."""
        # First of all: what follows may have to wait for somebody to read it.
        self.manager.tell(systemd.READY, self._status())
        for url in self.server.urls:
            say(f"listening on {url}")
        if self.server.admin_url is not None:
            say(f"admin on {self.server.admin_url}")
        say(self._serving())
        if self.sandbox is not None:
            say(self.sandbox.line)
        if os.getuid() == 0:
            self.report("warning", "serving as root: --user NAME gives that up")
        while True:
            self.signals.hung_up.wait()
            self.signals.hung_up.clear()
            self.manager.tell(systemd.reloading())
            try:
                self.server.reopen_log()
            except _core.Error as error:
                self.report("error", str(error.args[0]))
            done = self.server.try_reload()
            self.server.try_reload_certificates()
            failed = "" if done else "; the last reload was refused"
            self.manager.tell(systemd.READY, self._status(failed))

    def _serving(self) -> str:
        return f"serving {self.site}: {self.server.summary()}{self.behind}"

    def _status(self, more: str = "") -> str:
        return systemd.status(self._serving() + more)


def _give_up(
    options: Options, served: list[str], addresses: list[str], log: str | None, also_read: list[str]
) -> confine.Sandbox | None:
    if options.user is not None:
        confine.become(options.user)
    if options.sandbox == "off" or options.no_sandbox:
        return None
    return confine.confine(options, served, addresses, log, also_read)


class _Reporter:
    """Says what happens while serving."""

    def __init__(self) -> None:
        self.confined = False

    def __call__(self, severity: Severity, line: str) -> None:
        if severity == "info":
            say(f"zeroserve: {line}")
        else:
            denied = self.confined and "permission denied" in line.lower()
            first, _, more = line.partition("\n")
            complain(first, DENIED_HINT if denied else None, severity=severity)
            say_lines(more)


def _application(options: Options, served: Iterable[str]) -> "App | None":
    if options.app is None:
        for name in ("app_dir", "app_interface", "app_workers"):
            if getattr(options, name) not in (None, "auto", 1):
                raise UsageError(f"--{name.replace('_', '-')} without --app", "name the app")
        return None
    from zeroserve.app import App  # late: most sites have none

    return App(
        options.app,
        directory=options.app_dir,
        interface=options.app_interface,
        workers=options.app_workers,
        watch=options.watch and any(map(os.path.isdir, served)),
        drain_s=options.drain_timeout_s,
        trusted_proxies=options.trusted_proxy or (),
        user=None if options.user is None else options.user[1:],
        on_line=lambda line: say(f"app: {line.expandtabs()}"),
    )


def _start(app: "App") -> None:
    def told() -> bool:
        return not signal.sigpending().isdisjoint((signal.SIGTERM, signal.SIGINT))

    try:
        app.start(told)
    except _core.Error:
        if told():
            os._exit(0)  # as when it comes a moment later
        raise


def _require_site(site: str) -> None:
    if os.path.isdir(site):  # noqa: PTH112
        return
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


def _tls(options: Options) -> _Tls:
    certs: list[str] = options.cert or []
    keys: list[str] = options.key or certs
    if len(keys) != len(certs):
        raise UsageError(
            f"{plural(len(certs), 'value')} of --cert, but {len(keys)} of --key",
            "give one --key for each --cert, in the same order",
        )
    addrs: list[str] = options.tls_addr or []
    if not options.https:
        return _Tls(addrs, list(zip(certs, keys, strict=True)))
    from zeroserve.cli.serve_flags import DEV_ADDR

    if not certs and options.cert_dir is None:
        certs, keys = ([path] for path in _dev_cert())
    return _Tls(addrs or [DEV_ADDR], list(zip(certs, keys, strict=True)))


def _dev_cert() -> tuple[str, str]:
    from zeroserve import dev_cert

    try:
        made = dev_cert.ensure()
    except OSError as error:
        where = quoted(dev_cert.directory())
        raise _core.Error(
            f"can't write to {where}: {reason(error)}", "give --cert and --key"
        ) from None
    if made.fresh:
        say(f"zeroserve: made a certificate authority for this machine: {made.authority}")
        say("zeroserve: browsers warn until they trust it; `zeroserve dev-cert` says how")
    return made.certificate, made.key


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
