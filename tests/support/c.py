"""Small scripts in C for sites under test."""

from pathlib import Path

import pytest
from zeroserve import clang

needed = pytest.mark.skipif(
    next(clang.compilers(), None) is None, reason="neither clang nor ziglang is installed"
)

SOURCE = """\
#include <zeroserve.h>

static char path[256];
static char scratch[64];

static ZS_MAYBE_UNUSED int at(const char *wanted)
{
    zs_req_path(path, sizeof path);
    return zs_strcmp(path, wanted) == 0;
}

ZS_ENTRY zs_u64 entry(void)
{
    BODY
    return 0;
}
"""

TRAP = "*(volatile char *)scratch[1] = 1;"


def write(tree: Path, name: str, body: str) -> None:
    """Give the site a script that does ``body`` on each request."""
    folder = tree / ".zeroserve" / "scripts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.c").write_text(SOURCE.replace("BODY", body), encoding="utf-8")
