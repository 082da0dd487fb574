"""examples/scripts/python/s3_proxy.py and sigv4.py

The server has no reverse proxy yet and answers 502 for it: what would be sent is shown by a hook.
Signatures are compared with those of the test suite that AWS publishes for Signature Version 4.
"""

import hashlib
import hmac
import re

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

SHOW = """\
from zeroserve.script import Request, Response, on_response


@on_response
def show(req: Request, res: Response) -> None:
    for name in ("Host", "X-Amz-Date", "X-Amz-Content-Sha256", "Authorization", "Cookie"):
        res.set_header(f"Seen-{name}", req.header(name) or "none")
    res.set_header("Seen-Path", req.raw_path)
"""

SIGN = """\
from sigv4 import Credentials, authorization

from zeroserve.script import Request, Response, on_request


@on_request
def sign(req: Request) -> Response | None:
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                              "us-east-1", "service")
    time = "20150830T123600Z"
    headers = [("host", "example.amazonaws.com"), ("x-amz-date", time)]
    return Response(
        200, authorization(credentials, req.method, req.raw_path, req.query, headers, time)
    )
"""

VECTORS = {
    "GET /": "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    "POST /": "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    "GET /?Param1=value1": "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    "GET /?Param2=value2&Param1=value1": (
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    ),
    "GET /?Param1=value2&Param1=Value1": (
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"
    ),
    "GET /%E1%88%B4": "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
}
"""get-vanilla, post-vanilla, get-vanilla-query ..., get-utf8."""


@pytest.mark.parametrize("request_line", VECTORS)
def test_published_signatures(serve: Serve, request_line: str) -> None:
    method, target = request_line.split(" ")
    client = serve(files={".zeroserve/scripts/sign.py": SIGN})
    answer = client.request(method, target).text()
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    assert answer == (
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, "
        f"Signature={VECTORS[request_line]}"
    )


@pytest.fixture
def client(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return serve("s3_proxy.py", files={".zeroserve/scripts/show.py": SHOW})


def signed(seen: dict[str, str], path: str) -> str:
    """The signature, computed in another way than in the script."""
    lines = [
        f"GET\n{path}\n",
        f"host:{seen['host']}",
        f"x-amz-content-sha256:{seen['x-amz-content-sha256']}",
        f"x-amz-date:{seen['x-amz-date']}\n",
        "host;x-amz-content-sha256;x-amz-date",
        seen["x-amz-content-sha256"],
    ]
    day = seen["x-amz-date"][:8]
    scope = f"{day}/eu-central-1/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{seen['x-amz-date']}\n{scope}\n{digest}"
    key = b"AWS4" + SECRET.encode()
    for part in (day, "eu-central-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    ("path", "sent"), [("/files/a.txt", "/a.txt"), ("/files/d/a%20b.txt?x=1", "/d/a%20b.txt")]
)
def test_requests_are_signed(client: Client, path: str, sent: str) -> None:
    answer = client.get(path, {"cookie": "id=1", "authorization": "Bearer mine"})
    assert answer.status == 502
    seen = {n.removeprefix("seen-"): v for n, v in answer.headers.items() if n.startswith("seen-")}
    assert seen["path"] == sent
    assert seen["host"] == "my-bucket.s3.eu-central-1.amazonaws.com"
    assert seen["cookie"] == "none"
    found = re.search(r"Signature=([0-9a-f]{64})$", seen["authorization"])
    assert found
    assert found[1] == signed(seen, sent)


def test_other_requests(client: Client) -> None:
    assert client.post("/files/a.txt").status == 405
    assert client.get("/files/d/").status == 404
    assert client.get("/page.html").status == 200


def test_without_a_key(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    assert serve("s3_proxy.py").get("/files/a.txt").status == 503
