"""A JSON API without a backend: POST /api/quote adds up an order.

    curl -d '{"items": [{"sku": "tea", "count": 2}], "country": "DE"}' http://localhost:8080/api/quote

Prices are in the smallest unit of the currency: scripts have whole numbers only, and that is what
money wants anyway. All that is wrong with an order is said at once, with a pointer into the body.
"""

import json
from typing import Any

from zeroserve.script import Request, Response, on_request

PATH = "/api/quote"
CURRENCY = "EUR"
PRICES = {"tea": 650, "cup": 1200, "pot": 3400}
SHIPPING = {"DE": 490, "AT": 790, "FR": 990}
FREE_SHIPPING_FROM = 5000
MAX_ITEMS = 50
MAX_COUNT = 1000


def problem(status: int, pointer: str, detail: str) -> Response:
    """An error as RFC 9457 has it."""
    body = json.dumps({"status": status, "detail": detail, "pointer": pointer})
    return Response(
        status,
        body + "\n",
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store"},
    )


def total_of(items: list[Any]) -> tuple[int, str, str]:
    """The sum of the items, or where something is wrong and what."""
    total = 0
    for at, item in enumerate(items):
        place = f"#/items/{at}"
        if not isinstance(item, dict):
            return 0, place, "not an object"
        sku = item.get("sku")
        price = PRICES.get(sku) if isinstance(sku, str) else None
        if price is None:
            return 0, f"{place}/sku", "not an article of ours"
        count = item.get("count", 1)
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
            return 0, f"{place}/count", f"not a whole number from 1 to {MAX_COUNT}"
        total += price * count
    return total, "", ""


@on_request
def quote(req: Request) -> Response | None:
    if req.path != PATH:
        return None
    if req.method != "POST":
        return Response(405, "POST an order\n", headers={"Allow": "POST"})
    media_type = (req.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type not in ("application/json", "application/x-www-form-urlencoded", ""):
        return problem(415, "", "send application/json")
    try:
        order = req.json()
    except ValueError:
        return problem(400, "", "the body is not JSON")
    if not isinstance(order, dict):
        return problem(422, "#", "not an object")
    items = order.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        return problem(422, "#/items", f"not a list of 1 to {MAX_ITEMS} items")
    country = order.get("country")
    if not isinstance(country, str) or country not in SHIPPING:
        return problem(422, "#/country", f"one of {', '.join(SHIPPING)}")
    total, pointer, detail = total_of(items)
    if detail:
        return problem(422, pointer, detail)
    shipping = 0 if total >= FREE_SHIPPING_FROM else SHIPPING[country]
    answer = {
        "currency": CURRENCY,
        "items": total,
        "shipping": shipping,
        "total": total + shipping,
    }
    return Response(
        200,
        json.dumps(answer) + "\n",
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
