"""The table of commands and their flags: help, and later man page and completion, come from it."""

from zeroserve import _core, address
from zeroserve.cli.flags import Command, Flag
from zeroserve.cli.values import (
    Choice,
    account_value,
    address_value,
    app_name,
    connect_value,
    file_name,
    header_field,
    host_site,
    network,
    non_empty,
    seconds,
    whole,
)

MAX_SITES = 64
"""More than one are understood, so that the error can say what is missing for them."""

MAX_THREADS = 1024

MAX_APP_WORKERS = 256

DEV_ADDR = "127.0.0.1:8443"
"""Where --https listens."""

MAX_DRAIN_TIMEOUT_S = 86_400

ADMIN_DEFAULT = "127.0.0.1:9180"
"""Where the commands look for a server; serving has an admin listener only when it is told so."""

VERSION = Flag("--version", "", False, "print the version and exit", "general")

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

PACK_FLAGS = (
    Flag(
        "--output",
        "FILE",
        None,
        "archive to write, - for stdout (default: the directory's name with .tar, in the "
        "current directory)",
        "output",
        non_empty,
        short="-o",
    ),
    Flag(
        "--no-compress",
        "",
        False,
        "add no precompressed siblings (.br, .zst, .gz)",
        "output",
    ),
)

ADMIN = Flag(
    "--admin",
    "ADDR",
    ADMIN_DEFAULT,
    "admin listener of the server: HOST:PORT or unix:PATH",
    "server",
    connect_value,
)

STATUS_FLAGS = (
    ADMIN,
    Flag("--json", "", False, "one JSON object, with everything", "output"),
)

LS_FLAGS = (
    Flag("--long", "", False, "sizes, times, codings, entity tags, links", "output", short="-l"),
    Flag("--json", "", False, "one JSON object per line, with everything", "output"),
    Flag("--all", "", False, "entries that are never served, too", "output", short="-a"),
)

COMPILE_FLAGS = (
    Flag(
        "--output",
        "FILE",
        None,
        "where to write the object, - for stdout (default: nowhere, it is verified only)",
        "output",
        non_empty,
        short="-o",
    ),
    Flag(
        "--emit",
        "FORM",
        None,
        "print a form of the script instead: ir (of the compiler), llvm, or asm (all instructions)",
        "output",
        Choice("ir", "llvm", "asm"),
    ),
    Flag("--json", "", False, "one JSON object per function and line", "output"),
)

EXPLAIN_FLAGS = (
    Flag(
        "--asm",
        "",
        False,
        "of FILE: all instructions, below the source lines that they were made of",
        "output",
    ),
    Flag("--trace", "", False, "source lines in the order in which they ran", "output"),
    Flag("--json", "", False, "one JSON object, with everything", "output"),
    Flag(
        "--header",
        "FIELD",
        None,
        "header field of the request, NAME: VALUE; may be repeated",
        "request",
        header_field,
        short="-H",
        repeat=True,
    ),
    Flag("--data", "TEXT", None, "body of the request", "request"),
    Flag("--plugin", "PATH", None, "as when serving; may be repeated", "site", repeat=True),
    Flag("--index", "NAME", "index.html", "as when serving", "site", file_name),
    Flag("--try-html", "", False, "as when serving", "site"),
)

DEV_CERT_FLAGS = (
    Flag(
        "--dir",
        "DIR",
        None,
        "where to keep the files (default: zeroserve/dev-cert in the user's data directory)",
        "output",
        non_empty,
    ),
    Flag("--renew", "", False, "make a new authority, too", "output"),
)

MAX_NAMES = 100
"""Of one certificate."""

SCHEMA_FLAGS = (Flag("--process", "", False, "of the file given with --config instead", "output"),)

SDK_FLAGS = (Flag("--reference", "", False, "the reference of the helpers, in Markdown", "output"),)


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


EJECT_FLAGS = (
    Flag(
        "--stdout",
        "",
        False,
        "print the script, and change nothing; SITE may be an archive",
        "output",
    ),
    Flag("--yes", "", False, "remove the files without asking", "output"),
)

SERVE = Command(
    "",
    "[SITE]",
    0,
    MAX_SITES,
    "serve a site",
    "Serve SITE: a .tar archive, a directory (default: the current one), or a script (.py, .c\n"
    "or .o) without files. A directory that holds only archives named after hosts, like\n"
    "www.example.org.tar, is a site for each of them.",
    lambda: (*SERVE_FLAGS, *limit_flags(), VERSION),
    "zeroserve.cli.serve",
)

COMMANDS = (
    Command(
        "pack",
        "DIR",
        1,
        1,
        "make an archive of a directory",
        "Make a tar archive of DIR that opens at once and has compressed forms ready.\n"
        "The same tree gives the same bytes. Dot-files are left out, but for .well-known/\n"
        "and .zeroserve/; symbolic links are followed.",
        lambda: PACK_FLAGS,
        "zeroserve.cli.pack",
    ),
    Command(
        "ls",
        "[SITE]",
        0,
        1,
        "list what is served",
        "List the entries of SITE, a .tar archive or a directory (default: the current one).",
        lambda: LS_FLAGS,
        "zeroserve.cli.ls",
    ),
    Command(
        "check",
        "[SITE]",
        0,
        1,
        "find every problem of a site",
        "Print every problem of SITE, a .tar archive, a directory (default: the current one),\n"
        "or a script (.py, .c or .o). Exit code 1 when there is an error, that is, something\n"
        "refused when serving.",
        lambda: (),
        "zeroserve.cli.check",
    ),
    Command(
        "status",
        "",
        0,
        0,
        "ask a running server how it is",
        "Print what a running server serves and how much: it has to have --admin.",
        lambda: STATUS_FLAGS,
        "zeroserve.cli.status",
    ),
    Command(
        "rollback",
        "[SITE]",
        0,
        1,
        "put the version before in force again",
        "Have a running server serve the generation before the present one. SITE is its name in\n"
        "`zeroserve status` (default: the only one). It stays until the file changes again.",
        lambda: (ADMIN,),
        "zeroserve.cli.rollback",
    ),
    Command(
        "compile",
        "FILE",
        1,
        1,
        "compile and verify a script",
        "Compile FILE, a script (.py or .c), or take an eBPF object (.o); verify it as the server\n"
        "does, and print its functions with the most fuel that they take, without what helpers\n"
        "charge for the bytes they work on.",
        lambda: COMPILE_FLAGS,
        "zeroserve.cli.compile",
    ),
    Command(
        "explain",
        "SITE METHOD PATH | FILE",
        1,
        3,
        "show what becomes of a request, or what a script does",
        "Send a request to SITE, in this process, and print what ran: each function of a script\n"
        "with its fuel, what it changed and how it ended; then what was decided, the file that\n"
        "was chosen, and the head of the response. METHOD may be left out: it is GET.\n"
        "For FILE alone, a script (.py, .c or .o), print what each of its functions asks of the\n"
        "server; with --asm, all of its instructions instead.",
        lambda: EXPLAIN_FLAGS,
        "zeroserve.cli.explain",
    ),
    Command(
        "eject",
        "[SITE]",
        0,
        1,
        "turn the rules of a site into a script",
        "Write what _redirects, _headers and zeroserve.toml of SITE, a directory (default: the\n"
        "current one), say of requests as a script in Python to .zeroserve/scripts/50-rules.py;\n"
        "remove these files, and comment out zeroserve.toml but for its pools. The site behaves\n"
        "as before; from then on the script is yours to edit.",
        lambda: EJECT_FLAGS,
        "zeroserve.cli.eject",
    ),
    Command(
        "dev-cert",
        "[NAME...]",
        0,
        MAX_NAMES,
        "make a certificate for HTTPS on this machine",
        "Make a local certificate authority, unless there is one, and a certificate for\n"
        "localhost or the given names of this machine or a private network; print where\n"
        "they are and how browsers come to trust them.",
        lambda: DEV_CERT_FLAGS,
        "zeroserve.cli.dev_cert",
    ),
    Command(
        "sdk",
        "",
        0,
        0,
        "print zeroserve.h for scripts in C",
        "Print the header that scripts in C include. pack and compile have it at hand:\n"
        "this is for editors and other compilers.",
        lambda: SDK_FLAGS,
        "zeroserve.cli.sdk",
    ),
    Command(
        "schema",
        "",
        0,
        0,
        "print the JSON Schema of zeroserve.toml",
        "Print the JSON Schema of zeroserve.toml, by which editors complete keys and underline\n"
        "mistakes.",
        lambda: SCHEMA_FLAGS,
        "zeroserve.cli.schema",
    ),
    Command(
        "hash-password",
        "",
        0,
        0,
        "make a hash of a password for zeroserve.toml",
        "Read a password, without showing it, or one line from standard input if that is no\n"
        "terminal; print a hash of it (argon2id) for basic_auth in zeroserve.toml.",
        lambda: (),
        "zeroserve.cli.hash_password",
    ),
    Command(
        "completion",
        "SHELL",
        1,
        1,
        "print completions for bash, zsh or fish",
        "Print a script that completes commands and flags in SHELL: bash, zsh or fish. Its first\n"
        "comment says where to put it.",
        lambda: (),
        "zeroserve.cli.completion",
    ),
)

EPILOG = (
    "commands (first word; a directory of that name is ./pack):\n"
    + "\n".join(f"  {c.name:<10} {c.summary}" for c in COMMANDS)
    + "\n\nexit codes: 0 done, 1 failed at run time, 2 wrong usage"
)
