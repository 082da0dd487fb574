"""Passwords that scripts verify: slow on purpose, and in nobody's way."""

import base64
import time
from pathlib import Path

import pytest
from support.proxying import scripted
from support.wire import Connection, fetch, request
from zeroserve import _core
from zeroserve.testing import Client

ARGON2ID = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
BCRYPT = "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"
SLOW = _core.hash_password("slow")

SCRIPT = f"""\
import base64

from zeroserve.script import Request, Response, on_request, on_response, verify_password

USERS = {{"ada": "{ARGON2ID}", "bob": "{BCRYPT}", "slow": "{SLOW}"}}
NOBODY = "{ARGON2ID}"


def user_of(req: Request) -> str | None:
    field = req.header("authorization") or ""
    if not field.startswith("Basic "):
        return None
    try:
        pair = base64.b64decode(field[6:]).decode("utf-8", "surrogateescape")
    except ValueError:
        return None
    user, _, password = pair.partition(":")
    right = verify_password(password, USERS.get(user, NOBODY))
    return user if right and user in USERS else None


@on_request
def guard(req: Request) -> Response | None:
    given = req.header("x-hash")
    if given is not None:
        try:
            return Response(200, str(verify_password(req.header("x-password") or "", given)))
        except ValueError:
            return Response(200, "refused")
    if req.path == "/hook":
        return Response(200, "open")
    user = user_of(req)
    if user is None:
        return Response(401, "who are you?", headers={{"WWW-Authenticate": "Basic"}})
    return Response(200, user + " " + str(len(req.body())))


@on_response
def check(req: Request, res: Response) -> None:
    if req.path == "/hook" and verify_password("password", NOBODY):
        res.set_header("X-Right", "yes")
"""


def basic(user: str, password: str | bytes) -> dict[str, str]:
    data = password.encode() if isinstance(password, str) else password
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + data).decode()}


@pytest.fixture(params=["native", "cpython"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    script = tmp_path / "guard.py"
    script.write_text(SCRIPT)
    return Client(script, engine=request.param)


def test_who_may_come_in(client: Client) -> None:
    for _ in range(2):
        for user, password, status in [
            ("ada", "password", 200),
            ("ada", "Password", 401),
            ("ada", "", 401),
            ("bob", "correctbatteryhorsestapler", 200),
            ("bob", "password", 401),
            ("eve", "password", 401),
        ]:
            got = client.get("/", basic(user, password))
            assert got.status == status, (user, password)
    assert client.get("/").status == 401
    got = client.post("/", basic("ada", "password"), b"x" * 1000)
    assert got.text() == "ada 1000"


def test_passwords_that_are_none(client: Client) -> None:
    for password in (b"\xff\xfe", b"x" * 1025, b"x" * 5000, b"password\0", b"password\0more"):
        assert client.get("/", basic("ada", password)).status == 401
        assert client.get("/", basic("bob", password)).status == 401


@pytest.mark.parametrize(
    "hash",
    [
        "",
        "password",
        "$apr1$abc$def",
        ARGON2ID.replace("argon2id", "argon2d"),
        ARGON2ID.replace("m=256", "m=99999999"),
        ARGON2ID.replace("t=2", "t=1000"),
        BCRYPT.replace("$04$", "$31$"),
        "ü",
        ARGON2ID + "A" * 600,
    ],
)
def test_hashes_that_are_refused(client: Client, hash: str) -> None:
    for password in ("password", "x" * 2000):
        got = client.get("/", {"x-hash": hash, "x-password": password})
        assert (got.status, got.text()) == (200, "refused")


def test_what_is_hashed_is_verified(client: Client) -> None:
    made = _core.hash_password("pässword")
    assert made != _core.hash_password("pässword")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    for password, right in [("pässword", "True"), ("password", "False")]:
        assert client.get("/", {"x-hash": made, "x-password": password}).text() == right
    with pytest.raises(ValueError, match="longer than 1024 bytes"):
        _core.hash_password("x" * 1025)


def test_response_hooks_do_not_wait(client: Client) -> None:
    assert client.get("/hook").status == 500
    assert client.get("/", basic("ada", "password")).status == 200


def test_over_sockets_others_go_on(tmp_path: Path) -> None:
    with scripted(SCRIPT, tmp_path) as front:
        assert fetch(front.address, "/", basic("ada", "password")).body == b"ada 0"
        with front.connect2() as two:
            fields = [(k.lower(), v) for k, v in basic("slow", "slow").items()]
            asked = [two.ask("/", "GET", fields) for _ in range(3)]
            wrong = two.ask("/", "GET", [("authorization", basic("slow", "x")["Authorization"])])
            assert [two.response(stream).body for stream in asked] == [b"slow 0"] * 3
            assert two.response(wrong).status == 401
            got = two.post("/", b"x" * 5000, fields)
            assert got.body == b"slow 5000"
        with front.connect() as connection:
            # Three of one read, the second of which waits.
            for user, password in [("ada", "password"), ("slow", "wrong"), ("ada", "password")]:
                connection.send(request("/", basic(user, password)))
            assert [connection.response().status for _ in range(3)] == [200, 401, 200]


def test_a_crowd_is_told_to_come_again(tmp_path: Path) -> None:
    """More passwords at a time than are verified: some wait, the rest hears so at once."""
    with scripted(SCRIPT, tmp_path) as front:
        assert fetch(front.address, "/", basic("slow", "slow")).status == 200
        crowd = [Connection(front.address) for _ in range(150)]
        try:
            for n, connection in enumerate(crowd):
                connection.send(request("/", basic("slow", f"wrong {n}")))
            # Who was right lately is not in the crowd.
            assert fetch(front.address, "/", basic("slow", "slow")).status == 200
            statuses = [connection.response().status for connection in crowd]
        finally:
            for connection in crowd:
                connection.close()
        assert set(statuses) == {401, 503}
        assert statuses.count(401) >= 64
        assert fetch(front.address, "/", basic("ada", "password")).status == 200
        front.server.wait_line("more passwords to verify than there is time for")


def test_clients_that_leave_while_it_is_verified(tmp_path: Path) -> None:
    with scripted(SCRIPT, tmp_path) as front:
        for n in range(40):
            with front.connect() as connection:
                connection.send(request("/", basic("slow", f"wrong {n}")))
        for _ in range(200):
            if fetch(front.address, "/", basic("ada", "password")).status == 200:
                break
            time.sleep(0.05)
        assert fetch(front.address, "/", basic("ada", "password")).status == 200
