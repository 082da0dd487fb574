"""Pages that are made from the code are up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from zeroserve import sdk

ROOT = Path(__file__).parent.parent


def test_limits_page() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "limits_page.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_helpers_page() -> None:
    page = (ROOT / "docs" / "helpers.md").read_text(encoding="utf-8")
    assert page == sdk.reference(), f"run `{sdk.REFERENCE_COMMAND} > docs/helpers.md`"
