"""What ``zeroserve.compiler`` returns: the same bytes each time, and what they depend on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.script_pages import HEAD, HOOK
from zeroserve import compiler
from zeroserve._core import Error, Program
from zeroserve.compiler.diagnostics import CompileError

SCRIPT = HEAD + (
    "import helper\n"
    "NAMES = {'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'}\n"
    "CODES = {name: len(name) for name in sorted(NAMES)}\n"
    + HOOK
    + "    if req.path in NAMES or re.search('a|b', req.path):\n"
    "        return Response(200, str(CODES.get(req.path, helper.twice(1))))\n"
    "    return None\n"
)
HELPER = "def twice(n: int) -> int:\n    return 2 * n\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text(HELPER)
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def test_what_it_returns(script: Path) -> None:
    made = compiler.compile_file(str(script))
    assert made.files == (str(script), str(script.parent / "helper.py"))
    assert made.hooks == 1
    Program(made.object)


def test_the_bytes_are_the_same_in_each_process(script: Path) -> None:
    code = (
        "import hashlib, sys; from zeroserve import compiler\n"
        "made = compiler.compile_file(sys.argv[1])\n"
        "print(hashlib.sha256(made.object).hexdigest(), made.files)\n"
        "print(compiler.emit(sys.argv[1], 'llvm'))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code, str(script)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(compiler.__file__).parents[2])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert said[0] == said[1] == said[2]


def test_the_directory_is_not_in_the_object(script: Path, tmp_path: Path) -> None:
    other = tmp_path / "somewhere" / "else"
    other.mkdir(parents=True)
    for name in ("script.py", "helper.py"):
        (other / name).write_bytes((tmp_path / name).read_bytes())
    one = compiler.compile_file(str(script)).object
    assert compiler.compile_file(str(other / "script.py")).object == one


def test_modules_are_searched_beside_the_script_first(script: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "helper.py").write_text("def twice(n: int) -> int:\n    return 3 * n\n")
    (library / "more.py").write_text("A = 1\n")
    script.write_text("import more\n" + SCRIPT)
    made = compiler.compile_file(str(script), search=[str(library)])
    files = [str(script), str(library / "more.py"), str(tmp_path / "helper.py")]
    assert made.files == tuple(files)


def test_a_module_without_hooks_has_no_object(script: Path) -> None:
    made = compiler.compile_file(str(script.parent / "helper.py"))
    assert (made.object, made.hooks) == (b"", 0)
    with pytest.raises(Error, match="no function is a hook"):
        compiler.compile_text(HELPER)


@pytest.mark.parametrize(
    ("text", "helper"),
    [
        (HELPER, True),
        ("", True),
        ("A = 1\n", True),
        (SCRIPT, False),
        ("from zeroserve import script\n@script.on_request\ndef f(req): ...\n", False),
        ("def (", False),
        ("A = 1\0", False),
    ],
)
def test_is_helper(tmp_path: Path, text: str, helper: bool) -> None:
    path = tmp_path / "a.py"
    path.write_text(text)
    assert compiler.is_helper(str(path)) is helper


def test_several_errors_at_once_in_the_order_of_the_text(script: Path) -> None:
    script.write_text(SCRIPT.replace("return None", "return nothing(1.5)\n    x = 2.5"))
    (script.parent / "helper.py").write_text("B = open('x')\n" + HELPER)
    with pytest.raises(CompileError) as raised:
        compiler.compile_file(str(script))
    found = raised.value.diagnostics
    assert [Path(d.path).name for d in found] == sorted(
        (Path(d.path).name for d in found), reverse=True
    )
    assert len(found) >= 2
    text = str(raised.value)
    first = found[0]
    assert f"{script}:{first.line}:{first.column}: error: {first.message}" in text
    assert "Traceback" not in text


def test_the_caret_stands_below_the_place(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(HEAD + HOOK + "\tname = 'é𝐱' + req.pth\n", "utf-8")
    with pytest.raises(CompileError) as raised:
        compiler.compile_file(str(path))
    _, source, caret, hint = str(raised.value.diagnostics[0]).splitlines()
    assert source[caret.index("^") :].startswith("req.pth")
    assert hint == "hint: did you mean path?"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(tmp_path: Path, end: str) -> None:
    path = tmp_path / "script.py"
    text = HEAD + "A = '''a\nb'''\n\f\n" + HOOK + "    return Response(200, A + req.pth)\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", end).encode())
    with pytest.raises(CompileError) as raised:
        compiler.compile_file(str(path))
    (found,) = raised.value.diagnostics
    assert found.line == text.count("\n")
    assert found.source == "    return Response(200, A + req.pth)"
