"""What the pages say of scripts in Python has been run."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.cookbook import ENGINES, SCRIPTS
from zeroserve.compiler import CompileError, compile_file
from zeroserve.testing import Client

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/scripts-python.md")


def blocks(page: str) -> list[str]:
    """The indented blocks of a page that are no commands."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") + "\n" for block in found]


def scripts(page: str) -> list[str]:
    return [text for text in blocks(page) if "\n@on_" in text]


def written(page: str, containing: str) -> str:
    (found,) = [text for text in blocks(page) if containing in text]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_scripts_compile(page: str, tmp_path: Path) -> None:
    found = scripts(page)
    assert found
    for number, text in enumerate(found):
        path = tmp_path / f"script{number}.py"
        path.write_text(text, encoding="utf-8")
        assert compile_file(str(path)).hooks


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("page", PAGES)
def test_the_first_script_answers_as_shown(page: str, engine: str, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(scripts(page)[0], encoding="utf-8")
    assert len(scripts(page)[0].strip().splitlines()) == 10
    client = Client(app, engine=engine)
    assert client.get("/hello?name=Ada").text() == "Hello, Ada!\n"
    moved = client.get("/old/x")
    assert (moved.status, moved.headers["location"]) == (301, "/new/x")
    assert client.get("/").status == 404


def test_explain_says_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(scripts("docs/scripts-python.md")[0], encoding="utf-8")
    shown = written("docs/scripts-python.md", "$ zeroserve explain")
    command = [sys.executable, "-m", "zeroserve", "explain", "app.py", "/old/x", "--trace"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    said = [re.sub(r"fuel \d+", "fuel", line) for line in done.stdout.splitlines()]
    for line in shown.splitlines()[1:]:
        assert re.sub(r"fuel \d+", "fuel", line) in said


def test_errors_are_as_shown(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from zeroserve.script import Request, Response, on_request\n\n@on_request\n"
        "def app(req: Request) -> Response | None:\n    share = 7 / 2\n    log = str(share)\n"
        '    return Response(200, req.header("x-name") + "\\n")\n',
        encoding="utf-8",
    )
    with pytest.raises(CompileError) as refused:
        compile_file(str(bad))
    said = str(refused.value).replace(f"{tmp_path}/", "")
    assert said + "\n" == written("docs/scripts-python.md", "bad.py:5").partition("\n")[2]


def test_tests_pass_as_shown(tmp_path: Path) -> None:
    page = "docs/scripts-python.md"
    guard = written(page, "def limited(req: Request)")
    (tmp_path / "guard.py").write_text(guard, encoding="utf-8")
    (tmp_path / "test_guard.py").write_text(written(page, "def test_guard"), encoding="utf-8")
    (tmp_path / "test_site.py").write_text(written(page, "def test_private"), encoding="utf-8")
    place = tmp_path / "public" / ".zeroserve" / "scripts"
    place.mkdir(parents=True)
    (place / "guard.py").write_text(guard, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("page", ["docs/fetch.md", "docs/oidc.md"])
def test_scripts_of_other_pages_compile(page: str, tmp_path: Path) -> None:
    found = scripts(page)
    assert found
    for text in found:
        (tmp_path / "app.py").write_text(text, encoding="utf-8")
        compile_file(str(tmp_path / "app.py"))


def test_the_cookbook_has_all_scripts() -> None:
    page = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"scripts/python/(\w+)\.py", page))
    assert linked == {path.stem for path in SCRIPTS.glob("*.py")}
