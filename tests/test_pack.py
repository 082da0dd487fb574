"""``pack``: what goes into an archive, that the same tree gives the same bytes, what is refused."""

import gzip
import io
import os
import random
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.server import command, executable
from zeroserve import Error
from zeroserve._core import Archive, check
from zeroserve.codings import CODINGS, split_sibling
from zeroserve.pack import Summary, pack
from zeroserve.pack.archive import ALIGN_FROM_BYTES, PAGE_BYTES, header

MTIME = 1_700_000_000
TEXT = b"<p>the quick brown fox jumps over the lazy dog</p>\n" * 40
NOISE = random.Random(1).randbytes(2000)
DECODE: dict[str, Callable[[bytes], bytes]] = {
    ".br": brotli.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    ".gz": gzip.decompress,
}


def write(root: Path, files: dict[str, bytes], mtime: float = MTIME) -> Path:
    """A tree of these files, all changed at the same time."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (mtime, mtime))
    root.mkdir(exist_ok=True)
    return root


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def members(archive: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        return tar.getmembers()


def no_leftovers(directory: Path) -> None:
    assert not [path for path in directory.iterdir() if path.name.endswith(".tmp")]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "index.html": TEXT,
        "a-b.html": TEXT,
        "a/b.css": b"p { color: red }\n" * 50,
        "a/small.txt": b"x" * 100,
        "a/noise.txt": NOISE,
        "img/pixel.png": b"\x89PNG" + TEXT,
        "empty.txt": b"",
        ".well-known/security.txt": b"Contact: mailto:security@example.org\n",
    }
    return write(tmp_path / "site", files)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "site.tar"


def test_every_file_reads_back(tree: Path, output: Path) -> None:
    pack(tree, output)
    archive = Archive(str(output))
    assert archive.indexed
    assert not archive.warnings
    assert check(str(output)) == []
    for path in tree.rglob("*"):
        if path.is_file():
            assert archive.read(path.relative_to(tree).as_posix()) == path.read_bytes()


def test_same_tree_same_bytes(tree: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    pack(tree, first)
    # The same files made in another order, by somebody with another umask and other times
    # below the second.
    other = tmp_path / "other"
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_file():
            write(other, {path.relative_to(tree).as_posix(): path.read_bytes()}, MTIME + 0.75)
    for path in other.rglob("*"):
        path.chmod(0o700)
    pack(other, second)
    assert first.read_bytes() == second.read_bytes()


def test_source_date_epoch_is_the_latest_time(
    tree: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(tree / "empty.txt", (MTIME - 500, MTIME - 500))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(MTIME - 100))
    pack(tree, output)
    times = {info.name: info.mtime for info in members(output)}
    assert times["index.html"] == times["index.html.br"] == MTIME - 100
    assert times["empty.txt"] == MTIME - 500
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(Error, match="SOURCE_DATE_EPOCH is not a number of seconds: 'yesterday'"):
        pack(tree, output)


def test_headers_are_plain_and_the_end_exact(tree: Path, output: Path) -> None:
    pack(tree, output)
    data = output.read_bytes()
    assert len(data) % 512 == 0
    assert data.endswith(bytes(1024))
    listed = members(output)
    last = listed[-1]
    assert (last.name, last.mtime) == (".zeroserve/index", 0)
    assert last.offset_data + last.size + 1024 == len(data)
    assert last.size % 512 == 0
    order = [info.name.encode() for info in listed[:-1]]
    assert order == sorted(order)
    for info in listed:
        assert info.isreg()
        assert info.pax_headers == {}
        assert (info.uid, info.gid, info.uname, info.gname, info.mode) == (0, 0, "", "", 0o644)


@pytest.mark.parametrize(
    ("name", "extended"),
    [
        ("d" * 60 + "/" + "f" * 60, False),
        ("d" * 155 + "/" + "f" * 100, False),
        ("d" * 156 + "/" + "f" * 99, True),
        ("f" * 101, True),
        ("/".join(["d" * 200] * 10), True),
        ("gr\u00fc\u00dfe/\u65e5\u672c.html", True),
        ("with space/and\nline break\x1b.txt", False),
    ],
)
def test_names_of_any_length(tmp_path: Path, output: Path, name: str, extended: bool) -> None:
    write(tmp_path / "site", {name: b"data"})
    pack(tmp_path / "site", output)
    info = members(output)[0]
    assert info.name == name
    assert set(info.pax_headers) == ({"path"} if extended else set())
    assert Archive(str(output)).read(name) == b"data"


def test_gnu_tar_lists_it(tree: Path, output: Path) -> None:
    pack(tree, output)
    listed = subprocess.run(["tar", "tf", output], capture_output=True, text=True, check=True)
    assert listed.stdout.split("\n")[:-1] == names(output)
    assert listed.stderr == ""


def test_siblings_of_what_is_worth_it(tree: Path, output: Path) -> None:
    summary = pack(tree, output)
    archive = Archive(str(output))
    listed = set(names(output))
    compressed = {name: split[0] for name in listed if (split := split_sibling(name))}
    assert set(compressed.values()) == {"index.html", "a-b.html", "a/b.css"}
    assert len(compressed) == 9 == summary.siblings
    for name, original in compressed.items():
        decode = DECODE[Path(name).suffix]
        assert decode(archive.read(name)) == archive.read(original)
    gz = archive.read("index.html.gz")
    assert gz[3:8] == bytes(5)  # no flags, so no name; no time


def test_no_compress(tree: Path, output: Path) -> None:
    summary = pack(tree, output, compress=False)
    assert summary.siblings == 0
    assert not [name for name in names(output) if split_sibling(name)]


def test_large_files_are_not_compressed(tmp_path: Path, output: Path) -> None:
    tree = write(tmp_path / "site", {"log.txt": b""})
    os.truncate(tree / "log.txt", (32 << 20) + 1)
    assert pack(tree, output).siblings == 0
    assert Archive(str(output)).entries()[-1].size == (32 << 20) + 1


def test_siblings_that_are_right_are_kept(tree: Path, output: Path) -> None:
    made = gzip.compress(TEXT, 1, mtime=5)
    png = (tree / "img/pixel.png").read_bytes()
    write(tree, {"index.html.gz": made, "img/pixel.png.br": brotli.compress(png)})
    for compress in (True, False):
        summary = pack(tree, output, compress=compress)
        assert Archive(str(output)).read("index.html.gz") == made
        assert "img/pixel.png.br" in names(output)
        assert summary.siblings == (10 if compress else 2)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("index.html.br", brotli.compress(TEXT + b"old"), "it decodes to more than 2,040 bytes"),
        ("index.html.gz", gzip.compress(TEXT[:-1]), "it decodes to other bytes"),
        ("index.html.gz", b"not gzip", "not a gzip stream"),
        ("index.html.gz", gzip.compress(TEXT)[:-1], "the stream ends early"),
        ("index.html.gz", gzip.compress(TEXT) + gzip.compress(b"x"), "data after the end"),
        ("index.html.br", brotli.compress(TEXT)[:-1], "the stream ends early"),
        ("index.html.br", b"\xff" * 40, "not a Brotli stream"),
        ("index.html.zst", b"not zstd", "not a Zstandard frame"),
        ("index.html.zst", zstandard.compress(TEXT)[:-1], "the frame ends early"),
        ("index.html.zst", zstandard.compress(TEXT) + b"x", "data after the end"),
        ("index.html.gz", b"", "the stream ends early"),
    ],
)
def test_stale_siblings_are_refused(
    tree: Path, output: Path, name: str, data: bytes, reason: str
) -> None:
    write(tree, {name: data})
    with pytest.raises(Error, match=f"'{name}' is not 'index.html' compressed: {reason}"):
        pack(tree, output)
    assert not output.exists()
    no_leftovers(output.parent)


def test_a_zstandard_window_that_browsers_refuse(tree: Path, output: Path) -> None:
    # Multithreaded long-distance frames of large files, as `zstd --long=27` makes them.
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    large = random.Random(2).randbytes(1 << 20) * 20
    frame = zstandard.ZstdCompressor(compression_params=parameters).compress(large)
    write(tree, {"big.bin": large, "big.bin.zst": frame})
    with pytest.raises(Error, match="window is larger than the 8 MiB that browsers take"):
        pack(tree, output)


def test_a_directory_in_a_siblings_place(tmp_path: Path, output: Path) -> None:
    tree = write(tmp_path / "site", {"a.txt": TEXT, "a.txt.br/b": b"x"})
    assert pack(tree, output).siblings == 2
    assert "a.txt.br" not in names(output)


def test_dot_files_are_left_out(tree: Path, output: Path) -> None:
    write(
        tree,
        {
            ".env": b"SECRET=1",
            ".git/config": b"",
            "a/.DS_Store": b"",
            ".well-known/.hidden": b"",
            ".zeroserve/scripts/guard.txt": b"# " + TEXT,
            ".zeroserve/index": b"old",
        },
    )
    summary = pack(tree, output)
    assert summary.left_out == (".env", ".git/", ".well-known/.hidden", "a/.DS_Store")
    listed = names(output)
    assert ".well-known/security.txt" in listed
    assert [name for name in listed if name.startswith(".zeroserve")] == [
        ".zeroserve/scripts/guard.txt",
        ".zeroserve/index",
    ]
    assert b"SECRET" not in output.read_bytes()


def test_links_are_followed(tree: Path, output: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"shared.txt": b"shared"})
    (tree / "again.html").symlink_to("index.html")
    (tree / "b").symlink_to("a")
    (tree / "out").symlink_to(tmp_path / "elsewhere")
    (tree / "a/out.txt").symlink_to(tmp_path / "elsewhere/shared.txt")
    (tree / "gone").symlink_to("nowhere")
    summary = pack(tree, output)
    archive = Archive(str(output))
    assert archive.read("again.html") == TEXT
    assert archive.read("b/small.txt") == b"x" * 100
    assert archive.read("out/shared.txt") == b"shared"
    assert summary.outside_links == ("a/out.txt", "b/out.txt", "out")
    assert summary.warnings == ("link leads nowhere, left out: 'gone'",)


def test_loops_of_links_are_refused(tree: Path, output: Path) -> None:
    (tree / "a/up").symlink_to("..")
    with pytest.raises(Error, match=r"loop of links: '.*/a/up' leads back"):
        pack(tree, output)
    (tree / "a/up").unlink()
    (tree / "self").symlink_to("self")
    with pytest.raises(Error, match=r"can't read '.*/self': too many levels"):
        pack(tree, output)


def test_what_is_no_file_is_left_out(tree: Path, output: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tree / "socket"))
    assert pack(tree, output).warnings == (
        "not a regular file, left out: 'pipe'",
        "not a regular file, left out: 'socket'",
    )


def test_names_that_are_not_utf8_are_refused(tree: Path, output: Path) -> None:
    Path(os.fsdecode(os.fsencode(tree / "a") + b"/caf\xe9.html")).write_bytes(b"")
    with pytest.raises(Error, match=r"file name is not UTF-8: '.*/a/caf.+xe9.html'"):
        pack(tree, output)


def test_output_inside_of_the_directory(tree: Path) -> None:
    output = tree / "site.tar"
    pack(tree, output)
    first = output.read_bytes()
    pack(tree, output)
    assert output.read_bytes() == first
    assert "site.tar" not in names(output)


@pytest.mark.parametrize("new", [b"", TEXT + b"more", TEXT.replace(b"fox", b"cat")])
def test_a_file_that_changes_meanwhile(tree: Path, output: Path, new: bytes) -> None:
    output.write_bytes(b"the old one")

    def change(_done: int, _total: int) -> None:
        (tree / "index.html").write_bytes(new)

    with pytest.raises(Error, match=r"changed while it was being packed: '.*/index.html'"):
        pack(tree, output, progress=change)
    assert output.read_bytes() == b"the old one"
    no_leftovers(output.parent)


def test_a_file_that_vanishes_meanwhile(tree: Path, output: Path) -> None:
    def remove(_done: int, _total: int) -> None:
        (tree / "index.html").unlink(missing_ok=True)

    with pytest.raises(Error, match=r"can't read '.*/index.html': no such file"):
        pack(tree, output, progress=remove, compress=False)


def test_an_interrupt_leaves_nothing(tree: Path, output: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(tree, output, progress=interrupt)
    assert not output.exists()
    no_leftovers(output.parent)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_signals_leave_nothing(tmp_path: Path, number: int, code: int) -> None:
    # Words in random order keep the best compressor busy for many seconds.
    words = [f"word{i} " for i in range(5000)]
    text = "".join(random.Random(3).choices(words, k=3_000_000)).encode()
    tree = write(tmp_path / "site", {"book.txt": text})
    process = subprocess.Popen(
        [executable(), "pack", tree, "-o", tmp_path / "book.tar"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    temporary = tmp_path / f".book.tar.{process.pid}.tmp"
    while not temporary.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr) == (code, "")
    assert not temporary.exists()
    assert not (tmp_path / "book.tar").exists()


def test_progress_counts_up_to_its_total(tree: Path, output: Path) -> None:
    seen: list[tuple[int, int]] = []
    pack(tree, output, progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen}) == 1


def test_summary(tree: Path, output: Path) -> None:
    summary = pack(tree, output)
    sizes = {path: path.stat().st_size for path in tree.rglob("*") if path.is_file()}
    assert isinstance(summary, Summary)
    assert summary.output == str(output)
    assert (summary.files, summary.bytes) == (len(sizes), sum(sizes.values()))
    assert summary.archive_bytes == output.stat().st_size
    assert summary.compressed_files == 3
    assert summary.compressed_from == 2 * len(TEXT) + 850
    assert 0 < summary.compressed_to < summary.compressed_from // 5
    assert summary.left_out == summary.outside_links == summary.warnings == ()


def test_refusals_name_the_path(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(Error, match="no such directory: '/nowhere'"):
        pack("/nowhere", tmp_path / "x.tar")
    with pytest.raises(Error, match=r"not a directory: '.*index.html'"):
        pack(tree / "index.html", tmp_path / "x.tar")
    with pytest.raises(Error, match="not a regular file, not overwritten: '/dev/null'"):
        pack(tree, "/dev/null")
    with pytest.raises(Error, match=r"can't write '/nowhere/x\.tar': no such file"):
        pack(tree, "/nowhere/x.tar")


def test_output_through_a_link(tree: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.tar"
    real.write_bytes(b"old")
    (tmp_path / "link.tar").symlink_to("real.tar")
    pack(tree, tmp_path / "link.tar")
    assert (tmp_path / "link.tar").is_symlink()
    assert "index.html" in names(real)


def test_an_empty_directory(tmp_path: Path, output: Path) -> None:
    (tmp_path / "site").mkdir()
    assert pack(tmp_path / "site", output).files == 0
    assert Archive(str(output)).indexed


def test_command(tree: Path, tmp_path: Path) -> None:
    (tree / ".env").write_bytes(b"")
    (tree / "out.html").symlink_to("/dev/../etc/passwd")
    done = subprocess.run(
        [executable(), "pack", tree], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "left out 1 dot-file: .env"
    assert lines[1] == "1 link leads outside of DIR and was followed: out.html"
    assert lines[2].startswith("site.tar: 9 files, ")
    assert lines[3].startswith("saved ") and lines[3].endswith(" with br")
    assert len(lines) == 4
    assert Archive(str(tmp_path / "site.tar")).indexed


def test_command_to_stdout(tree: Path, output: Path) -> None:
    pack(tree, output)
    piped = subprocess.run([executable(), "pack", tree, "-o", "-"], capture_output=True, check=True)
    assert piped.stdout == output.read_bytes()


def test_command_refuses_in_form(tree: Path, output: Path) -> None:
    write(tree, {"index.html.gz": b"x"})
    done = command("pack", tree, "-o", output)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "zeroserve: error: 'index.html.gz' is not 'index.html' compressed: the stream ends early",
        "hint: delete 'index.html.gz': pack makes a new one",
    ]


part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
part = part.filter(lambda p: not p.startswith(".") and len(p.encode()) < 200)
path = st.lists(part, min_size=1, max_size=4).map("/".join)
contents = st.one_of(
    st.binary(max_size=600),
    st.builds(lambda piece, n: piece * n, st.binary(min_size=1, max_size=9), st.integers(0, 400)),
)


@given(files=st.dictionaries(path, contents, max_size=6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_reads_back(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    tree = tmp_path_factory.mktemp("any")
    written: dict[str, bytes] = {}
    for name, data in files.items():
        target = tree / "site" / (name + ".html")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
        written[name + ".html"] = data
    (tree / "site").mkdir(exist_ok=True)
    pack(tree / "site", tree / "site.tar")
    archive = Archive(str(tree / "site.tar"))
    assert check(str(tree / "site.tar")) == []
    originals = {e.name: archive.read(e.name) for e in archive.entries() if not e.hidden}
    siblings = {name for name in originals if split_sibling(name)}
    assert {name: originals[name] for name in originals.keys() - siblings} == written
    with tarfile.open(tree / "site.tar") as tar:
        for info in tar.getmembers()[:-1]:
            extracted = tar.extractfile(info)
            assert extracted is not None
            assert extracted.read() == archive.read(info.name)


@given(data=contents)
@settings(max_examples=60)
def test_codings_decode_what_they_encode(data: bytes) -> None:
    for coding in CODINGS:
        compressor = coding.compressor(max(1, len(data)))
        encoded = compressor.compress(data) + compressor.flush()
        assert b"".join(coding.decode(io.BytesIO(encoded))) == data


@given(st.integers(0, 64), st.integers(1, 300), st.booleans())
def test_data_of_large_files_begins_on_a_page(blocks: int, length: int, plain: bool) -> None:
    name = ("a" if plain else "ü") * length
    size = ALIGN_FROM_BYTES + 1
    head = header(name, size, 1_700_000_000, blocks * 512)
    assert (blocks * 512 + len(head)) % PAGE_BYTES == 0
    assert len(head) <= 3 * 512 + PAGE_BYTES + 1024
    with tarfile.open(fileobj=io.BytesIO(head + bytes(size + 1024))) as archive:
        info = archive.getmember(name)
    assert (info.name, info.size, info.offset_data) == (name, size, len(head))
