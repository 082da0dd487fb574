"""What is behind the proxies of `proxy`: nginx with one worker, beside the client on its core.

Files come from the page cache. An upload is taken whole, in memory, before it is answered with its
length; that costs this server more than any other, and nobody counts it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.errors import BenchError
from bench.running import Running, serving
from bench.servers import NGINX_FILES, NGINX_SENDFILE, Context, Launch, Server, nginx_launch
from bench.site import Size

INSTALL = "apt-get install nginx-light"
UPLOADED = "uploaded"
KEPT = "kept-"
# Bodies up to this are kept in memory.
UPLOAD_MIB = 16

SERVER = """\
        root {root};
        client_max_body_size 0;
        # What proxies may keep, by the beginning of its name.
        location /{kept} {{
            expires 1h;
        }}
        location = /{uploaded} {{
            client_body_buffer_size {mib}m;
            # Two requests: only one that passes a body on reads it before it answers.
            proxy_pass http://127.0.0.1:{port}/length;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Length $content_length;
        }}
        location = /length {{
            return 200 "$http_x_length\\n";
        }}"""


def backend_launch(context: Context) -> Launch:
    """nginx as it is best for files."""
    parts = {"root": context.root, "uploaded": UPLOADED, "kept": KEPT}
    parts |= {"mib": UPLOAD_MIB, "port": context.port}
    return nginx_launch(context, NGINX_FILES + NGINX_SENDFILE, SERVER.format(**parts))


def backend_server(name: str, sizes: tuple[Size, ...]) -> Server:
    """The row of a backend that nothing is in front of."""
    return Server(name, "nginx", INSTALL, ("-v",), backend_launch, sizes)


@contextlib.contextmanager
def backend(program: Path | None, root: Path, work: Path, core: int) -> Iterator[Running]:
    """The backend on `core` while the block runs."""
    if program is None:
        raise BenchError("the backend of the proxies is not installed: nginx", INSTALL)
    with serving(backend_server("backend", ()), program, root, root, work, core) as running:
        yield running
