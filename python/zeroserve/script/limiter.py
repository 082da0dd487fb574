"""Counting requests by key."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from zeroserve.script import clock
from zeroserve.script.limits import MAX_BUCKETS, MAX_KEY_BYTES

WINDOWS_MS = (1_000, 60_000, 3_600_000)


class Window:
    """A stretch of time that begins with the first request that is counted in it."""

    __slots__ = ("count", "start_ms")

    def __init__(self) -> None:
        self.start_ms = 0
        self.count = 0

    def is_over(self, length_ms: int, now_ms: int) -> bool:
        """Whether it has ended. A clock that was set back ends it only by more than its length."""
        return self.count == 0 or abs(now_ms - self.start_ms) >= length_ms


class RateLimiter:
    """The counts of a site."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, tuple[Window, Window, Window]] = {}
        self._lock = Lock()

    def check(self, key: bytes, limits: tuple[int, int, int], now_ms: int) -> bool:
        """Count a request unless a limit forbids it, for a second, a minute, an hour; 0 is none.

        What is refused counts nowhere.
        """
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                if len(self._buckets) >= MAX_BUCKETS:
                    self._sweep(now_ms)
                if len(self._buckets) >= MAX_BUCKETS:
                    return False
                bucket = self._buckets[key] = (Window(), Window(), Window())
            for window, length_ms, limit in zip(bucket, WINDOWS_MS, limits, strict=True):
                if window.is_over(length_ms, now_ms):
                    window.start_ms, window.count = now_ms, 0
                if limit and window.count >= limit:
                    return False
            for window, limit in zip(bucket, limits, strict=True):
                window.count += bool(limit)
            return True

    def _sweep(self, now_ms: int) -> None:
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if not all(w.is_over(ms, now_ms) for w, ms in zip(bucket, WINDOWS_MS, strict=True))
        }


_current: ContextVar[RateLimiter] = ContextVar("zeroserve.script.limiter", default=RateLimiter())  # noqa: B039


@contextmanager
def counting(limiter: RateLimiter | None = None) -> Iterator[RateLimiter]:
    """Count with this limiter, or with a new one, until the end of the block: for tests."""
    limiter = RateLimiter() if limiter is None else limiter
    token = _current.set(limiter)
    try:
        yield limiter
    finally:
        _current.reset(token)


def rate_limit(key: str, *, per_second: int = 0, per_minute: int = 0, per_hour: int = 0) -> bool:
    """Count a request for a key; False when that is one too many.

    0 is no limit, but one has to be given. A window begins with the first request that is counted
    in it; what is refused counts nowhere. All scripts and workers of a site count together, and a
    reload does not reset them. ``key``: 1 to 256 bytes. Raises ValueError for others, for negative
    limits and for none. A site counts 65,536 keys at a time: further ones are refused until some
    have expired.

    >>> from zeroserve.script import clock
    >>> with clock.fixed() as now, counting():
    ...     first = [rate_limit("10.0.0.7", per_second=2) for _ in range(3)]
    ...     now.advance(1)
    ...     first, rate_limit("10.0.0.7", per_second=2)
    ([True, True, False], True)
    """
    limits = (per_second, per_minute, per_hour)
    if min(limits) < 0:
        raise ValueError("a rate limit is negative")
    if not any(limits):
        raise ValueError("rate_limit needs a limit per second, per minute or per hour")
    data = key.encode("utf-8", "surrogatepass")
    if not 0 < len(data) <= MAX_KEY_BYTES:
        why = f"the key of a rate limit has {len(data)} bytes, not 1 to {MAX_KEY_BYTES}"
        raise ValueError(why)
    return _current.get().check(data, limits, clock.now_ms())
