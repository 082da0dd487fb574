"""A packed archive with damaged bytes: refused, or served without harm and without secrets."""

import random
import struct
import subprocess
from pathlib import Path

import pytest
from support import sites
from support.refusal import either
from support.server import command, running
from support.wire import Closed, Connection, FramingError, fetch, request

FLIPS = 40
"""How many damaged archives are tried in each region; each starts a server."""

FILES = {f"f{n}.txt": b"%d " % n * 200 for n in range(30)} | {"index.html": b"<p>start</p>"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("packed")
    tree = sites.write_tree(directory / "tree", FILES)
    return sites.pack(tree, directory / "site.tar", "--no-compress").read_bytes()


def index_start(packed: bytes) -> int:
    """Where the header of the index entry begins."""
    at = packed.rindex(b".zeroserve/index")
    return at - at % 512


def survives(path: Path, data: bytes) -> int:
    """Open the damaged archive; ask for everything. Returns how many files came back right."""
    path.write_bytes(data)
    intact = 0
    with either(path) as outcome:
        if outcome.server is None:
            return 0
        for name, body in FILES.items():
            try:
                with Connection(outcome.server.address, timeout_s=5) as connection:
                    connection.send(request(f"/{name}"))
                    response = connection.response()
            except (Closed, FramingError, ConnectionError):
                continue
            assert response.status in (200, 404, 500, 503), response
            assert len(response.body) <= len(data)
            intact += (response.status, response.body) == (200, body)
    return intact


def flipped(data: bytes, begin: int, end: int, seed: int) -> bytes:
    dice = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(dice.choice([1, 1, 1, 3, 20])):
        damaged[dice.randrange(begin, end)] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def test_flips_in_the_data(packed: bytes, tmp_path: Path) -> None:
    for seed in range(FLIPS // 2):
        survives(tmp_path / "site.tar", flipped(packed, 0, index_start(packed), seed))


def test_flips_in_the_index(packed: bytes, tmp_path: Path) -> None:
    """Refused, or scanned as any other tar; an entry never reaches outside of its data."""
    begin = index_start(packed)
    for seed in range(FLIPS):
        data = flipped(packed, begin, len(packed) - 1024, seed)
        served = survives(tmp_path / "site.tar", data)
        assert served in (0, len(FILES)), f"seed {seed}: a damaged index served {served} files"


def test_flips_in_the_trailer(packed: bytes, tmp_path: Path) -> None:
    end = len(packed) - 1024
    for seed in range(FLIPS // 2):
        survives(tmp_path / "site.tar", flipped(packed, end - 512, end, seed))


def test_numbers_blown_up(packed: bytes, tmp_path: Path) -> None:
    """Extreme values where the index has its counts, offsets and lengths."""
    begin, end = index_start(packed) + 512, len(packed) - 1024
    extremes = [0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF]
    dice = random.Random(5)
    spots = [*range(end - 64, end - 8, 8), *(dice.randrange(begin, end - 8) for _ in range(20))]
    for spot in spots:
        damaged = bytearray(packed)
        damaged[spot : spot + 8] = struct.pack("<Q", dice.choice(extremes))
        served = survives(tmp_path / "site.tar", bytes(damaged))
        assert served in (0, len(FILES))


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_cut_short(packed: bytes, keep: float, tmp_path: Path) -> None:
    survives(tmp_path / "site.tar", packed[: int(len(packed) * keep)])


def test_cut_at_every_block_of_the_end(packed: bytes, tmp_path: Path) -> None:
    for size in range(index_start(packed), len(packed), 512):
        survives(tmp_path / "site.tar", packed[:size])


def test_the_index_of_another_archive(packed: bytes, tmp_path: Path) -> None:
    """Grafted onto other data it must not be believed."""
    other = {name: body.upper()[::-1] for name, body in FILES.items()}
    tree = sites.write_tree(tmp_path / "tree", other)
    mine = sites.pack(tree, tmp_path / "mine.tar", "--no-compress").read_bytes()
    begin = index_start(packed)
    grafted = mine[: index_start(mine)] + packed[begin:]
    path = tmp_path / "site.tar"
    path.write_bytes(grafted)
    done = command("check", path)
    assert done.returncode == 1, "content hashes disagree"


def test_bytes_in_front(packed: bytes, tmp_path: Path) -> None:
    """A packed archive that was appended to something else is not where its index says."""
    path = tmp_path / "site.tar"
    survives(path, bytes(512) + packed)
    survives(path, sites.noise(1024) + packed)


def test_check_finds_a_changed_byte(packed: bytes, tmp_path: Path) -> None:
    """One flipped bit in one file: the hash in the index tells."""
    path = tmp_path / "site.tar"
    at = packed.index(b"7 7 7 7 ")
    path.write_bytes(packed[:at] + b"8" + packed[at + 1 :])
    done = command("check", path)
    assert done.returncode == 1
    assert "f7.txt" in done.stdout + done.stderr


def test_two_files_appended_by_tar(packed: bytes, tmp_path: Path) -> None:
    """``tar rf`` writes over the end: the index no longer comes last, the files still count."""
    path = tmp_path / "site.tar"
    path.write_bytes(packed)
    (tmp_path / "more.txt").write_bytes(b"more")
    subprocess.run(["tar", "-C", tmp_path, "-rf", path, "more.txt"], check=True)
    with running(path, "--threads", "1") as server:
        assert fetch(server.address, "/more.txt").body == b"more"
        assert fetch(server.address, "/f1.txt").body == FILES["f1.txt"]
