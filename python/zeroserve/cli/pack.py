"""``zeroserve pack DIR``: make an archive, and say what it is worth."""

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from zeroserve.cli.flags import Options
from zeroserve.cli.terminal import complain, say, spinner
from zeroserve.config import waiting
from zeroserve.pack import Summary, pack
from zeroserve.words import plural, size

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

BAR_AFTER_S = 1.0
"""Work that takes less time than this shows no bar."""

MAX_NAMED = 5
"""Names given in one line of the summary."""


def run(options: Options) -> int:
    """Pack; returns the exit code."""
    directory = options.operands[0]
    # A file left half-written must go away when a supervisor ends this, too.
    signal.signal(signal.SIGTERM, _interrupt)
    bar = _Bar()
    waiting.around = spinner
    try:
        summary = pack(
            directory,
            options.output or _default_output(directory),
            compress=not options.no_compress,
            progress=bar.show if sys.stderr.isatty() else None,
        )
    finally:
        bar.close()
    _say_summary(summary)
    return 0


def _default_output(directory: str) -> str:
    name = os.path.basename(os.path.realpath(directory))  # noqa: PTH119
    return (name or "site") + ".tar"


def _say_summary(summary: Summary) -> None:
    for warning in summary.warnings:
        complain(warning, severity="warning")
    if summary.left_out:
        say(f"left out {plural(len(summary.left_out), 'dot-file')}: {_names(summary.left_out)}")
    links = summary.outside_links
    if links:
        verbs = "leads" if len(links) == 1 else "lead", "was" if len(links) == 1 else "were"
        say(
            f"{plural(len(links), 'link')} {verbs[0]} outside of DIR and {verbs[1]} followed: "
            f"{_names(links)}"
        )
    say(
        f"{summary.output}: {plural(summary.files, 'file')}, {size(summary.bytes)}, "
        f"archive {size(summary.archive_bytes)}, {summary.seconds:.1f} s"
    )
    if summary.compressed_from:
        percent = 100 - 100 * summary.compressed_to / summary.compressed_from
        say(
            f"saved {percent:.0f} % on the wire: {plural(summary.compressed_files, 'file')} of "
            f"{size(summary.compressed_from)} are {size(summary.compressed_to)} with br"
        )


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MAX_NAMED])
    return shown + (f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else "")


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


class _Bar:
    """A progress bar that appears when the work turns out to take a while."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: RichProgress | None = None

    def show(self, done: int, total: int) -> None:
        if self._bar is None:
            if time.monotonic() - self._began < BAR_AFTER_S:
                return
            self._bar = _rich_bar()
            self._bar.start()
            self._bar.add_task("packing", total=total)
        self._bar.update(self._bar.task_ids[0], completed=done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _rich_bar() -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
