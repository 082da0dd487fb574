"""The admin page in a browser: it moves under load, rolls back, and complains about nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import chromium, sites
from support.admin import administered
from support.server import Server, wait_until
from support.wire import Connection, fetch, request

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed")


@contextmanager
def load(server: Server) -> Iterator[None]:
    """Requests all the time, one in four for a page that is not there."""
    stop = threading.Event()

    def ask() -> None:
        with Connection(server.address) as connection:
            while not stop.wait(0.005):
                for path in ("/", "/", "/", "/none"):
                    connection.send(request(path))
                    connection.response()

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield
    finally:
        stop.set()
        asker.join()


def plotted(card: str, line: str) -> str:
    """JavaScript: how many points that line of a chart has."""
    path = f"document.querySelector('#{card} .plot.{line}')"
    return f"({path} ? {path}.getAttribute('d').split('L').length : 0)"


def now(card: str) -> str:
    return f"document.querySelector('#{card} output').textContent"


def test_charts_move_and_roll_back_works(tmp_path: Path) -> None:
    live = tmp_path / "site.tar"
    sites.python_tar(live, {"index.html": b"one"})
    with administered(live, "--no-watch") as (server, admin):
        sites.replace(live, sites.python_tar(tmp_path / "new", {"index.html": b"two"}))
        server.hang_up()
        server.wait_line("reloaded")
        with chromium.browser(tmp_path) as page, load(server):
            page.open(f"http://{admin[0]}:{admin[1]}/")
            page.wait_for("document.querySelector('#state')?.textContent == 'serving'")
            for card, line in (
                ("requests", "a"),
                ("latency", "a"),
                ("latency", "c"),
                ("connections", "a"),
                ("errors", "d"),
            ):
                page.wait_for(f"{plotted(card, line)} >= 3")
            page.wait_for(f"parseFloat({now('requests')}) > 0")
            page.wait_for(f"{now('connections')} == '1'")
            spoken = "document.querySelector('#requests svg').getAttribute('aria-label')"
            assert "in the last two minutes" in page.evaluate(spoken)
            roll_back(page, server)
            hide(page)
            assert page.complaints == []
        assert all(reply["url"].startswith(f"http://{admin[0]}") for reply in page.responses)


def hide(page: chromium.Page) -> None:
    """Nothing is asked while nobody looks, and it goes on when somebody does."""

    def asked() -> int:
        page.evaluate("0")
        return sum(reply["url"].endswith("/live") for reply in page.responses)

    def show(hidden: str) -> None:
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    show("true")
    page.wait_idle()
    before = asked()
    time.sleep(2.5)
    assert asked() == before
    show("false")
    wait_until(lambda: asked() > before + 1, 20, "it asks no more")


def roll_back(page: chromium.Page, server: Server) -> None:
    """The button asks first, and does nothing when the answer is no."""
    button = "document.querySelector('.site-head button.strong')"
    dialog = "document.querySelector('#confirm')"
    page.wait_for(f"{button}.textContent == 'Roll back to 1'")
    page.evaluate(f"{button}.click()")
    page.wait_for(f"{dialog}.open")
    page.evaluate(f"{dialog}.querySelector('[value=no]').click()")
    page.wait_for(f"!{dialog}.open")
    assert fetch(server.address, "/").body == b"two"
    page.evaluate(f"{button}.click()")
    page.evaluate(f"{dialog}.querySelector('[value=yes]').click()")
    page.wait_for("/generation 1 is in force$/.test(document.querySelector('#notice').textContent)")
    assert fetch(server.address, "/").body == b"one"
    page.wait_for("document.querySelectorAll('.site-head button.strong').length == 0")
