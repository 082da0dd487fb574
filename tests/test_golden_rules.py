"""The pages of ``golden/rules``: files of rules with their errors, answers and scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.rules_pages import PAGES, blocks, made, written

BLESS = "python -m pytest tests/test_golden_rules.py --bless"

ALL = sorted(PAGES.glob("*.md"))


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_page(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    right = written(page, made(page, tmp_path))
    if request.config.getoption("--bless"):
        page.write_text(right, "utf-8")
    elif right != page.read_text("utf-8"):
        new = tmp_path / "right.md"
        new.write_text(right, "utf-8")
        shown = subprocess.run(["diff", "-u", page, new], capture_output=True, check=False)
        pytest.fail(f"{shown.stdout.decode()}\nif this is right: {BLESS}", False)


def test_scripts_are_formatted_and_typed(tmp_path: Path) -> None:
    for page in ALL:
        source = blocks(page).get("script")
        if source is not None:
            (tmp_path / f"{page.stem.replace('-', '_')}.py").write_text(source, "utf-8")
    for command in (
        ["ruff", "format", "--isolated", "--diff", "."],
        ["ruff", "check", "--isolated", "--ignore", "E501", "--select", "E,F,I,B,RET,SIM,UP", "."],
        ["mypy", "--strict", "."],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
