"""What may stand in zeroserve.toml: faults, the JSON Schema, the reference, the example."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.configured import script
from support.server import command
from zeroserve.config import example, file, schema
from zeroserve.config.keys import rows
from zeroserve.config.paths import BasicAuth, Cors, Proxy, RateLimit, Redirect
from zeroserve.config.paths import Path as PathKeys
from zeroserve.config.pools import Pool
from zeroserve.config.site import Maintenance, Settings, Shared

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden" / "toml"

SITE = jsonschema.Draft202012Validator(schema.of_site())
PROCESS = jsonschema.Draft202012Validator(schema.of_process())

TABLES = (Settings, Shared, Maintenance, PathKeys, Redirect, Proxy, Cors, BasicAuth, RateLimit)


def faults(text: str, *, of_process: bool = False) -> list[str]:
    found = file.read(text.encode(), "f.toml", of_process=of_process)[1].found
    return [f"{one} ({one.hint})" if one.hint else str(one) for one in found]


# --- goldens --------------------------------------------------------------------------------------

BLESS = "python -m pytest tests/test_toml_keys.py --bless"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("good-*.toml")), ids=lambda path: path.stem)
def test_what_a_file_becomes(path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text(encoding="utf-8")
    assert [error.message for error in SITE.iter_errors(tomllib.loads(text))] == []
    _compare(path.with_suffix(".py.txt"), script(text), request)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("bad-*.toml")), ids=lambda path: path.stem)
def test_what_is_said_of_a_bad_file(path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text(encoding="utf-8")
    of_process = "process" in path.stem
    _compare(
        path.with_suffix(".txt"), "\n".join(faults(text, of_process=of_process)) + "\n", request
    )
    assert not (PROCESS if of_process else SITE).is_valid(tomllib.loads(text))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("good-*.py.txt")), ids=lambda path: path.stem)
def test_what_it_becomes_is_as_a_formatter_leaves_it(path: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("needs ruff (python -m pip install ruff)")
    done = subprocess.run(
        [ruff, "format", "--isolated", "--diff", "--stdin-filename", "50-rules.py"],
        input=path.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


def test_what_it_becomes_is_well_typed(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api", reason="needs mypy (python -m pip install mypy)")
    for path in GOLDEN.glob("good-*.py.txt"):
        copy = tmp_path / path.name.removesuffix(".txt").replace("-", "_")
        copy.write_bytes(path.read_bytes())
    out, _, code = api.run(
        ["--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache"), str(tmp_path)]
    )
    assert code == 0, out


def _compare(path: Path, found: str, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--bless"):
        path.write_text(found, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == found, f"if it is meant, run {BLESS}"


# --- the schema -----------------------------------------------------------------------------------


def test_the_schemas_are_schemas() -> None:
    for validator in (SITE, PROCESS):
        jsonschema.Draft202012Validator.check_schema(validator.schema)


def test_the_command_prints_them() -> None:
    done = command("schema")
    assert (done.returncode, json.loads(done.stdout)) == (0, schema.of_site())
    done = command("schema", "--process")
    assert json.loads(done.stdout) == schema.of_process()


def test_every_key_is_in_schema_and_reference() -> None:
    page = (ROOT / "docs" / "zeroserve-toml.md").read_text(encoding="utf-8")
    text = json.dumps([schema.of_site(), schema.of_process()])
    for of in TABLES:
        for field, row in rows(of):
            assert f'"{field.name}"' in text
            assert f"`{field.name}`" in page or f"`[{field.name}.NAME]`" in page
            assert row.doc[:1].islower() or not row.doc[:1].isalpha()
            assert not row.doc.endswith(".")


def test_the_example() -> None:
    whole, said = example.text(), example.uncommented()
    assert tomllib.loads(whole) == {}
    assert faults(whole) == faults(said) == []
    assert [error.message for error in SITE.iter_errors(tomllib.loads(said))] == []
    named = set(_names(tomllib.loads(said)))
    missing = {field.name for field, _ in rows(Settings)} | {
        field.name for field, _ in rows(PathKeys)
    }
    assert missing - named == set()
    script(said)


def _names(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [*value, *(name for below in value.values() for name in _names(below))]


SOME: dict[str, list[Any]] = {
    "rules": ["cloudflare", "x", 1],
    "clean_urls": [True, "true"],
    "spa": [True, "/app.html", "app", "/a/", 1],
    "listing": [False, 0],
    "error_pages": [{"404": "/a"}, {"404": "a"}, {"200": "/a"}, {"4xx": 1}, []],
    "maintenance": [{}, {"allow": "::/0"}, {"allow": ["x"]}, {"retry_after_s": 0}, True],
    "pools": [{"a": {"upstreams": ["http://a"]}}, {"a": {}}, {"a b": {"upstreams": ["http://a"]}}],
    "nonsense": [1],
}

KEYS: dict[str, list[Any]] = {
    "deny": ["10.0.0.0/8", ["::1"], [], 1, "x"],
    "rate_limit": [
        {"per_hour": 1},
        {"per_hour": -1},
        {"by": "header A", "per_second": 1},
        {"by": "x"},
        1,
    ],
    "basic_auth": [
        False,
        True,
        {},
        {"users": {"a": "${A}"}},
        {"users": {"a": "secret"}},
        {"users": {}},
    ],
    "methods": ["GET", ["GET", "PUT"], "get", []],
    "max_body": [1, "10 MiB", "1 TiB", -1],
    "cors": ["data", "all", {"origins": ["https://a"]}, {"origins": "a"}, {"max_age_s": 86401}],
    "redirect": ["/a", "a", {"to": "/a", "status": 308}, {"to": "/a", "status": 304}, {}],
    "rewrite": ["/a", "http://a", 1],
    "proxy": ["pool:a", "http://a:1", "a", {"to": "unix:/a", "cache": True}, {"to": 1}],
    "listing": [True, "yes"],
    "cache": ["immutable", 60, "forever", -1],
    "headers": [{"A": "b"}, {"A": False}, {"A": True}, {"a b": "c"}, []],
    "nonsense": [1],
}


@given(
    top=st.fixed_dictionaries({}, optional={name: st.sampled_from(v) for name, v in SOME.items()}),
    path=st.fixed_dictionaries({}, optional={name: st.sampled_from(v) for name, v in KEYS.items()}),
    pattern=st.sampled_from(["/*", "/a", "/a/:b/*", "a", "/a?b"]),
)
def test_what_we_take_the_schema_takes(top: dict[str, Any], path: Any, pattern: str) -> None:
    values = {**top, "paths": {pattern: path}} if path else top
    found = file.read(_toml(values).encode(), "f.toml")[1].found
    said = [error.message for error in SITE.iter_errors(values)]
    if not found:
        assert said == []
        script(_toml(values))
    if said:
        assert found


def _toml(values: dict[str, Any]) -> str:
    return "".join(f"{_key(name)} = {_inline(value)}\n" for name, value in values.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


# --- anything -------------------------------------------------------------------------------------

SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ["/*", "data", "${A}", "immutable", "/a/:b", "pool:a", "::/0", "/\u0000", "*"]
    )
)
NAMES = (
    st.sampled_from(sorted({f.name for of in (*TABLES, Pool) for f, _ in rows(of)} | {"404", "/*"}))
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.sampled_from(["/a", "/a/*", "/:x", "server", "limits", "sites", "addr", "threads"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(values=st.dictionaries(NAMES, VALUES, max_size=5), of_process=st.booleans())
def test_no_file_is_a_crash(values: dict[str, Any], of_process: bool) -> None:
    config, found = file.read(_toml(values).encode(), "f.toml", of_process=of_process)
    for one in found.found:
        assert str(one).startswith("f.toml")
        assert "\n" not in str(one)
        assert "Traceback" not in str(one)
    if not found.found:
        file.shared_scripts(config._replace(shared=Shared()), "f.toml")
        if not of_process:
            compile(script(_toml(values)), "50-rules.py", "exec")


@given(data=st.binary(max_size=60) | st.text("[]\"'={}.,#/*\n a1", max_size=40).map(str.encode))
def test_no_bytes_are_a_crash(data: bytes) -> None:
    file.read(data, "f.toml")


def test_secrets_are_not_shown() -> None:
    said = faults('[paths."/"]\nbasic_auth = { users = { ada = "hunter2", "b:c" = "hunter2" } }\n')
    assert said and "hunter2" not in "".join(said)
    said = faults('[paths."/"]\nproxy = "http://user:hunter2@example.org"\n')
    assert said and "hunter2" not in "".join(said)


@pytest.mark.parametrize(
    "text",
    [
        'headers = { A = "${HOME}" }',
        'redirect = "/${HOME}"',
        'rewrite = "/${HOME}"',
        'proxy = "http://${HOME}"',
    ],
)
def test_variables_stand_where_they_are_replaced_alone(text: str) -> None:
    assert "variables of the environment do not stand here" in faults(f'[paths."/"]\n{text}\n')[0]


def test_too_many() -> None:
    text = "".join(
        f'[paths."/{n}/*"]\ncors = {{ origins = "https://a{n}.example" }}\n' for n in range(65)
    )
    assert faults(text) == ["f.toml:1: paths: 65 different rules in `cors`: 64 are allowed"]
    text = "".join(f'[paths."/{n}"]\ncache = 1\n' for n in range(1025))
    assert faults(text) == ["f.toml:1: paths: 1025 of them: 1024 are allowed"]
    nets = ", ".join(f'"10.0.{n // 256}.{n % 256}"' for n in range(1025))
    assert "not 1 to 1024 networks" in faults(f'[paths."/*"]\ndeny = [{nets}]\n')[0]
    users = ", ".join(f'u{n} = "${{U}}"' for n in range(257))
    assert "257 users" in faults(f'[paths."/*"]\nbasic_auth = {{ users = {{ {users} }} }}\n')[0]
