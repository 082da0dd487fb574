"""What the server bounds where Python would not, and what happens beyond.

The numbers are those of the server: a test compares them.
"""

MAX_NAME_BYTES = 256
"""Name of a header, key of metadata, name of a variable."""

MAX_METHOD_BYTES = 32

MAX_URI_BYTES = 8192
"""A path with its query, and the URL of an upstream."""

MAX_HEADER_FIELDS = 256

MAX_HEADER_BYTES = 64 * 1024
"""Names and values of all fields."""

MAX_META_ENTRIES = 256

MAX_META_BYTES = 256 * 1024
"""Keys and values."""

MAX_REQUEST_BODY_BYTES = 256 * 1024

MAX_RESPONSE_BODY_BYTES = 8 * 1024 * 1024

MAX_FETCHES = 16
"""Requests that the scripts of one request make."""

MAX_FETCH_BODY_BYTES = 256 * 1024
"""The body of an answer to one."""

MAX_FETCH_TIMEOUT_MS = 30_000

DEFAULT_FETCH_TIMEOUT_MS = 5_000

MAX_LOG_BYTES = 8192
"""A line of the log; longer ones are cut."""

MAX_KEY_BYTES = 256
"""A key of ``rate_limit``."""

MAX_BUCKETS = 65_536
"""Keys that ``rate_limit`` counts at a time."""

MAX_TABLE_ENTRIES = 1 << 20

MAX_TABLE_KEY_BYTES = 1024

MAX_TABLE_VALUE_BYTES = 64 * 1024


class Stop(BaseException):
    """The script used more than the server allows: it ends here, and the client gets a 500.

    Not an ``Exception``, since ``except`` does not catch it in the server either.
    """


class BodyTooLarge(Stop):
    """The script asked for a request body beyond the limit: the client gets a 413."""


def int64(number: int) -> int:
    """The number, when it fits in 64 bits; otherwise OverflowError.

    >>> int64(-(2**63))
    -9223372036854775808
    >>> int64(2**63)
    Traceback (most recent call last):
    OverflowError: 9223372036854775808 does not fit in 64 bits
    """
    if not -(2**63) <= number < 2**63:
        raise OverflowError(f"{number} does not fit in 64 bits")
    return number
