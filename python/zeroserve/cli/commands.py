"""The table of commands and their flags: help, manual pages and completion come from it."""

from zeroserve.cli.flags import EXIT_CODES, Command, Flag
from zeroserve.cli.serve_flags import SERVE_FLAGS, limit_flags
from zeroserve.cli.values import (
    Choice,
    connect_value,
    file_name,
    header_field,
    non_empty,
)

MAX_SITES = 64
"""More than one are understood, so that the error can say what is missing for them."""

ADMIN_DEFAULT = "127.0.0.1:9180"
"""Where the commands look for a server; serving has an admin listener only when it is told so."""

VERSION = Flag("--version", "", False, "print the version and exit", "general")

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

PURGE_FLAGS = (
    ADMIN,
    Flag(
        "--site",
        "SITE",
        None,
        "only of the site of that name in `zeroserve status` (default: of all)",
        "what",
        non_empty,
    ),
    Flag(
        "--host",
        "HOST",
        None,
        "only for that host, with its port unless that is the scheme's own (default: for all)",
        "what",
        non_empty,
    ),
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

IMPORT_FLAGS = (
    Flag(
        "--output",
        "DIR",
        None,
        "directory of the site (default: the current one)",
        "output",
        non_empty,
        short="-o",
    ),
    Flag("--stdout", "", False, "print the files instead of writing them", "output"),
    Flag(
        "--server",
        "NAME",
        None,
        "of nginx.conf: the server with this server_name (default: the first)",
        "input",
        non_empty,
    ),
    Flag(
        "--outside",
        "",
        False,
        "of nginx.conf: also read what it includes from outside of its directory",
        "input",
    ),
)

TEMPLATES = ("plain", "docs", "spa", "blog", "data", "proxy")
"""Directories of the package's templates."""

INIT_FLAGS = (
    Flag(
        "--template",
        "NAME",
        "plain",
        f"its shape: {', '.join(TEMPLATES)}",
        "site",
        Choice(*TEMPLATES),
    ),
)

SHELLS = ("bash", "zsh", "fish")

MAN_FLAGS = (
    Flag(
        "--output",
        "DIR",
        None,
        "write the pages of all commands there instead, as zeroserve.1, zeroserve-pack.1 ...; "
        "their date is SOURCE_DATE_EPOCH or today",
        "output",
        non_empty,
        short="-o",
    ),
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

COMMANDS: tuple[Command, ...] = (
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
        "purge",
        "[PATH]",
        0,
        1,
        "have kept answers of upstreams forgotten",
        "Have a running server forget what it keeps of upstreams' answers to PATH, with any\n"
        "query; with a ? in it, just that; with a * at its end, all that begins so. Without PATH,\n"
        "all.",
        lambda: PURGE_FLAGS,
        "zeroserve.cli.purge",
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
        "Write what _redirects and _headers of SITE, a directory (default: the current one), say\n"
        "as a script in Python to .zeroserve/scripts/50-rules.py, and remove these files. The\n"
        "site behaves as before; from then on the script is yours to edit.",
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
        "init",
        "[DIR]",
        0,
        1,
        "make a site to begin with",
        "Write a small site into DIR, a new or empty directory (default: the current one):\n"
        "plain, docs (documentation), spa (a single-page application), blog, data (files\n"
        "for programs, read across sites and by ranges) or proxy (in front of an\n"
        "application). Each works at once; its files are there to be edited.",
        lambda: INIT_FLAGS,
        "zeroserve.cli.init",
    ),
    Command(
        "import",
        "FILE",
        1,
        1,
        "take over the configuration of another server",
        "Read FILE, a netlify.toml, vercel.json, nginx.conf or .htaccess, and write what it\n"
        "says as _redirects, _headers and .zeroserve/zeroserve.toml. What has no counterpart\n"
        "is named line by line, with the reason; what guarded a path and has none closes it.",
        lambda: IMPORT_FLAGS,
        "zeroserve.cli.import_files",
        exit_codes=(*EXIT_CODES, (3, "something was left out")),
    ),
    Command(
        "completion",
        "SHELL",
        1,
        1,
        "print completions for bash, zsh or fish",
        "Print a script that completes commands, flags and their values in SHELL: bash, zsh or\n"
        "fish. Its first comment says where to put it.",
        lambda: (),
        "zeroserve.cli.completion",
        operand_words=lambda: SHELLS,
    ),
    Command(
        "man",
        "[COMMAND]",
        0,
        1,
        "print a manual page",
        "Print the manual page of COMMAND (default: of serving), made from the same table as the\n"
        "help. `zeroserve man pack | man -l -` shows one; packages install what --output writes.",
        lambda: MAN_FLAGS,
        "zeroserve.cli.man",
        operand_words=lambda: tuple(command.name for command in COMMANDS),
    ),
)

EPILOG = (
    "commands (first word; a directory of that name is ./pack):\n"
    + "\n".join(f"  {c.name:<10} {c.summary}" for c in COMMANDS)
    + "\n\nexit codes: "
    + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES)
)
