"""Deploying while serving: the new site within a second, the old one when it is broken."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import sites
from support.server import Server, running, wait_until
from support.wire import Closed, Connection, FramingError, fetch, request

SEEN_WITHIN_S = 3.0
"""One second is promised; the rest is for machines under load."""


def site(directory: Path, text: str) -> Path:
    """A small archive whose pages say ``text``."""
    body = text.encode()
    return sites.python_tar(directory / f"{text}.new", {"index.html": body, f"{text}.txt": body})


def page(server: Server) -> bytes:
    response = fetch(server.address, "/")
    assert response.status == 200
    return response.body


def becomes(server: Server, text: str) -> None:
    wait_until(lambda: page(server) == text.encode(), SEEN_WITHIN_S, f"page is not {text}")


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """The archive that is served, saying ``one``."""
    path = tmp_path / "site.tar"
    sites.replace(path, site(tmp_path, "one"))
    return path


@pytest.fixture
def server(live: Path) -> Iterator[Server]:
    with running(live, "--threads", "2") as process:
        assert page(process) == b"one"
        yield process


def test_rename_over(server: Server, live: Path, tmp_path: Path) -> None:
    for text in ("two", "three", "four"):
        sites.replace(live, site(tmp_path, text))
        becomes(server, text)
    assert fetch(server.address, "/four.txt").status == 200
    assert fetch(server.address, "/one.txt").status == 404


def test_rename_over_with_the_same_size_and_time(
    server: Server, live: Path, tmp_path: Path
) -> None:
    """Only the file itself is another one."""
    for text in ("two", "six", "ten"):
        sites.replace(live, site(tmp_path, text))
        becomes(server, text)


def test_hang_up_reloads_at_once(live: Path, tmp_path: Path) -> None:
    """Also where nothing is watched; and it is the only way there."""
    with running(live, "--threads", "1", "--no-watch") as server:
        sites.replace(live, site(tmp_path, "two"))
        time.sleep(1.5)
        assert page(server) == b"one"
        server.hang_up()
        becomes(server, "two")


def test_a_link_to_the_archive_is_pointed_elsewhere(tmp_path: Path) -> None:
    for text in ("one", "two"):
        site(tmp_path, text)
    link = tmp_path / "current"
    link.symlink_to("one.new")
    with running(link, "--threads", "1") as server:
        assert page(server) == b"one"
        fresh = tmp_path / "fresh"
        fresh.symlink_to("two.new")
        sites.replace(link, fresh)
        becomes(server, "two")


def test_a_link_to_the_directory_around_it_is_pointed_elsewhere(tmp_path: Path) -> None:
    """``releases/current/site.tar``: the link is in the middle of the path."""
    for text in ("one", "two"):
        (tmp_path / text).mkdir()
        sites.replace(tmp_path / text / "site.tar", site(tmp_path, text))
    link = tmp_path / "current"
    link.symlink_to("one")
    with running(link / "site.tar", "--threads", "1") as server:
        assert page(server) == b"one"
        fresh = tmp_path / "fresh"
        fresh.symlink_to("two")
        sites.replace(link, fresh)
        becomes(server, "two")


@pytest.mark.parametrize(
    "content", [b"", b"no tar", sites.noise(5000)], ids=["empty", "text", "noise"]
)
def test_a_broken_archive_is_refused(
    server: Server, live: Path, tmp_path: Path, content: bytes
) -> None:
    """Logged with the reason; the old site goes on; the next good one is taken."""
    server.wait_line("as root" if os.getuid() == 0 else "^sandbox")
    said = len(server.lines)
    broken = tmp_path / "broken"
    broken.write_bytes(content)
    sites.replace(live, broken)
    server.wait_line("refused", after=said, timeout_s=SEEN_WITHIN_S)
    time.sleep(1.0)
    assert page(server) == b"one"
    assert len(server.lines) - said <= 2, "said once, not at every look"
    sites.replace(live, site(tmp_path, "two"))
    becomes(server, "two")


def test_a_missing_archive_is_waited_for(server: Server, live: Path, tmp_path: Path) -> None:
    live.unlink()
    time.sleep(0.7)
    assert page(server) == b"one"
    server.hang_up()
    server.wait_line("refused", timeout_s=SEEN_WITHIN_S)
    assert page(server) == b"one"
    sites.replace(live, site(tmp_path, "two"))
    becomes(server, "two")


def test_truncation_in_place_costs_errors_only(tmp_path: Path) -> None:
    """Whole answers are right answers; the process lives; a good archive heals it."""
    files = {f"{n}.bin": sites.noise(400_000, seed=n) for n in range(8)} | {"index.html": b"one"}
    live = sites.python_tar(tmp_path / "site.tar", files)
    with running(live, "--threads", "1", "--no-watch") as server:
        assert fetch(server.address, "/0.bin").body == files["0.bin"]
        with Connection(server.address, receive_buffer_bytes=8192) as under_way:
            under_way.send(request("/1.bin") * 10)
            under_way.head()
            for size in (2_000_000, 500_000, 700, 0):
                with live.open("r+b") as file:
                    file.truncate(size)
                for name, data in files.items():
                    whole_or_nothing(server, name, data)
            try:
                while under_way.socket.recv(1 << 20):
                    pass
            except ConnectionError:
                pass
        assert server.alive()
        sites.replace(live, site(tmp_path, "two"))
        server.hang_up()
        wait_until(lambda: fetch(server.address, "/").body == b"two", SEEN_WITHIN_S)


def whole_or_nothing(server: Server, name: str, data: bytes) -> None:
    """Bytes that are gone are never made up."""
    with Connection(server.address, timeout_s=5) as connection:
        connection.send(request(f"/{name}"))
        try:
            response = connection.response()
        except (FramingError, Closed, ConnectionError):
            return
        assert response.status in (200, 500, 503, 404)
        assert response.status != 200 or response.body == data


def test_overwriting_in_place_does_not_end_the_process(
    server: Server, live: Path, tmp_path: Path
) -> None:
    """``cp`` over the archive: bad practice, and still followed by the new site."""
    data = site(tmp_path, "two").read_bytes()
    with live.open("r+b") as file:
        file.write(b"\xff" * 5000)
        file.flush()
        for _ in range(20):
            with Connection(server.address) as connection:
                connection.send(request("/"))
                try:
                    connection.response()
                except (FramingError, Closed, ConnectionError):
                    continue
        file.seek(0)
        file.truncate()
        file.write(data)
    wait_until(lambda: fetch(server.address, "/").body == b"two", SEEN_WITHIN_S)


# --- directories ----------------------------------------------------------------------------------


def test_a_directory_is_watched(tmp_path: Path) -> None:
    files = {"index.html": b"one", "sub/a.txt": b"a", "sub/b.txt": b"b"}
    tree = sites.write_tree(tmp_path / "tree", files)
    with running(tree, "--threads", "2") as server:
        first = fetch(server.address, "/").need("etag")
        (tree / "index.html").write_bytes(b"two")
        becomes(server, "two")
        assert fetch(server.address, "/").need("etag") != first
        (tree / "new").mkdir()
        (tree / "new" / "c.txt").write_bytes(b"c")
        wait_until(lambda: fetch(server.address, "/new/c.txt").body == b"c", SEEN_WITHIN_S)
        (tree / "new" / "d.txt").write_bytes(b"d")
        wait_until(lambda: fetch(server.address, "/new/d.txt").body == b"d", SEEN_WITHIN_S)
        (tree / "sub" / "a.txt").unlink()
        wait_until(lambda: fetch(server.address, "/sub/a.txt").status == 404, SEEN_WITHIN_S)
        (tree / "sub").rename(tree / "moved")
        wait_until(lambda: fetch(server.address, "/moved/b.txt").body == b"b", SEEN_WITHIN_S)


def test_a_directory_that_is_not_watched(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"index.html": b"one"})
    with running(tree, "--threads", "1", "--no-watch") as server:
        (tree / "new.txt").write_bytes(b"new")
        time.sleep(1.5)
        assert fetch(server.address, "/new.txt").status == 404
        server.hang_up()
        wait_until(lambda: fetch(server.address, "/new.txt").body == b"new", SEEN_WITHIN_S)


def test_files_that_change_while_they_are_read(tmp_path: Path) -> None:
    """An answer is of one state of the file or is cut; it is never longer or mixed up."""
    tree = sites.write_tree(tmp_path / "tree", {"a.bin": b"0" * 300_000})
    stop = threading.Event()

    def rewrite() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            fresh = tmp_path / "fresh"
            fresh.write_bytes(b"%d" % (turn % 10) * (200_000 + turn % 7 * 50_000))
            sites.replace(tree / "a.bin", fresh)
            time.sleep(0.02)

    writer = threading.Thread(target=rewrite)
    with running(tree, "--threads", "1") as server:
        writer.start()
        try:
            for _ in range(150):
                with Connection(server.address, timeout_s=5) as connection:
                    connection.send(request("/a.bin"))
                    try:
                        response = connection.response()
                    except (FramingError, Closed, ConnectionError):
                        continue
                    if response.status == 200:
                        assert len(set(response.body)) == 1
        finally:
            stop.set()
            writer.join()
