"""The pages of ``golden/script``: scripts with their errors, typed forms and answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.script_pages import PAGES, Case, Wrong, cases, check

BLESS = "python -m pytest tests/test_golden_scripts.py --bless"

CASES = [case for page in sorted(PAGES.glob("*.md")) for case in cases(page)]


def ids(case: Case) -> str:
    return f"{case.page.stem}: {case.title}"


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_page(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--bless"):
        bless(case, tmp_path)
        return
    try:
        check(case, tmp_path)
    except Wrong as wrong:
        pytest.fail(f"{case.page.name}, {case.title}: {wrong}\nif this is right: {BLESS}", False)


def bless(case: Case, directory: Path) -> None:
    """Write into the page what is right; its cases may have moved by now."""
    now = next(found for found in cases(case.page) if found.title == case.title)
    text = case.page.read_text("utf-8")
    for block, right in sorted(check(now, directory, True), key=lambda pair: -pair[0].start):
        text = text[: block.start] + right + text[block.end :]
    case.page.write_text(text, "utf-8")


def test_titles_are_unique() -> None:
    names = [ids(case) for case in CASES]
    assert len(names) == len(set(names))
