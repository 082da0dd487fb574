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
  server {{
    listen 127.0.0.1:{port};
    root {root}; index index.html; error_page 404 /404.html;
    location ~ /\\.(?!well-known/) {{ return 404; }}
  }}
}}
"""


def find() -> str | None:
    """Path of the nginx program, if it is installed."""
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(root: Path, work: Path) -> Iterator[Address]:
    """nginx serving ``root`` for the time of the block."""
    program = find()
    assert program
    address = ("127.0.0.1", free_port())
    config = work / "nginx.conf"
    config.write_text(CONFIG.format(root=root, work=work, port=address[1]))
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
