"""Methods and operators of str."""

_STR_MANY = ("a", "b", "ab", "ba", "aa", "bb", "aab", "aba", "baa", "abb", "", "bbb")
_STR_SET = frozenset({"a", "aa", "b"})


def str_startswith(few: str, part: str) -> bool:
    return few.startswith(part)


def str_startswith_bounds(few: str, part: str, start: int, end: int) -> bool:
    return few.startswith(part, start, end)


def str_startswith_constant(few: str, start: int) -> tuple[bool, bool, bool, bool]:
    return (
        few.startswith("a"),
        few.startswith(""),
        few.startswith("ab", start),
        few.startswith("", start),
    )


def str_startswith_several(
    few: str, part: str, other_part: str, start: int
) -> tuple[bool, bool, bool]:
    return (
        few.startswith((part, other_part)),
        few.startswith(("b", "aa", part), start),
        few.startswith(("ab", "ba")),
    )


def str_endswith(few: str, part: str) -> bool:
    return few.endswith(part)


def str_endswith_bounds(few: str, part: str, start: int, end: int) -> bool:
    return few.endswith(part, start, end)


def str_endswith_constant(few: str, start: int) -> tuple[bool, bool, bool, bool]:
    return few.endswith("a"), few.endswith(""), few.endswith("ab", start), few.endswith("", start)


def str_endswith_several(few: str, part: str, other_part: str, end: int) -> tuple[bool, bool]:
    return few.endswith((part, other_part)), few.endswith(("b", part), 0, end)


def str_removeprefix(few: str, part: str) -> str:
    return few.removeprefix(part)


def str_removesuffix(few: str, part: str) -> str:
    return few.removesuffix(part)


def str_strip(spaced: str) -> tuple[str, str, str]:
    return spaced.strip(), spaced.lstrip(), spaced.rstrip()


def str_strip_any(text: str) -> tuple[str, str, str]:
    return text.strip(), text.lstrip(None), text.rstrip()


def str_strip_chars(few: str, part: str) -> tuple[str, str, str]:
    return few.strip(part), few.lstrip(part), few.rstrip(part)


def str_strip_constant(few: str) -> tuple[str, str, str]:
    return few.strip("a"), few.lstrip("ab"), few.rstrip("")


def str_split(few: str, part: str) -> list[str]:
    return few.split(part)


def str_split_count(few: str, part: str, count: int) -> list[str]:
    return few.split(part, count)


def str_split_keyword(few: str, count: int) -> list[str]:
    return few.split(sep="a", maxsplit=count)


def str_split_blanks(spaced: str) -> list[str]:
    return spaced.split()


def str_split_blanks_count(spaced: str, count: int) -> list[str]:
    return spaced.split(None, count)


def str_split_blanks_any(text: str, count: int) -> list[str]:
    return text.split(maxsplit=count)


def str_rsplit(few: str, part: str) -> list[str]:
    return few.rsplit(part)


def str_rsplit_count(few: str, part: str, count: int) -> list[str]:
    return few.rsplit(part, maxsplit=count)


def str_rsplit_blanks(spaced: str, count: int) -> list[str]:
    return spaced.rsplit(None, count)


def str_splitlines(spaced: str) -> list[str]:
    return spaced.splitlines()


def str_splitlines_keep(text: str, flag: bool) -> list[str]:
    return text.splitlines(flag)


def str_splitlines_constant(spaced: str) -> list[str]:
    return spaced.splitlines(keepends=True)


def str_partition(few: str, part: str) -> tuple[str, str, str]:
    return few.partition(part)


def str_rpartition(few: str, part: str) -> tuple[str, str, str]:
    return few.rpartition(part)


def str_replace(few: str, part: str, other_part: str) -> str:
    return few.replace(part, other_part)


def str_replace_count(few: str, part: str, other_part: str, count: int) -> str:
    return few.replace(part, other_part, count)


def str_find(few: str, part: str) -> int:
    return few.find(part)


def str_find_bounds(few: str, part: str, start: int, end: int) -> tuple[int, int]:
    return few.find(part, start, end), few.find(part, start)


def str_rfind(few: str, part: str) -> int:
    return few.rfind(part)


def str_rfind_bounds(few: str, part: str, start: int, end: int) -> tuple[int, int]:
    return few.rfind(part, start, end), few.rfind(part, start)


def str_index(few: str, part: str) -> int:
    return few.index(part)


def str_index_bounds(few: str, part: str, start: int, end: int) -> int:
    return few.index(part, start, end)


def str_rindex(few: str, part: str, start: int) -> int:
    return few.rindex(part, start)


def str_rindex_bounds(few: str, part: str, start: int, end: int) -> int:
    return few.rindex(part, start, end)


def str_count(few: str, part: str) -> int:
    return few.count(part)


def str_count_bounds(few: str, part: str, start: int, end: int) -> tuple[int, int]:
    return few.count(part, start, end), few.count(part, start)


def str_join(few: str, part: str, other_part: str) -> str:
    return part.join(few.split("a")) + other_part.join((few, part, "x"))


def str_lower(text: str) -> str:
    return text.lower()


def str_upper(text: str) -> str:
    return text.upper()


def str_title(text: str) -> str:
    return text.title()


def str_capitalize(text: str) -> str:
    return text.capitalize()


def str_swapcase(text: str) -> str:
    return text.swapcase()


def str_isdigit(text: str) -> bool:
    return text.isdigit()


def str_isalpha(text: str) -> bool:
    return text.isalpha()


def str_isalnum(text: str) -> bool:
    return text.isalnum()


def str_isspace(text: str, spaced: str) -> tuple[bool, bool]:
    return text.isspace(), spaced.isspace()


def str_isupper(text: str) -> bool:
    return text.isupper()


def str_islower(text: str) -> bool:
    return text.islower()


def str_istitle(text: str) -> tuple[bool, bool]:
    return text.istitle(), text.title().istitle()


def str_isascii(text: str) -> bool:
    return text.isascii()


def str_zfill(few: str, width: int) -> tuple[str, str, str]:
    return few.zfill(width), ("-" + few).zfill(width), ("+" + few).zfill(width)


def str_ljust(few: str, width: int) -> str:
    return few.ljust(width)


def str_ljust_char(few: str, width: int, char: str) -> str:
    return few.ljust(width, char)


def str_rjust(few: str, width: int) -> str:
    return few.rjust(width)


def str_rjust_char(few: str, width: int, char: str) -> str:
    return few.rjust(width, char)


def str_center(few: str, width: int) -> str:
    return few.center(width)


def str_center_char(few: str, width: int, char: str) -> str:
    return few.center(width, char)


def str_expandtabs(spaced: str) -> str:
    return spaced.expandtabs()


def str_expandtabs_size(spaced: str, width: int) -> str:
    return spaced.expandtabs(width)


def str_slice(few: str, start: int, end: int) -> tuple[str, str, str, str]:
    return few[start:end], few[start:], few[:end], few[:]


def str_slice_step(few: str, start: int, end: int, step: int) -> str:
    return few[start:end:step]


def str_slice_steps(few: str, start: int) -> tuple[str, str, str]:
    return few[::-1], few[start::2], few[:start:-3]


def str_slice_maybe(few: str, maybe_start: int | None, maybe_end: int | None) -> str:
    if maybe_start is None:
        return few[:maybe_end] if maybe_end is not None else few[None:]
    return few[maybe_start:maybe_end] if maybe_end is not None else few[maybe_start:None]


def str_contains(few: str, part: str) -> tuple[bool, bool]:
    return part in few, part not in few


def str_length(text: str, few: str) -> tuple[int, int, bool]:
    return len(text), len(few), bool(text)


def str_compare(few: str, other_few: str) -> tuple[bool, bool, bool, bool, bool, bool]:
    return (
        few == other_few,
        few != other_few,
        few < other_few,
        few <= other_few,
        few > other_few,
        few >= other_few,
    )


def str_compare_any(text: str, other_text: str) -> tuple[bool, bool, bool]:
    return text == other_text, text < other_text, text[:3] >= other_text[:3]


def str_add(text: str, other_text: str, few: str) -> str:
    return text + other_text + "-" + few


def str_repeat(few: str, count: int) -> tuple[str, str]:
    return few * count, count * "ab"


def str_repr(text: str) -> str:
    return repr(text) + f"{text!r}"


def str_chosen(few: str, other_few: str) -> tuple[str, str, str]:
    return few or other_few, few and other_few, min(few, other_few, "ab")


def str_in_constants(few: str) -> tuple[bool, bool, bool]:
    return few in ("a", "b", ""), few in _STR_MANY, few not in _STR_SET


def str_casefold(text: str) -> str:
    return text.casefold()


def str_isdecimal(text: str) -> bool:
    return text.isdecimal()


def str_isnumeric(text: str) -> bool:
    return text.isnumeric()


def str_isidentifier(text: str, ascii: str) -> tuple[bool, bool]:
    return text.isidentifier(), ascii.isidentifier()


def str_isprintable(text: str) -> bool:
    return text.isprintable()


def str_index_at(few: str, index: int) -> str:
    return few[index]


def str_index_constants(few: str) -> tuple[str, str]:
    return few[0], few[-1]


def str_encode(text: str) -> bytes:
    return text.encode()


def str_encode_ascii(text: str) -> bytes:
    return text.encode("ascii")


def str_encode_latin1(text: str) -> bytes:
    return text.encode("latin-1")


def str_encode_ignore(text: str) -> tuple[bytes, bytes, bytes]:
    return (
        text.encode(errors="ignore"),
        text.encode("ascii", "ignore"),
        text.encode("latin1", "ignore"),
    )


def str_encode_replace(text: str) -> tuple[bytes, bytes, bytes]:
    return (
        text.encode("utf-8", "replace"),
        text.encode("ascii", "replace"),
        text.encode("latin1", "replace"),
    )


def str_encode_escape(text: str) -> tuple[bytes, bytes]:
    return text.encode("ascii", "backslashreplace"), text.encode("utf-8", "backslashreplace")


def str_encode_latin1_escape(text: str) -> bytes:
    return text.encode("iso-8859-1", "backslashreplace")


def str_encode_surrogates(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def str_encode_ascii_surrogates(text: str) -> bytes:
    return text.encode("ascii", "surrogateescape")


def str_encode_latin1_surrogates(text: str) -> bytes:
    return text.encode("latin-1", "surrogateescape")


def str_ord(char: str) -> int:
    return ord(char)


def str_chr(code: int) -> str:
    """Stops: chr"""
    return chr(code)


def str_chr_ord(code: int) -> tuple[int, int, str]:
    """Stops: chr"""
    return ord(chr(code)), len(chr(code)), chr(code).upper() + chr(code).lower() + chr(code).title()


def str_chr_is(code: int) -> tuple[bool, bool, bool, bool, bool, bool, bool, bool]:
    """Stops: chr"""
    c = chr(code)
    return (
        c.isalpha(),
        c.isdigit(),
        c.isdecimal(),
        c.isnumeric(),
        c.isspace(),
        c.isupper(),
        c.islower(),
        c.isprintable(),
    )


def str_chr_names(code: int) -> tuple[bool, bool, bool, str, str]:
    """Stops: chr"""
    c = chr(code)
    return c.isalnum(), c.istitle(), ("a" + c).isidentifier(), c.casefold(), repr(c)


def str_of(text: str, number: int, flag: bool, data: bytes) -> str:
    return str(text) + str(number) + str(flag) + str(data) + str()


def str_of_maybe(maybe: str | None, maybe_number: int | None) -> str:
    return str(maybe) + str(maybe_number) + repr(maybe) + repr(maybe_number)


def str_format_width(text: str, few: str) -> str:
    return f"{text:>12}|{few:<9}|{few:^7}|{few:*^8}|{few:é>5}|{few:09}|{few:s}|{few:.2}|{few:4.1}"


def str_format_nested(few: str, width: int, few_times: int) -> str:
    return f"{few:{width}}|{few:>{few_times}}|{few:.{few_times}}|{few:-^{width}.{few_times}}"


def str_format_mixed(text: str, number: int, flag: bool, maybe: str | None) -> str:
    return f"{text}{{}}{number} {flag!s} {maybe} {maybe!r} {number!r:>5} {text!r}"


def str_list_index(words: list[str], index: int) -> str:
    return words[index]


def str_list_slice(words: list[str], start: int, end: int) -> list[str]:
    return words[start:end]


def str_list_slice_step(words: list[str], start: int, end: int) -> list[str]:
    return words[start:end:2]


def str_list_slice_back(words: list[str], start: int, end: int) -> tuple[list[str], list[str]]:
    return words[start:end:-1], words[::-2]


def str_list_contains(words: list[str], part: str) -> tuple[bool, bool, int, bool]:
    return part in words, part not in words, len(words), bool(words)


def str_list_join(words: list[str], part: str) -> str:
    return part.join(words)


def str_join_letters(text: str) -> str:
    return "-".join(text)


def str_list_unpack(words: list[str]) -> tuple[str, str]:
    one, two = words
    return two, one


def str_min_max(words: list[str], few: str) -> tuple[str, str]:
    return min(words), max(few, words[0])


def str_letters(text: str) -> str:
    out = ""
    for c in text:
        out += c + "."
    return out


def str_letters_back(few: str) -> str:
    out = ""
    for c in reversed(few):
        out += c
    return out


def str_isinstance(text: str, maybe: str | None) -> tuple[bool, bool, bool]:
    return isinstance(text, str), isinstance(text, int), isinstance(maybe, str)


def str_format_any(few: str, spec: str) -> str:
    return f"{few:{spec}}"


def str_format_any_text(text: str, spec: str) -> str:
    return f"<{text:{spec}}>"
