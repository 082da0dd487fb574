"""The peers of `scripts`: servers that run Lua, JavaScript and Python, and what they run.

Each answers every request with its path as JSON, put together from pieces of text, with its
length said beforehand: the same work as bench/programs/json.c. Nobody escapes anything.
"""

from __future__ import annotations

from bench.servers import Context, Launch, nginx_launch

# The code cache is on, which is the default: the block is compiled once.
LUA = """\
        location / {
            default_type application/json;
            content_by_lua_block {
                local body = '{"path":"' .. ngx.var.uri .. '"}'
                ngx.header.content_length = #body
                ngx.print(body)
            }
        }"""
LUA_MODULES = """\
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
"""


def nginx_lua(context: Context) -> Launch:
    """nginx with LuaJIT."""
    return nginx_launch(context, "", LUA, LUA_MODULES)


JS = """\
function answer(r) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(200, '{"path":"' + r.uri + '"}');
}

export default { answer };
"""
JS_MODULES = """\
load_module /usr/lib/nginx/modules/ngx_http_js_module.so;
"""


def nginx_js(context: Context) -> Launch:
    """nginx with njs."""
    source = context.work / "answer.js"
    server = "        location / {\n            js_content main.answer;\n        }"
    launch = nginx_launch(context, f"    js_import main from {source};", server, JS_MODULES)
    return Launch(launch.command, files={**launch.files, source: JS})


# No framework: what the servers cost, and the least that Python does.
ASGI = '''\
"""Answers every request with its path, as JSON."""


async def app(scope, receive, send):
    body = b'{"path":"' + scope["path"].encode() + b'"}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
'''


def granian(context: Context) -> Launch:
    """granian; its access log is off unless asked for."""
    command = [
        *(str(context.program), "--interface", "asginl", "--http", "1", "--no-ws"),
        *("--workers", "1", "--runtime-mode", "st", "--runtime-threads", "1"),
        *("--loop", "uvloop", "--backlog", "4096", "--log-level", "error"),
        *("--host", "127.0.0.1", "--port", str(context.port)),
        *("--working-dir", str(context.work), "app:app"),
    ]
    return Launch(command, files={context.work / "app.py": ASGI})


def uvicorn(context: Context) -> Launch:
    """uvicorn with the fast loop and parser of its `standard` extra."""
    command = [
        *(str(context.program), "--loop", "uvloop", "--http", "httptools", "--ws", "none"),
        *("--lifespan", "off", "--no-access-log", "--log-level", "error"),
        *("--backlog", "4096", "--timeout-keep-alive", "3600"),
        *("--host", "127.0.0.1", "--port", str(context.port)),
        *("--app-dir", str(context.work), "app:app"),
    ]
    return Launch(command, files={context.work / "app.py": ASGI})
