"""A web server for one site or several, as a context manager."""

import os
import threading
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from zeroserve import _core, address, hosts
from zeroserve.certificates import Keeper
from zeroserve.reload import Reloader, Report, Severity
from zeroserve.watch import Watcher
from zeroserve.words import quoted

if TYPE_CHECKING:
    from zeroserve.app import App

DRAIN_TIMEOUT_S = 10.0

HSTS_S = 31_536_000
"""A year: what browsers' preload lists ask for."""

ADMIN_PAGE = os.path.join(os.path.dirname(__file__), "admin_page")  # noqa: PTH118, PTH120
"""The site of the admin listener: a directory like any other."""

SCRIPT_SUFFIXES = (".c", ".o", ".py")
"""A SITE of such a name is a script, and has no files."""


class Server:
    """Serves a site, an archive or a directory, or several, from threads of its own.

    Requests never take the GIL. All methods may be called from any thread. Signals are left
    alone: they belong to the program around it.

        import urllib.request
        import zeroserve

        with zeroserve.Server("site.tar", addr="127.0.0.1:0", threads=1) as server:
            urllib.request.urlopen(server.url + "/index.html").read()

    Raises ``zeroserve.Error`` for whatever is refused; ``args`` is ``(message,)`` or
    ``(message, hint)``.
    """

    def __init__(
        self,
        site: str | os.PathLike[str] | None = None,
        *,
        sites: Mapping[str, str | os.PathLike[str]] | None = None,
        addr: str | Sequence[str] = "127.0.0.1:0",
        tls_addr: str | Sequence[str] = (),
        certs: Sequence[tuple[str | os.PathLike[str], str | os.PathLike[str]]] = (),
        cert_dir: str | os.PathLike[str] | None = None,
        client_ca: str | os.PathLike[str] | None = None,
        client_auth: Literal["request", "require"] = "require",
        redirect_https: bool = False,
        hsts: bool = False,
        threads: int | None = None,
        proxy_from: Sequence[str] = (),
        trusted_proxies: Sequence[str] = (),
        index: str = "index.html",
        try_html: bool = False,
        plugins: Sequence[str | os.PathLike[str]] = (),
        access_log: str | os.PathLike[str] | None = None,
        access_log_format: Literal["json", "combined"] = "json",
        watch: bool = True,
        live_reload: bool = False,
        drain_timeout_s: float = DRAIN_TIMEOUT_S,
        report: Report | None = None,
        admin: str | None = None,
        admin_anywhere: bool = False,
        app: "str | App | None" = None,
        app_dir: str | os.PathLike[str] | None = None,
        app_interface: Literal["auto", "asgi", "wsgi"] = "auto",
        app_workers: int = 1,
        config: str | os.PathLike[str] | None = None,
        **limits: int,
    ) -> None:
        """Nothing is opened or bound before ``start`` or ``with``.

        ``site``: a ``.tar``, a directory, or a script (``.py``, ``.c``, ``.o``). A directory that
        holds nothing but archives named after hosts, like ``www.example.org.tar``, is many sites:
        each request gets that of the host it names, and hosts without one are answered 421.
        ``sites``: sites by host; ``site``, if there is one, is for all other hosts.
        ``addr``: one address or several: ``HOST:PORT`` (port 0 takes any free one),
        ``unix:PATH`` or ``fd:N``. With ``,proxy`` behind it, each connection has to begin with
        a PROXY header, which says whose it is.
        ``proxy_from``: addresses or networks that may send PROXY headers; by default all.
        ``trusted_proxies``: addresses or networks of proxies in front of this server: what they
        say about clients (X-Forwarded-For and the like) is passed on to upstreams, otherwise it is
        replaced.
        ``tls_addr``: addresses, as above, where connections are encrypted.
        ``certs``: files with a certificate chain and with its key (PEM); the first is the default.
        ``cert_dir``: directory of such files, matched by public key. A client gets the
        certificate of the name it asks for; changed files are used within a second.
        ``client_ca``: file with the authorities of clients' certificates; ``client_auth`` says
        whether clients may come without one (``request``) or not (``require``).
        ``redirect_https``: ``addr`` only sends clients to the first of ``tls_addr``.
        ``hsts``: tell browsers to come encrypted only, for a year.
        ``threads``: workers; by default as many as cores this process may use.
        ``index``: file name that stands for its directory.
        ``try_html``: ``/about`` may be answered by ``about.html``.
        ``plugins``: scripts (``.py``, ``.c``, ``.o``) that run before those of the site, in this
        order.
        ``access_log``: None (off), ``-`` (standard error) or a file to append to.
        ``watch``: serve changes of the site within a second.
        ``live_reload``: pages of a directory that are open in browsers on this machine load
        themselves anew when it changes, and show why a script is refused.
        ``drain_timeout_s``: seconds that ``stop`` lets running requests finish in.
        ``report``: called as ``report(severity, line)`` for what happens while serving, like
        a reload; by default these lines go to the logger ``zeroserve``.
        ``admin``: address of the admin listener (metrics, status, roll back); None has none.
        ``admin_anywhere``: that address may be one that other machines reach.
        ``app``: ``MODULE:NAME``, an ASGI or WSGI application that gets the requests which neither
        scripts nor files have answered, in processes of its own; it needs ``zeroserve[app]``.
        ``app_dir``: where its module lies (default: the current directory). While a directory is
        served and watched, changes of ``*.py`` files there start it anew.
        ``app_interface``: what it speaks; ``auto`` looks. ``app_workers``: its processes.
        ``config``: configuration file (TOML) of the process; its pools take the place of those of
        sites. Read again by ``try_reload``.
        ``limits``: rows of the table of limits by name, such as ``header_timeout_s=5``.
        """
        if site is None and not sites:
            raise _core.Error("no site to serve", "give an archive or a directory")
        self._name = ", ".join([*([os.fspath(site)] if site is not None else []), *(sites or ())])
        addrs = [addr] if isinstance(addr, str) else list(addr)
        tls_addrs = [tls_addr] if isinstance(tls_addr, str) else list(tls_addr)
        here = os.getcwd()  # noqa: PTH109
        pairs = [(os.path.join(here, cert), os.path.join(here, key)) for cert, key in certs]  # noqa: PTH118
        folder = None if cert_dir is None else os.path.join(here, cert_dir)  # noqa: PTH118
        authorities = None if client_ca is None else os.path.join(here, client_ca)  # noqa: PTH118
        _require_meaning(tls_addrs, pairs, folder, authorities, redirect_https, hsts)
        if redirect_https and not addrs:
            raise _core.Error(
                "--redirect-https without --addr", "give the address to redirect from"
            )
        if not addrs and not tls_addrs:
            raise _core.Error("no address to listen on", f"give {address.FORMS}")
        log = None if access_log is None else os.fspath(access_log)
        admin_at = None
        if admin is not None:
            admin_at = (address.normalise(admin), admin_anywhere, ADMIN_PAGE)
        self._core = _core.Server(
            addrs=[address.normalise(a) for a in addrs],
            threads=usable_cores() if threads is None else threads,
            proxy_from=list(proxy_from),
            trusted_proxies=list(trusted_proxies),
            index=index,
            try_html=try_html,
            access_log=log,
            access_log_format=access_log_format,
            limits=_checked(limits),
            tls_addrs=[address.normalise(a) for a in tls_addrs],
            certificates=pairs,
            cert_dir=folder,
            client_ca=authorities,
            require_client_cert=client_auth == "require",
            redirect_https=redirect_https,
            hsts_s=HSTS_S if hsts else None,
            admin=admin_at,
            live=live_reload,
        )
        self._report = report or _log
        paths = [os.path.join(here, plugin) for plugin in plugins]  # noqa: PTH118
        self._shared: list[tuple[str, bytes]] = []
        # A later chdir() by the program around must not change what is served.
        self._reloaders: list[Reloader] = []
        self._folder: hosts.Folder | None = None
        named = [(hosts.host(name), os.fspath(path)) for name, path in (sites or {}).items()]
        own = [] if site is None else [(None, os.fspath(site))]
        for name, shown in [*own, *named]:
            path = os.path.join(here, shown)  # noqa: PTH118
            if name is None and hosts.is_folder(path):
                # Without a reference to this server: what it holds open goes when it does.
                every = partial(SiteScripts, plugins=paths, shared=self._shared)
                self._folder = hosts.Folder(self._core, path, shown, self._report, every)
                continue
            scripts = SiteScripts(path, paths, self._shared)
            reloader = Reloader(
                self._core, path, shown, self._report, scripts, host=name, live=live_reload
            )
            self._reloaders.append(reloader)
        paths = [reloader.path for reloader in self._reloaders]
        if isinstance(app, str):
            from zeroserve.app import App  # late: most sites have none

            app = App(
                app,
                directory=app_dir,
                interface=app_interface,
                workers=app_workers,
                watch=watch and any(map(os.path.isdir, paths)),
                drain_s=drain_timeout_s,
                trusted_proxies=trusted_proxies,
            )
        self._app = app
        if app is not None:
            _require_apart(app, paths)
        self._config = None if config is None else os.path.join(here, config)  # noqa: PTH118
        self._watch = watch
        self._keeper: Keeper | None = None
        if tls_addrs:
            files = [path for pair in pairs for path in pair]
            files += [path for path in (folder, authorities) if path is not None]
            self._keeper = Keeper(self._core, files, self._report, watch=watch)
        self._own_files = () if log is None or log == "-" else (log,)
        self._watchers: list[Watcher] = []
        self._has_admin = admin is not None
        self._drain_timeout_s = drain_timeout_s
        self._urls: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._phase: Literal["new", "running", "stopped"] = "new"

    @property
    def url(self) -> str:
        """URL of the first listener, without a slash at its end: ``http://127.0.0.1:43121``."""
        return self.urls[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """One URL per listener, in the order of ``addr``; ``http+unix:PATH`` for a socket."""
        if not self._urls:
            raise _core.Error("the server has not been started", "call start() or use `with`")
        return self._urls

    @property
    def admin_url(self) -> str | None:
        """URL of the admin listener, as ``url``; None when there is none."""
        return self._core.admin_url()

    def bind(self) -> None:
        """Bind the addresses only, unless that is done; ``start`` does it otherwise.

        What comes in meanwhile waits. No thread runs yet: the time to give up privileges that
        binding takes. Raises ``Error`` when an address is refused.
        """
        with self._lock:
            if self._phase != "new":
                raise _core.Error(f"the server is {self._phase} already", "make a new Server")
            self._core.bind()

    def start(self) -> None:
        """Open the sites, bind, and serve; when it returns, connections are accepted.

        Raises ``Error`` when a site or an address is refused; nothing is left bound then. Of a
        directory of archives, one that is refused is reported, and the others are served.
        """
        with self._lock:
            if self._phase != "new":
                raise _core.Error(f"the server is {self._phase} already", "make a new Server")
            if self._app is not None and self._app.target is None:
                self._app.start()
            try:
                self._configure()
                for reloader in self._reloaders:
                    reloader.start()
                if self._folder is not None:
                    self._folder.open()
                if self._app is not None:
                    self._core.set_fallback(self._app.target)
                self._urls = tuple(self._core.start())
            except BaseException:
                if self._app is not None:
                    self._app.stop()
                raise
            self._phase = "running"
            if self._app is not None:
                self._app.follow(self._core.set_fallback, self._report)
            for reloader in self._all():
                reloader.report_warnings()
            if self._keeper is not None:
                self._keeper.start()
            if self._watch:
                for reloader in self._reloaders:
                    watcher = Watcher(reloader, self._report, ignore=self._own_files)
                    watcher.start()
                    self._watchers.append(watcher)
                if self._folder is not None:
                    self._folder.start()
            if self._has_admin:
                work = (self._core, weakref.ref(self), self._report)
                threading.Thread(
                    target=_obey, args=work, name="zeroserve-admin", daemon=True
                ).start()

    def stop(self, drain_timeout_s: float | None = None) -> int:
        """Stop accepting, let running requests finish, and end the workers.

        Waits ``drain_timeout_s`` seconds at most (by default as given when the server was
        made); returns how many connections were cut then. ``stop(0)`` from another thread
        ends the waiting. Stopping twice, or before the start, does nothing. A reload under way
        is not waited for and comes to nothing.
        """
        with self._lock:
            if self._phase == "new":
                self._phase = "stopped"
                return 0
            self._phase = "stopped"
        # Not under the lock: a second call has to reach the core while the first one waits.
        for reloader in self._reloaders:
            reloader.close()
        if self._keeper is not None:
            self._keeper.stop()
        looking: list[Watcher | hosts.Folder] = [*self._watchers]
        if self._folder is not None:
            looking.append(self._folder)
        for one in looking:
            one.stop()
        seconds = self._drain_timeout_s if drain_timeout_s is None else drain_timeout_s
        cut = self._core.stop(seconds)
        if self._app is not None:
            # Now that nobody is sent to it any more.
            self._app.stop()
        for one in looking:
            one.join()
        return cut

    def reload(self, site: str | None = None) -> int:
        """Open a site anew and swap it in at once; returns its generation, counted from 1.

        ``site``: which one of several, by its host; without it the one for all other hosts, or
        the only one. Requests under way finish on the generation they began with. Raises
        ``Error`` when the new state of the site is refused: the old one goes on.
        """
        return self._one(site).reload()

    def try_reload(self) -> bool:
        """As ``reload``, of all sites and the app, but the outcome goes to ``report``.

        False when one was refused.
        """
        # First, since sites are opened with what it says; and all, whatever becomes of the first.
        outcomes = [self._try_configure()]
        outcomes += [reloader.attempt() for reloader in self._all()]
        if self._app is not None:
            outcomes.append(self._app.reload())
        return all(outcomes)

    def _configure(self) -> None:
        if self._config is not None:
            from zeroserve.config import file  # late: most servers have none

            found = file.load(self._config)
            scripts = file.shared_scripts(found, self._config)
            self._core.set_config(found.json or "{}")
            self._shared[:] = scripts

    def _try_configure(self) -> bool:
        try:
            self._configure()
        except _core.Error as error:
            what = f"configuration refused, that of before goes on: {error.args[0]}"
            self._report("error", "\n".join([what, *getattr(error, "__notes__", ())]))
            return False
        return True

    def try_reload_certificates(self) -> bool:
        """Read the certificates anew, as after a change of their files, and report the outcome.

        False when they were refused: those in force go on. True when there are none.
        """
        return self._keeper is None or self._keeper.reload()

    def rollback(self, generation: int | None = None, *, site: str | None = None) -> int:
        """Put the generation before in force again at once; returns its number.

        ``site``: as for ``reload``.

        Nothing is read from disk, and the site is not opened anew before it changes once more.
        ``generation``: the one to be taken back, for when another may be in force by now. Raises
        ``Error`` when it is not in force, or when no earlier one is kept: of a directory, whose
        files change in place, none is.

            with zeroserve.Server("site.tar", keep_generations=5) as server:
                server.reload()
                server.rollback()
        """
        number = self._core.rollback(generation, site=site)
        what = site or self._name
        self._report("info", f"rolled back {what}: generation {number} is in force again")
        return number

    def status(self) -> dict[str, Any]:
        """What is served, by whom and since when: as ``/status`` of the admin listener."""
        import json  # late: most programs never ask

        status: dict[str, Any] = json.loads(self._core.status())
        return status

    def is_turning(self) -> bool:
        """Whether all workers have come around since this was asked last; for watchdogs."""
        return self._core.is_turning()

    def reopen_log(self) -> None:
        """Close the access log and open its path again, after a log rotation."""
        self._core.reopen_log()

    def summary(self) -> str:
        """How much is served, in words: ``3 sites, 1,200 entries``."""
        return hosts.summary(self._core)

    def stats(self) -> dict[str, int]:
        """Counters since the start: ``requests``, ``bytes_sent``, ``generation`` and others."""
        return self._core.stats()

    def _all(self) -> list[Reloader]:
        return [*self._reloaders, *(self._folder.reloaders() if self._folder is not None else ())]

    def _one(self, name: str | None) -> Reloader:
        """The site of that name: its host, or the last part of its path."""
        every = self._all()
        if name is None and len(every) == 1:
            return every[0]
        for reloader in every:
            if reloader.host == name or (reloader.host is None and reloader.is_called(name)):
                return reloader
        if name is None:
            raise _core.Error("there are several sites", "name one by its host")
        raise _core.Error(f"no such site: {name!r}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<zeroserve.Server {self._name!r} {self._phase}>"


class SiteScripts:
    """Makes what runs before the scripts of an archive: plugins, then those of any other site."""

    def __init__(
        self,
        site: str,
        plugins: Sequence[str] = (),
        shared: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """``shared``: names and objects of what runs before all of them; it may change."""
        self._site = site
        self._plugins = tuple(plugins)
        self._shared = shared
        self._files: set[str] = set()

    @property
    def files(self) -> Collection[str]:
        """Scripts, and modules they import, that decided what they were the last time."""
        return self._files

    def __call__(self) -> list[tuple[str, bytes]]:
        """Names and objects; raises ``Error`` for the first that is refused."""
        site = self._site
        own = site.endswith(SCRIPT_SUFFIXES) and not os.path.isdir(site)  # noqa: PTH112
        own = own or _has_scripts(site)
        places = [*self._plugins, *([site] if own else [])]
        if not places:
            self._files = set()
            return [*self._shared]
        from zeroserve import scripts  # late: most sites have none

        before, self._files = self._files, set()
        try:
            found = [
                (script.name, script.object)
                for place in places
                for script in scripts.objects(place, seen=self._files.add)
            ]
        except _core.Error:
            # Behind the first that is refused nothing was looked at.
            self._files |= before
            raise
        return [*self._shared, *found]


def loaded(site: str, plugins: Sequence[str] = ()) -> list[tuple[str, bytes]]:
    """Names and objects of what runs before the scripts of an archive; raises ``Error``."""
    return SiteScripts(site, plugins)()


def configuration(site: str) -> Callable[[bytes], str | None]:
    """Reads the configuration file of a site, if it has one, for ``_core``."""

    def configure(data: bytes) -> str | None:
        from zeroserve.config import file  # late: most sites have no such file

        return file.site_json(data, site, site)

    return configure


def _has_scripts(site: str) -> bool:
    """Whether a directory keeps scripts, or rules; to be kept from looking is no answer."""
    files = ("_redirects", "_headers", os.path.join(".zeroserve", "zeroserve.toml"))  # noqa: PTH118
    rules = (os.path.join(site, name) for name in files)  # noqa: PTH118
    if os.path.isdir(site) and any(map(os.path.lexists, rules)):  # noqa: PTH112
        return True
    try:
        os.stat(os.path.join(site, ".zeroserve", "scripts"))  # noqa: PTH116, PTH118
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # who reads them says what is wrong
    return True


def _require_meaning(
    tls_addrs: list[str],
    pairs: list[tuple[str, str]],
    cert_dir: str | None,
    client_ca: str | None,
    redirect_https: bool,
    hsts: bool,
) -> None:
    """What belongs together has to be there."""
    if tls_addrs and not pairs and cert_dir is None:
        raise _core.Error("no certificate for --tls-addr", "give --cert and --key, or --cert-dir")
    if tls_addrs:
        return
    given = {
        "--cert": bool(pairs),
        "--cert-dir": cert_dir is not None,
        "--client-ca": client_ca is not None,
        "--redirect-https": redirect_https,
        "--hsts": hsts,
    }
    for name, there in given.items():
        if there:
            raise _core.Error(f"{name} without --tls-addr", "give the address to encrypt")


def _require_apart(app: "App", sites: Sequence[str]) -> None:
    """No source of the app may be a file of a site."""
    place = os.path.realpath(app.directory)
    for site in sites:
        root = os.path.realpath(site)
        below = os.path.relpath(place, root).split("/")
        if not os.path.isdir(root) or below[0] == "..":  # noqa: PTH112
            continue
        if below == ["."] or not any(part.startswith(".") for part in below):
            raise _core.Error(
                f"the app lies in the site, which publishes it: {quoted(app.directory)}",
                "serve a directory of its own, like ./public, or give --app-dir",
            )


def _obey(core: _core.Server, server: Callable[[], Server | None], report: Report) -> None:
    """Do what the admin listener wants done, until it ends."""
    while (command := core.next_command()) is not None:
        what, line = command
        if what == "report":
            report("info", line)
            continue
        found = server()
        if found is None:
            return
        try:
            refusal = found._one(line).refusal()
        except Exception as error:  # who asked waits, and others will ask
            refusal = f"the reload failed: {error}"
            report("error", refusal)
        del found
        core.reloaded(refusal)


def usable_cores() -> int:
    """Cores that this process may run on: fewer than the machine has, in a container."""
    return len(os.sched_getaffinity(0))


def _checked(limits: dict[str, int]) -> dict[str, int]:
    rows = {row.name: row for row in _core.LIMITS}
    for name, value in limits.items():
        row = rows.get(name)
        if row is None:
            raise TypeError(f"Server() got an unexpected keyword argument {name!r}")
        if not row.minimum <= value <= row.maximum:
            raise _core.Error(
                f"{name} is outside of {row.minimum} to {row.maximum} {row.unit}: {value}"
            )
    return limits


def _log(severity: Severity, line: str) -> None:
    import logging

    levels = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
    logging.getLogger("zeroserve").log(levels[severity], line)
