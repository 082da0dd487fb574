"""examples/scripts/python/basic_auth.py"""

import base64

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

PATH = "/private/report.txt"


def authorization(name: str, password: str) -> dict[str, str]:
    pair = f"{name}:{password}".encode()
    return {"authorization": "Basic " + base64.b64encode(pair).decode()}


ADA = authorization("ada", "correct horse battery staple")
GRACE = authorization("grace", "tr0ub4dor&3")


@pytest.fixture
def client(serve: Serve) -> Client:
    return serve("basic_auth.py")


def test_who_knows_the_password_comes_in(client: Client) -> None:
    for headers in (ADA, GRACE, ADA):
        assert client.get(PATH, headers).text() == "secret\n"
    lower = {"authorization": ADA["authorization"].replace("Basic", "basic")}
    assert client.get(PATH, lower).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        authorization("ada", "tr0ub4dor&3"),
        authorization("ada", ""),
        authorization("eve", ""),
        authorization("Ada", "correct horse battery staple"),
        {"authorization": "Bearer x"},
        {"authorization": "Basic"},
        {"authorization": "Basic YWRh"},
        {"authorization": "Basic !!!!"},
        {"authorization": "Basic /////w=="},
        {"authorization": "Basic " + "A" * 5000},
    ],
)
def test_others_do_not(client: Client, headers: dict[str, str]) -> None:
    answer = client.get(PATH, headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="private", charset="UTF-8"'
    assert b"secret" not in answer.body


def test_another_way_to_write_the_path(client: Client) -> None:
    for path in ("//private/report.txt", "/%70rivate/report.txt", "/x/../private/report.txt"):
        assert client.get(path).status == 401


def test_the_rest_is_open(client: Client) -> None:
    assert client.get("/page.html").status == 200


def test_few_tries_a_minute(serve: Serve) -> None:
    client = serve("basic_auth.py", TRIES_PER_MINUTE=3)
    assert client.get(PATH, ADA).status == 200
    wrong = authorization("ada", "guess")
    answers = [client.get(PATH, wrong) for _ in range(3)]
    assert [answer.status for answer in answers] == [401, 401, 429]
    assert answers[2].headers["retry-after"] == "60"
    assert client.get(PATH, ADA).status == 200  # is remembered
    assert client.get(PATH, GRACE).status == 429
