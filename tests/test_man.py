"""Manual pages, read by the programs that format them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.server import command
from zeroserve.cli.commands import COMMANDS, SERVE

EVERY = (SERVE, *COMMANDS)
TITLES = {"-".join(filter(None, ["zeroserve", each.name])): each for each in EVERY}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("man") / "man1"
    done = command("man", "-o", place, env={"SOURCE_DATE_EPOCH": "1700000000"})
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stem for path in place.iterdir()} == set(TITLES)
    return place


@pytest.mark.parametrize("title", TITLES)
def test_mandoc_finds_nothing_wrong(pages: Path, title: str) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    path = pages / f"{title}.1"
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("title", TITLES)
def test_man_shows_each_flag(pages: Path, title: str) -> None:
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("man or groff is not installed")
    done = subprocess.run(
        ["man", "-l", "--warnings=w", "--no-hyphenation", pages / f"{title}.1"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MANOPT": "-Tascii"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    plain = re.sub(".\x08", "", done.stdout)  # bold is a letter over itself
    words = " ".join(plain.split())
    described = TITLES[title]
    assert f"{title} - {described.summary}" in words
    for flag in described.flags():
        assert flag.name in words
    assert "2023-11-14" in words
    # A text in which roff could find something of its own comes out as it is.
    if described is not SERVE:
        assert " ".join(described.description.split()) in words


def test_one_page() -> None:
    done = command("man", "pack")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('.TH "ZEROSERVE-PACK" 1 ')
    assert command("man").stdout.startswith('.TH "ZEROSERVE" 1 ')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pakc"], "no such command: 'pakc'\nhint: did you mean pack?"),
        (["pack", "--output", "x"], "--output is for the pages of all commands"),
        (["--output", "/dev/null/x"], "not a directory: '/dev/null/x'"),
    ],
)
def test_refusals(words: list[str], said: str) -> None:
    done = command("man", *words)
    assert done.returncode in (1, 2) and said in done.stderr and done.stdout == ""
