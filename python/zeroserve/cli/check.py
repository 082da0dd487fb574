"""``zeroserve check SITE``: every problem, not only the first."""

import io
import os
import sys
from collections.abc import Iterator
from functools import partial

from zeroserve import _core, scripts
from zeroserve._core import Archive, Entry, Problem
from zeroserve.cli.flags import Options
from zeroserve.codings import CODINGS, Coding
from zeroserve.config import file, rules
from zeroserve.config.lines import Mistake
from zeroserve.words import plural, printable, problem, quoted

WRITTEN = (*scripts.RULE_FILES, file.NAME)
"""Files of configuration: what is wrong with them is wrong usage, code 2."""

MAX_DECODE_BYTES = 64 << 20
"""Larger files are not held in memory to compare their siblings with them."""


def run(options: Options) -> int:
    """Print all problems; returns 1 when an error is among them, 2 when one of configuration."""
    site = options.operands[0] if options.operands else "."
    if site.endswith(".toml") and not os.path.isdir(site):  # noqa: PTH112
        return _of_process(site)
    found = _problems(site)
    errors = sum(1 for one in found if one.severity == "error")
    for one in found:
        sys.stdout.write(f"{printable(site)}: {one.severity}: {problem(one)}\n")
    # As of whoever writes a command that is none: what is wrong was written by hand.
    malformed = any(one.severity == "error" and one.entry in WRITTEN for one in found)
    summary = f"{plural(errors, 'error')}, {plural(len(found) - errors, 'warning')}"
    sys.stdout.write(f"{summary}\n")
    sys.stdout.flush()
    return 2 if malformed else 1 if errors else 0


def _of_process(path: str) -> int:
    """Print all that is wrong with the file of a process; returns 2 when something is."""
    faults = file.faults_of_process(path)
    for fault in faults:
        hint = f" ({fault.hint})" if fault.hint else ""
        sys.stdout.write(f"{fault}{printable(hint)}\n")
    sys.stdout.write(f"{plural(len(faults), 'error')}, 0 warnings\n")
    sys.stdout.flush()
    return 2 if faults else 0


def _problems(site: str) -> list[Problem]:
    directory = os.path.isdir(site)  # noqa: PTH112
    if not directory and scripts.split(site) is not None:
        return list(scripts.problems(site, None))
    found = [] if directory else _core.check(site)
    try:
        archive = Archive(site)
    except _core.Error as error:
        # What serving would say; the check above has said it already, and better, if it could.
        if not any(one.severity == "error" for one in found):
            found.append(Problem("error", "", 0, str(error.args[0])))
        return found
    if directory:
        found.extend(archive.warnings)
    found.extend(_configuration(site, None if directory else archive))
    found.extend(_rules(site, archive))
    found.extend(_stale_siblings(archive))
    found.extend(scripts.problems(site, None if directory else archive))
    return found


def _configuration(site: str, archive: Archive | None) -> Iterator[Problem]:
    for fault in file.faults_of_site(site, archive):
        line = "" if fault.line is None else f"line {fault.line}: "
        hint = f" ({fault.hint})" if fault.hint else ""
        yield Problem("error", file.NAME, 0, f"{line}{fault.said}{hint}")
    config = file.of_site(site, archive)
    if config is None or not config.decides:
        return
    from zeroserve.config.notes import notes  # late: most sites have nothing of it

    entries = {entry.name for entry in (archive or Archive(site)).entries()}
    for fault in notes(config, entries):
        line = "" if fault.line is None else f"line {fault.line}: "
        yield Problem("warning", file.NAME, 0, f"{line}{fault.said}")


def _rules(site: str, archive: Archive) -> Iterator[Problem]:
    """What is wrong with the rules of a site, and what was surely not meant."""
    directory = os.path.isdir(site)  # noqa: PTH112
    content = rules.content_of(archive)
    if directory:
        content = partial(_content, site)
    if not any(content(name) is not None for name in scripts.RULE_FILES):
        return
    from zeroserve.config.review import review  # late: most sites have no rules

    config = file.of_site(site, None if directory else archive) or file.NOTHING
    reading = rules.read(content, rules.dialect_of(config))
    # Those of a directory are found when its scripts are compiled.
    for name, mistake in () if directory else reading.mistakes:
        yield Problem("error", name, 0, _said(mistake))
    for name, note in reading.notes:
        yield Problem("warning", name, 0, _said(note))
    names = {entry.name for entry in archive.entries() if not entry.hidden}

    def exists(path: str) -> bool:
        name = path.removeprefix("/")
        index = f"{name.removesuffix('/')}/index.html".removeprefix("/")
        return name in names or index in names or f"{name}.html" in names

    for remark in review(reading.rules, exists):
        text = f"line {remark.origin.line}: {remark.text}"
        yield Problem(
            "error" if remark.severity == "error" else "warning", remark.origin.file, 0, text
        )
    from zeroserve.config.notes import rules_around

    for rule, guard in rules_around(reading.rules, config):
        text = f"line {rule.origin.line}: leads behind the guard of {guard}, which is not asked"
        yield Problem("warning", rule.origin.file, 0, text)


def _content(site: str, name: str) -> bytes | None:
    return rules.bytes_of(os.path.join(site, name))  # noqa: PTH118


def _said(mistake: Mistake) -> str:
    hint = f" ({mistake.hint})" if mistake.hint else ""
    return f"line {mistake.line}, column {mistake.column}: {mistake.message}{hint}"


def _stale_siblings(archive: Archive) -> Iterator[Problem]:
    entries = {entry.name: entry for entry in archive.entries()}
    for entry in entries.values():
        if not entry.encodings or entry.size > MAX_DECODE_BYTES:
            continue
        original = archive.read(entry.name)
        for coding in CODINGS:
            sibling = entries.get(entry.name + coding.suffix)
            if coding.name not in entry.encodings or sibling is None:
                continue
            reason = _difference(archive.read(sibling.name), original, coding)
            if reason:
                yield _stale(sibling, entry, reason)


def _difference(encoded: bytes, original: bytes, coding: Coding) -> str | None:
    """Why the sibling does not stand for the original, or None when it does."""
    position = 0
    try:
        for piece in coding.decode(io.BytesIO(encoded)):
            if original[position : position + len(piece)] != piece:
                return "it decodes to other bytes"
            position += len(piece)
    except ValueError as error:
        return str(error)
    if position != len(original):
        return f"it decodes to {position:,} bytes in place of {len(original):,}"
    return None


def _stale(sibling: Entry, original: Entry, reason: str) -> Problem:
    # Data begins one header after the header that a problem's offset names.
    offset = max(0, sibling.offset - 512)
    message = f"is not {quoted(original.name)} compressed: {reason}"
    return Problem("error", sibling.name, offset, message)
