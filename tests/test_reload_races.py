"""A site that is pointed elsewhere at the worst of times: while it is being opened."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zeroserve
from support import sites
from support.server import Server, wait_until
from support.wire import fetch
from zeroserve.reload import file_state

DIRECTORIES, FILES_EACH = 20, 1_000
"""Opening that many takes long enough to be seen at it."""

SEEN_WITHIN_S = 5.0


def point(link: Path, target: str) -> None:
    """Re-point a symbolic link in one step."""
    fresh = link.with_name("fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


@pytest.fixture
def current(tmp_path: Path) -> Path:
    """A link to the directory ``a``, with ``b`` and ``c`` beside it; archives alike."""
    for name in ("a", "b", "c"):
        files = {"index.html": name.encode(), f"{name}.html": b"", f"deep/er/{name}.html": b""}
        sites.write_tree(tmp_path / name, files)
        sites.gnu_tar(tmp_path / name, tmp_path / f"{name}.tar")
    link = tmp_path / "current"
    link.symlink_to("a")
    time.sleep(0.05)
    return link


def is_wholly(server: zeroserve.Server, name: str) -> Callable[[], bool]:
    port = int(server.url.rpartition(":")[2])

    def check() -> bool:
        address = "127.0.0.1", port
        others = "abc".replace(name, "")
        return (
            fetch(address, "/").body == name.encode()
            and fetch(address, f"/deep/er/{name}.html").status == 200
            and all(fetch(address, f"/deep/er/{other}.html").status == 404 for other in others)
        )

    return check


@pytest.mark.parametrize("suffix", ["", ".tar"], ids=["directory", "archive"])
def test_between_opening_and_watching(
    current: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last moment in which nobody looks."""
    point(current, "a" + suffix)
    server = zeroserve.Server(current, threads=1)
    (reloader,) = server._reloaders
    start = reloader.start

    def start_and_point() -> None:
        start()
        point(current, "b" + suffix)

    monkeypatch.setattr(reloader, "start", start_and_point)
    with server:
        wait_until(is_wholly(server, "b"), SEEN_WITHIN_S)
        point(current, "c" + suffix)
        wait_until(is_wholly(server, "c"), SEEN_WITHIN_S)


@pytest.mark.parametrize("suffix", ["", ".tar"], ids=["directory", "archive"])
def test_while_it_is_reloaded(current: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Re-pointed during each of several reloads: the last state is what is served."""
    point(current, "a" + suffix)
    server = zeroserve.Server(current, threads=1)
    (reloader,) = server._reloaders
    reload = reloader.reload
    targets = ["c", "a", "b", "a", "c"]

    def reload_and_point() -> int:
        generation = reload()
        if targets:
            point(current, targets.pop(0) + suffix)
        return generation

    monkeypatch.setattr(reloader, "reload", reload_and_point)
    with server:
        point(current, "b" + suffix)
        wait_until(lambda: not targets and is_wholly(server, "c")(), SEEN_WITHIN_S)
        generation = server.stats()["generation"]
        time.sleep(1)
        assert server.stats()["generation"] - generation <= 1, "reloads without end"


def test_pointed_elsewhere_and_back_is_another_state(current: Path) -> None:
    before = file_state(str(current))
    point(current, "b")
    time.sleep(0.02)
    point(current, "a")
    assert file_state(str(current)) != before
    assert file_state(str(current)) == file_state(str(current))


def reads_in(server: Server, tree: Path) -> bool:
    """Whether the process has a descriptor of something in the tree."""
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        try:
            if str(link.readlink()).startswith(f"{tree}/"):
                return True
        except OSError:
            continue
    return False


def test_while_a_large_directory_is_opened(current: Path) -> None:
    tree = current.parent / "a"
    for number in range(DIRECTORIES):
        (tree / f"{number}").mkdir()
        for file in range(FILES_EACH):
            (tree / f"{number}/{file}").touch()
    server = Server([current, "--addr", "127.0.0.1:0", "--threads", "1"])
    try:
        deadline = time.monotonic() + 10
        while not reads_in(server, tree):
            if server.lines or time.monotonic() > deadline:
                pytest.skip("opened before anybody could see it")
        point(current, "b")
        opening = not server.lines
        server.wait_listening()
        if not opening:
            pytest.skip("opened before the link was pointed elsewhere")
        address = server.address

        def wholly_b() -> bool:
            return (
                fetch(address, "/").body == b"b"
                and fetch(address, "/deep/er/b.html").status == 200
                and fetch(address, "/0/0").status == 404
                and fetch(address, "/deep/er/a.html").status == 404
            )

        wait_until(wholly_b, SEEN_WITHIN_S)
        assert server.stop() == 0
    finally:
        server.kill()
