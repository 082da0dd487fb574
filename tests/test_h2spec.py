"""h2spec, a conformance suite for HTTP/2 servers, on cleartext."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sites
from support.server import Server, running

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "zeroserve-tests"
"""Where ``tools/test-peers.sh`` puts it."""

H2SPEC = shutil.which("h2spec") or shutil.which("h2spec", path=str(CACHE))

pytestmark = pytest.mark.skipif(
    H2SPEC is None,
    reason="h2spec is not installed: run tools/test-peers.sh as root",
)

EXPLAINED = {
    # What is not the preface of HTTP/2 is HTTP/1 on this port, and answered as such with 505 or
    # 400; h2spec takes any answer for a mistake.
    "Sends invalid connection preface",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A site whose page is longer than the windows that h2spec opens."""
    site = tmp_path_factory.mktemp("h2spec") / "site.tar"
    sites.python_tar(site, {"index.html": b"<p>Start</p>\n" * 100})
    with running(site, "--threads", "1") as server:
        yield server


@pytest.mark.parametrize("section", ["generic", "http2", "hpack"])
def test_section(server: Server, section: str) -> None:
    assert H2SPEC is not None
    assert not isinstance(server.address, str)
    host, port = server.address
    command = [H2SPEC, section, "-h", host, "-p", str(port), "-o", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    summary = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", text)
    assert summary, text + done.stderr
    assert int(summary[2]) > 4
    report = text.partition("Failures:")[2]
    failed = {name.strip() for name in re.findall("\N{MULTIPLICATION SIGN} \\d+: (.*)", report)}
    assert len(failed) == int(summary[4]), text
    assert failed <= EXPLAINED, report
