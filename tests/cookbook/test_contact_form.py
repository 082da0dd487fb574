"""examples/scripts/python/contact_form.py"""

import json
from urllib.parse import urlencode

import pytest
from support.cookbook import Serve, logged
from zeroserve.testing import Client, Response

GOOD = {"name": "Zoë", "email": "zoe@example.org", "message": "Hello & <good> bye\n", "website": ""}


def send(client: Client, fields: dict[str, str], **headers: str) -> Response:
    return client.post("/contact", headers, urlencode(fields))


def test_a_message_is_logged(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    answer = send(serve("contact_form.py"), GOOD, origin="http://localhost:8080")
    assert (answer.status, answer.headers["location"]) == (303, "/thanks.html")
    line = logged(capfd, "}\n")
    assert line.startswith("zeroserve: script contact_form: contact {")
    said = json.loads(line.partition(": contact ")[2])
    assert said == {name: GOOD[name].strip() for name in ("name", "email", "message")}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "x" * 101),
        ("email", "zoe"),
        ("email", "zoe@example"),
        ("email", "a b@example.org"),
        ("message", ""),
        ("message", "x" * 4001),
    ],
)
def test_what_has_to_be_corrected(serve: Serve, field: str, value: str) -> None:
    answer = send(serve("contact_form.py"), {**GOOD, field: value})
    assert (answer.status, answer.headers["location"]) == (303, f"/contact.html?error={field}")


def test_programs(serve: Serve) -> None:
    client = serve("contact_form.py")
    assert send(client, {**GOOD, "website": "http://x"}).headers["location"] == "/thanks.html"
    assert send(client, GOOD, origin="https://evil.example").status == 403
    assert send(client, GOOD, origin="null").status == 403
    assert client.post("/contact", {}, b"name=\xff").status == 400
    assert client.get("/contact").headers["location"] == "/contact.html"


def test_not_too_often(serve: Serve) -> None:
    client = serve("contact_form.py", PER_HOUR=2)
    assert [send(client, GOOD).status for _ in range(3)] == [303, 303, 429]


def test_a_service_behind(serve: Serve) -> None:
    client = serve("contact_form.py", UPSTREAM="http://127.0.0.1:9000")
    assert send(client, GOOD).status == 502  # until there is a reverse proxy
