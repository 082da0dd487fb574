"""Visitors of / are sent to the language that they prefer: /en/, /de/, /fr/ ...

A cookie that the site's language menu sets counts most, then Accept-Language with its weights
(RFC 9110, section 12.5.4): de-AT is served by de, and q=0 means never. Crawlers, which send
neither, get DEFAULT. Only / is redirected: links to a language stay what they are.
"""

import re

from zeroserve.script import Request, Response, on_request, redirect

LANGUAGES = ("en", "de", "fr", "pt-br")
DEFAULT = "en"
COOKIE = "language"

RANGE = re.compile(
    r"\s*([a-z]{1,8}(?:-[a-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?",
    re.IGNORECASE,
)


def weight(text: str) -> int:
    """A q-value in thousandths: 0.5 is 500."""
    whole, _, fraction = text.partition(".")
    return min(int(whole) * 1000 + int(fraction.ljust(3, "0")), 1000)


def fits(language: str, wanted: str) -> bool:
    """Whether a language serves a range: de serves de-AT, and pt-br serves pt."""
    return (
        language == wanted or wanted.startswith(f"{language}-") or language.startswith(f"{wanted}-")
    )


def preferred(header: str) -> str:
    """The best of our languages for an Accept-Language header."""
    best, best_weight = DEFAULT, 0
    for part in header.split(",")[:20]:
        found = RANGE.fullmatch(part)
        if not found:
            continue
        wanted = found[1].lower()
        q = weight(found[2] or "1")
        if q <= best_weight:
            continue
        if wanted == "*":
            best, best_weight = DEFAULT, q
            continue
        for language in LANGUAGES:
            if fits(language, wanted):
                best, best_weight = language, q
                break
    return best


@on_request
def choose(req: Request) -> Response | None:
    if req.path != "/":
        return None
    language = req.cookie(COOKIE)
    if language is None or language not in LANGUAGES:
        language = preferred(req.header("accept-language") or "")
    answer = redirect(f"/{language}/" + (f"?{req.query}" if req.query else ""), 302)
    answer.append_header("Vary", "Accept-Language, Cookie")
    answer.append_header("Cache-Control", "private, max-age=0")
    return answer
