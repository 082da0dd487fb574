"""Random files of rules, and requests that are likely to meet them."""

from hypothesis import strategies as st

SEGMENTS = st.sampled_from(["a", "b", "c", "Aa", "x-y", "a b", "ü", "index.html", "c%2Fd", "1.5"])
HOSTS = st.sampled_from(["localhost", "www.example.com", "example.com", "blog.example.com"])
LANGUAGES = st.sampled_from(["en", "de", "de-at", "fr"])
NAMES = ("one", "two", "class")

FILES = {
    "index.html": "<h1>home</h1>",
    "a/index.html": "a",
    "a/b": "ab",
    "b.txt": "b",
    "c/d/e.html": "cde",
    "404.html": "<h1>missing</h1>",
}


@st.composite
def paths(draw: st.DrawFn) -> str:
    """A path of a few parts."""
    parts = draw(st.lists(SEGMENTS, max_size=4))
    has_slash: bool = draw(st.booleans())
    return "/" + "/".join(parts) + ("/" if parts and has_slash else "")


@st.composite
def patterns(draw: st.DrawFn, *, host: bool = True) -> tuple[str, list[str]]:
    """A pattern as it is written, and the names in it."""
    parts: list[str] = []
    names: list[str] = []
    for part in draw(st.lists(SEGMENTS, max_size=3)):
        kind = draw(st.integers(0, 5))
        free = [name for name in NAMES if name not in names]
        if kind == 0 and free:
            names.append(free[0])
            parts.append(f":{free[0]}")
        elif kind == 1 and "splat" not in names:
            names.append("splat")
            parts.append(draw(st.sampled_from(["*", "*", "x*", "*.html", "a*c"])))
        else:
            parts.append(part.replace(" ", "%20"))
    if "splat" not in names and draw(st.booleans()):
        names.append("splat")
        parts.append("*")
    start = ""
    if host and draw(st.integers(0, 7)) == 0:
        start = draw(st.sampled_from(["https://www.example.com", "http://:sub.example.com"]))
        names += ["sub"] if ":sub" in start else []
    end = "/" if parts and parts[-1] != "*" and draw(st.booleans()) else ""
    return start + "/" + "/".join(parts) + end, names


@st.composite
def targets(draw: st.DrawFn, names: list[str]) -> str:
    """A target that may use these names."""
    parts = draw(st.lists(SEGMENTS.map(lambda s: s.replace(" ", "%20")), max_size=2))
    for name in names:
        if draw(st.integers(0, 1)):
            parts.append(draw(st.sampled_from([":{}", "x-:{}"])).format(name))
    start = draw(st.sampled_from(["", "", "", "https://example.net", "https://example.net/base"]))
    query = ""
    if draw(st.integers(0, 5)) == 0:
        query = f"?v=:{names[0]}" if names else "?v=1"
    return start + "/" + "/".join(parts) + query + draw(st.sampled_from(["", "", "#top"]))


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A line of `_redirects`, good or bad."""
    pattern, names = draw(patterns())
    words = [pattern]
    if draw(st.integers(0, 5)) == 0:
        words.append(draw(st.sampled_from(["id=:id", "id=7", "q=a%20b"])))
        if words[-1] == "id=:id":
            names.append("id")
    if draw(st.integers(0, 9)):
        words.append(draw(targets(names)))
    status = draw(st.sampled_from(["", "200", "200", "301", "302", "307", "404", "410", "451"]))
    if status:
        words.append(status + draw(st.sampled_from(["", "", "!"])))
    if draw(st.integers(0, 5)) == 0:
        words.append(draw(st.sampled_from(["Language=de,fr", "Cookie=a,b", "Language=en"])))
    return " ".join(words)


redirects = st.lists(rules(), max_size=24).map("\n".join)


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """A block of `_headers`."""
    pattern, names = draw(patterns())
    lines = [pattern]
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["X-A", "x-a", "X-B", "Cache-Control", "Set-Cookie", "Link"]))
        if draw(st.integers(0, 4)) == 0:
            lines.append(f"  ! {name}")
            continue
        value = draw(st.sampled_from(["1", "max-age=5", 'say "hi" {x}', "it's"]))
        if names and draw(st.integers(0, 1)) == 1:
            value = f"</:{names[0]}>; {value}"
        lines.append(f"  {name}: {value}")
    return "\n".join(lines)


headers = st.lists(blocks(), max_size=24).map("\n".join)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """Path with query, and headers."""
    path = draw(paths()).replace(" ", "%20")
    if draw(st.integers(0, 20)) == 0:
        path = draw(
            st.sampled_from(["/..", "/a/../../b", "/%zz", "/a/%ff", "/a%0Ab", "//a", "/a%5Cb"])
        )
    query = draw(st.sampled_from(["", "", "?x=1", "?id=7", "?id=a%2Fb&x", "?q=a+b"]))
    sent = {"host": draw(HOSTS)}
    if draw(st.booleans()):
        sent["accept-language"] = draw(st.sampled_from(["de", "en;q=0.5, de-AT", "fr;q=0, en", ""]))
    if draw(st.booleans()):
        sent["cookie"] = draw(st.sampled_from(["a=1", "c=2; b=", "d=4"]))
    return path + query, sent
