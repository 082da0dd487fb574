"""Pages that are made from the code are up to date."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from zeroserve import clang, scripts, sdk

ROOT = Path(__file__).parent.parent
TOOLS = sorted(path.name for path in (ROOT / "tools").glob("*_page.py"))


@pytest.mark.parametrize("tool", TOOLS)
def test_pages_made_from_the_code(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_helpers_page() -> None:
    page = (ROOT / "docs" / "helpers.md").read_text(encoding="utf-8")
    assert page == sdk.reference(), f"run `{sdk.REFERENCE_COMMAND} > docs/helpers.md`"


PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "bench/*.md", "fuzz/*.md", "examples/**/*.md")
    for page in ROOT.glob(pattern)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)
def test_scripts_of_the_page_compile(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "scripts-c.md").read_text(encoding="utf-8")
    first = re.search(r"<<'EOF'\n(.*?)\n +EOF\n", page, re.DOTALL)
    second = re.search(r"\n\n( +ZS_CALL_ENTRY.*?)\n\n\S", page, re.DOTALL)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    third = re.search(r"\n( +#include <zeroserve.h>.*?)\n\n\S", readme, re.DOTALL)
    assert first
    assert second
    assert third
    for text in (first[1], "#include <zeroserve.h>\n" + textwrap.dedent(second[1]), third[1]):
        source = tmp_path / "f.c"
        source.write_text(textwrap.dedent(text), encoding="utf-8")
        made = clang.compile(source)
        assert made.messages == ()
        scripts.load(made.object, "f.c")
