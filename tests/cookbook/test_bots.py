"""examples/scripts/python/bots.py"""

import pytest
import zeroserve
from support.cookbook import Serve, logged

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    ("agent", "status"),
    [
        (BROWSER, 200),
        ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", 403),
        ("mozilla/5.0 (compatible; semrushbot/7~bl)", 403),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 200),
        ("", 403),
        (None, 403),
    ],
)
def test_by_name(serve: Serve, agent: str | None, status: int) -> None:
    headers = {} if agent is None else {"user-agent": agent}
    client = serve("bots.py", files={"robots.txt": "User-agent: *\n"})
    assert client.get("/page.html", headers).status == status
    assert client.get("/robots.txt", headers).status == 200


@pytest.mark.parametrize(
    "path", ["/wp-login.php", "/blog/wp-admin/", "/.git/config", "/%2Eenv", "/x.PHP", "/index.jsp"]
)
def test_scanners_get_nothing(serve: Serve, path: str) -> None:
    with pytest.raises(zeroserve.Error, match="closed without an answer"):
        serve("bots.py").get(path, {"user-agent": BROWSER})


def test_one_line_a_minute(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    client = serve("bots.py")
    for _ in range(3):
        client.get("/page.html", {"user-agent": "CCBot/2.0"})
    line = "refused 127.0.0.1: CCBot"
    assert logged(capfd, line).count(line) == 1
