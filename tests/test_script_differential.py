"""Functions of scripts compiled and in CPython: the same arguments, the same results.

At length: ``python -m tests.differential --cases 200000``.
"""

import ast
import re

import pytest
from differential import harness
from differential.harness import Case, Group
from zeroserve import compiler
from zeroserve._core import HELPERS
from zeroserve.compiler.operations import functions, methods
from zeroserve.compiler.subset import NODES, REFUSED

CASES_EACH = 12


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Group]:
    """All groups, compiled."""
    directory = tmp_path_factory.mktemp("differential")
    return {path.stem: Group(path, directory) for path in harness.groups()}


@pytest.mark.parametrize("name", [path.stem for path in harness.groups()])
def test_same_results(built: dict[str, Group], name: str) -> None:
    group = built[name]
    found = []
    for case in group.cases:
        outcome = group.run(case, harness.arguments_of(case, CASES_EACH, 1))
        found += [f"{case.name}: {shown!a}" for shown in outcome.differences]
    assert not found, "\n".join(found[:20])


def test_every_operation_has_a_case(built: dict[str, Group]) -> None:
    used = {
        name for group in built.values() for names in group.operations.values() for name in names
    }
    assert sorted(harness.rows() - used) == []


def test_every_construct_has_a_case(built: dict[str, Group]) -> None:
    """Nodes of syntax that are compiled stand in some function of the cases."""
    used = {
        type(node).__name__
        for group in built.values()
        for function in group.tree.body
        for node in ast.walk(function)
    }
    assert not set(NODES) - set(REFUSED) - used - {"Module", "Div", "MatMult", "Delete"}


def test_helpers_are_given_what_they_take(built: dict[str, Group]) -> None:
    """No fewer registers than their rows in the table of helpers say; who returns nothing takes
    one less."""
    arity = {helper.name: helper.arity for helper in HELPERS}
    for group in built.values():
        text = compiler.emit(str(group.script), "llvm")
        for call in re.finditer(r"call i64 @(zs_py_\w+)\(", text):
            given = _count(text[call.end() :])
            assert given >= arity[call[1]], f"{group.name}: {call[1]}: {given}"


def _count(text: str) -> int:
    """Arguments up to the parenthesis that closes the call."""
    depth, commas = 1, 0
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return commas + 1 if text[:at].strip() else 0
        commas += character == "," and depth == 1
    raise AssertionError(text[:80])


def test_rows_have_the_registers_of_their_helpers() -> None:
    arity = {helper.name: helper.arity for helper in HELPERS}
    for kind, table in (("method", methods()), ("function", functions())):
        for row in table.values():
            if row.helper is None or "any" in {p.type for p in row.parameters}:
                continue
            owner = row.name.partition(".")[0]
            is_method = kind == "method" and owner not in ("Request", "ResponseHead")
            is_method = is_method and row.name != "bytes.fromhex"
            out = (
                (bool(row.raises) and row.result != "None")
                or row.result.startswith("(")
                or row.result == "int?"
            )
            assert is_method + len(row.parameters) + out == arity[row.helper], row.name


def test_explained_stops_only() -> None:
    """What a stop is taken for, since a rule too broad would hide differences."""
    plain = Case("f", (), False, "int", "")
    limit = "script x: OverflowError: an integer does not fit in 64 bits, a limit"
    assert harness._explains(plain, limit, "9223372036854775808")
    assert harness._explains(plain, limit, "(1, -9223372036854775809)")
    assert not harness._explains(plain, limit, "9223372036854775807")
    assert not harness._explains(plain, limit, "ValueError")
    assert not harness._explains(plain, "script x: IndexError: index", "IndexError")
    assert harness._explains(Case("f", (), False, "int", "surrogate"), "a lone surrogate", "1")
