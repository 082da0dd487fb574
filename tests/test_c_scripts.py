"""Scripts in C on their way to the server: header, compiler, ``pack``, ``compile``, ``check``."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support.server import command, no_traceback
from zeroserve import Error, Program, clang, scripts, sdk
from zeroserve._core import HELPERS, Archive
from zeroserve.clang import Compiler
from zeroserve.cost import costs
from zeroserve.pack import pack

MTIME = 1_700_000_000
ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples" / "scripts").glob("*.c"))
COMPILERS = list(clang.compilers())

GUARD = """\
#include <zeroserve.h>

ZS_ENTRY zs_u64 guard(void)
{
    zs_respond(403, ZS_STR("no\\n"));
    return 0;
}
"""

WRONG = """\
#include <zeroserve.h>

ZS_ENTRY zs_u64 wrong(void)
{
    return undeclared;
}
"""

# Its section only begins as that of an entry does.
ALMOST = '__attribute__((section("zeroserve.requests"), used))'

# Those that have a prototype: nobody writes a call of those for compiled Python.
LISTED = [helper for helper in HELPERS if helper.group != "python"]

needs_compiler = pytest.mark.skipif(not COMPILERS, reason="neither clang nor ziglang is installed")

pytestmark = needs_compiler


@pytest.fixture(params=COMPILERS, ids=lambda compiler: compiler.name)
def compiler(request: pytest.FixtureRequest) -> Compiler:
    found: Compiler = request.param
    return found


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return written(tmp_path / "guard.c", GUARD)


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (MTIME, MTIME))
    return path


def site(root: Path, files: dict[str, str | bytes]) -> Path:
    """A directory with a page and these scripts."""
    written(root / "index.html", "<p>start</p>\n")
    for name, text in files.items():
        written(root / scripts.DIRECTORY / name, text)
    return root


def entry(name: str) -> str:
    return scripts.DIRECTORY + name


# The header


def test_header_has_every_helper_with_its_documentation() -> None:
    text = sdk.header()
    assert command("sdk").stdout == text
    plain = re.sub(r"\s+", " ", text.replace("\n * ", " "))
    for helper in LISTED:
        assert f"{helper.name}({helper.parameters});" in plain
        assert " ".join(helper.doc.split()) in plain, helper.name


def test_header_names_what_scripts_use() -> None:
    text = sdk.header()
    for name in ["ZS_ENTRY", "ZS_CALL_ENTRY", "ZS_STR", "ZS_MIN", "ZS_MAX", "ZS_BASE64_URL_NO_PAD"]:
        assert f"#define {name}" in text
    for name in ["strlen", "strcmp", "strncmp", "strcpy", "strncpy", "stpcpy", "strrchr", "utoa10"]:
        assert f"zs_{name}(" in text


@pytest.mark.parametrize("standard", ["c11", "gnu17"])
def test_header_compiles_without_a_warning(
    compiler: Compiler, standard: str, tmp_path: Path
) -> None:
    source = written(tmp_path / "all.c", f"{_uses_everything()}#include <zeroserve.h>\n")
    strict = (f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror")
    made = clang.compile(source, compiler=compiler._replace(command=(*compiler.command, *strict)))
    assert made.text == ""
    program = scripts.load(made.object, "all.c")
    called = {name for cost in costs(program) for name in cost.helpers}
    assert called == {helper.name for helper in LISTED}


def test_what_is_not_used_costs_nothing(compiler: Compiler, tmp_path: Path) -> None:
    text = "#include <zeroserve.h>\nZS_ENTRY zs_u64 f(void) { return 0; }\n"
    made = clang.compile(written(tmp_path / "f.c", text), compiler=compiler)
    assert [cost.instructions for cost in costs(Program(made.object))] == [2]


def test_header_stands_beside_the_headers_of_the_compiler(
    compiler: Compiler, tmp_path: Path
) -> None:
    text = "#include <stddef.h>\n#include <stdint.h>\n#include <stdbool.h>\n" + GUARD
    made = clang.compile(written(tmp_path / "f.c", text), compiler=compiler)
    assert made.text == ""


def _uses_everything() -> str:
    """A script that calls each helper once, so that each declaration is checked by use."""
    lines = ["#include <zeroserve.h>", "static char text[64];"]
    for helper in LISTED:
        values = ["0"] * helper.arity
        for number, parameter in enumerate(helper.parameters.split(",")):
            if "*" in parameter:
                values[number] = "(void *)text"
        call = f"{helper.name}({', '.join(values)})"
        lines.append(f"ZS_CALL_ENTRY(n{helper.number}, input) {{ return (zs_s64){call}; }}")
    return "\n".join(lines) + "\n"


STRINGS = """\
#include <zeroserve.h>

static char out[64];

/* The number of the first statement that does not hold, or 0. */
ZS_ENTRY zs_u64 strings(void)
{
    zs_u64 n = 0;
#define HOLDS(condition) n++; if (!(condition)) return n
    HOLDS(zs_strlen("") == 0);
    HOLDS(zs_strlen("four") == 4);
    HOLDS(zs_strcmp("a", "a") == 0);
    HOLDS(zs_strcmp("a", "b") < 0);
    HOLDS(zs_strcmp("b", "ab") > 0);
    HOLDS(zs_strcmp("a", "ab") < 0);
    HOLDS(zs_strcmp("\\xff", "a") > 0);
    HOLDS(zs_strncmp("abc", "abd", 2) == 0);
    HOLDS(zs_strncmp("abc", "abd", 3) < 0);
    HOLDS(zs_strncmp("a", "a", 100) == 0);
    HOLDS(zs_strncmp("a", "b", 0) == 0);
    HOLDS(zs_strcpy(out, "copy") == out && zs_strcmp(out, "copy") == 0);
    HOLDS(zs_stpcpy(out, "abc") == out + 3 && out[3] == 0);
    HOLDS(zs_strncpy(out, "xy", 4) == out && out[1] == 'y' && !out[2] && !out[3]);
    out[2] = '!';
    HOLDS(zs_strncpy(out, "abc", 2) == out && out[1] == 'b' && out[2] == '!');
    const char *path = "/a/b";
    HOLDS(zs_strrchr(path, '/') == path + 2);
    HOLDS(zs_strrchr(path, 'x') == 0);
    HOLDS(zs_strrchr(path, 0) == path + 4);
    HOLDS(zs_utoa10(0, out, 2) == 1 && zs_strcmp(out, "0") == 0);
    HOLDS(zs_utoa10(4294967295u, out, 11) == 10 && zs_strcmp(out, "4294967295") == 0);
    out[0] = '?';
    HOLDS(zs_utoa10(10, out, 2) == -1 && out[0] == '?');
    HOLDS(zs_utoa10(7, out, 1) == -1 && zs_utoa10(7, 0, 9) == -1);
    HOLDS(ZS_MIN(2, 3) == 2 && ZS_MAX(2, 3) == 3);
    return 0;
}
"""


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_string_functions(compiler: Compiler, engine: str, tmp_path: Path) -> None:
    made = clang.compile(written(tmp_path / "strings.c", STRINGS), compiler=compiler)
    assert made.text == ""
    run = Program(made.object).run(engine=engine)
    assert (run.result, run.trap) == (0, None)


# The compiler


def test_examples_compile_without_a_warning(compiler: Compiler) -> None:
    assert len(EXAMPLES) >= 6
    for example in EXAMPLES:
        made = clang.compile(
            example, compiler=compiler._replace(command=(*compiler.command, "-Wextra"))
        )
        assert made.text == "", example.name
        scripts.load(made.object, example.name)


def test_examples_are_listed() -> None:
    text = (ROOT / "examples" / "scripts" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(.+?\.c)\]\((.+?)\) \|", text, re.MULTILINE)
    assert sorted(listed) == [(example.name, example.name) for example in EXAMPLES]


def test_same_source_same_bytes_wherever_it_lies(compiler: Compiler, tmp_path: Path) -> None:
    text = GUARD.replace("guard(void)\n{", "guard(void)\n{\n    zs_log(ZS_STR(__FILE__));")
    text += '#include "more.h"\n'
    first = written(tmp_path / "one" / "guard.c", text)
    second = written(tmp_path / "a=b" / "deep er" / "guard.c", text)
    for source in (first, second):
        written(
            source.with_name("more.h"),
            "static int seven(void) { return 7; }\nZS_ENTRY int more(void) { return seven(); }\n",
        )
    made = clang.compile(first, compiler=compiler).object
    assert clang.compile(second, compiler=compiler).object == made
    assert str(tmp_path).encode() not in made
    assert b"/tmp" not in made
    before = Path.cwd()
    try:
        os.chdir(first.parent)
        assert clang.compile("guard.c", compiler=compiler).object == made
    finally:
        os.chdir(before)


def test_a_name_that_looks_like_a_flag(
    compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "-o.c", GUARD)
    monkeypatch.chdir(tmp_path)
    scripts.load(clang.compile("-o.c", compiler=compiler).object, "-o.c")


def test_traps_name_the_source_line(compiler: Compiler, tmp_path: Path) -> None:
    text = "#include <zeroserve.h>\nZS_ENTRY zs_u64 f(void)\n{\n    return *(volatile int *)1;\n}\n"
    made = clang.compile(written(tmp_path / "f.c", text), compiler=compiler)
    trap = Program(made.object).run().trap
    assert trap
    assert (trap.kind, trap.file, trap.line) == ("read", "f.c", 4)


def test_an_error_names_file_and_line(compiler: Compiler, tmp_path: Path) -> None:
    source = written(tmp_path / "wrong.c", WRONG)
    with pytest.raises(Error) as caught:
        clang.compile(source, compiler=compiler)
    assert str(caught.value.args[0]).startswith(f"{source}:5: use of undeclared identifier")
    assert f"{source}:5:12: error:" in caught.value.__notes__[0]


def test_an_error_in_a_header_beside_it(compiler: Compiler, tmp_path: Path) -> None:
    written(tmp_path / "part.h", "\nint broken(;\n")
    source = written(tmp_path / "f.c", '#include "part.h"\n' + GUARD)
    with pytest.raises(Error, match=re.escape(f"{tmp_path / 'part.h'}:2: ")) as caught:
        clang.compile(source, compiler=compiler)
    assert f"In file included from {source}:1:" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("body", "line", "error", "hint"),
    [
        ("char big[4000]; zs_req_path(big, 4000); return big[9];", 2, "stack limit", "static"),
        ("zs_s64 a = zs_log(0, 0); return a / zs_log(0, 0);", 2, "signed division", "unsigned"),
        ("return zs_respnd(1);", 2, "zs_respnd", "zeroserve sdk"),
        ("static char a[9], b[9]; __builtin_memcpy(a, b, zs_now_ms()); return a[3];", 2,
         "built-in function 'mem", "zs_memcpy"),
    ],
)  # fmt: skip
def test_what_can_not_be_had_has_a_hint(
    compiler: Compiler, body: str, line: int, error: str, hint: str, tmp_path: Path
) -> None:
    text = f"#include <zeroserve.h>\nZS_ENTRY zs_u64 f(void) {{ {body} }}\n"
    source = written(tmp_path / "f.c", text)
    with pytest.raises(Error) as caught:
        clang.compile(source, compiler=compiler)
    message, advice = caught.value.args
    assert message.startswith(f"{source}:{line}: ")
    assert error in message
    assert "BPF per-cpu" not in message
    assert hint in advice


def test_zeroing_loops_need_no_library(compiler: Compiler, tmp_path: Path) -> None:
    text = """\
#include <zeroserve.h>
static char a[4096];
ZS_ENTRY zs_u64 f(void)
{
    zs_u64 n = zs_now_ms();
    for (zs_u64 i = 0; i < n; i++) a[i] = 0;
    for (zs_u64 i = 0; i < n; i++) a[i] = a[i + 64];
    return zs_strlen(a);
}
"""
    made = clang.compile(written(tmp_path / "f.c", text), compiler=compiler)
    scripts.load(made.object, "f.c")


def test_preference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["clang-9", "clang-19", "clang-19-extra", "clang++-20", "clang-14"]:
        written(tmp_path / name, "#!/bin/sh\n").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    names = [found.name for found in clang.compilers() if found.name != "ziglang"]
    assert names == ["clang-19", "clang-14", "clang-9"]
    written(tmp_path / "clang", "#!/bin/sh\n").chmod(0o755)
    assert next(clang.compilers()).name == "clang"


def test_no_compiler(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clang, "compilers", lambda: iter(()))
    with pytest.raises(Error) as caught:
        clang.compile(script)
    assert caught.value.args[0] == f"no C compiler for '{script}'"
    assert "zeroserve[c]" in caught.value.args[1]


def test_a_compiler_that_fails_silently(script: Path, tmp_path: Path) -> None:
    fake = written(tmp_path / "cc", "#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    with pytest.raises(Error, match="cc failed"):
        clang.compile(script, compiler=Compiler("cc", (str(fake),)))
    with pytest.raises(Error, match="can't run '/nowhere/cc': no such file"):
        clang.compile(script, compiler=Compiler("cc", ("/nowhere/cc",)))


# compile


def test_compile_prints_facts(script: Path, tmp_path: Path) -> None:
    done = command("compile", script, "-o", tmp_path / "guard.o")
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert re.fullmatch(
        r"guard  zeroserve\.request: \d+ instructions, frame 512 B, fuel up to 2\d\d", first
    )
    assert last.startswith("verified: 1 function, ")
    again = command("compile", tmp_path / "guard.o")
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert command("compile", script).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["guard.c", "guard.o"]


def test_compile_json(tmp_path: Path) -> None:
    text = "#include <zeroserve.h>\nZS_ENTRY zs_u64 f(void)\n{\n"
    text += "    for (zs_u64 n = zs_now_ms(); n; n--)\n        zs_log(0, n);\n    return 0;\n}\n"
    done = command("compile", "--json", written(tmp_path / "f.c", text))
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (row["name"], row["section"], row["fuel"]) == ("f", "zeroserve.request", None)
    assert row["helpers"] == ["zs_log", "zs_now_ms"]
    assert len(row["loops"]) == 1
    assert re.fullmatch(r"f\.c:[45]", row["loops"][0])


def test_compile_shows_the_compilers_messages(tmp_path: Path) -> None:
    source = written(tmp_path / "wrong.c", WRONG)
    done = command("compile", source)
    no_traceback(done.stderr)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert any(line.startswith(f"{source}:5:12: error: use of undeclared") for line in lines)
    assert lines[-1].startswith(f"zeroserve: error: {source}:5: use of undeclared identifier")


def test_compile_shows_warnings(tmp_path: Path) -> None:
    text = GUARD.replace("{\n    zs", "{\n    int unused;\n    zs")
    source = written(tmp_path / "guard.c", text)
    done = command("compile", source)
    assert done.returncode == 0
    assert f"{source}:5:9: warning: unused variable" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("f.c", "int f(void) { return 0; }\n", "no function is an entry, so it would never run"),
        ("f.o", b"\x7fELF", "f.o': "),
        ("f.o", b"", "f.o': "),
        ("f.txt", "", "not a script"),
        ("f.c", "#include <zeroserve.h>\nint zs_none(void);\nZS_ENTRY int f(void)\n"
         "{ return zs_none(); }\n", "there is no helper zs_none, at f.c:4"),
    ],
)  # fmt: skip
def test_compile_refuses(name: str, text: str | bytes, error: str, tmp_path: Path) -> None:
    source = written(tmp_path / name, text)
    done = command("compile", source, "-o", tmp_path / "out.o")
    no_traceback(done.stderr)
    assert (done.returncode, done.stdout) == (1, "")
    assert error in done.stderr
    assert str(source) in done.stderr
    assert not (tmp_path / "out.o").exists()


def test_a_file_that_is_not_there() -> None:
    for arguments in (["compile"], ["explain"], ["explain", "--asm"]):
        for name in ("/nowhere/f.c", "/nowhere/f.o"):
            done = command(*arguments, name)
            assert done.returncode == 1
            assert done.stderr.startswith("zeroserve: error: ")
            assert name in done.stderr
            assert "no such file or directory" in done.stderr


def test_bound_of_fuel_is_the_dearest_way(tmp_path: Path) -> None:
    text = """\
#include <zeroserve.h>
static __attribute__((noinline)) zs_u64 inner(zs_u64 n) { return zs_rate_limit(0, 0, n, 2, 3); }
ZS_ENTRY zs_u64 f(zs_u64 way)
{
    if (way == 1) { zs_now_ms(); zs_now_ms(); return inner(way); }
    if (way == 2) return zs_getrandom(0, 0);
    return 0;
}
"""
    program = Program(clang.compile(written(tmp_path / "f.c", text)).object)
    (bound,) = [cost.fuel for cost in costs(program) if cost.function.name == "f"]
    used = [program.run(function="f", args=[way], on_helper=lambda *_: 0).fuel for way in range(3)]
    assert max(used) == used[1] == bound


def test_bound_of_fuel_of_deep_and_circular_calls(tmp_path: Path) -> None:
    static = "static __attribute__((noinline)) zs_u64"
    deep = 1500
    chain = [f"{static} f{deep}(zs_u64 n) {{ return n ^ zs_now_ms(); }}"]
    for at in reversed(range(deep)):
        chain.append(f"{static} f{at}(zs_u64 n) {{ return f{at + 1}(n * 3) + 7; }}")
    text = f"""\
#include <zeroserve.h>
{chr(10).join(chain)}
{static} pong(zs_u64 n);
{static} ping(zs_u64 n) {{ return n ? pong(n - 1) * 3 : zs_now_ms(); }}
{static} pong(zs_u64 n) {{ return n ? ping(n - 1) * 5 : zs_now_ms(); }}
ZS_ENTRY zs_u64 down(zs_u64 n) {{ return f0(n); }}
ZS_ENTRY zs_u64 around(zs_u64 n) {{ return ping(n) + f{deep}(n); }}
"""
    program = Program(clang.compile(written(tmp_path / "f.c", text)).object)
    bounds = {cost.function.name: cost.fuel for cost in costs(program)}
    assert bounds["around"] is None
    assert bounds["ping"] is None
    # Each level costs as much as the next.
    fuel = [bounds[f"f{at}"] or 0 for at in range(deep + 1)]
    steps = {fuel[at] - fuel[at + 1] for at in range(deep)}
    assert len(steps) == 1
    assert min(steps) > 1
    assert (bounds["down"] or 0) > fuel[0]


# explain


def test_explain_says_what_is_asked_for(script: Path) -> None:
    done = command("explain", script)
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first == "guard in zeroserve.request"
    assert second.startswith("  zs_respond: Answer with a status")


def test_listing_has_source_lines(script: Path, tmp_path: Path) -> None:
    done = command("explain", "--asm", script)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "guard in zeroserve.request"
    at = lines.index('; guard.c:5: zs_respond(403, ZS_STR("no\\n"));')
    assert any(line.endswith("call zs_respond") for line in lines[at:])
    # The same from the object, with and without its source beside it.
    assert command("compile", script, "-o", tmp_path / "guard.o").returncode == 0
    assert command("explain", "--asm", tmp_path / "guard.o").stdout == done.stdout
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "guard.o", tmp_path / "elsewhere" / "guard.o")
    alone = command("explain", "--asm", tmp_path / "elsewhere" / "guard.o").stdout
    assert "; guard.c:5\n" in alone
    assert "call zs_respond" in alone


# pack


def test_pack_stores_objects(tmp_path: Path) -> None:
    root = site(tmp_path / "site", {"20-b.c": GUARD, "10-a.c": GUARD, "notes.txt": "kept"})
    pack(root, tmp_path / "site.tar")
    archive = Archive(str(tmp_path / "site.tar"))
    names = [found.name for found in archive.entries(under=scripts.DIRECTORY)]
    assert names == [entry("10-a.o"), entry("20-b.o"), entry("notes.txt")]
    with tarfile.open(tmp_path / "site.tar") as tar:
        assert tar.getmember(entry("10-a.o")).mtime == MTIME
    assert command("check", tmp_path / "site.tar").returncode == 0
    found = scripts.objects(tmp_path / "site.tar")
    assert [script.name for script in found] == ["10-a", "20-b"]
    assert found == scripts.objects(root)
    assert found[0].object == clang.compile(root / entry("10-a.c")).object


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "an/other"):
        pack(site(tmp_path / name, {"guard.c": GUARD}), tmp_path / "out.tar")
        shutil.move(tmp_path / "out.tar", tmp_path / f"{name.replace('/', '-')}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "an-other.tar").read_bytes()


def test_objects_are_taken_as_they_are(script: Path, tmp_path: Path) -> None:
    object = clang.compile(script).object
    root = site(tmp_path / "site", {"guard.o": object})
    pack(root, tmp_path / "site.tar")
    assert Archive(str(tmp_path / "site.tar")).read(entry("guard.o")) == object
    assert scripts.objects(root) == [("guard", object)]
    assert scripts.objects(script) == [("guard", object)]


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"wrong.c": WRONG}, "wrong.c:5: use of undeclared identifier"),
        ({"a.c": GUARD, "a.o": b""}, "two scripts with one name: "),
        ({"f.o": b"\x7fELF..."}, "f.o': "),
        ({"f.c": "int f(void) { return 0; }\n"}, "f.c': no function is an entry"),
        ({"g.c": GUARD.replace("ZS_ENTRY", ALMOST)}, "g.c': no function is an entry"),
    ],
)
def test_pack_refuses(files: dict[str, str | bytes], error: str, tmp_path: Path) -> None:
    root = site(tmp_path / "site", files)
    done = command("pack", root, "-o", tmp_path / "site.tar")
    no_traceback(done.stderr)
    assert done.returncode == 1
    last = [line for line in done.stderr.splitlines() if not line.startswith("hint: ")][-1]
    assert last.startswith("zeroserve: error: ")
    assert error in last
    assert not (tmp_path / "site.tar").exists()
    with pytest.raises(Error, match=re.escape(error)):
        scripts.objects(root)


def test_pack_reports_warnings_in_a_line(tmp_path: Path) -> None:
    text = GUARD.replace("{\n    zs", "{\n    int unused;\n    zs")
    root = site(tmp_path / "site", {"guard.c": text})
    done = command("pack", root, "-o", tmp_path / "site.tar")
    assert done.returncode == 0
    place = root / entry("guard.c")
    assert f"zeroserve: warning: {place}:5: unused variable" in done.stderr


def test_only_the_files_of_one_directory_are_scripts(tmp_path: Path) -> None:
    root = site(tmp_path / "site", {"lib/part.c": "not C", ".swap.c": "not C", "guard.c": GUARD})
    written(root / "download" / "example.c", "not C")
    assert [script.name for script in scripts.objects(root)] == ["guard"]
    pack(root, tmp_path / "site.tar")
    assert [script.name for script in scripts.objects(tmp_path / "site.tar")] == ["guard"]
    assert Archive(str(tmp_path / "site.tar")).read("download/example.c") == b"not C"


def test_no_script_is_left_out_of_an_archive(tmp_path: Path) -> None:
    root = site(tmp_path / "site", {"guard.c": GUARD, "note.txt": ""})
    (root / "page.html").symlink_to("nowhere.html")
    (root / scripts.DIRECTORY / "linked.c").symlink_to("guard.c")
    assert len(pack(root, tmp_path / "site.tar").warnings) == 1
    assert [script.name for script in scripts.objects(tmp_path / "site.tar")] == ["guard", "linked"]
    (root / scripts.DIRECTORY / "linked.c").unlink()
    for name, make in (("a.c", lambda at: at.symlink_to("nowhere.c")), ("b.o", os.mkfifo)):
        place = root / scripts.DIRECTORY / name
        make(place)
        with pytest.raises(Error, match=re.escape(entry(name))):
            pack(root, tmp_path / "other.tar")
        with pytest.raises(Error, match=re.escape(entry(name))):
            scripts.objects(root)
        assert not (tmp_path / "other.tar").exists()
        place.unlink()


def test_headers_beside_scripts(tmp_path: Path) -> None:
    root = site(tmp_path / "site", {"guard.c": '#include "part.h"\n' + GUARD, "part.h": "int x;\n"})
    assert [script.name for script in scripts.objects(root)] == ["guard"]


def test_a_site_without_scripts_needs_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clang, "compilers", lambda: iter(()))
    root = site(tmp_path / "site", {})
    assert scripts.objects(root) == []
    pack(root, tmp_path / "site.tar")
    assert scripts.objects(tmp_path / "site.tar") == []


def test_an_archive_does_not_hold_sources(tmp_path: Path) -> None:
    root = site(tmp_path / "site", {"guard.c": GUARD})
    with tarfile.open(tmp_path / "foreign.tar", "w") as tar:
        tar.add(root, ".")
    with pytest.raises(Error, match="an archive holds compiled scripts, not sources") as caught:
        scripts.objects(tmp_path / "foreign.tar")
    assert "zeroserve pack" in caught.value.args[1]


def test_order_is_that_of_the_names_however_they_are_stored(script: Path, tmp_path: Path) -> None:
    object = clang.compile(script).object
    names = ["a-b", "a", "b", "B", "10", "9", "ä"]
    root = site(tmp_path / "site", {f"{name}.o": object for name in names})
    pack(root, tmp_path / "site.tar")
    expected = sorted(names, key=lambda name: f"{name}.o".encode())
    assert [found.name for found in scripts.objects(root)] == expected
    assert [found.name for found in scripts.objects(tmp_path / "site.tar")] == expected


# check


def test_check_lists_every_problem(tmp_path: Path) -> None:
    warned = GUARD.replace("{\n    zs", "{\n    int unused;\n    zs")
    files: dict[str, str | bytes] = {"a.c": WRONG, "b.o": b"", "c.c": warned, "d.c": GUARD}
    root = site(tmp_path / "site", files)
    done = command("check", root)
    no_traceback(done.stderr)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[-1] == "2 errors, 1 warning"
    assert len(lines) == 4
    assert f"error: entry '{entry('a.c')}': line 5: use of undeclared identifier" in lines[0]
    assert f"error: entry '{entry('b.o')}': " in lines[1]
    assert f"warning: entry '{entry('c.c')}': line 5: unused variable" in lines[2]


def test_check_of_an_archive(script: Path, tmp_path: Path) -> None:
    object = clang.compile(script).object
    root = site(tmp_path / "site", {"good.o": object, "bad.o": object[: len(object) // 2]})
    with tarfile.open(tmp_path / "foreign.tar", "w") as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, path.relative_to(root).as_posix(), recursive=False)
    done = command("check", tmp_path / "foreign.tar")
    assert done.returncode == 1
    assert f"error: entry '{entry('bad.o')}': " in done.stdout
    assert "good.o" not in done.stdout


def test_check_of_a_script_alone(script: Path, tmp_path: Path) -> None:
    assert command("check", script).stdout == "0 errors, 0 warnings\n"
    done = command("check", written(tmp_path / "wrong.c", WRONG))
    assert done.returncode == 1
    assert f"error: entry '{entry('wrong.c')}': line 5: use of undeclared" in done.stdout
    assert command("check", tmp_path / "none.c").returncode == 1


# The same from a process without a clang


@pytest.mark.skipif(
    not any(found.name == "ziglang" for found in COMPILERS), reason="ziglang is not installed"
)
def test_ziglang_stands_in(script: Path, tmp_path: Path) -> None:
    code = "import sys; from zeroserve.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "compile", str(script)],
        env={"PATH": str(tmp_path), "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
