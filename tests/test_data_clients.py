"""Data read over HTTP by the programs that people read it with."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support import sites
from support.server import Server, running
from support.wire import Connection, request

TABLE = b"PAR1" + sites.noise(3_000_000, seed=21) + b"PAR1"
NAME = "data/table.parquet"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = {NAME: TABLE, "data/c/0/0": b"chunk", "404.html": b"<p>a page for people</p>"}
    packed = sites.make("packed", tmp_path_factory.mktemp("data"), files)
    with running(packed, "--threads", "2") as process:
        yield process


# --- fsspec: pandas, dask, zarr, xarray read through it -----------------------------------


@pytest.fixture
def files(server: Server) -> Iterator[Any]:
    """An fsspec file system over HTTP."""
    fsspec: ModuleType = pytest.importorskip("fsspec", reason="fsspec is not installed")
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    system = fsspec.filesystem("http", skip_instance_cache=True)
    yield system
    session = getattr(system, "_session", None)
    if session is not None:
        system.close_session(system.loop, session)


def test_fsspec_reads_ranges(server: Server, files: Any) -> None:
    url = f"{server.url}/{NAME}"
    about = files.info(url)
    assert about["size"] == len(TABLE)
    assert about.get("partial", True), "ranges are recognised"
    assert files.cat_file(url, start=100, end=200) == TABLE[100:200]
    assert files.cat_file(url, start=-8) == TABLE[-8:]
    ranges = files.cat_ranges([url] * 3, [0, 50, 2_999_000], [4, 60, 3_000_008])
    assert ranges == [TABLE[0:4], TABLE[50:60], TABLE[2_999_000:]]


def test_fsspec_seeks_in_a_file(server: Server, files: Any) -> None:
    dice = random.Random(3)
    with files.open(f"{server.url}/{NAME}", "rb", block_size=50_000) as file:
        for _ in range(30):
            at = dice.randrange(len(TABLE))
            file.seek(at)
            assert file.read(1000) == TABLE[at : at + 1000]


def test_fsspec_knows_what_is_missing(server: Server, files: Any) -> None:
    """A page instead of a 404 would be taken for a chunk."""
    assert files.cat_file(f"{server.url}/data/c/0/0") == b"chunk"
    with pytest.raises(FileNotFoundError):
        files.cat_file(f"{server.url}/data/c/0/1")
    assert not files.exists(f"{server.url}/data/c/0")
    got = files.cat([f"{server.url}/data/c/0/{n}" for n in (0, 1)], on_error="omit")
    assert list(got.values()) == [b"chunk"]


# --- others, as their sources say they ask ---------------------------------------------------


def test_duckdb_opens_a_parquet_file(server: Server) -> None:
    """HEAD, then the last 8 bytes, then the footer: each length has to be exact."""
    size = len(TABLE)
    with Connection(server.address) as connection:
        connection.send(request(f"/{NAME}", method="HEAD"))
        head = connection.response("HEAD")
        assert head.need("content-length") == str(size)
        assert head.need("accept-ranges") == "bytes"
        etag = head.need("etag")
        for first, last in ((size - 8, size - 1), (size - 5000, size - 9), (4, 100_003)):
            connection.send(request(f"/{NAME}", {"Range": f"bytes={first}-{last}"}))
            part = connection.response()
            assert part.status == 206
            assert part.body == TABLE[first : last + 1]
            assert part.need("etag") == etag


def test_pmtiles_opens_with_more_than_there_is(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(request("/data/c/0/0", {"Range": "bytes=0-16383"}))
        part = connection.response()
        assert (part.status, part.body) == (206, b"chunk")
        assert part.need("content-range") == "bytes 0-4/5"
        assert not part.need("etag").startswith("W/")


def test_zarr_reads_a_shard_index(server: Server) -> None:
    with Connection(server.address) as connection:
        connection.send(request(f"/{NAME}", {"Range": "bytes=-1028"}))
        part = connection.response()
        assert (part.status, part.body) == (206, TABLE[-1028:])
        size = len(TABLE)
        assert part.need("content-range") == f"bytes {size - 1028}-{size - 1}/{size}"


def test_a_preflight_is_not_redirected(server: Server) -> None:
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "range",
    }
    with Connection(server.address) as connection:
        connection.send(request(f"/{NAME}", headers, method="OPTIONS"))
        assert connection.response().status in (200, 204)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_resumes_a_download(server: Server, tmp_path: Path) -> None:
    url, place = f"{server.url}/{NAME}", tmp_path / "table.parquet"
    place.write_bytes(TABLE[:1_234_567])
    base: list[str | Path] = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*"]
    subprocess.run([*base, "--continue-at", "-", "--output", place, url], check=True)
    assert place.read_bytes() == TABLE
    tags = tmp_path / "etag"
    for turn in range(2):
        again = [*base, "--etag-save", tags, "--output", tmp_path / f"{turn}", url]
        compare: list[str | Path] = ["--etag-compare", tags] if turn else []
        subprocess.run([*again, *compare], check=True)
    assert (tmp_path / "0").read_bytes() == TABLE
    assert not (tmp_path / "1").exists() or (tmp_path / "1").read_bytes() == b""
