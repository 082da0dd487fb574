"""JSON Schema of configuration files, made of the tables of keys: for editors.

    #:schema ./zeroserve.schema.json

as the first line of a file has editors with Even Better TOML (taplo) complete keys and underline
mistakes. It says what a value may be; what two keys say together, only the server knows.
"""

import dataclasses
from typing import Any

from zeroserve.config import process
from zeroserve.config.fetch import Fetch
from zeroserve.config.keys import Key, Schema, rows
from zeroserve.config.pools import MAX_POOLS, Pool, pool_name
from zeroserve.config.site import Settings, Shared

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def of_site() -> Schema:
    """Of ``.zeroserve/zeroserve.toml`` of a site."""
    return _document("zeroserve.toml of a site", _properties(Settings))


def of_process() -> Schema:
    """Of the file given with ``--config``."""
    properties = {
        **_properties(Shared),
        "server": _settings(process.server_settings(), "options of serving, by their names"),
        "limits": _settings(process.limit_settings(), "bounds of what clients can have"),
        "sites": {
            "type": "object",
            "description": "sites by host; `*` is for all others",
            "additionalProperties": {"type": "string", "minLength": 1},
            "maxProperties": process.MAX_SITES,
        },
    }
    title = "configuration of a zeroserve process (--config)"
    return _document(title, properties, names_files=True)


def _document(title: str, properties: dict[str, Schema], *, names_files: bool = False) -> Schema:
    pool = {**_table(Pool), "required": ["upstreams"]}
    if not names_files:
        pool["properties"] = {k: v for k, v in pool["properties"].items() if k != "tls"}
    pools = {
        "type": "object",
        "description": "upstreams under a name",
        "propertyNames": pool_name.schema,
        "additionalProperties": pool,
        "maxProperties": MAX_POOLS,
    }
    fetch = {"description": "which servers scripts may ask", **_table(Fetch)}
    return {
        "$schema": DRAFT,
        "title": title,
        "type": "object",
        "properties": {**properties, "pools": pools, "fetch": fetch},
        "additionalProperties": False,
    }


def _table(of: type) -> Schema:
    found: Schema = {
        "type": "object",
        "properties": _properties(of),
        "additionalProperties": False,
    }
    required = [field.name for field, row in rows(of) if row.required]
    return {**found, "required": required} if required else found


def _properties(of: type) -> dict[str, Schema]:
    return {field.name: _key(field, row) for field, row in rows(of)}


def _key(field: "dataclasses.Field[Any]", row: Key) -> Schema:
    found: Schema
    if row.below is not None and row.names is not None:
        found = {
            "type": "object",
            "propertyNames": row.names.schema,
            "additionalProperties": _table(row.below),
        }
    elif row.below is not None:
        table = _table(row.below)
        found = table if row.kind is None else {"oneOf": [row.kind.schema, table]}
    else:
        assert row.kind is not None
        found = dict(row.kind.schema)
    found = {"description": row.doc, **found}
    default = field.default
    if row.below is None and default not in (None, "", dataclasses.MISSING):
        found["default"] = list(default) if isinstance(default, tuple) else default
    return found


def _settings(settings: Any, doc: str) -> Schema:
    properties = {one.name: {"description": one.doc, **one.schema} for one in settings}
    return {
        "type": "object",
        "description": doc,
        "properties": properties,
        "additionalProperties": False,
    }
