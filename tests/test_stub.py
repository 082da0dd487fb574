"""The typed face of the extension says what the extension has: no more, no less."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zeroserve._core as core

PACKAGE = Path(core.__file__).parent


def test_stub_matches_extension(tmp_path: Path) -> None:
    """mypy's stubtest compares names, signatures and kinds of the compiled module."""
    pytest.importorskip("mypy")
    allowed = tmp_path / "allowed"
    # Classes of a compiled module have no constructor that can be inspected apart from their
    # text signature, and named tuples are made when the module is loaded.
    allowed.write_text(
        "\n".join(
            [
                r"zeroserve\._core\.(Certificate|Entry|Function|Helper|Limit|Line|Problem|Run|Trap)(\..*)?",
                r"zeroserve\._core\.(Archive|ContentHasher|Program|Server|Site)\.__(new|init)__",
            ]
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "zeroserve._core",
            "--allowlist",
            str(allowed),
            "--ignore-unused-allowlist",
        ],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_named_tuples_have_the_fields_of_the_stub() -> None:
    text = (PACKAGE / "_core.pyi").read_text(encoding="utf-8")
    for name in ("Limit", "Helper", "Entry", "Problem", "Function", "Line", "Trap", "Run"):
        body = text.split(f"class {name}(NamedTuple):")[1].split("\nclass ")[0].split("\n@")[0]
        stated = [
            line.strip().split(":")[0]
            for line in body.splitlines()
            if line.startswith("    ") and ": " in line and not line.strip().startswith('"""')
        ]
        fields = list(getattr(core, name)._fields)
        assert [field for field in stated if field in fields] == fields, name
