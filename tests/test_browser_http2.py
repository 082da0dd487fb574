"""A real browser over HTTPS: it agrees on HTTP/2, and everything of a page arrives."""

import base64
import hashlib
from pathlib import Path

import pytest
from support import chromium, sites
from support.server import running
from support.tls import key_hash
from zeroserve._core import dev_authority, dev_certificate

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed")

IMAGES = 60

PAGE = "<!doctype html><title>Many</title><link rel=icon href='data:,'>" + "".join(
    f"<img src='/image{number}.svg' width=10 height=10>" for number in range(IMAGES)
)
IMAGE = b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'><path d='M1 1h9'/></svg>"


def test_a_page_with_many_parts(tmp_path: Path) -> None:
    files = {"index.html": PAGE.encode(), "large.bin": bytes(range(256)) * 20_000}
    files |= {f"image{number}.svg": IMAGE for number in range(IMAGES)}
    archive = sites.python_tar(tmp_path / "site.tar", files)
    chain, key = dev_certificate(dev_authority("here"), ["localhost", "127.0.0.1"])
    pair = tmp_path / "pair.pem"
    pair.write_text(chain + key)
    # This one key is believed, and no other: errors of certificates are still errors.
    trusted = f"--ignore-certificate-errors-spki-list={key_hash(chain)}"
    options = ("--tls-addr", "127.0.0.1:0", "--cert", pair, "--access-log", "off")
    with (
        running(archive, *options, addr=None) as server,
        chromium.browser(tmp_path, trusted) as page,
    ):
        port = server.address[1]
        page.open(f"https://127.0.0.1:{port}/")
        loaded = "[...document.images].filter((i) => i.complete && i.naturalWidth == 10).length"
        page.wait_for(f"{loaded} == {IMAGES}")
        entries = "performance.getEntriesByType"
        assert page.evaluate(f"{entries}('navigation')[0].nextHopProtocol") == "h2"
        versions = f"[...new Set({entries}('resource').map((r) => r.nextHopProtocol))].join()"
        assert page.evaluate(versions) == "h2"
        digest = hashlib.sha256(files["large.bin"]).digest()
        page.evaluate(
            "fetch('/large.bin').then((r) => r.arrayBuffer())"
            ".then((b) => crypto.subtle.digest('SHA-256', b))"
            ".then((d) => { window.digest = btoa(String.fromCharCode(...new Uint8Array(d))); })"
        )
        page.wait_for(f"window.digest == '{base64.b64encode(digest).decode()}'")
        assert page.complaints == []
