"""The flags of serving, and of its limits: rows of the table of flags."""

from zeroserve import _core, address
from zeroserve.cli.flags import Flag
from zeroserve.cli.values import (
    Choice,
    account_value,
    address_value,
    app_name,
    file_name,
    host_site,
    network,
    non_empty,
    seconds,
    whole,
)

MAX_THREADS = 1024

MAX_APP_WORKERS = 256

DEV_ADDR = "127.0.0.1:8443"
"""Where --https listens."""

MAX_DRAIN_TIMEOUT_S = 86_400

SERVE_FLAGS = (
    Flag(
        "--addr",
        "ADDR",
        None,
        f"{address.FORMS}; 8080 is 127.0.0.1:8080, :8080 is 0.0.0.0:8080, port 0 is any free "
        "one; with ,proxy behind it each connection begins with a PROXY header; may be repeated "
        "(default: sockets passed on by systemd (LISTEN_FDS), "
        f"else {address.DEFAULT})",
        "listening",
        address_value,
        repeat=True,
    ),
    Flag(
        "--tls-addr",
        "ADDR",
        None,
        "as --addr, for HTTPS; without --addr it is the only listener; may be repeated",
        "listening",
        address_value,
        repeat=True,
    ),
    Flag(
        "--proxy-from",
        "NETWORK",
        None,
        "address or network (192.0.2.0/24) that may send PROXY headers; may be repeated "
        "(default: whoever reaches a ,proxy address)",
        "listening",
        network,
        repeat=True,
    ),
    Flag(
        "--trusted-proxy",
        "NETWORK",
        None,
        "address or network of a proxy in front: what it says about clients (X-Forwarded-For and "
        "the like) is passed on to upstreams; may be repeated (default: none)",
        "listening",
        network,
        repeat=True,
    ),
    Flag(
        "--threads",
        "N",
        None,
        "workers (default: one per usable core)",
        "listening",
        whole(1, MAX_THREADS),
    ),
    Flag(
        "--drain-timeout-s",
        "S",
        10.0,
        "how long SIGTERM lets running requests finish, in seconds (default: 10); a second "
        "signal ends it at once",
        "listening",
        seconds(0, MAX_DRAIN_TIMEOUT_S),
    ),
    Flag(
        "--https",
        "",
        False,
        f"HTTPS on this machine with a certificate as dev-cert makes it, on {DEV_ADDR} unless "
        "--tls-addr says where",
        "encryption",
    ),
    Flag(
        "--cert",
        "FILE",
        None,
        "certificate chain, PEM; may be repeated, the first is for clients that name no known host",
        "encryption",
        non_empty,
        repeat=True,
    ),
    Flag(
        "--key",
        "FILE",
        None,
        "its key, PEM, one for each --cert in their order (default: in the file of the chain)",
        "encryption",
        non_empty,
        repeat=True,
    ),
    Flag(
        "--cert-dir",
        "DIR",
        None,
        "directory of chains and keys (*.pem, *.crt, *.key), matched by public key, chosen by the "
        "name that the client asks for",
        "encryption",
        non_empty,
    ),
    Flag(
        "--redirect-https",
        "",
        False,
        "answer at --addr with a redirect to HTTPS only (308); ACME challenges are served",
        "encryption",
    ),
    Flag("--hsts", "", False, "tell browsers to come by HTTPS only, for a year", "encryption"),
    Flag(
        "--client-ca",
        "FILE",
        None,
        "authorities that clients' certificates have to be signed by, PEM",
        "encryption",
        non_empty,
    ),
    Flag(
        "--client-auth",
        "MODE",
        "require",
        "with --client-ca: require a certificate, or request one",
        "encryption",
        Choice("require", "request"),
    ),
    Flag(
        "--site",
        "HOST=SITE",
        None,
        "a site for requests of one host; SITE is for all others, and without SITE they are "
        "answered 421; may be repeated",
        "site",
        host_site,
        repeat=True,
    ),
    Flag(
        "--index",
        "NAME",
        "index.html",
        "file that stands for its directory",
        "site",
        file_name,
    ),
    Flag("--try-html", "", False, "answer /about with about.html", "site"),
    Flag(
        "--plugin",
        "PATH",
        None,
        "script (.py, .c or .o) that sees each request before those of SITE; may be repeated",
        "site",
        repeat=True,
    ),
    Flag(
        "--config",
        "FILE",
        None,
        "configuration (TOML) of the process: these options by their names, sites, and what is "
        "done for all of them before their own .zeroserve/zeroserve.toml; SIGHUP reads it again "
        "(default: none)",
        "site",
        non_empty,
    ),
    Flag(
        "--watch",
        "",
        True,
        "serve changes of SITE within a second (default: on); SIGHUP reloads in any case",
        "site",
        negatable=True,
    ),
    Flag(
        "--live-reload",
        "",
        True,
        "pages of a directory that are open in browsers on this machine load themselves anew when "
        "it changes, and show why a script is refused; loopback addresses only (default: on)",
        "site",
        negatable=True,
    ),
    Flag(
        "--app",
        "MODULE:NAME",
        None,
        "an ASGI or WSGI application for what neither scripts nor files answer; it is kept running "
        "in processes of its own, and needs zeroserve[app]",
        "application",
        app_name,
    ),
    Flag(
        "--app-dir",
        "DIR",
        None,
        "where its module lies (default: the current directory)",
        "application",
        non_empty,
    ),
    Flag(
        "--app-interface",
        "KIND",
        "auto",
        "asgi, wsgi, or auto: look at what it is",
        "application",
        Choice("auto", "asgi", "wsgi"),
    ),
    Flag(
        "--app-workers",
        "N",
        1,
        "its processes",
        "application",
        whole(1, MAX_APP_WORKERS),
    ),
    Flag(
        "--admin",
        "ADDR",
        None,
        "HOST:PORT or unix:PATH for metrics, status and roll back (default: none); needs no "
        "password, so other machines are refused",
        "admin",
        address_value,
    ),
    Flag(
        "--admin-anywhere",
        "",
        False,
        "let --admin be an address that other machines reach: guard it by other means",
        "admin",
    ),
    Flag(
        "--user",
        "NAME[:GROUP]",
        None,
        "become this user once the addresses are bound; all that is opened, is opened by it "
        "(default: stay who it is)",
        "confinement",
        account_value,
    ),
    Flag(
        "--sandbox",
        "MODE",
        "auto",
        "auto: give up files and system calls as far as the system can; require: or don't "
        "start; off (default: auto)",
        "confinement",
        Choice("auto", "require", "off"),
    ),
    Flag("--no-sandbox", "", False, "the same as --sandbox off", "confinement"),
    Flag(
        "--allow-read",
        "PATH",
        None,
        "file or directory that the sandbox lets be read, too; may be repeated",
        "confinement",
        non_empty,
        repeat=True,
    ),
    Flag(
        "--access-log",
        "PATH",
        None,
        "file to append to, - for stderr, or off (default: - on a terminal, else off); SIGHUP "
        "opens it again",
        "logging",
        non_empty,
    ),
    Flag(
        "--access-log-format",
        "FORMAT",
        None,
        "json or combined (default: combined on a terminal, else json)",
        "logging",
        Choice("json", "combined"),
    ),
)


def limit_flags() -> tuple[Flag, ...]:
    """One flag per limit of the core: ``header_timeout_s`` is ``--header-timeout-s``."""
    return tuple(
        Flag(
            "--" + limit.name.replace("_", "-"),
            "N",
            limit.default,
            f"{limit.doc} ({limit.unit}, default: {limit.default})",
            "limits",
            whole(limit.minimum, limit.maximum, limit.unit),
        )
        for limit in _core.LIMITS
    )
