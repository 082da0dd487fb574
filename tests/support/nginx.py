"""The real nginx as a peer: same directory, one process, no root needed."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.wire import Address, fetch

CONFIG = """
daemon off; master_process off; worker_processes 1;
pid {work}/pid; error_log {work}/error.log crit;
events {{ worker_connections 512; }}
http {{
  include /etc/nginx/mime.types; default_type application/octet-stream;
  access_log off; sendfile on; keepalive_requests 100000;
  gzip_static on; gzip_vary on; gzip_http_version 1.0; gzip_proxied any;
  if_modified_since before; max_ranges 16; absolute_redirect off;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi; uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  {outside}
  server {{
    listen 127.0.0.1:{port};
    root {root}; index index.html;
    {inside}
  }}
}}
"""

LIKE_OURS = "error_page 404 /404.html; location ~ /\\.(?!well-known/) { return 404; }"
"""What zeroserve does without being told."""


def find() -> str | None:
    """Path of the nginx program, if it is installed."""
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    root: Path, work: Path, inside: str = LIKE_OURS, outside: str = ""
) -> Iterator[Address]:
    """nginx serving ``root`` for the time of the block; its configuration is ``work/nginx.conf``.

    ``inside`` stands in the server, ``outside`` before it.
    """
    program = find()
    assert program
    address = ("127.0.0.1", free_port())
    config = work / "nginx.conf"
    port = address[1]
    text = CONFIG.format(root=root, work=work, port=port, inside=inside, outside=outside)
    config.write_text(text)
    process = subprocess.Popen([program, "-c", str(config), "-e", str(work / "error.log")])
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                fetch(address, "/")
                break
            except ConnectionRefusedError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()
