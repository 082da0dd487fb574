"""Metadata: text that the scripts of one request share."""

from typing import overload

from zeroserve.script.fields import CONNECTION, FRAMING, field_name, field_value, lower, text
from zeroserve.script.limits import MAX_META_BYTES, MAX_META_ENTRIES, MAX_NAME_BYTES, Stop

RESPONSE_HEADER = "zs.response.header."
"""Keys that begin so are header fields of the response."""


class Meta:
    """What one script leaves for the next, ``req.meta``: keys and values are ``str``.

    HTML and XML pages of the site show a value where they have ``<zs-meta>key</zs-meta>``. A key
    ``zs.response.header.NAME`` sets a header of the response, of files, too.

    >>> meta = Meta()
    >>> meta["user"] = "Ada"
    >>> meta["user"], meta.get("age"), meta.get("age", "?"), "age" in meta
    ('Ada', None, '?', False)

    A key that is not there is a KeyError. An empty key and a header that can't be set are
    ValueErrors. More than 256 keys, a key of more than 256 bytes, or more than 256 KiB in all
    stop the script.
    """

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        return self._values[_canonical(key)]

    def __setitem__(self, key: str, value: str) -> None:
        if not key:
            raise ValueError("a key of metadata is empty")
        if _size(key) > MAX_NAME_BYTES:
            raise Stop(f"a key of metadata of more than {MAX_NAME_BYTES} bytes")
        key = _canonical(key)
        if key.startswith(RESPONSE_HEADER):
            field_name(key.removeprefix(RESPONSE_HEADER), FRAMING | CONNECTION)
            value = text(field_value(value))
        others = sum(_size(k) + _size(v) for k, v in self._values.items() if k != key)
        if others + _size(key) + _size(value) > MAX_META_BYTES:
            raise Stop(f"metadata of more than {MAX_META_BYTES} bytes")
        if key not in self._values and len(self._values) >= MAX_META_ENTRIES:
            raise Stop(f"more than {MAX_META_ENTRIES} keys of metadata")
        self._values[key] = value

    def __contains__(self, key: str) -> bool:
        return _canonical(key) in self._values

    @overload
    def get(self, key: str, default: None = None) -> str | None: ...
    @overload
    def get(self, key: str, default: str) -> str: ...
    def get(self, key: str, default: str | None = None) -> str | None:
        """The value of a key, or ``default``."""
        return self._values.get(_canonical(key), default)

    def __repr__(self) -> str:
        return f"Meta({self._values!r})"


def _size(value: str) -> int:
    return len(value.encode())


def _canonical(key: str) -> str:
    """Names of headers ignore case."""
    return lower(key) if key.startswith(RESPONSE_HEADER) else key
