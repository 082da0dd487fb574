"""Patterns: ``re``.

Lone surrogates in what is searched, and text that is not ASCII where a pattern has word boundaries,
stop a compiled script.
"""

import re

_DATE = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)$")
_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"\s+")
_PATH = re.compile(r"/([a-z]+)/([^/]*)(/(\d+))?")
_IGNORE = re.compile(r"k[äß]?s|σ|i", re.IGNORECASE)
_LINES = re.compile(r"^a|b$", re.M)
_VERBOSE = re.compile(
    r"""
    (?P<key> [a-z]+ ) \s* = \s*   # a name
    (?P<value> .* )
    """,
    re.VERBOSE,
)


def re_search(subject: str) -> str:
    """Stops: surrogate"""
    found = re.search(r"a(.)(b)?", subject)
    if found is None:
        return "none"
    start, end = found.span()
    return f"{found.group()!r} {found[1]!r} {found.group(2)!r} {found.end(1)} {start} {end}"


def re_search_spans(subject: str) -> str:
    """Stops: surrogate"""
    found = re.search(r"(ä|İ)?([a1])(\n)?", subject)
    if not found:
        return "none"
    a, b = found.span(1)
    c, d = found.span(3)
    return f"{found.start()} {found.start(2)} {found.end()} {a} {b} {c} {d}"


def re_match(subject: str) -> tuple[bool, bool, bool]:
    """Stops: surrogate"""
    return (
        re.match(r"[a-c]+", subject) is not None,
        re.match("", subject) is not None,
        bool(re.match(r"a|ab\n?", subject)),
    )


def re_fullmatch(subject: str) -> tuple[bool, bool, bool, bool]:
    """Stops: surrogate"""
    return (
        re.fullmatch(r"a|ab", subject) is not None,
        re.fullmatch(r"[ab]*$", subject) is not None,
        re.fullmatch(r"\w*", subject) is not None,
        re.fullmatch(r".*", subject) is not None,
    )


def re_dollar(subject: str) -> tuple[bool, bool, bool, str]:
    """Stops: surrogate"""
    found = re.search(r"(a|b)$", subject)
    return (
        re.match(r"\w*$", subject) is not None,
        re.search(r"^$", subject) is not None,
        re.search(r"a\Z", subject) is not None,
        "none" if found is None else f"{found.group(0)} {found.start()} {found.end()}",
    )


def re_dollar_lines(subject: str) -> tuple[bool, list[str], str]:
    """Stops: surrogate"""
    return (
        _LINES.search(subject) is not None,
        re.findall(r"(?m)^.*$", subject),
        re.sub(r"(?m)$", "|", subject),
    )


def re_dollar_sub(subject: str) -> tuple[str, str, str]:
    """Stops: surrogate"""
    return re.sub(r"\s*$", "<>", subject), re.sub(r"$", "!", subject), re.sub(r"/*$", "/", subject)


def re_dollar_findall(subject: str) -> tuple[list[str], list[str]]:
    """Stops: surrogate"""
    return re.findall(r"\w*$", subject), re.findall(r"$", subject)


def re_classes(subject: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        re.findall(r"\d+", subject),
        re.findall(r"\s", subject),
        re.findall(r"\w+", subject),
        re.findall(r"[^\w\s]", subject),
    )


def re_classes_not(subject: str) -> tuple[list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return re.findall(r"\D+", subject), re.findall(r"\S+", subject), re.findall(r"\W+", subject)


def re_classes_ascii(subject: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        re.findall(r"\w+", subject, re.A),
        re.findall(r"\d", subject, re.ASCII),
        re.findall(r"(?a)\s", subject),
        re.findall(r"\W+", subject, flags=re.A),
    )


def re_character(code: int) -> str:
    """Stops: surrogate|chr"""
    c = chr(code)
    return "".join(
        (
            "w" if re.match(r"\w", c) else "-",
            "s" if re.match(r"\s", c) else "-",
            "d" if re.match(r"\d", c) else "-",
            "." if re.match(r".", c) else "-",
            "k" if re.match(r"[ks]", c, re.I) else "-",
            "S" if re.match(r"ß|σ|ſ|ǆ", c, re.I) else "-",
            "e" if re.match(r"[à-þ]", c, re.I) else "-",
            "n" if re.match(r"[^a-z]", c, re.I) else "-",
            "i" if re.match(r"i", c, re.I) else "-",
        )
    )


def re_ignore_case(subject: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        _IGNORE.findall(subject),
        re.findall(r"[a-zß]+", subject, re.I),
        re.findall(r"(?i)ä|[é-ï]", subject),
        re.findall(r"[^k]", subject, re.I),
    )


def re_ignore_case_ascii(subject: str) -> tuple[list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        re.findall(r"ks?", subject, re.I | re.A),
        re.findall(r"(?i:a)B", subject),
        re.findall(r"[a-kß]|[^i]", subject, re.I | re.A),
    )


def re_ignore_case_ranges(subject: str) -> tuple[list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        re.findall(r"[α-ω]+|[\u0400-\U0001ffff]", subject, re.I),
        re.findall(r"[^Α-Ωſ\d]", subject, re.I),
        re.findall(r"[𐐀a]|[\w]b|ŉ|ẞ|ﬆ", subject, re.I),
    )


def re_boundary(ascii: str) -> tuple[list[str], list[str], str]:
    """Stops: and an empty string"""
    return re.findall(r"\b\w+\b", ascii), re.findall(r"\Ba\B", ascii), re.sub(r"\b", "|", ascii)


def re_boundary_empty(ascii: str) -> tuple[int, int, str]:
    """Stops: and an empty string"""
    return len(re.findall(r"\b", ascii)), len(re.findall(r"\B", ascii)), re.sub(r"\B", "-", ascii)


def re_boundary_any(subject: str) -> list[str]:
    """Stops: surrogate|ASCII"""
    return re.findall(r"\ba\w*", subject)


def re_boundary_ascii_flag(subject: str) -> list[str]:
    """Stops: surrogate|ASCII"""
    return re.findall(r"\b\w", subject, re.A)


def re_groups_named(ascii: str) -> str:
    found = _DATE.search(ascii)
    if found is None:
        return "none"
    year, month, day = found.groups()
    return f"{found['year']} {found.group('month')} {day} {year} {month} {found.span('day')[0]}"


def re_groups_path(ascii: str) -> str:
    if found := _PATH.match(ascii):
        one, two = found.group(1, 2)
        return f"{one} {two} {found.group(3)} {found[4]} {found.end(4)}"
    return "none"


def re_alternatives(subject: str) -> tuple[list[str], str, str]:
    """Stops: surrogate"""
    found = re.search(r"(a)|(b)|(ab)", subject)
    return (
        re.findall(r"a|ab|abc", subject),
        "" if found is None else f"{found[1]} {found[2]} {found[3]}",
        re.sub(r"(a)|b", r"<\1>", subject),
    )


def re_repeats(subject: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        re.findall(r"a{2}|b{1,2}?", subject),
        re.findall(r"a*?b", subject),
        re.findall(r"a*", subject),
        re.findall(r"(?:ab?)+", subject),
    )


def re_repeated_group(subject: str) -> str:
    """Stops: surrogate"""
    found = re.search(r"(?:(a)|(b))+", subject)
    return "none" if found is None else f"{found[0]} {found[1]} {found[2]}"


def re_lazy(subject: str) -> tuple[list[str], list[str], str]:
    """Stops: surrogate"""
    found = re.search(r"(a??)(b??)", subject)
    return (
        re.findall(r"a.*?b", subject),
        [] if found is None else [found[0], str(found[1])],
        re.sub(r"a+?", "-", subject),
    )


def re_dot(subject: str) -> tuple[list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        re.findall(r".", subject),
        re.findall(r"a.", subject, re.S),
        re.findall(r"(?s).+", subject),
    )


def re_findall_empty(subject: str) -> tuple[list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return re.findall(r"", subject), re.findall(r"(a)?", subject), re.findall(r"x*", subject)


def re_sub(subject: str, count: int) -> tuple[str, str, str]:
    """Stops: surrogate"""
    return (
        _SPACES.sub(" ", subject, count),
        re.sub(r"(a)(b)?", r"[\2\g<1>\\]", subject, count=count),
        re.sub(r"x*", "-", subject),
    )


def re_sub_names(ascii: str) -> tuple[str, str]:
    return re.sub(r"(?P<k>\w)=(?P<v>\w)", r"\g<v>=\g<k>", ascii), re.sub(r"[/.]+", r"\n\t", ascii)


def re_sub_empty(subject: str) -> tuple[str, str, str]:
    """Stops: surrogate"""
    return re.sub(r"a*", "-", subject), re.sub(r"", "|", subject), re.sub(r"a|", "<>", subject)


def re_verbose(ascii: str) -> str:
    found = _VERBOSE.fullmatch(ascii)
    return "none" if found is None else found["key"] + "|" + found["value"]


def re_compiled(subject: str) -> tuple[bool, bool, bool, list[str]]:
    """Stops: surrogate"""
    return (
        _WORD.match(subject) is not None,
        _WORD.fullmatch(subject) is not None,
        _SPACES.search(subject) is not None,
        _WORD.findall(subject),
    )


def re_sets(subject: str) -> tuple[list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return (
        re.findall(r"[^a-b\n]+", subject),
        re.findall(r"[\d\-.äé]", subject),
        re.findall(r"[]\\^\[&~|-]", subject),
    )


def re_anchors(subject: str) -> tuple[list[str], list[str], list[str]]:
    """Stops: surrogate"""
    return re.findall(r"^a", subject), re.findall(r"\Aa|b", subject), re.findall(r"(?m)^", subject)


def re_escape(text: str, ascii: str) -> tuple[str, str]:
    return re.escape(text), re.escape(ascii)


def re_addresses(ascii: str) -> tuple[bool, bool, bool]:
    return (
        re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", ascii) is not None,
        re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}", ascii) is not None,
        re.match(r"^/(?:a|b)(?:/|$)", ascii) is not None,
    )
