"""What scripts in Python have at module level is computed by their compiler, within bounds."""

import subprocess
import sys

import pytest
from zeroserve import compiler
from zeroserve.compiler import constants

SCRIPT = """
import re
from zeroserve.script import Request, Response, on_request

K = {}

@on_request
def answer(req: Request) -> Response | None:
    return None
"""

COMPILE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from zeroserve import compiler
try:
    compiler.compile_text(sys.stdin.read())
except compiler.CompileError as error:
    print(error.diagnostics[0].message)
"""

LARGE = "a constant that is too large"
LONG = "a constant that takes more than 2000000 steps"


@pytest.mark.parametrize(
    ("constant", "message"),
    [
        ("'a'.replace('', 'b' * 9999999)", LARGE),
        ("('a' * 9000000).replace('a', 'b' * 9000000)", LARGE),
        ("'x'.join(('y' * 9000000,) * 10000)", LONG),
        ("('x' * 9000000).join(('y',) * 1000)", LARGE),
        ("(5).to_bytes(9999999999, 'big')", LARGE),
        ("(5).to_bytes(length=9999999999, byteorder='big')", LARGE),
        ("bytes(source=9999999999)", LARGE),
        ("b'' + (1 << 4000) ** 4096", LARGE),
        ("tuple(zip(*[(1,) * 1000] * 100000))", LONG),
        ("repr(" + "(" * 7 + "1" + ",) * 20" * 7 + ")", LONG),
        ("hash_of == " + "(" * 7 + "1" + ",) * 20" * 7, LONG),
        ('f\'{"a" * 9000000}{"a" * 9000000}\'', LARGE),
        ("tuple([('a' * 9000000).count('ab') for _ in range(100)])", LONG),
        ("('a' * 9000000).strip('b' * 8999999 + 'a')", LONG),
        ("('a' * 9000000).rfind('ab' + 'a' * 5000000)", LONG),
        ("('\\xe9' * 900000).encode('punycode')", "not a constant"),
        ("len(sum([(1,)] * 200000, ()))", "not a constant"),
        (
            "{n * (2**61 - 1): 0 for n in range(60000)}",
            "a constant with more than 1000 equal hashes",
        ),
    ],
)
def test_bounds(constant: str, message: str) -> None:
    """In a process of its own: without bounds it would take all memory, or hours."""
    script = SCRIPT.replace("\nK", "\nhash_of = 1\nK").format(constant)
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], input=script, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == message, done.stderr


@pytest.mark.parametrize(
    "constant",
    [
        "'a,b'.split(',')[1].replace('b', 'c').encode('UTF_8')",
        "'-'.join(str(n) for n in range(1000)).strip('01').rfind('5')",
        "sum([n for n in range(2, 300) if all(n % d for d in range(2, n))])",
        "frozenset(n % 10 for n in range(20000))",
        "str(b'abc', 'ascii') + f'{3:>10}' + 'ab' * 3",
        "2**62 + int('7' * 10) + (1 << 10)",
        "frozenset([*'abc', *'def'])",
    ],
)
def test_within_bounds(constant: str) -> None:
    """What scripts do is far away from them."""
    assert compiler.compile_text(SCRIPT.format(constant))


def test_all_constants_of_a_module_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each within its own, many are still too much."""
    monkeypatch.setattr(constants, "MAX_ALL_STEPS", 50_000)
    lines = [f"K{n} = sum(range({n}, 9000))\n" for n in range(10)]
    source = "".join(lines) + SCRIPT.format("1").lstrip()
    with pytest.raises(compiler.CompileError) as caught:
        compiler.compile_text(source)
    assert "the constants take more than 50000 steps" in str(caught.value)
