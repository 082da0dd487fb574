"""Objects of scripts in Python: compiled once for each state, and packed without their sources.

The compiler is a fake here, which counts: what it makes of a script is C with one text in it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from support import c
from zeroserve import Error, clang, compiler, object_cache, scripts
from zeroserve._core import Archive
from zeroserve.pack import pack

pytestmark = c.needed

SOURCE = """\
#include <zeroserve.h>
ZS_ENTRY zs_u64 entry(void) { zs_respond(200, ZS_STR("%s")); return 0; }
"""

HOOK = "from words import WORD\n@on_request\ndef f(req): return '%s'\n"


class Compiled(NamedTuple):
    object: bytes
    files: tuple[str, ...]
    hooks: int


class Compiler:
    """Imports are lines of the form ``from NAME import ...``."""

    def __init__(self, workshop: Path) -> None:
        self.workshop = workshop
        self.asked: list[str] = []

    def compile_file(self, path: str) -> Compiled:
        self.asked.append(Path(path).name)
        text = Path(path).read_text()
        names = re.findall(r"^from (\w+) import", text, re.MULTILINE)
        files = [path, *(str(Path(path).with_name(f"{name}.py")) for name in names)]
        if "@on_request" not in text:
            return Compiled(b"", tuple(files), 0)
        text = "".join(Path(file).read_text() for file in files)
        word = "".join(re.findall(r"'(\w*)'", text))
        source = self.workshop / f"{Path(path).stem}.c"
        source.write_text(SOURCE % word)
        return Compiled(clang.compile(source).object, tuple(files), 1)


def is_helper(path: str) -> bool:
    return "@on_request" not in Path(path).read_text()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    workshop = tmp_path / "workshop"
    workshop.mkdir()
    fake = Compiler(workshop)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "compile_file", fake.compile_file)
    monkeypatch.setattr(compiler, "is_helper", is_helper)
    monkeypatch.setattr(compiler, "version", lambda: "1")
    forget()
    return fake


def forget() -> None:
    """As in a new process."""
    object_cache._kept.clear()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(HOOK % "a")
    (tmp_path / "words.py").write_text("WORD = 'w'\n")
    settle()
    return path


def settle() -> None:
    """Let files become older than a tick of the clock: younger ones are not kept."""
    time.sleep(0.05)


def change(path: Path, text: str) -> None:
    path.write_text(text)
    settle()


def test_a_script_is_compiled_once(fake: Compiler, script: Path) -> None:
    made = object_cache.compile(script)
    assert made.files == (str(script), str(script.with_name("words.py")))
    assert made.hooks == 1
    assert object_cache.compile(script) == made
    forget()
    assert object_cache.compile(script) == made
    assert fake.asked == ["app.py"]


@pytest.mark.parametrize("again", ["same process", "new process"])
def test_and_again_when_anything_has_changed(
    fake: Compiler, script: Path, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = object_cache.compile(script)

    def compiled() -> object_cache.Made:
        if again == "new process":
            forget()
        return object_cache.compile(script)

    change(script, HOOK % "b")
    second = compiled()
    assert second.object != first.object
    change(script.with_name("words.py"), "WORD = 'v'\n")
    third = compiled()
    assert third.object not in (first.object, second.object)
    change(script, HOOK % "a")
    change(script.with_name("words.py"), "WORD = 'w'\n")
    assert compiled().object == first.object
    assert len(fake.asked) in (3, 4)  # the first state may be kept still
    monkeypatch.setattr(compiler, "version", lambda: "2")
    asked = len(fake.asked)
    assert compiled().object == first.object
    assert len(fake.asked) == asked + 1


def test_a_copy_of_another_name_is_another_script(fake: Compiler, script: Path) -> None:
    object_cache.compile(script)
    other = script.with_name("other.py")
    change(other, script.read_text())
    object_cache.compile(other)
    assert fake.asked == ["app.py", "other.py"]


def test_damaged_and_foreign_files_are_passed_over(fake: Compiler, script: Path) -> None:
    made = object_cache.compile(script)
    (kept,) = Path(object_cache.directory()).iterdir()
    whole = kept.read_bytes()
    damages = [b"", b"{}\n", b"[]\n" + whole, whole[:-1], whole + b"x", b"\xff" * 100, b"{" * 9999]
    damages.append(re.sub(rb'"files": \[[^]]*\]', b'"files": []', whole))
    damages.append(re.sub(rb'"hooks": \d', b'"hooks": null', whole))
    for number, damage in enumerate(damages):
        kept.write_bytes(damage)
        forget()
        assert object_cache.compile(script) == made
        assert len(fake.asked) == number + 2, damage[:80]
    assert kept.read_bytes() == whole


def test_without_a_place_to_keep_them(
    fake: Compiler, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        forget()
        assert object_cache.compile(script).hooks == 1
    assert len(fake.asked) == 2


def test_a_directory_that_others_write_to_is_not_trusted(fake: Compiler, script: Path) -> None:
    where = Path(object_cache.directory())
    where.mkdir(parents=True)
    where.chmod(0o777)
    object_cache.compile(script)
    assert list(where.iterdir()) == []


def test_a_file_that_others_write_to_is_not_trusted(fake: Compiler, script: Path) -> None:
    """One that came there although the directory is nobody else's: renamed in time, or linked."""
    made = object_cache.compile(script)
    (place,) = Path(object_cache.directory()).iterdir()
    object_cache._kept.clear()
    place.chmod(0o622)
    assert object_cache.compile(script) == made
    assert fake.asked == ["app.py"] * 2


def test_the_version_is_that_of_python_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It parses scripts and computes their constants: another one may come to another object."""
    before = compiler.version.__wrapped__()
    monkeypatch.setattr(sys, "version", "4.0")
    assert compiler.version.__wrapped__() != before


def test_the_cache_has_a_bound(
    fake: Compiler, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_cache, "MAX_KEPT", 3)
    for word in "abcdef":
        change(script, HOOK % word)
        object_cache.compile(script)
        assert len(list(Path(object_cache.directory()).iterdir())) <= 3
    forget()
    asked = len(fake.asked)
    object_cache.compile(script)
    assert len(fake.asked) == asked


def test_what_is_saved_meanwhile_is_not_kept(
    fake: Compiler, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_file = fake.compile_file

    def slow(path: str) -> Compiled:
        compiled = compile_file(path)
        script.write_text(HOOK % "later")
        return compiled

    monkeypatch.setattr(compiler, "compile_file", slow)
    object_cache.compile(script)
    monkeypatch.setattr(compiler, "compile_file", compile_file)
    assert b"later" in object_cache.compile(script).object


# Sites


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    folder = root / ".zeroserve" / "scripts"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "guard.py").write_text(HOOK % "g")
    (folder / "words.py").write_text("WORD = 'w'\n")
    (folder / "lib" / "more.py").write_text("MORE = 'm'\n")
    (folder / "__pycache__" / "words.pyc").write_text("")
    (root / "example.py").write_text("print('downloaded')\n")
    settle()
    return root


def test_pack_stores_objects_and_no_sources(fake: Compiler, site: Path, tmp_path: Path) -> None:
    pack(site, tmp_path / "site.tar")
    archive = Archive(str(tmp_path / "site.tar"))
    names = [entry.name for entry in archive.entries() if not entry.name.endswith("/index")]
    assert names == [".zeroserve/scripts/guard.o", "example.py"]
    assert b"on_request" not in (tmp_path / "site.tar").read_bytes()
    (packed,) = scripts.objects(tmp_path / "site.tar")
    assert scripts.objects(site) == [packed]
    assert packed.name == "guard"


def test_packing_again_compiles_what_has_changed(
    fake: Compiler, site: Path, tmp_path: Path
) -> None:
    folder = site / ".zeroserve" / "scripts"
    change(folder / "other.py", HOOK % "o")
    times = [(path, path.stat().st_mtime_ns) for path in folder.glob("*.py")]
    pack(site, tmp_path / "one.tar")
    assert sorted(fake.asked) == ["guard.py", "other.py"]
    forget()
    pack(site, tmp_path / "two.tar")
    assert len(fake.asked) == 2
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    change(folder / "other.py", HOOK % "p")
    forget()
    pack(site, tmp_path / "three.tar")
    assert fake.asked[2:] == ["other.py"]
    # Whether it was compiled or kept is not to be seen.
    change(folder / "other.py", HOOK % "o")
    for path, mtime_ns in times:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    pack(site, tmp_path / "four.tar")
    assert (tmp_path / "four.tar").read_bytes() == (tmp_path / "one.tar").read_bytes()


def test_a_module_without_hooks_is_no_script(fake: Compiler, site: Path, tmp_path: Path) -> None:
    assert [script.name for script in scripts.objects(site)] == ["guard"]
    # Nor is it in the way of a script of its name.
    c.write(site, "words", "")
    assert [script.name for script in scripts.objects(site)] == ["guard", "words"]
    with pytest.raises(Error, match="no function is a hook, so it would never run") as refused:
        scripts.objects(site / ".zeroserve" / "scripts" / "words.py")
    assert "@on_request" in refused.value.args[1]


def test_an_empty_file_is_a_script_that_is_refused(fake: Compiler, site: Path) -> None:
    """It may be a guard that is just being saved."""
    (site / ".zeroserve" / "scripts" / "words.py").write_text("\n")
    with pytest.raises(Error, match=r"words\.py': no function is a hook"):
        scripts.objects(site)


def test_a_module_that_nothing_imports(fake: Compiler, site: Path, tmp_path: Path) -> None:
    """Perhaps somebody forgot to say that its function is a hook."""
    change(site / ".zeroserve" / "scripts" / "lost.py", "def guard(req): return None\n")
    why = "no function is a hook, and no script imports it: it never runs"
    problems = [p for p in scripts.problems(site, None) if p.entry.endswith("lost.py")]
    assert [(p.severity, p.message) for p in problems] == [("warning", why)]
    assert pack(site, tmp_path / "site.tar").warnings == (f".zeroserve/scripts/lost.py: {why}",)


def test_two_scripts_with_one_name(fake: Compiler, site: Path, tmp_path: Path) -> None:
    c.write(site, "guard", "")
    with pytest.raises(Error, match=r"two scripts with one name: .*guard\.c' and .*guard\.py'"):
        scripts.objects(site)
    with pytest.raises(Error, match="two scripts with one name"):
        pack(site, tmp_path / "site.tar")
    assert not (tmp_path / "site.tar").exists()


def test_what_decides_the_scripts_is_named(fake: Compiler, site: Path) -> None:
    seen: set[str] = set()
    scripts.objects(site, seen=seen.add)
    folder = site / ".zeroserve" / "scripts"
    assert seen == {str(folder / "guard.py"), str(folder / "words.py")}
