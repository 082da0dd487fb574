"""Fuzzes the compiler of scripts: ``python tests/fuzz_scripts.py --programs 20000``.

Three kinds of programs, each made from its number alone: typed ones, most of which are accepted
and then compared with CPython; trees by the grammar of ``ast``, and mutations of real scripts.
What goes wrong is printed with its number and kept, made smaller, in ``--keep``.
"""

from __future__ import annotations

import argparse
import ast
import collections
import random
import sys
import tempfile
from pathlib import Path

from support.script_oracle import Ask, Finding, compared, compiled
from support.script_programs import Programs
from support.script_trees import Trees, garbled, mutated, nodes, written

ROOT = Path(__file__).resolve().parent.parent

REQUESTS: list[Ask] = [
    lambda client: client.get("/x?a=1"),
    lambda client: client.post("/a/%F0%9F%90%8D/%C3%A9,b", {"x-a": "12"}, "body"),
    lambda client: client.get("/12"),
]


def corpus() -> list[str]:
    """Scripts to change: those of the examples and of the literate tests, and typed ones."""
    found = [path.read_text("utf-8") for path in sorted(ROOT.glob("examples/**/*.py"))]
    for page in sorted(ROOT.glob("tests/golden/script/*.md")):
        blocks = page.read_text("utf-8").split("```py\n")[1:]
        found += [block.partition("```")[0] for block in blocks]
    found += [Programs(random.Random(seed)).script() for seed in range(20)]
    return [text for text in found if _parses(text)]


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


class Maker:
    """Programs by their number."""

    def __init__(self) -> None:
        self.texts = corpus()
        self.nodes = nodes(self.texts)

    def program(self, number: int, kind: str) -> str | None:
        """The text of a program; None when this number makes none."""
        numbers = random.Random(f"{kind}{number}")
        if kind == "typed":
            return Programs(numbers).script()
        if kind == "tree":
            return written(Trees(numbers).module())
        text = numbers.choice(self.texts)
        if kind == "text":
            return garbled(text, numbers)
        return written(mutated(ast.parse(text), self.nodes, numbers))


KINDS = ("typed", "mutation", "mutation", "text", "tree")


def judge(text: str, directory: Path) -> str:
    """What becomes of a program: ``refused``, ``empty``, ``same`` or ``limit``."""
    path = directory / "script.py"
    path.write_text(text, "utf-8", "surrogatepass", "")
    made = compiled(path)
    if isinstance(made, list):
        return "refused"
    return compared(path, made, REQUESTS) if made else "empty"


def smaller(text: str, kind: str, directory: Path, tries: int = 300) -> str:
    """The program without the lines that do not matter for what is found."""

    def fails(text: str) -> bool:
        try:
            judge(text, directory)
        except Finding as found:
            return found.kind == kind
        except Exception:
            return False
        return False

    lines = text.splitlines(keepends=True)
    size = max(len(lines) // 2, 1)
    while size and tries > 0:
        at, before = 0, len(lines)
        while at < len(lines) and tries > 0:
            shorter = lines[:at] + lines[at + size :]
            tries -= 1
            if fails("".join(shorter)):
                lines = shorter
            else:
                at += size
        size = size // 2 if len(lines) == before or size > 1 else size
    return "".join(lines)


def main() -> int:
    """The exit code is 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--kind", choices=sorted(set(KINDS)))
    parser.add_argument("--keep", type=Path, help="directory for the programs that fail")
    parser.add_argument("--each", type=int, default=3, help="programs kept of one kind of failure")
    options = parser.parse_args()
    maker = Maker()
    counted: collections.Counter[str] = collections.Counter()
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number in range(options.first, options.first + options.programs):
            kind = options.kind or KINDS[number % len(KINDS)]
            text = maker.program(number, kind)
            if text is None:
                counted["not written"] += 1
                continue
            try:
                counted[f"{kind}: {judge(text, directory)}"] += 1
            except Finding as error:
                found[error.kind] += 1
                if found[error.kind] <= options.each:
                    print(f"{kind} {number}: {error}", flush=True)
                    if options.keep:
                        options.keep.mkdir(parents=True, exist_ok=True)
                        less = smaller(text, error.kind, directory)
                        target = options.keep / f"{kind}{number}.py"
                        target.write_text(less, "utf-8", "surrogatepass", "")
    for what, count in sorted(counted.items()) + sorted(found.items()):
        print(f"{count:8}  {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
