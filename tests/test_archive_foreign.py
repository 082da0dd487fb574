"""Archives that other tools made: every file is served byte for byte."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import sites
from support.server import Server, command, running
from support.wire import Connection, fetch, request

EXAMPLES = 25
"""How many random trees are packed and served; each starts a server."""

TREE = {
    "index.html": b"<p>start</p>",
    "empty": b"",
    "exactly-one-block": b"b" * 512,
    "one-more": b"b" * 513,
    "large.bin": sites.noise(1_000_000, seed=4),
    "d/e/f/g.txt": b"deep",
    "name with spaces.txt": b"spaces",
    "grüße/日本語.txt": b"other letters",
    "n" * 99: b"99",
    "n" * 100: b"100",
    "n" * 101: b"101",
    "n" * 255: b"255",
    "/".join(["p" * 50] * 3) + "/" + "f" * 90: b"fits a prefix",
    "/".join(["q" * 200] * 4) + "/file": b"long",
    "trailing.": b"dot",
    "-dash": b"dash",
}
SHORT = {name: data for name, data in TREE.items() if len(name.encode()) < 98}


def serves_exactly(path: Path, files: dict[str, bytes]) -> None:
    """Every file comes back with its bytes, over one connection."""
    with running(path, "--threads", "1") as server:
        check_files(server, files)


def check_files(server: Server, files: dict[str, bytes]) -> None:
    with Connection(server.address) as connection:
        for name, data in files.items():
            connection.send(request("/" + quote(name)))
            response = connection.response()
            assert (name, response.status) == (name, 200)
            assert response.body == data, name


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.write_tree(tmp_path_factory.mktemp("foreign") / "tree", TREE)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.write_tree(tmp_path_factory.mktemp("foreign") / "short", SHORT)


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "posix"])
def test_gnu_tar(form: str, tree: Path, tmp_path: Path) -> None:
    path = sites.gnu_tar(tree, tmp_path / "site.tar", f"--format={form}")
    serves_exactly(path, TREE)


@pytest.mark.parametrize("form", ["ustar", "v7"])
def test_gnu_tar_of_short_names(form: str, short: Path, tmp_path: Path) -> None:
    path = sites.gnu_tar(short, tmp_path / "site.tar", f"--format={form}")
    serves_exactly(path, SHORT)


def test_gnu_tar_of_names(tree: Path, tmp_path: Path) -> None:
    """Without ``./`` in front, with a transformed prefix, with other blocking."""
    path = tmp_path / "site.tar"
    base = ["tar", "-C", str(tree), "-cf", str(path)]
    subprocess.run([*base, "d", "index.html"], check=True)
    serves_exactly(path, {"d/e/f/g.txt": b"deep", "index.html": TREE["index.html"]})
    subprocess.run([*base, "--transform", "s,^[.],site,", "."], check=True)
    serves_exactly(path, {f"site/{name}": data for name, data in TREE.items()})
    subprocess.run([*base, "-b", "1", "--numeric-owner", "-p", "."], check=True)
    serves_exactly(path, TREE)
    subprocess.run([*base, "--format=posix", "--xattrs", "--acls", "."], check=True)
    serves_exactly(path, TREE)


@pytest.mark.skipif(shutil.which("bsdtar") is None, reason="bsdtar is not installed")
@pytest.mark.parametrize("form", ["pax", "paxr", "gnutar"])
def test_bsdtar(form: str, tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    options = ["bsdtar", f"--format={form}", "-C", str(tree), "-cf", str(path), "."]
    subprocess.run(options, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    serves_exactly(path, TREE)


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["u", "g", "p"]
)
def test_python_tarfile(form: int, tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    files = SHORT if form == tarfile.USTAR_FORMAT else TREE
    with tarfile.open(path, "w", format=form) as tar:
        for name in files:
            tar.add(tree / name, arcname=name)
    serves_exactly(path, files)


def test_python_tarfile_with_fractions_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "site.tar"
    headers = {"comment": "a comment", "SCHILY.xattr.user.x": "y", "mtime": "1704164645.25"}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "all"}) as tar:
        info = tarfile.TarInfo("a.txt")
        info.size, info.pax_headers = 1, headers
        tar.addfile(info, io.BytesIO(b"a"))
    serves_exactly(path, {"a.txt": b"a"})


def test_git_archive(tree: Path, tmp_path: Path) -> None:
    """It opens with a global extended header that holds the commit."""
    work = tmp_path / "work"
    shutil.copytree(tree, work)
    settings_ = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "core.autocrlf=no"]
    git = ["git", "-C", str(work), *settings_]
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "site"]):
        subprocess.run([*git, *step], check=True)
    path = tmp_path / "site.tar"
    subprocess.run([*git, "archive", "-o", str(path), "HEAD"], check=True)
    serves_exactly(path, TREE)
    subprocess.run([*git, "archive", "--prefix=v1/", "-o", str(path), "HEAD"], check=True)
    serves_exactly(path, {f"v1/{name}": data for name, data in TREE.items()})


def test_check_has_nothing_to_say(tree: Path, tmp_path: Path) -> None:
    for form in ("gnu", "posix"):
        path = sites.gnu_tar(tree, tmp_path / "site.tar", f"--format={form}")
        done = command("check", path)
        assert done.returncode == 0, done.stdout + done.stderr
    packed = sites.pack(tree, tmp_path / "packed.tar")
    done = command("check", packed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_packed_is_a_tar_for_everyone(tree: Path, tmp_path: Path) -> None:
    """GNU tar, bsdtar and Python read a packed archive, and read the same bytes."""
    packed = sites.pack(tree, tmp_path / "site.tar")
    with tarfile.open(packed) as tar:
        for name, data in TREE.items():
            member = tar.extractfile(name)
            assert member is not None
            assert member.read() == data
    for tool in ("tar", "bsdtar"):
        if shutil.which(tool) is None:
            continue
        out = tmp_path / tool
        out.mkdir()
        done = subprocess.run(
            [tool, "-xf", packed, "-C", out],
            capture_output=True,
            check=True,
            env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )
        assert done.stderr == b""
        assert all((out / name).read_bytes() == data for name, data in TREE.items())
    serves_exactly(packed, TREE)


def test_sixty_thousand_entries(tmp_path: Path) -> None:
    files = {f"{n % 100:02}/{n}.txt": b"%d" % n for n in range(60_000)}
    path = sites.python_tar(tmp_path / "site.tar", files)
    with running(path, "--threads", "1") as server:
        check_files(server, dict(list(files.items())[::600]))
        assert fetch(server.address, "/00/1.txt").status == 404


# --- random trees -------------------------------------------------------------------------------

SEGMENT = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda text: not text.startswith(".") and len(text.encode()) < 250)
NAMES = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)


def prune(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out what can not be: a file that is a directory too, and coded siblings."""
    parents = {
        "/".join(parts[:n])
        for name in files
        for parts in [name.split("/")]
        for n in range(1, len(parts))
    }
    return {
        name: data
        for name, data in files.items()
        if name not in parents and not name.endswith((".br", ".zst", ".gz"))
    }


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    files=st.dictionaries(NAMES, st.binary(max_size=1500), min_size=1, max_size=12).map(prune),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    slash=st.booleans(),
)
def test_random_trees(files: dict[str, bytes], form: int, slash: bool, tmp_path: Path) -> None:
    """Any names that a file system allows, any contents."""
    path = tmp_path / "site.tar"
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(("./" if slash else "") + name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    serves_exactly(path, files)
