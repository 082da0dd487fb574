"""examples/scripts/python/signed_urls.py"""

import hashlib
import hmac
import subprocess
import sys
import time

import pytest
from support.cookbook import SCRIPTS, Serve
from zeroserve.testing import Client

SECRET = "0123456789abcdef-secret"
PATH = "/private/report.txt"


def link(path: str, expires: int, secret: str = SECRET) -> str:
    text = f"{path}\n{expires}".encode()
    signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return f"{path}?expires={expires}&signature={signature}"


SOON = int(time.time()) + 3600
GOOD = link(PATH, SOON)


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("URL_SECRET", SECRET)
    return serve("signed_urls.py")


def test_a_link_is_good_for_its_file(client: Client) -> None:
    answer = client.get(GOOD)
    assert (answer.text(), answer.headers["cache-control"]) == ("secret\n", "private")
    assert client.get("/page.html").status == 200
    missing = client.get(link("/private/a b", SOON).replace(" ", "%20"))
    assert missing.status == 404


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (PATH, 403),
        ("//private/report.txt", 403),
        ("/%70rivate/report.txt", 403),
        (PATH + "?expires=&signature=", 403),
        (PATH + "?expires=1&signature=é", 403),
        (GOOD[:-1], 403),
        (GOOD + "0", 403),
        (GOOD.replace(str(SOON), str(SOON + 1)), 403),
        (GOOD.replace(str(SOON), f"{SOON}000"), 403),
        (GOOD.replace(str(SOON), "%D9%A1"), 403),  # a digit, but not one of ours
        (link("/private/other.txt", SOON).replace("other", "report"), 403),
        (link(PATH, SOON, "another secret, as long"), 403),
        (link(PATH, 1_000_000_000), 410),
    ],
)
def test_refused(client: Client, target: str, status: int) -> None:
    answer = client.get(target)
    assert (answer.status, answer.headers["cache-control"]) == (status, "no-store")
    assert b"secret\n" not in answer.body


def test_the_command(client: Client) -> None:
    command = [sys.executable, str(SCRIPTS / "signed_urls.py"), PATH, "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert client.get(done.stdout.strip()).text() == "secret\n"


def test_without_a_secret(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL_SECRET", raising=False)
    assert serve("signed_urls.py").get(GOOD).status == 503
