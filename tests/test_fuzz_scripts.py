"""A few hundred programs of ``fuzz_scripts.py``, always the same: more are made by hand."""

from __future__ import annotations

import random
from pathlib import Path

import fuzz_scripts
import pytest
from support.script_oracle import Finding
from support.script_programs import Programs


@pytest.fixture(scope="module")
def maker() -> fuzz_scripts.Maker:
    return fuzz_scripts.Maker()


@pytest.mark.parametrize("kind", sorted(set(fuzz_scripts.KINDS)))
def test_programs(maker: fuzz_scripts.Maker, kind: str, tmp_path: Path) -> None:
    for number in range(80):
        text = maker.program(number, kind)
        if text is not None:
            try:
                fuzz_scripts.judge(text, tmp_path)
            except Finding as finding:
                pytest.fail(f"{kind} {number}: {finding}\n{text}", False)


def test_many_typed_programs_are_accepted(tmp_path: Path) -> None:
    texts = [Programs(random.Random(f"typed{number}")).script() for number in range(30)]
    verdicts = [fuzz_scripts.judge(text, tmp_path) for text in texts]
    assert verdicts.count("same") > 15
