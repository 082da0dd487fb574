"""Metadata: text that the scripts of one request share."""

from typing import overload

from zeroserve.script.fields import BLANKS, OF_RESPONSES, has_control, is_name, lower
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

    A key that is not there is a KeyError. A key that is empty or has more than 256 bytes, text
    with lone surrogates, and a header that can't be set are ValueErrors. More than 256 keys, or
    more than 256 KiB in all, stop the script.
    """

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        return self._values[_canonical(key)]

    def __setitem__(self, key: str, value: str) -> None:
        if not 0 < len(key.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES or _has_lone(key):
            raise ValueError(f"not a key of metadata: {key!r}")
        value.encode()  # what is no text can't be kept
        key = _canonical(key)
        if key.startswith(RESPONSE_HEADER):
            value = _header(key.removeprefix(RESPONSE_HEADER), value)
        others = sum(_size(k) + _size(v) for k, v in self._values.items() if k != key)
        if others + _size(key) + _size(value) > MAX_META_BYTES:
            raise Stop(f"metadata are larger than {MAX_META_BYTES} bytes")
        if key not in self._values and len(self._values) >= MAX_META_ENTRIES:
            raise Stop(f"there are more than {MAX_META_ENTRIES} keys of metadata")
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

    def items(self) -> list[tuple[str, str]]:
        """Everything that was set; for who runs scripts, not for them."""
        return list(self._values.items())

    def __repr__(self) -> str:
        return f"Meta({self._values!r})"


def _header(name: str, value: str) -> str:
    """The value of a response header."""
    if not is_name(name) or name in OF_RESPONSES:
        raise ValueError(f"header {name!r} is up to the server, or none")
    if has_control(value):
        raise ValueError(f"value of header {name} has a control character")
    return value.strip(BLANKS)


def _has_lone(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _size(value: str) -> int:
    return len(value.encode())


def _canonical(key: str) -> str:
    """Names of headers ignore case."""
    return lower(key) if key.startswith(RESPONSE_HEADER) else key
