"""The access log: one line for each answer, in a form that programs read."""

import json
import re
import time
from datetime import datetime
from pathlib import Path

import pytest
from support import sites
from support.server import Server, command, running, wait_until
from support.sites import HELLO
from support.wire import Connection, fetch, request

FILES = {"hello.txt": HELLO, "index.html": b"start", "data.bin": sites.noise(50_000)}
COMBINED = re.compile(
    r"(?P<ip>\S+) - (?P<user>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<line>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return sites.write_tree(tmp_path / "tree", FILES)


def lines(path: Path, count: int) -> list[str]:
    """The lines of the log once there are that many: they are written in batches."""

    def read() -> list[str]:
        text = path.read_text() if path.exists() else ""
        return text.splitlines() if text.endswith("\n") else []

    wait_until(lambda: len(read()) >= count, 5, f"fewer than {count} lines in {path.name}")
    time.sleep(0.2)
    found = read()
    assert len(found) == count
    return found


def ask(server: Server) -> None:
    """Five requests of different kinds."""
    with Connection(server.address) as connection:
        connection.send(
            request("/hello.txt?a=b", {"User-Agent": "tester/1", "Referer": "http://r/"})
        )
        connection.response()
        connection.send(request("/hello.txt", method="HEAD"))
        connection.response("HEAD")
        connection.send(request("/missing"))
        connection.response()
        connection.send(request("/data.bin", {"Range": "bytes=0-99"}))
        connection.response()
        connection.send(b"bad request\r\n\r\n")
        connection.response()


def test_json(tree: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with running(tree, "--threads", "1", "--access-log", log) as server:
        ask(server)
        records = [json.loads(line) for line in lines(log, 5)]
    assert all(isinstance(record, dict) for record in records)
    statuses = [record["status"] for record in records]
    assert statuses == [200, 200, 404, 206, 400]
    text = json.dumps(records[0])
    for word in ("GET", "/hello.txt", "a=b", "tester/1", "http://r/", "127.0.0.1"):
        assert word in text
    keys = {key for record in records[:4] for key in record}
    assert keys == set(records[0]), "the same fields on every line"


def test_combined(tree: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options: list[str | Path] = [
        "--threads",
        "1",
        "--access-log",
        log,
        "--access-log-format",
        "combined",
    ]
    with running(tree, *options) as server:
        ask(server)
        found = [COMBINED.fullmatch(line) for line in lines(log, 5)]
    assert all(found)
    fields = [match.groupdict() for match in found if match]
    assert [field["status"] for field in fields] == ["200", "200", "404", "206", "400"]
    assert fields[0]["line"] == "GET /hello.txt?a=b HTTP/1.1"
    assert fields[0]["agent"] == "tester/1"
    assert fields[0]["referer"] == "http://r/"
    assert fields[0]["ip"] == "127.0.0.1"
    assert fields[0]["bytes"] == str(len(HELLO))
    assert fields[1]["bytes"] in ("0", "-")
    assert fields[3]["bytes"] == "100"
    stamp = datetime.strptime(fields[0]["time"], "%d/%b/%Y:%H:%M:%S %z")
    assert abs(stamp.timestamp() - time.time()) < 60


@pytest.mark.parametrize("form", ["json", "combined"])
def test_clients_can_not_forge_lines(tree: Path, tmp_path: Path, form: str) -> None:
    """Quotes, escapes and odd bytes from outside stay inside of their field."""
    log = tmp_path / "access.log"
    options: list[str | Path] = ["--threads", "1", "--access-log", log, "--access-log-format", form]
    hostile = 'a" 200 0 "-" "x\\', '\\"', "\x80\xff", '{"status":200}', "\t"
    with running(tree, *options) as server:
        for text in hostile:
            fetch(server.address, "/", {"User-Agent": text, "Referer": text})
            fetch(
                server.address, b"/" + text.replace("\t", "%09").replace(" ", "+").encode("latin-1")
            )
        found = lines(log, 2 * len(hostile))
    for line in found:
        assert line.isprintable()
        if form == "json":
            assert isinstance(json.loads(line), dict)
        else:
            head, quoted, tail = line.partition('"')
            assert quoted and head.startswith("127.0.0.1 ")
            assert len(re.findall(r'(?<!\\)(?:\\\\)*"', quoted + tail)) == 6


def test_standard_error(tree: Path) -> None:
    with running(tree, "--threads", "1", "--access-log", "-") as server:
        fetch(server.address, "/hello.txt")
        assert json.loads(server.wait_line(r"^\{.*hello\.txt.*\}$")[0])["status"] == 200


def test_off_unless_asked_for(tree: Path) -> None:
    """Standard error is no terminal here."""
    for options in ([], ["--access-log", "off"]):
        with running(tree, "--threads", "1", *options) as server:
            for _ in range(5):
                fetch(server.address, "/hello.txt")
            time.sleep(0.4)
            assert "hello.txt" not in server.stderr


def test_opened_again_on_hang_up(tree: Path, tmp_path: Path) -> None:
    """Rotation: move the file, send the signal; no line is lost or split."""
    log = tmp_path / "access.log"
    total = 0
    with running(tree, "--threads", "2", "--access-log", log) as server:
        for turn in range(5):
            for _ in range(20):
                fetch(server.address, f"/hello.txt?{turn}")
                total += 1
            log.rename(tmp_path / f"access.log.{turn}")
            server.hang_up()
            wait_until(log.exists, 5, "no new log")
        for _ in range(20):
            fetch(server.address, "/hello.txt")
            total += 1
    found = [
        json.loads(line)
        for path in tmp_path.glob("access.log*")
        for line in path.read_text().splitlines()
    ]
    assert len(found) == total


def test_every_line_is_written_before_the_end(tree: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with (
        running(tree, "--threads", "2", "--access-log", log) as server,
        Connection(server.address) as connection,
    ):
        connection.send(request("/hello.txt") * 500)
        for _ in range(500):
            connection.response()
    assert len(log.read_text().splitlines()) == 500


def test_a_log_that_can_not_be_opened(tree: Path, tmp_path: Path) -> None:
    place = tmp_path / "missing" / "access.log"
    done = command(tree, "--addr", "127.0.0.1:0", "--access-log", place, timeout_s=10)
    assert done.returncode == 1
    assert str(place) in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_a_full_disk_does_not_stop_serving(tree: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with running(tree, "--threads", "1", "--access-log", "/dev/full") as server:
        for _ in range(50):
            assert fetch(server.address, "/hello.txt").body == HELLO
        time.sleep(0.5)
        assert fetch(server.address, "/hello.txt").body == HELLO
        assert len(server.lines) < 10
