"""Servers that people put behind a proxy: each says, and notes, what it took for a request.

with running("gunicorn", work) as peer:
    fetch(server.address, "/a").header("x-target") == "/a"
    peer.seen() == ["GET /a 0"]
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import nginx
from support.wire import fetch

PEERS = ("nginx", "granian", "gunicorn")
START_TIMEOUT_S = 20.0

ASGI = """\
import os


async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    target = scope["raw_path"] if scope.get("raw_path") else scope["path"].encode()
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    method = scope["method"].encode()
    with open(os.environ["SEEN"], "ab") as seen:
        seen.write(b"%b %b %d\\n" % (method, target, len(body)))
    content = b"" if method == b"HEAD" else b"%b %b" % (method, target)
    length = b"%d" % len(content)
    headers = [(b"content-length", length), (b"x-target", target)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
"""

WSGI = """\
import os


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    target, method = environ["RAW_URI"], environ["REQUEST_METHOD"]
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(f"{method} {target} {len(body)}\\n")
    content = f"{method} {target}".encode()
    headers = [("Content-Length", str(len(content))), ("X-Target", target)]
    start_response("200 OK", headers)
    return [content]
"""

NGINX = """\
daemon off; master_process off; worker_processes 1;
pid {work}/pid; error_log {work}/error.log crit;
events {{ worker_connections 512; }}
http {{
  log_format seen '$request_method $request_uri $content_length'; access_log {seen} seen;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{
    listen 127.0.0.1:{port};
    add_header X-Target $request_uri always;
    location / {{ return 200 '$request_method $request_uri'; }}
  }}
}}
"""


@dataclass(frozen=True)
class Peer:
    """One that runs."""

    name: str
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def seen(self) -> list[str]:
        """Method, target and length of the body of every request so far."""
        return self.log.read_text(errors="backslashreplace").splitlines()


def find(name: str) -> str | None:
    """Where the program is."""
    if name == "nginx":
        return nginx.find()
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


@contextmanager
def running(name: str, work: Path) -> Iterator[Peer]:
    """One of ``PEERS`` for the time of the block."""
    program = find(name)
    assert program
    peer = Peer(name, nginx.free_port(), work / "seen")
    peer.log.touch()
    command = _command(program, peer, work)
    # Not the package that is tested: these have nothing to do with it.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (work / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=work,
            env={**env, "SEEN": str(peer.log)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                fetch(("127.0.0.1", peer.port), "/start")
                break
            except OSError:
                said = (work / "stderr").read_text()
                assert process.poll() is None and time.monotonic() < deadline, said
                time.sleep(0.05)
        yield peer
    finally:
        process.terminate()
        process.wait()


def _command(program: str, peer: Peer, work: Path) -> list[str]:
    port = str(peer.port)
    if peer.name == "nginx":
        config = work / "peer.conf"
        config.write_text(NGINX.format(work=work, seen=peer.log, port=port))
        return [program, "-c", str(config), "-e", str(work / "error.log")]
    if peer.name == "granian":
        (work / "seen_app.py").write_text(ASGI)
        return [
            *(program, "--interface", "asgi", "--http", "1", "--workers", "1", "--no-ws"),
            *("--host", "127.0.0.1", "--port", port, "--working-dir", str(work), "seen_app:app"),
        ]
    (work / "seen_app.py").write_text(WSGI)
    return [
        *(program, "--worker-class", "gthread", "--workers", "1", "--threads", "4"),
        *("--keep-alive", "60", "--bind", f"127.0.0.1:{port}", "--chdir", str(work)),
        "seen_app:app",
    ]
