"""Typed face of the extension module: what Rust gives to Python.

Everything here either runs once (opening an archive, building an index) or hands
over to threads that never take the GIL (serving). The stub is checked against the
compiled module by ``tests/test_stub.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, final

from zeroserve.oracle import Conversation

__all__ = [
    "HELPERS",
    "LIMITS",
    "Archive",
    "Certificate",
    "ContentHasher",
    "Entry",
    "Error",
    "Function",
    "Helper",
    "Limit",
    "Line",
    "Problem",
    "Program",
    "Run",
    "Server",
    "Site",
    "Trap",
    "__version__",
    "certificate_end",
    "check",
    "check_pattern",
    "compressible",
    "content_type",
    "dev_authority",
    "dev_certificate",
    "drop_bounding_set",
    "encode_index",
    "forbid_calls",
    "forbid_files",
    "give_up_privileges",
    "hash_password",
    "verify_password",
]

__version__: str

class Error(Exception):
    """Anything zeroserve refuses or fails at, in words for the person who runs it.

    ``args`` is ``(message,)`` or ``(message, hint)``: the message is one line, names the
    value and the place; the hint says what to do instead.
    """

class Limit(NamedTuple):
    """One row of the table of limits: each is a keyword of ``Server`` and a flag."""

    name: str
    """Snake case, its unit last: ``header_timeout_s``."""
    default: int
    minimum: int
    maximum: int
    unit: str
    """``bytes``, ``seconds``, ``fields``, ``connections`` or ``generations``."""
    doc: str
    """What is limited, what happens beyond it, and why there is a limit."""

LIMITS: tuple[Limit, ...]

class Helper(NamedTuple):
    """One row of the table of helpers: what scripts may ask of the server."""

    name: str
    """The symbol: ``zs_req_path``."""
    number: int
    """What compiled programs call it by; never changes."""
    result: str
    """Type in C: ``zs_s64``."""
    parameters: str
    """In C: ``char *out, zs_u64 out_len``, or ``void``."""
    arity: int
    """How many of r1 to r5 it takes."""
    fuel: int
    """Of one call; what grows with its input is charged on top."""
    group: str
    """Heading in the header and the documentation: ``request``."""
    doc: str
    """What it does, what it returns and when it fails; in lines."""

HELPERS: tuple[Helper, ...]

def check_pattern(text: str, /) -> None:
    """Check a pattern in the syntax that scripts are run with, which is that of Rust's ``regex``.

    Raises Error with the reason: what is not supported, not valid or too large, and where.
    """

class Entry(NamedTuple):
    """One file of an archive as ``ls`` shows it."""

    name: str
    """Normalised path inside the archive, no leading slash."""
    size: int
    """Bytes of the identity representation."""
    mtime: int
    """Seconds since 1970-01-01 UTC."""
    offset: int
    """Where the data begins in the archive, in bytes; 0 for a directory."""
    etag: str
    """Entity tag with its quotes; empty when it is computed on first use."""
    encodings: tuple[str, ...]
    """Codings that have a precompressed sibling: ``br``, ``zstd``, ``gzip``."""
    target: str
    """Where a hard or symbolic link leads, inside the archive; empty for a plain file."""
    hidden: bool
    """True when it is never served (dot-files, ``.zeroserve/``)."""

class Certificate(NamedTuple):
    """A certificate in use."""

    path: str
    """The file that it came from."""
    names: list[str]
    """What it is for: names, perhaps with ``*.`` in front, and addresses."""
    not_before_s: int
    """When it begins to be valid, in seconds since 1970."""
    not_after_s: int
    """When it ceases to be."""
    default: bool
    """Whether it is shown when no name matches."""

class Problem(NamedTuple):
    """One finding of ``check``."""

    severity: Literal["error", "warning"]
    """An error means the archive, or that entry of it, is refused when serving."""
    entry: str
    """Name of the entry as stored, or empty for the archive as a whole."""
    offset: int
    """Where in the file its header begins, in bytes."""
    message: str

def dev_authority(place: str) -> tuple[str, str]:
    """A certificate authority for development, made anew: certificate and private key, PEM.

    It can sign names of this machine and of private networks only. ``place`` is part of its name.
    """

def dev_certificate(authority: tuple[str, str], names: list[str]) -> tuple[str, str]:
    """A certificate for ``names`` signed by an authority of ``dev_authority``, and its key.

    Raises Error for a name that it can't be for, or an authority that can't be read.
    """

def certificate_end(certificate: str, key: str) -> int | None:
    """When a certificate (PEM) ceases to be valid, in seconds since 1970.

    None when it or its key can't be read, or they don't belong together.
    """

def content_type(name: str) -> str:
    """Content-Type for a file name, with ``charset=utf-8`` for text."""

def compressible(name: str) -> bool:
    """Whether files of this type are worth compressing (text, JSON, SVG, WebAssembly ...).

    False for types that are compressed already or read by byte ranges (Parquet, TIFF, PMTiles).
    """

def drop_bounding_set() -> None:
    """No program that is executed from here on can get a capability; for the calling thread."""

def give_up_privileges(*, keep_file_access: bool) -> None:
    """Give up all capabilities, and the possibility to gain any; for the calling thread.

    ``keep_file_access`` keeps what root has beyond others where files are concerned. Raises
    OSError.
    """

def forbid_files(grants: list[tuple[str, str]]) -> int:
    """Restrict the calling thread, and those that it starts, to these paths by Landlock.

    ``grants`` are paths, each for itself and all below it, and what is allowed: ``read``, ``run``,
    ``write``, ``log``, ``unlink``, ``rmdir`` or ``scratch``. A path that does not exist is left
    out. Returns the version of the kernel's rules; raises Error when it has none.
    """

def forbid_calls(*, commands: bool) -> None:
    """Refuse system calls that serving never makes, in all threads, by seccomp.

    ``commands``: other programs may be executed. Raises Error when the kernel has no filters.
    """

@final
class ContentHasher:
    """Incremental content hash of which entity tags are made: BLAKE3 cut to 128 bits."""

    def __init__(self) -> None: ...
    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Releases the GIL for more than 64 KiB."""
    def digest(self) -> bytes:
        """16 bytes."""

def encode_index(
    entries: list[tuple[str, int, int, int, bytes]],
    index_offset: int,
) -> bytes:
    """Data of the ``.zeroserve/index`` entry, a multiple of 512 bytes, trailer last.

    ``entries`` are ``(name, data_offset, size, mtime, digest)`` in any order, siblings
    (``x.br``, ``x.zst``, ``x.gz``) included; they become variants of ``x``.
    ``index_offset`` is where in the archive this data will begin. The archive has to end
    with exactly two zero blocks (1024 bytes) after it.
    Raises Error when a name is not normalised, occurs twice, or lies outside the archive.
    """

@final
class Archive:
    """An archive or directory opened for reading: what ``ls`` and ``pack``'s tests use."""

    def __init__(self, path: str) -> None:
        """Raises Error when serving it would be refused."""
    @property
    def indexed(self) -> bool:
        """True when it carries an index made by ``pack``, so that it was not scanned."""
    @property
    def warnings(self) -> list[Problem]:
        """Entries left out of the site, such as links that lead outside of it."""
    def __len__(self) -> int: ...
    def entries(self, *, under: str = "") -> list[Entry]:
        """Those whose names begin with ``under``, in byte order of their names."""
    def read(self, name: str) -> bytes:
        """The bytes of one entry. Raises KeyError when there is none of that name."""

def check(path: str) -> list[Problem]:
    """Scan a tar from end to end and list every problem, not only the first.

    For a packed archive it also compares the index with the headers and every content
    hash with the data. Raises Error only when the file can't be read at all.
    """

@final
class Site:
    """The request pipeline without sockets."""

    def __init__(
        self,
        path: str,
        *,
        index: str = "index.html",
        try_html: bool = False,
        scripts: Sequence[tuple[str, bytes]] | None = None,
        interpreted: bool = False,
        configure: Callable[[bytes], str | None] | None = None,
        config: str | None = None,
    ) -> None:
        """``scripts``: names and ELF objects that run before those of an archive.
        ``configure``: as for ``Server.open_site``. ``config``: as for ``Server.set_config``.

        ``interpreted``: they run in the interpreter, not as machine code.
        """
    def exchange(self, request: bytes, scripts: Conversation | None = None) -> bytes:
        """Bytes in as a client would send them, bytes out as it would receive them.

        ``scripts`` run in place of those of the site.
        """
    def has(self, path: str) -> bool:
        """Whether a path finds something: decoded, normalised, without its leading slash."""
    def explain(self, request: bytes, *, lines: bool = False) -> tuple[bytes, str]:
        """As ``exchange`` for one request, and what became of it and why, as JSON.

        To be asked once of a site that was just opened. ``lines``: with the source lines that
        scripts came by, if they are interpreted.
        """

@final
class Server:
    """Listeners and worker threads around sites.

    Nothing runs before ``start``. After ``stop`` it can't be started again.
    """

    def __init__(
        self,
        *,
        addrs: list[str],
        threads: int,
        proxy_from: Sequence[str] = (),
        index: str = "index.html",
        try_html: bool = False,
        access_log: str | None = None,
        access_log_format: Literal["json", "combined"] = "json",
        limits: dict[str, int] | None = None,
        tls_addrs: list[str] | None = None,
        certificates: list[tuple[str, str]] | None = None,
        cert_dir: str | None = None,
        client_ca: str | None = None,
        require_client_cert: bool = False,
        redirect_https: bool = False,
        hsts_s: int | None = None,
        admin: tuple[str, bool, str] | None = None,
        live: bool = False,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        """``addrs``: ``HOST:PORT`` (port 0 = any), ``unix:PATH`` or ``fd:N``; each may have
        ``,proxy`` behind it.

        ``proxy_from``: networks that may send PROXY headers; empty for all.
        ``access_log``: None (off), ``-`` (standard error) or the path of a file to append to.
        ``limits``: names and values from ``LIMITS``; what is missing has its default.
        ``tls_addrs``: where connections are encrypted, with ``certificates`` (files with a chain
        and with its key, PEM) and those of ``cert_dir``.
        ``client_ca``: file of authorities; clients are asked for certificates by them.
        ``redirect_https``: ``addrs`` only send clients to the first of ``tls_addrs``.
        ``hsts_s``: seconds for Strict-Transport-Security.
        ``admin``: address of the admin listener, whether other machines may reach it, and the
        directory of its page.
        ``live``: browsers on this machine hear of changes of directories.
        ``trusted_proxies``: networks of proxies in front, whose X-Forwarded-For and the like are
        passed on to upstreams.
        """
    def set_fallback(self, url: str | None) -> None:
        """Have this upstream (``http://HOST:PORT``, ``unix:/PATH``) answer what the sites do not
        have; None for nobody. Takes effect with the next request.

        Raises Error when it names no upstream.
        """
    def bind(self) -> None:
        """Bind the addresses before ``start``, which otherwise does it; no thread runs yet.

        Raises Error, and then nothing is left bound.
        """
    def open_site(
        self,
        path: str,
        *,
        host: str | None = None,
        scripts: Sequence[tuple[str, bytes]] | None = None,
        configure: Callable[[bytes], str | None] | None = None,
    ) -> int:
        """Open the site of a host, or that of all other hosts; returns its generation.

        ``configure`` makes what ``set_config`` takes of the site's configuration file, if it has
        one; what it raises is raised.

        A site that is there is opened anew and swapped in. ``scripts``: names and ELF objects
        that run before those of an archive, in this order; those of before are gone. Raises Error
        when it is refused: what was there goes on.
        """
    def show_failure(self, page: str, *, host: str | None = None) -> None:
        """Show a page of HTML, why the last state of a site was refused, to browsers on this
        machine in place of its pages, until one is not. For ``live`` only.
        """
    def set_config(self, config: str) -> None:
        """What the configuration of the process says, as JSON (``zeroserve.config.file.Config``):
        pools that all sites may use, and which servers their scripts may ask. What it said before
        is gone. Raises Error for the first thing that is refused.
        """
    def close_site(self, host: str) -> bool:
        """Answer for a host no more; False when it had no site."""
    def site(self, host: str | None = None) -> tuple[int, int] | None:
        """Generation of a site that is in force, and how many entries it has; None without one."""
    def start(self) -> list[str]:
        """Bind and start the workers; returns one URL per listener.

        ``http://127.0.0.1:43121`` or ``http+unix:/run/site.sock``. Raises Error, and then
        nothing is left bound.
        """
    def reload_certificates(self) -> None:
        """Read the certificates anew; when that raises Error, those in force go on."""
    def certificates(self) -> list[Certificate]:
        """Certificates in use."""
    def certificates_left_out(self) -> list[str]:
        """Files of ``cert_dir`` that are not in use, and why: a line each."""
    def rollback(self, generation: int | None = None, *, site: str | None = None) -> int:
        """Put the generation before in force again, without touching the disk; returns its number.

        ``generation``: the one to be taken back; Error when another is in force by now. Error,
        too, when no earlier one is kept. Does not wait for a reload under way.
        """
    def status(self) -> str:
        """What the admin listener answers to ``/status``: a JSON object."""
    def admin_url(self) -> str | None:
        """Where the admin listener is reached; None when there is none."""
    def next_command(self) -> tuple[Literal["reload", "report"], str] | None:
        """Wait for what the admin listener wants done; None when it has ended.

        After ``reload``, call ``reloaded`` when that is done; ``report`` comes with a line.
        """
    def reloaded(self, error: str | None = None) -> None:
        """Say how the reload went that ``next_command`` asked for last."""
    def reopen_log(self) -> None:
        """Close the access log and open its path again (log rotation)."""
    def stop(self, drain_s: float) -> int:
        """Stop accepting, finish what runs for up to ``drain_s`` seconds, end the workers.

        Returns how many connections were cut. A second call from another thread with 0
        ends a drain at once.
        """
    def is_turning(self) -> bool:
        """Whether all workers have turned their loops since this was asked last."""
    def warnings(self, host: str | None = None) -> list[Problem]:
        """Entries that the generation in force of a site leaves out."""
    def stats(self) -> dict[str, int]:
        """Counters since the start: ``requests``, ``responses_2xx`` ... ``responses_5xx``,

        ``bytes_sent``, ``connections_open``, ``connections_accepted``, ``generation``,
        ``reloads_ok``, ``reloads_failed``, ``rollbacks``, ``entries``, ``script_runs``,
        ``script_traps``, ``log_lines_dropped``, ``proxy_headers_refused``.
        """

class Function(NamedTuple):
    """One function of a program."""

    name: str
    section: str
    """Where it stands: ``zeroserve.request``, ``.text``; empty for bare instructions."""
    start: int
    """First instruction slot, counted over the whole program."""
    frame_bytes: int
    """Stack that a call takes."""

class Line(NamedTuple):
    """One instruction as text."""

    function: str
    slot: int
    """Slot, counted from the start of the function."""
    text: str
    """As kernel tools print it: ``r0 += r1``."""
    file: str
    """Source file, empty when the object does not say."""
    line: int
    """Source line, 0 when the object does not say."""

class Trap(NamedTuple):
    """Why and where a run was stopped."""

    kind: str
    """``read``, ``write``, ``stack``, ``fuel``, ``callee``, ``abort`` or ``helper``."""
    reason: str
    function: str
    slot: int
    """Slot, counted from the start of the function."""
    file: str
    line: int

class Run(NamedTuple):
    """What a run came to."""

    result: int | None
    """r0 at the end, 0 to 2**64 - 1; None after a trap."""
    memory: bytes
    """The memory that was given, as the program left it."""
    fuel: int
    """Fuel that was used: 1 per instruction, whole basic blocks at a time."""
    trap: Trap | None

@final
class Program:
    """An eBPF program on its own: what tests, fuzzers and ``explain`` run.

    ::

        run = zeroserve.Program(Path("guard.o").read_bytes()).run(engine="interpreter")
    """

    def __init__(
        self, object: bytes, *, helpers: Mapping[str, tuple[int, int]] | None = None
    ) -> None:
        """From an ELF object. ``helpers``: name to ``(number, count of arguments)``; the
        server's own (``HELPERS``) unless given.

        Raises Error, naming function, instruction and reason, when it is refused.
        """
    @staticmethod
    def from_instructions(
        code: bytes, *, helpers: Mapping[str, tuple[int, int]] | None = None
    ) -> Program:
        """From bare instructions, 8 bytes each; the first is the entry (RFC 9669)."""
    def functions(self) -> list[Function]:
        """In the order of the object."""
    def disassemble(self) -> list[Line]:
        """All instructions, function by function."""
    @property
    def memory_address(self) -> int:
        """Where the program sees the memory that ``run`` is given."""
    def code_bytes(self) -> int:
        """Size of the machine code."""
    def run(
        self,
        memory: bytes | None = None,
        *,
        engine: str = "jit",
        function: str | None = None,
        args: Sequence[int] | None = None,
        fuel: int = 10_000_000,
        slice: int = 50_000,
        on_helper: Callable[[int, tuple[int, int, int, int, int]], int] | None = None,
    ) -> Run:
        """Run one function, the first unless named, on memory of its own.

        ``memory`` is copied to where r1 points, and r2 is its length, unless ``args`` gives
        r1 to r5. ``engine``: ``jit`` or ``interpreter``. ``fuel``: after which it is stopped;
        ``slice``: after which it yields, which changes no result. ``on_helper`` is called with
        the number of a helper and r1 to r5, and returns r0; without it, a call traps.
        """

def hash_password(password: str) -> str:
    """A hash of a password by argon2id, with the parameters that OWASP recommends (19 MiB, 2
    passes) and a random salt: ``$argon2id$v=19$m=19456,t=2,p=1$...``.

    Raises ValueError for more than 1024 bytes.
    """

def verify_password(password: bytes, hash: str) -> bool:
    """Whether a hash is of that password; see ``zeroserve.script.verify_password``.

    What was right is remembered for five minutes. Raises ValueError for what is no hash, or for
    one that takes too much.
    """
