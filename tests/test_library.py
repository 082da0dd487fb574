"""The library: ``Server`` with its watching, and the in-process ``Client``."""

import contextlib
import doctest
import importlib
import io
import logging
import os
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import zeroserve
from support.nginx import free_port
from support.server import wait_until
from support.wire import Connection, request
from zeroserve.reload import Severity
from zeroserve.testing import Client, Headers

Lines = list[tuple[Severity, str]]


def tar(path: Path, files: dict[str, bytes], *, in_place: bool = False) -> Path:
    """Write a tar, by renaming over ``path`` or by writing into it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    if in_place:
        path.write_bytes(made.getvalue())
    else:
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(made.getvalue())
        beside.replace(path)
    return path


def get(server: zeroserve.Server, path: str = "/") -> bytes:
    try:
        with urllib.request.urlopen(server.url + path, timeout=5) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code}".encode()


def served_within(server: zeroserve.Server, path: str, body: bytes, seconds: float = 1.0) -> None:
    """What is promised is one second; the tests allow a loaded machine some more."""
    wait_until(lambda: get(server, path) == body, seconds + 2.0)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tar(tmp_path / "site.tar", {"index.html": b"one"})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    root.mkdir()
    (root / "index.html").write_bytes(b"one")
    time.sleep(0.05)  # older than the server: else the watcher looks at it twice
    return root


@pytest.fixture
def lines() -> Lines:
    return []


@contextlib.contextmanager
def watching(site: Path, lines: Lines) -> Iterator[zeroserve.Server]:
    """A server that notes what it reports, and is watching by now."""
    with zeroserve.Server(site, threads=1, report=lambda *line: lines.append(line)) as server:
        if site.is_dir():
            # inotify is set up in the background: the watcher's own library is slow to import.
            time.sleep(0.8)
        yield server


# Server


def test_import_is_cheap() -> None:
    script = "import sys, zeroserve; print([m for m in sys.modules if m.startswith('zeroserve.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_public_names() -> None:
    assert set(zeroserve.__all__) == {"Error", "Program", "Server", "__version__"}
    assert set(zeroserve.__all__) <= set(dir(zeroserve))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = zeroserve.nonsense


def test_serves_and_counts(archive: Path) -> None:
    with zeroserve.Server(archive, addr="127.0.0.1:0", threads=1) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.urls == (server.url,)
        assert get(server) == b"one"
        stats = server.stats()
        assert stats["requests"] >= 1
        assert stats["generation"] == 1
        assert stats["entries"] == 1
        assert "running" in repr(server)
    with pytest.raises(OSError):
        get(server)


def test_several_addresses(archive: Path, tmp_path: Path) -> None:
    addrs = ["127.0.0.1:0", "0", f"unix:{tmp_path}/s"]
    with zeroserve.Server(archive, addr=addrs, threads=2) as server:
        assert len(server.urls) == 3
        assert server.urls[2] == f"http+unix:{tmp_path}/s"
        for url in server.urls[:2]:
            with urllib.request.urlopen(url) as answer:
                assert answer.read() == b"one"


def test_life_cycle(archive: Path) -> None:
    server = zeroserve.Server(archive)
    with pytest.raises(zeroserve.Error, match="has not been started"):
        _ = server.url
    server.start()
    with pytest.raises(zeroserve.Error, match="running already"):
        server.start()
    assert server.stop() == 0
    assert server.stop() == 0
    with pytest.raises(zeroserve.Error, match="stopped already"):
        server.start()
    assert zeroserve.Server(archive).stop() == 0


def test_bound_before_the_start(archive: Path) -> None:
    """Nobody else gets the port; who connects meanwhile is served after the start."""
    port = free_port()
    server = zeroserve.Server(archive, addr=f"127.0.0.1:{port}", threads=1)
    server.bind()
    server.bind()
    with pytest.raises(zeroserve.Error, match="can't listen"):
        zeroserve.Server(archive, addr=f"127.0.0.1:{port}").start()
    with Connection(("127.0.0.1", port)) as early:
        early.send(request("/"))
        server.start()
        assert early.response().status == 200
        with pytest.raises(zeroserve.Error, match="running already"):
            server.bind()
    server.stop()


def test_bound_and_never_started(archive: Path) -> None:
    port = free_port()
    server = zeroserve.Server(archive, addr=f"127.0.0.1:{port}", threads=1)
    server.bind()
    del server
    with zeroserve.Server(archive, addr=f"127.0.0.1:{port}", threads=1) as other:
        assert get(other)


def test_workers_turn(archive: Path) -> None:
    with zeroserve.Server(archive, threads=2) as server:
        assert server.is_turning()
        for _ in range(3):
            wait_until(server.is_turning, 5)


def test_refusals(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(zeroserve.Error, match=r"nowhere\.tar"):
        zeroserve.Server(tmp_path / "nowhere.tar").start()
    with pytest.raises(zeroserve.Error, match="address without a port"):
        zeroserve.Server(archive, addr="localhost")
    with pytest.raises(zeroserve.Error, match="no address"):
        zeroserve.Server(archive, addr=[])
    with pytest.raises(zeroserve.Error, match="header_timeout_s is outside of 1 to"):
        zeroserve.Server(archive, header_timeout_s=0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'header_timeout'"):
        zeroserve.Server(archive, header_timeout=5)


def test_a_refused_start_can_be_repeated(tmp_path: Path) -> None:
    """Nothing is left bound, and no thread is left behind."""
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(zeroserve.Error):
            zeroserve.Server(tmp_path / "nowhere.tar").start()
    assert threading.active_count() == before


def test_options_reach_the_core(directory: Path, tmp_path: Path) -> None:
    (directory / "about.html").write_bytes(b"about")
    (directory / "start.html").write_bytes(b"start")
    log = tmp_path / "access.log"
    with zeroserve.Server(
        directory, index="start.html", try_html=True, access_log=log, idle_timeout_s=5
    ) as server:
        assert get(server) == b"start"
        assert get(server, "/about") == b"about"
    assert log.read_text().count("\n") == 2


def test_a_relative_path_outlives_chdir(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(archive.parent)
    with zeroserve.Server("site.tar", watch=False) as server:
        monkeypatch.chdir("/")
        tar(archive, {"index.html": b"two"})
        assert server.reload() == 2
        assert get(server) == b"two"


def test_a_relative_socket_outlives_chdir(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is removed at the end is the socket that was bound, not what has its name here."""
    here, there = tmp_path / "here", tmp_path / "there"
    for directory in (here, there):
        directory.mkdir()
    (there / "x.sock").write_bytes(b"precious")
    monkeypatch.chdir(here)
    with zeroserve.Server(archive, addr="unix:x.sock", threads=1, watch=False):
        assert (here / "x.sock").is_socket()
        monkeypatch.chdir(there)
    assert (there / "x.sock").read_bytes() == b"precious"
    assert not (here / "x.sock").exists()


def test_reload(archive: Path) -> None:
    with zeroserve.Server(archive, watch=False) as server:
        tar(archive, {"index.html": b"two", "x": b""})
        assert get(server) == b"one"
        assert server.reload() == 2
        assert get(server) == b"two"
        archive.write_bytes(b"this is no tar" * 100)
        with pytest.raises(zeroserve.Error):
            server.reload()
        assert not server.try_reload()
        assert server.stats()["generation"] == 2
        assert server.stats()["reloads_failed"] == 2


def test_reloads_of_many_threads_are_counted_once_each(archive: Path) -> None:
    with zeroserve.Server(archive, watch=False) as server:
        generations: list[int] = []
        threads = [
            threading.Thread(target=lambda: generations.append(server.reload())) for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(generations) == list(range(2, 18))


def test_signals_are_left_alone(archive: Path) -> None:
    import signal

    before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with zeroserve.Server(archive):
        now = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert now == before


# Watching


def test_an_archive_renamed_over(archive: Path, lines: Lines) -> None:
    with watching(archive, lines) as server:
        for body in (b"two", b"three"):
            tar(archive, {"index.html": body, body.decode(): b""})
            served_within(server, "/", body)
        wait_until(lambda: len(lines) == 2, 2)
        severity, line = lines[1]
        assert severity == "info"
        assert line.startswith(f"reloaded {archive}: generation 3, 2 entries, ")
    time.sleep(0.5)
    assert len(lines) == 2


def test_an_archive_written_in_place(archive: Path, lines: Lines) -> None:
    with watching(archive, lines) as server:
        tar(archive, {"index.html": b"two" * 1000}, in_place=True)
        served_within(server, "/", b"two" * 1000)


def test_a_link_pointed_elsewhere(tmp_path: Path, lines: Lines) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        tar(tmp_path / name / "site.tar", {"index.html": name.encode()})
    (tmp_path / "current").symlink_to("1")
    with watching(tmp_path / "current/site.tar", lines) as server:
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").replace(tmp_path / "current")
        served_within(server, "/", b"2")


def test_a_bad_archive_is_refused_once(archive: Path, lines: Lines) -> None:
    with watching(archive, lines) as server:
        archive.with_suffix(".new").write_bytes(b"this is no tar" * 100)
        archive.with_suffix(".new").replace(archive)
        wait_until(lambda: lines, 3)
        time.sleep(1)
        assert len(lines) == 1
        severity, line = lines[0]
        assert severity == "error"
        assert line.startswith("reload refused, still serving generation 1: ")
        assert get(server) == b"one"
        tar(archive, {"index.html": b"two"})
        served_within(server, "/", b"two")


def test_an_archive_that_is_gone_for_a_moment(archive: Path, lines: Lines) -> None:
    with watching(archive, lines) as server:
        archive.unlink()
        time.sleep(0.6)
        assert get(server) == b"one"
        assert lines == []
        tar(archive, {"index.html": b"two"})
        served_within(server, "/", b"two")


def test_a_directory(directory: Path, lines: Lines) -> None:
    with watching(directory, lines) as server:
        (directory / "index.html").write_bytes(b"two!")
        served_within(server, "/", b"two!")
        (directory / "sub").mkdir()
        (directory / "sub/new.html").write_bytes(b"new")
        served_within(server, "/sub/new.html", b"new")
        (directory / "sub/new.html").unlink()
        served_within(server, "/sub/new.html", b"404")
        assert {severity for severity, _ in lines} == {"info"}


def test_a_directory_changed_right_after_the_start(directory: Path, lines: Lines) -> None:
    with zeroserve.Server(directory, report=lambda *line: lines.append(line)) as server:
        (directory / "early.html").write_bytes(b"early")
        served_within(server, "/early.html", b"early", 2)


def test_a_directory_that_keeps_still_is_not_reloaded(directory: Path, lines: Lines) -> None:
    log = directory / "access.log"
    with zeroserve.Server(
        directory, access_log=log, report=lambda *line: lines.append(line)
    ) as server:
        # A new name changes the directory itself: the watcher's first look can't tell what it
        # is and reloads once, which shows that it is watching by now.
        (directory / ".hidden").write_bytes(b"")
        wait_until(lambda: lines, 10)
        lines.clear()
        for _ in range(5):
            get(server)
            (directory / ".hidden").write_bytes(b"x")
            time.sleep(0.2)
        time.sleep(0.5)
    assert lines == []


def test_a_directory_replaced_as_a_whole(tmp_path: Path, lines: Lines) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_bytes(name.encode())
    (tmp_path / "current").symlink_to("1")
    time.sleep(0.05)
    with watching(tmp_path / "current", lines) as server:
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").replace(tmp_path / "current")
        served_within(server, "/", b"2")
        time.sleep(0.5)
        (tmp_path / "2/index.html").write_bytes(b"2, changed")
        served_within(server, "/", b"2, changed")


def test_reports_go_to_the_log(archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "zeroserve"), zeroserve.Server(archive) as server:
        assert server.try_reload()
    assert caplog.records[0].levelno == logging.INFO
    assert "generation 2, 1 entry, " in caplog.text


def test_stopping_ends_the_watcher(archive: Path, directory: Path) -> None:
    before = threading.active_count()
    for site in (archive, directory):
        with zeroserve.Server(site):
            assert threading.active_count() > before
        assert threading.active_count() == before


# Client


@pytest.fixture
def client(tmp_path: Path) -> Client:
    root = tmp_path / "site"
    (root / "a b").mkdir(parents=True)
    (root / "index.html").write_text("<p>gr\u00fc\u00dfe</p>")
    (root / "data.json").write_text('{"a": [1, 2]}')
    (root / "a b/\u00fc.txt").write_text("odd name")
    (root / "about.html").write_text("about")
    return Client(root)


def test_get(client: Client) -> None:
    r = client.get("/")
    assert (r.status, r.text()) == (200, "<p>gr\u00fc\u00dfe</p>")
    assert r.headers["content-type"] == r.headers["Content-Type"] == "text/html; charset=utf-8"
    assert int(r.headers["content-length"]) == len(r.body)
    assert all(name == name.lower() for name in r.headers)
    assert client.get("/data.json").json() == {"a": [1, 2]}
    assert client.get("/missing").status == 404


def test_methods(client: Client) -> None:
    r = client.head("/")
    assert (r.status, r.body) == (200, b"")
    assert int(r.headers["content-length"]) > 0
    assert client.post("/", body=b"x").status == 405
    assert client.request("DELETE", "/").status == 405
    assert client.request("OPTIONS", "/").status in (200, 204)


def test_requests_are_independent(client: Client) -> None:
    etag = client.get("/").headers["etag"]
    assert client.get("/", {"if-none-match": etag}).status == 304
    assert client.get("/", [("If-None-Match", etag)]).body == b""
    assert client.get("/", headers={"range": "bytes=0-2"}).body == b"<p>"
    assert client.get("/").status == 200


def test_paths(client: Client) -> None:
    assert client.get("/a b/\u00fc.txt").body == b"odd name"
    assert client.get("/a%20b/%C3%BC.txt").body == b"odd name"
    assert client.get("/data.json?a=1&b=%20").status == 200
    assert client.get("/../../etc/passwd").status in (400, 404)


def test_options(client: Client, tmp_path: Path) -> None:
    assert client.get("/about").status == 404
    assert Client(tmp_path / "site", try_html=True).get("/about").text() == "about"
    assert Client(tmp_path / "site", index="about.html").get("/").text() == "about"
    assert Client(os.fspath(tmp_path / "site"), engine="native").get("/").status == 200
    with pytest.raises(zeroserve.Error, match="there is no such engine: 'pypy'"):
        Client(tmp_path / "site", engine="pypy")
    with pytest.raises(zeroserve.Error):
        Client(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {"x": "a\r\nEvil: 1"}),
        ("GET", "/", {"x": "a\nb"}),
        ("GET", "/", {"x": "a\0"}),
        ("GET", "/", {"x\r\ny": "a"}),
        ("GET", "/", {"": "a"}),
        ("GET", "/", {"a b": "a"}),
        ("GET /\r\n", "/", {}),
        ("", "/", {}),
        ("GET", "", {}),
    ],
)
def test_requests_that_no_client_could_send(
    client: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ValueError):
        client.request(method, path, headers)


def test_a_line_break_in_a_path_is_encoded(client: Client) -> None:
    assert client.get("/\r\nEvil: 1").status == 404


def test_headers() -> None:
    headers = Headers([("Vary", "a"), ("vary", "b"), ("ETag", '"x"')])
    assert headers["VARY"] == "a, b"
    assert headers.getlist("Vary") == ["a", "b"]
    assert headers.getlist("none") == []
    assert headers.get("None") is None
    assert headers.get("etag") == '"x"'
    assert "Etag" in headers
    assert list(headers) == ["vary", "etag"]
    assert len(headers) == 2


@pytest.mark.parametrize("module", ["address", "codings", "words"])
def test_examples_in_docstrings(module: str) -> None:
    done = doctest.testmod(importlib.import_module(f"zeroserve.{module}"))
    assert done.attempted and not done.failed
