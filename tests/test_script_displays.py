"""Dicts with a name in functions, loops over constants that are no values, clocks and addresses."""

import textwrap
from pathlib import Path

import pytest
from support.cookbook import ENGINES
from zeroserve.compiler import CompileError, compile_text
from zeroserve.testing import Client

HEAD = """\
import json
import re
import time
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlencode

from zeroserve.script import Request, Response, on_request, redirect

ROUTES = (
    ("user", re.compile(r"/users/(\\d+)"), 200),
    ("page", re.compile(r"/([a-z]+)"), 201),
)
NETWORKS = {"home": ip_network("127.0.0.0/8"), "six": ip_network("2001:db8::/32")}
ROWS = (("/a", ("x", "y")), ("/b", ("x", "y", "z")), ("/c", ()))


@on_request
def app(req: Request) -> Response | None:
"""

SAME = {
    "headers": """
        headers = {"X-Path": req.raw_path, "X-Fixed": "1"}
        if req.path == "/a":
            return Response(201, headers=headers)
        return Response(200, "x", headers=headers)
    """,
    "json": """
        n = len(req.path)
        inner = {"path": req.raw_path, "list": [n, {"n": n + 1}]}
        answer: dict[str, object] = {"n": n, "inner": inner, "none": req.header("x")}
        n = 0
        return Response(200, json.dumps(answer) + str(n))
    """,
    "urlencode": """
        fields = {"path": req.raw_path, "n": len(req.path)}
        return redirect("/?" + urlencode(fields))
    """,
    "a_dict_that_was_not_made": """
        try:
            if req.path == "/a":
                raise ValueError
            made = {"A": "b"}
        except ValueError:
            return Response(400)
        return Response(200, headers=made)
    """,
    "patterns": """
        for name, pattern, status in ROUTES:
            found = pattern.fullmatch(req.path)
            if found:
                return Response(status, f"{name} {found[1]}")
        return None
    """,
    "networks": """
        ip = ip_address(req.header("x-ip") or "127.0.0.1")
        for name, network in NETWORKS.items():
            if ip in network:
                return Response(200, f"{name} {ip.packed.hex()}")
        inside = all(ip not in network for network in NETWORKS.values() if req.path != "/a")
        return Response(200, str(inside))
    """,
    "rows": """
        text = ""
        for prefix, names in ROWS:
            if req.path == prefix and any(name == "z" for name in names):
                return Response(200, prefix)
            text += prefix + str(len(names))
        return Response(200, text)
    """,
    "clocks": """
        now = int(time.time())
        early, late = time.time() > now - 60, time.time() <= now + 60
        return Response(200, f"{early} {late} {now + 60 < time.time()} {time.time() >= 1 << 62}")
    """,
    "headers_of_answers": """
        answer = redirect(req.raw_path + "x", 303)
        answer.append_header("Set-Cookie", "a=1")
        answer.append_header("Set-Cookie", f"b={len(req.path)}")
        return answer
    """,
}


def script(body: str) -> str:
    return HEAD + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n    return None\n"


@pytest.mark.parametrize("name", SAME)
def test_as_in_cpython(name: str, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(script(SAME[name]), encoding="utf-8")
    native, cpython = (Client(app, engine=engine) for engine in ENGINES)
    for path in ("/", "/a", "/b", "/c", "/users/7", "/users/x", "/%C3%A9%22"):
        for ip in ("127.0.0.1", "2001:db8::1", "192.0.2.1"):
            one, other = (client.get(path, {"x-ip": ip}) for client in (native, cpython))
            assert (one.status, one.body) == (other.status, other.body), path
            for field in ("location", "x-path", "x-fixed", "a"):
                assert one.headers.get(field) == other.headers.get(field)
            assert one.headers.getlist("set-cookie") == other.headers.getlist("set-cookie")


REFUSED = {
    "twice": ("h = {'a': 'b'}\nif req.path == '/':\n    h = {'c': 'd'}", "set in several places"),
    "perhaps": (
        "if req.path == '/':\n    h = {'c': req.path}\nreturn Response(200, headers=h)",
        "h may not have a value here",
    ),
    "looked_up": ("h = {'a': 'b'}\nx = h['a']", "a dict made while running"),
    "changed": ("h = {'a': 'b'}\nh['a'] = 'c'", "a dict made while running"),
    "break": (
        "for name, pattern, status in ROUTES:\n    if pattern.search(req.path):\n        break",
        "can't hold a re.Pattern",
    ),
    "name_of_a_header": (
        "r = Response(200)\nr.append_header(req.path, 'x')",
        "not known to be another than Content-Type",
    ),
    "type_of_an_answer": (
        "r = Response(200)\nr.append_header('content-type', 'x')",
        "not known to be another than Content-Type",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    body, message = REFUSED[name]
    with pytest.raises(CompileError, match=message):
        compile_text(script(body))
