"""Methods and operators of bytes."""

_BYTES_MANY = (b"a", b"b", b"ab", b"ba", b"aa", b"bb", b"aab", b"aba", b"baa", b"abb", b"", b"bbb")
_BYTES_SET = frozenset({b"a", b"aa", b"b"})


def bytes_startswith(few_data: bytes, piece: bytes) -> bool:
    return few_data.startswith(piece)


def bytes_startswith_bounds(few_data: bytes, piece: bytes, start: int, end: int) -> bool:
    return few_data.startswith(piece, start, end)


def bytes_startswith_constant(few_data: bytes, start: int) -> tuple[bool, bool, bool, bool]:
    return (
        few_data.startswith(b"a"),
        few_data.startswith(b""),
        few_data.startswith(b"ab", start),
        few_data.startswith(b"", start),
    )


def bytes_startswith_several(
    few_data: bytes, piece: bytes, other_piece: bytes, start: int
) -> tuple[bool, bool, bool]:
    return (
        few_data.startswith((piece, other_piece)),
        few_data.startswith((b"b", b"aa", piece), start),
        few_data.startswith((b"ab", b"ba")),
    )


def bytes_endswith(few_data: bytes, piece: bytes) -> bool:
    return few_data.endswith(piece)


def bytes_endswith_bounds(few_data: bytes, piece: bytes, start: int, end: int) -> bool:
    return few_data.endswith(piece, start, end)


def bytes_endswith_constant(few_data: bytes, start: int) -> tuple[bool, bool, bool, bool]:
    return (
        few_data.endswith(b"a"),
        few_data.endswith(b""),
        few_data.endswith(b"ab", start),
        few_data.endswith(b"", start),
    )


def bytes_endswith_several(
    few_data: bytes, piece: bytes, other_piece: bytes, end: int
) -> tuple[bool, bool]:
    return few_data.endswith((piece, other_piece)), few_data.endswith((b"b", piece), 0, end)


def bytes_removeprefix(few_data: bytes, piece: bytes) -> bytes:
    return few_data.removeprefix(piece)


def bytes_removesuffix(few_data: bytes, piece: bytes) -> bytes:
    return few_data.removesuffix(piece)


def bytes_strip(spaced_data: bytes) -> tuple[bytes, bytes, bytes]:
    return spaced_data.strip(), spaced_data.lstrip(), spaced_data.rstrip()


def bytes_strip_any(data: bytes) -> tuple[bytes, bytes, bytes]:
    return data.strip(), data.lstrip(None), data.rstrip()


def bytes_strip_chars(few_data: bytes, piece: bytes) -> tuple[bytes, bytes, bytes]:
    return few_data.strip(piece), few_data.lstrip(piece), few_data.rstrip(piece)


def bytes_strip_constant(few_data: bytes) -> tuple[bytes, bytes, bytes]:
    return few_data.strip(b"a"), few_data.lstrip(b"ab"), few_data.rstrip(b"")


def bytes_split(few_data: bytes, piece: bytes) -> list[bytes]:
    return few_data.split(piece)


def bytes_split_count(few_data: bytes, piece: bytes, count: int) -> list[bytes]:
    return few_data.split(piece, count)


def bytes_split_keyword(few_data: bytes, count: int) -> list[bytes]:
    return few_data.split(sep=b"a", maxsplit=count)


def bytes_split_blanks(spaced_data: bytes) -> list[bytes]:
    return spaced_data.split()


def bytes_split_blanks_count(spaced_data: bytes, count: int) -> list[bytes]:
    return spaced_data.split(None, count)


def bytes_split_blanks_any(data: bytes, count: int) -> list[bytes]:
    return data.split(maxsplit=count)


def bytes_rsplit(few_data: bytes, piece: bytes) -> list[bytes]:
    return few_data.rsplit(piece)


def bytes_rsplit_count(few_data: bytes, piece: bytes, count: int) -> list[bytes]:
    return few_data.rsplit(piece, maxsplit=count)


def bytes_rsplit_blanks(spaced_data: bytes, count: int) -> list[bytes]:
    return spaced_data.rsplit(None, count)


def bytes_splitlines(spaced_data: bytes) -> list[bytes]:
    return spaced_data.splitlines()


def bytes_splitlines_keep(data: bytes, flag: bool) -> list[bytes]:
    return data.splitlines(flag)


def bytes_splitlines_constant(spaced_data: bytes) -> list[bytes]:
    return spaced_data.splitlines(keepends=True)


def bytes_partition(few_data: bytes, piece: bytes) -> tuple[bytes, bytes, bytes]:
    return few_data.partition(piece)


def bytes_rpartition(few_data: bytes, piece: bytes) -> tuple[bytes, bytes, bytes]:
    return few_data.rpartition(piece)


def bytes_replace(few_data: bytes, piece: bytes, other_piece: bytes) -> bytes:
    return few_data.replace(piece, other_piece)


def bytes_replace_count(few_data: bytes, piece: bytes, other_piece: bytes, count: int) -> bytes:
    return few_data.replace(piece, other_piece, count)


def bytes_find(few_data: bytes, piece: bytes) -> int:
    return few_data.find(piece)


def bytes_find_bounds(few_data: bytes, piece: bytes, start: int, end: int) -> tuple[int, int]:
    return few_data.find(piece, start, end), few_data.find(piece, start)


def bytes_rfind(few_data: bytes, piece: bytes) -> int:
    return few_data.rfind(piece)


def bytes_rfind_bounds(few_data: bytes, piece: bytes, start: int, end: int) -> tuple[int, int]:
    return few_data.rfind(piece, start, end), few_data.rfind(piece, start)


def bytes_index(few_data: bytes, piece: bytes) -> int:
    return few_data.index(piece)


def bytes_index_bounds(few_data: bytes, piece: bytes, start: int, end: int) -> int:
    return few_data.index(piece, start, end)


def bytes_rindex(few_data: bytes, piece: bytes, start: int) -> int:
    return few_data.rindex(piece, start)


def bytes_rindex_bounds(few_data: bytes, piece: bytes, start: int, end: int) -> int:
    return few_data.rindex(piece, start, end)


def bytes_count(few_data: bytes, piece: bytes) -> int:
    return few_data.count(piece)


def bytes_count_bounds(few_data: bytes, piece: bytes, start: int, end: int) -> tuple[int, int]:
    return few_data.count(piece, start, end), few_data.count(piece, start)


def bytes_join(few_data: bytes, piece: bytes, other_piece: bytes) -> bytes:
    return piece.join(few_data.split(b"a")) + other_piece.join((few_data, piece, b"x"))


def bytes_lower(data: bytes) -> bytes:
    return data.lower()


def bytes_upper(data: bytes) -> bytes:
    return data.upper()


def bytes_title(data: bytes) -> bytes:
    return data.title()


def bytes_capitalize(data: bytes) -> bytes:
    return data.capitalize()


def bytes_swapcase(data: bytes) -> bytes:
    return data.swapcase()


def bytes_isdigit(data: bytes) -> bool:
    return data.isdigit()


def bytes_isalpha(data: bytes) -> bool:
    return data.isalpha()


def bytes_isalnum(data: bytes) -> bool:
    return data.isalnum()


def bytes_isspace(data: bytes, spaced_data: bytes) -> tuple[bool, bool]:
    return data.isspace(), spaced_data.isspace()


def bytes_isupper(data: bytes) -> bool:
    return data.isupper()


def bytes_islower(data: bytes) -> bool:
    return data.islower()


def bytes_istitle(data: bytes) -> tuple[bool, bool]:
    return data.istitle(), data.title().istitle()


def bytes_isascii(data: bytes) -> bool:
    return data.isascii()


def bytes_zfill(few_data: bytes, width: int) -> tuple[bytes, bytes, bytes]:
    return few_data.zfill(width), (b"-" + few_data).zfill(width), (b"+" + few_data).zfill(width)


def bytes_ljust(few_data: bytes, width: int) -> bytes:
    return few_data.ljust(width)


def bytes_ljust_char(few_data: bytes, width: int, byte: bytes) -> bytes:
    return few_data.ljust(width, byte)


def bytes_rjust(few_data: bytes, width: int) -> bytes:
    return few_data.rjust(width)


def bytes_rjust_char(few_data: bytes, width: int, byte: bytes) -> bytes:
    return few_data.rjust(width, byte)


def bytes_center(few_data: bytes, width: int) -> bytes:
    return few_data.center(width)


def bytes_center_char(few_data: bytes, width: int, byte: bytes) -> bytes:
    return few_data.center(width, byte)


def bytes_expandtabs(spaced_data: bytes) -> bytes:
    return spaced_data.expandtabs()


def bytes_expandtabs_size(spaced_data: bytes, width: int) -> bytes:
    return spaced_data.expandtabs(width)


def bytes_slice(few_data: bytes, start: int, end: int) -> tuple[bytes, bytes, bytes, bytes]:
    return few_data[start:end], few_data[start:], few_data[:end], few_data[:]


def bytes_slice_step(few_data: bytes, start: int, end: int, step: int) -> bytes:
    return few_data[start:end:step]


def bytes_slice_steps(few_data: bytes, start: int) -> tuple[bytes, bytes, bytes]:
    return few_data[::-1], few_data[start::2], few_data[:start:-3]


def bytes_slice_maybe(few_data: bytes, maybe_start: int | None, maybe_end: int | None) -> bytes:
    if maybe_start is None:
        return few_data[:maybe_end] if maybe_end is not None else few_data[None:]
    return few_data[maybe_start:maybe_end] if maybe_end is not None else few_data[maybe_start:None]


def bytes_contains(few_data: bytes, piece: bytes) -> tuple[bool, bool]:
    return piece in few_data, piece not in few_data


def bytes_length(data: bytes, few_data: bytes) -> tuple[int, int, bool]:
    return len(data), len(few_data), bool(data)


def bytes_compare(few_data: bytes, piece: bytes) -> tuple[bool, bool, bool, bool, bool, bool]:
    return (
        few_data == piece,
        few_data != piece,
        few_data < piece,
        few_data <= piece,
        few_data > piece,
        few_data >= piece,
    )


def bytes_compare_any(data: bytes, other_data: bytes) -> tuple[bool, bool, bool]:
    return data == other_data, data < other_data, data[:3] >= other_data[:3]


def bytes_add(data: bytes, other_data: bytes, few_data: bytes) -> bytes:
    return data + other_data + b"-" + few_data


def bytes_repeat(few_data: bytes, count: int) -> tuple[bytes, bytes]:
    return few_data * count, count * b"ab"


def bytes_repr(data: bytes) -> str:
    return repr(data) + f"{data!r}"


def bytes_chosen(few_data: bytes, piece: bytes) -> tuple[bytes, bytes, bytes]:
    return few_data or piece, few_data and piece, min(few_data, piece, b"ab")


def bytes_in_constants(few_data: bytes) -> tuple[bool, bool, bool]:
    return few_data in (b"a", b"b", b""), few_data in _BYTES_MANY, few_data not in _BYTES_SET


def bytes_hex(data: bytes) -> str:
    return data.hex()


def bytes_fromhex(hex_text: str) -> bytes:
    return bytes.fromhex(hex_text)


def bytes_of(data: bytes) -> tuple[bytes, bytes]:
    return bytes(data), bytes()


def bytes_at(few_data: bytes, index: int) -> int:
    return few_data[index]


def bytes_at_constants(data: bytes) -> tuple[int, int]:
    return data[0], data[-2]


def bytes_each(data: bytes) -> int:
    total = 0
    for at, value in enumerate(data):
        total = (total * 31 + value + at) & 0xFFFFFFFF
    return total


def bytes_contains_int(few_data: bytes, small: int) -> bool:
    return small in few_data


def bytes_sum(data: bytes) -> tuple[int, bool, bool]:
    return sum(data), any(data), all(data)


def bytes_max(data: bytes) -> tuple[int, int]:
    return max(data), min(data)


def bytes_decode(data: bytes) -> str:
    return data.decode()


def bytes_decode_ascii(data: bytes) -> str:
    return data.decode("ascii")


def bytes_decode_latin1(data: bytes) -> str:
    return data.decode("latin-1")


def bytes_decode_ignore(data: bytes) -> tuple[str, str]:
    return data.decode("utf-8", "ignore"), data.decode("ascii", errors="ignore")


def bytes_decode_replace(data: bytes) -> tuple[str, str]:
    return data.decode("utf-8", "replace"), data.decode("us-ascii", "replace")


def bytes_decode_escape(data: bytes) -> tuple[str, str]:
    return data.decode("utf-8", "backslashreplace"), data.decode("ascii", "backslashreplace")


def bytes_decode_surrogates(data: bytes) -> tuple[str, str]:
    return data.decode("utf-8", "surrogateescape"), data.decode("ascii", "surrogateescape")


def bytes_of_maybe(maybe_data: bytes | None) -> tuple[str, bytes, bool]:
    return repr(maybe_data), maybe_data or b"-", maybe_data == b""
