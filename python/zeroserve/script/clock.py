"""The clock that ``rate_limit`` goes by; tests set it.

from zeroserve.script import clock

with clock.fixed() as now:
    for _ in range(5):
        guard(req)
    now.advance(60)
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Fixed:
    """A clock that stands still."""

    def __init__(self, ms: int) -> None:
        self.ms = ms
        """Milliseconds since 1970, UTC."""

    def advance(self, seconds: float) -> None:
        """Let time pass, or go back."""
        self.ms += round(seconds * 1000)


_fixed: ContextVar[Fixed | None] = ContextVar("zeroserve.script.clock", default=None)


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    fixed = _fixed.get()
    return time.time_ns() // 1_000_000 if fixed is None else fixed.ms


@contextmanager
def fixed(ms: int = 1_700_000_000_000) -> Iterator[Fixed]:
    """Stop the clock at a time, in milliseconds since 1970, until the end of the block."""
    clock = Fixed(ms)
    token = _fixed.set(clock)
    try:
        yield clock
    finally:
        _fixed.reset(token)
