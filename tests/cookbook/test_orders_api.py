"""examples/scripts/python/orders_api.py"""

import json
from typing import Any

import pytest
from support.cookbook import Serve
from zeroserve.testing import Client, Response


def post(client: Client, body: Any, **headers: str) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/api/quote", fields, data)


def order(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "country": "DE", **more}


TEA = {"sku": "tea", "count": 2}


def test_quotes(serve: Serve) -> None:
    client = serve("orders_api.py")
    answer = post(client, order(TEA, {"sku": "cup"}), content_type="application/json")
    assert answer.status == 200
    assert answer.json() == {"currency": "EUR", "items": 2500, "shipping": 490, "total": 2990}
    assert answer.headers["cache-control"] == "no-store"
    large = post(client, order({"sku": "pot", "count": 1000}, country="FR")).json()
    assert (large["shipping"], large["total"]) == (0, 3_400_000)


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{", 400, ""),
        (b"\xff", 400, ""),
        (b"", 400, ""),
        ([], 422, "#"),
        ({}, 422, "#/items"),
        (order(), 422, "#/items"),
        (order(*[TEA] * 51), 422, "#/items"),
        (order(TEA, country="XX"), 422, "#/country"),
        (order(TEA, country=1), 422, "#/country"),
        (order(TEA, "tea"), 422, "#/items/1"),
        (order({"count": 1}), 422, "#/items/0/sku"),
        (order({"sku": "gold"}), 422, "#/items/0/sku"),
        (order({"sku": ["tea"]}), 422, "#/items/0/sku"),
        (order({"sku": "tea", "count": 0}), 422, "#/items/0/count"),
        (order({"sku": "tea", "count": 1001}), 422, "#/items/0/count"),
        (order({"sku": "tea", "count": True}), 422, "#/items/0/count"),
        (order({"sku": "tea", "count": 1.0}), 422, "#/items/0/count"),
        (order({"sku": "tea", "count": "1"}), 422, "#/items/0/count"),
        (order({"sku": "tea", "count": None}), 422, "#/items/0/count"),
    ],
)
def test_problems(serve: Serve, body: Any, status: int, pointer: str) -> None:
    answer = post(serve("orders_api.py"), body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["status"], answer.json()["pointer"]) == (status, pointer)


def test_other_requests(serve: Serve) -> None:
    client = serve("orders_api.py")
    wrong = client.get("/api/quote")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert post(client, order(TEA), content_type="text/xml").status == 415
    charset = post(client, order(TEA), content_type="Application/JSON ; charset=utf-8")
    assert charset.status == 200
    assert client.get("/page.html").status == 200
