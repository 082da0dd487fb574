"""WebSocket and server-sent events through the proxy, as Chromium sees them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import chromium
from support.server import running, wait_until
from support.upstream import Call, Upstream
from support.wire import fetch
from websockets.sync.server import ServerConnection, serve

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed")

SCRIPT = """\
from zeroserve.script import Request, Response, on_request, proxy


@on_request
def pass_on(req: Request) -> Response | None:
    if req.path == "/version":
        return Response(200, "VERSION")
    if req.path == "/chat":
        return proxy("http://127.0.0.1:CHAT")
    if req.path == "/news":
        return proxy("NEWS")
    return None
"""

PAGE = """\
<!doctype html>
<title>Both</title>
<link rel="icon" href="data:,">
<script>
  window.heard = [];
  window.news = [];
  const socket = new WebSocket(`ws://${location.host}/chat`);
  socket.onopen = () => { window.state = "open"; };
  socket.onclose = (event) => { window.state = `closed ${event.code}`; };
  socket.onmessage = (event) => window.heard.push(event.data);
  window.say = (text) => socket.send(text);
  const source = new EventSource("/news");
  source.onmessage = (event) => window.news.push(event.data);
</script>
"""


@pytest.fixture
def chat() -> Iterator[int]:
    """The port of a server that says everything in capitals."""

    def talk(connection: ServerConnection) -> None:
        for message in connection:
            assert isinstance(message, str)
            connection.send(message.upper())

    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield int(server.socket.getsockname()[1])
        server.shutdown()
        thread.join(10)


def news(call: Call) -> None:
    """An event each tenth of a second."""
    call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for number in range(1000):
        call.send(b"data: %d\n\n" % number)
        time.sleep(0.1)


def test_both_go_on_over_a_reload(tmp_path: Path, chat: int) -> None:
    site, profile = tmp_path / "site", tmp_path / "profile"
    scripts = site / ".zeroserve" / "scripts"
    scripts.mkdir(parents=True)
    profile.mkdir()
    (site / "index.html").write_text(PAGE)
    with Upstream(news) as upstream:
        source = SCRIPT.replace("CHAT", str(chat)).replace("NEWS", upstream.url)
        (scripts / "pass_on.py").write_text(source.replace("VERSION", "1"))
        with (
            running(site, "--threads", "1", "--no-live-reload") as server,
            chromium.browser(profile) as page,
        ):
            page.open(f"{server.url}/")
            page.wait_for("window.state == 'open'")
            page.evaluate("window.say('before')")
            page.wait_for("window.heard.join() == 'BEFORE'")
            # Each event as it comes: the response has no end.
            page.wait_for("window.news.length >= 3")
            (scripts / "pass_on.py").write_text(source.replace("VERSION", "2"))
            wait_until(lambda: fetch(server.address, "/version").body == b"2", 10)
            seen = page.evaluate("window.news.length")
            page.evaluate("window.say('after')")
            page.wait_for("window.heard.join() == 'BEFORE,AFTER'")
            page.wait_for(f"window.news.length >= {seen + 3}")
            assert page.evaluate("window.state") == "open"
            assert page.evaluate("window.news.slice(0, 5).join()") == "0,1,2,3,4"
            assert page.complaints == []
