"""Noticing that an application's files have changed."""

from collections.abc import AsyncIterator
from pathlib import PurePath

DEBOUNCE_MS = 300
"""Changes that follow each other closely are one; they wait no longer than this."""

STEP_MS = 50
"""A quiet time this long ends a group of changes."""

NOT_ITS_OWN = ("__pycache__", "node_modules", "site-packages", "venv")
"""Directories of others, besides those that begin with a dot."""


async def changes(directory: str) -> AsyncIterator[None]:
    """Each time that files ``*.py`` below a directory have changed."""
    # Late: it takes 0.1 s to import.
    from watchfiles import awatch

    async for _ in awatch(
        directory,
        watch_filter=lambda _change, path: matters(directory, path),
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        ignore_permission_denied=True,
    ):
        yield


def matters(directory: str, path: str) -> bool:
    """Whether a file may be one of the application's modules."""
    if not path.endswith(".py"):
        return False
    parts = PurePath(path.removeprefix(directory)).parts
    return not any(part in NOT_ITS_OWN or part.startswith(".") for part in parts)
