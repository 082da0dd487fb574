"""A small application for ``--app``, and what can be asked of it."""

import json
from pathlib import Path
from typing import Any

from support.server import Server
from support.wire import Connection, Response, request

ASGI = '''\
"""Says what it sees, and dies when it is told to."""

import asyncio
import json
import os
import signal

VERSION = "one"
print("imported version", VERSION)


async def body_of(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def talk(scope, receive, send):
    await receive()
    if scope["path"] != "/socket":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": scope["scheme"] + " " + message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "websocket":
        await talk(scope, receive, send)
        return
    path, status = scope["path"], 200
    if path == "/die":
        os._exit(7)
    if path == "/die-all":
        os.kill(os.getppid(), signal.SIGKILL)
    if path == "/slow":
        print("slow begins")
        await asyncio.sleep(1.5)
    if path == "/print":
        print("printed by the app", flush=True)
        print("\\tbehind a tab")
        print("long", "x" * 30_000)
        print("end of lines")
    if path == "/write":
        with open(scope["query_string"].decode(), "w") as file:
            file.write("written")
    if path == "/flood":
        for number in range(20_000):
            print("line", number, "x" * 80)
    if path == "/missing":
        status = 404
    body = await body_of(receive)
    seen = {
        "version": VERSION,
        "pid": os.getpid(),
        "uid": os.getuid(),
        "home": os.environ.get("HOME"),
        "method": scope["method"],
        "path": path,
        "query": scope["query_string"].decode(),
        "scheme": scope["scheme"],
        "client": scope["client"],
        "server": scope["server"],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "length": len(body),
        "body": body[:100].decode(errors="replace"),
    }
    fields = [(b"content-type", b"application/json"), (b"x-by", b"app")]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
'''

WSGI = """\
import json, os

def app(environ, start_response):
    body = environ["wsgi.input"].read()
    seen = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "scheme": environ["wsgi.url_scheme"],
        "client": [environ["REMOTE_ADDR"], 0],
        "server": [environ["SERVER_NAME"], int(environ["SERVER_PORT"])],
        "body": body.decode(),
    }
    start_response("200 OK", [("content-type", "application/json"), ("x-by", "app")])
    return [json.dumps(seen).encode()]
"""


def write(directory: Path, source: str = ASGI, name: str = "main") -> Path:
    """Put the module there; returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.py").write_text(source)
    return directory


def ask(
    server: Server,
    target: str = "/seen",
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
) -> dict[str, Any]:
    """What the application saw of a request."""
    response = fetch(server, target, headers, method=method, body=body)
    assert response.header("x-by") == "app", response
    seen: dict[str, Any] = json.loads(response.body)
    return seen


def fetch(
    server: Server,
    target: str,
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
) -> Response:
    """One request on a connection of its own."""
    with Connection(server.address, timeout_s=20) as connection:
        connection.send(request(target, headers, method=method, body=body))
        return connection.response(method)
