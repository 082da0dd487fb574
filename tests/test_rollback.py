"""Roll back: the generation before is in force at once, and stays until the file changes."""

import json
import shutil
import threading
import time
from pathlib import Path

import pytest
import zeroserve
from support import c, sites
from support.admin import administered, answer, place, post
from support.server import Server, command, running, wait_until
from support.wire import Address, Connection, fetch, request

WATCHED_S = 1.5
"""Longer than the watcher takes to notice."""


def site(directory: Path, text: str) -> Path:
    return sites.python_tar(directory / f"{text}.new", {"index.html": text.encode()})


def deploy(live: Path, text: str) -> None:
    sites.replace(live, site(live.parent, text))


def page(server: Server) -> str:
    return fetch(server.address, "/").body.decode()


def becomes(server: Server, text: str) -> None:
    wait_until(lambda: page(server) == text, 5, f"the page is not {text}")


def numbers(admin: Address) -> list[int]:
    """Generations that are open, that in force first."""
    (found,) = answer(admin, "/status")["sites"]
    assert found["generations"][0]["number"] == found["generation"]
    return [generation["number"] for generation in found["generations"]]


@pytest.fixture
def live(tmp_path: Path) -> Path:
    path = tmp_path / "site.tar"
    deploy(path, "one")
    return path


def test_back_and_on(live: Path) -> None:
    with administered(live) as (server, admin):
        for text in ("two", "three"):
            deploy(live, text)
            becomes(server, text)
        assert numbers(admin) == [3, 2, 1]
        response = post(admin, "/rollback", {"site": "site.tar"})
        assert (response.status, json.loads(response.body)["generation"]) == (200, 2)
        assert page(server) == "two"
        server.wait_line("rolled back site.tar: generation 2 is in force again")
        # The watcher leaves the file alone that was just found wanting.
        time.sleep(WATCHED_S)
        assert (page(server), numbers(admin)) == ("two", [2, 1])
        deploy(live, "four")
        becomes(server, "four")
        assert numbers(admin) == [4, 2, 1], "numbers are never given twice"
        for text in ("two", "one"):
            assert post(admin, "/rollback").status == 200
            assert page(server) == text
        response = post(admin, "/rollback")
        assert response.status == 409
        assert "no earlier generation is kept" in json.loads(response.body)["error"]
        assert page(server) == "one"
        (found,) = answer(admin, "/status")["sites"]
        assert (found["reloads_ok"], found["rollbacks"]) == (3, 3)


def test_the_same_file_again_on_demand(live: Path) -> None:
    """What was rolled back is still on disk: a reload that somebody asks for takes it."""
    with administered(live) as (server, admin):
        deploy(live, "two")
        becomes(server, "two")
        post(admin, "/rollback")
        assert page(server) == "one"
        assert post(admin, "/reload").status == 200
        assert page(server) == "two"


def test_only_the_generation_that_was_meant(live: Path) -> None:
    """Whoever presses the button twice does not go back twice."""
    with administered(live) as (server, admin):
        for text in ("two", "three"):
            deploy(live, text)
            becomes(server, text)
        assert [post(admin, "/rollback", {"from": 3}).status for _ in range(2)] == [200, 409]
        assert page(server) == "two"


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_so_many_are_kept(live: Path, keep: int) -> None:
    with administered(live, "--keep-generations", str(keep)) as (server, admin):
        for text in ("two", "three", "four", "five"):
            deploy(live, text)
            becomes(server, text)
        assert numbers(admin) == list(range(5, 4 - keep, -1))
        assert [post(admin, "/rollback").status for _ in range(keep + 1)] == [200] * keep + [409]


def test_a_refused_reload_changes_nothing(live: Path) -> None:
    with administered(live) as (server, admin):
        deploy(live, "two")
        becomes(server, "two")
        sites.replace(live, sites.write_tree(live.parent / "bad", {"x": b"no tar"}) / "x")
        server.wait_line("reload refused")
        assert (page(server), numbers(admin)) == ("two", [2, 1])
        response = post(admin, "/reload")
        assert response.status == 409
        assert "site.tar" in json.loads(response.body)["error"]
        assert post(admin, "/rollback").status == 200
        assert page(server) == "one"
        (found,) = answer(admin, "/status")["sites"]
        assert (found["reloads_ok"], found["reloads_failed"]) == (1, 2)


def test_reloads_of_the_same_file_push_nothing_out(live: Path) -> None:
    """SIGHUP is for log rotation too."""
    with administered(live) as (server, admin):
        deploy(live, "two")
        becomes(server, "two")
        for turn in range(5):
            server.hang_up()
            wait_until(lambda turn=turn: numbers(admin) == [3 + turn, 1], 5)  # type: ignore[misc]
        assert post(admin, "/rollback").status == 200
        assert page(server) == "one"


@c.needed
def test_a_lone_script(tmp_path: Path) -> None:
    """It has no files, and is another one when it was changed."""
    for text in ("one", "two"):
        c.write(tmp_path / text, "says", f'zs_respond(200, ZS_STR("{text}"));')
    script = tmp_path / "says.c"

    def put(text: str) -> None:
        (tmp_path / text / ".zeroserve" / "scripts" / "says.c").replace(script)

    put("one")
    with administered(script) as (server, admin):
        assert page(server) == "one"
        put("two")
        becomes(server, "two")
        assert post(admin, "/reload").status == 200
        assert post(admin, "/rollback").status == 200
        assert page(server) == "one"


def test_nothing_is_read_from_the_path(live: Path) -> None:
    with administered(live) as (server, admin):
        deploy(live, "two")
        becomes(server, "two")
        live.unlink()
        assert post(admin, "/rollback").status == 200
        assert page(server) == "one"


def test_an_archive_that_was_written_over_is_passed_over(live: Path) -> None:
    """Its index would say one thing and its bytes another."""
    with administered(live, "--no-watch") as (server, admin):
        new = site(live.parent, "two-long").read_bytes()
        live.write_bytes(new)
        assert post(admin, "/reload").status == 200
        assert page(server) == "two-long"
        assert post(admin, "/rollback").status == 409
        assert page(server) == "two-long"


def test_a_directory_has_no_earlier_files(tmp_path: Path) -> None:
    tree = sites.write_tree(tmp_path / "tree", {"index.html": b"one"})
    with administered(tree) as (server, admin):
        assert post(admin, "/reload").status == 200
        response = post(admin, "/rollback")
        assert response.status == 409
        assert "directory" in json.loads(response.body)["error"]
        assert page(server) == "one"


def test_a_link_between_directories_can_be_taken_back(tmp_path: Path) -> None:
    for text in ("one", "two"):
        sites.write_tree(tmp_path / text, {"index.html": text.encode()})
    current = tmp_path / "current"
    current.symlink_to("one")
    with administered(current) as (server, admin):
        later = tmp_path / "later"
        later.symlink_to("two")
        later.replace(current)
        becomes(server, "two")
        assert post(admin, "/rollback").status == 200
        time.sleep(WATCHED_S)
        assert page(server) == "one"


@c.needed
def test_scripts_go_back_with_their_files(tmp_path: Path) -> None:
    live = tmp_path / "site.tar"
    for text in ("one", "two"):
        tree = sites.write_tree(tmp_path / text, {"index.html": text.encode()})
        c.write(tree, "says", f'zs_respond(200, ZS_STR("{text} by script"));')
    shutil.copy(sites.pack(tmp_path / "one", tmp_path / "one.tar"), live)
    with administered(live) as (server, admin):
        assert page(server) == "one by script"
        sites.replace(live, sites.pack(tmp_path / "two", tmp_path / "two.tar"))
        becomes(server, "two by script")
        assert post(admin, "/rollback").status == 200
        assert page(server) == "one by script"


def test_a_download_ends_with_the_bytes_it_began_with(tmp_path: Path) -> None:
    live = tmp_path / "site.tar"
    old, new = (sites.noise(8_000_000, seed=seed) for seed in (1, 2))
    sites.python_tar(live, {"data.bin": old})
    with administered(live) as (server, admin):
        sites.replace(live, sites.python_tar(tmp_path / "new", {"data.bin": new}))
        wait_until(lambda: numbers(admin) == [2, 1], 5)
        with Connection(server.address, receive_buffer_bytes=16 * 1024) as connection:
            connection.send(request("/data.bin"))
            connection.head()
            assert post(admin, "/rollback").status == 200
            got = bytearray(connection.buffer)
            while len(got) < len(new):
                got += connection.socket.recv(1 << 20)
            assert got == new
        assert fetch(server.address, "/data.bin").body == old


def test_going_back_and_forth_under_load(tmp_path: Path) -> None:
    """Every answer is one of the two sites, and none fails."""
    live = tmp_path / "site.tar"
    deploy(live, "one")
    other = site(tmp_path, "two").rename(tmp_path / "two.tar")
    first = site(tmp_path, "one").rename(tmp_path / "one.tar")
    with administered(live, "--no-watch") as (server, admin):
        stop = threading.Event()
        wrong: list[str] = []

        def ask() -> None:
            with Connection(server.address) as connection:
                while not stop.is_set():
                    connection.send(request("/") * 8)
                    for _ in range(8):
                        response = connection.response()
                        if response.status != 200 or response.body not in (b"one", b"two"):
                            wrong.append(f"{response.status} {response.body!r}")

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            for turn in range(30):
                shutil.copy(other if turn % 2 == 0 else first, tmp_path / "next")
                sites.replace(live, tmp_path / "next")
                assert post(admin, "/reload").status == 200
                if turn % 3 == 2:
                    assert post(admin, "/rollback").status == 200
        finally:
            stop.set()
            for asker in askers:
                asker.join()
        assert wrong == []


def test_descriptors_are_given_back(live: Path) -> None:
    with administered(live, "--no-watch") as (server, admin):

        def open_files() -> int:
            return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))

        for _ in range(5):
            deploy(live, "two")
            assert post(admin, "/reload").status == 200
        before = open_files()
        for _ in range(20):
            deploy(live, "two")
            assert post(admin, "/reload").status == 200
        wait_until(lambda: open_files() <= before, 5, "archives stay open")


def test_the_command(live: Path) -> None:
    with running(live, "--admin", "127.0.0.1:0") as server:
        admin = place(server)
        at = ["--admin", f"{admin[0]}:{admin[1]}"]
        deploy(live, "two")
        becomes(server, "two")
        done = command("rollback", *at)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == "site.tar: generation 1 is in force again\n"
        assert page(server) == "one"
        done = command("rollback", "site.tar", *at)
        assert (done.returncode, done.stderr) == (
            1,
            "zeroserve: error: site.tar: no earlier generation is kept\n",
        )
        done = command("rollback", "other", *at)
        assert (done.returncode, done.stderr) == (1, "zeroserve: error: no such site: other\n")


def test_the_library(live: Path) -> None:
    told: list[str] = []
    with zeroserve.Server(
        live, threads=1, watch=False, report=lambda _, line: told.append(line), keep_generations=1
    ) as server:
        deploy(live, "two")
        server.reload()
        with pytest.raises(zeroserve.Error, match="generation 2 is in force"):
            server.rollback(1)
        assert server.rollback(2) == 1
        assert server.stats()["generation"] == 1
        with pytest.raises(zeroserve.Error, match="no earlier generation is kept"):
            server.rollback()
    assert any("generation 1 is in force again" in line for line in told)
