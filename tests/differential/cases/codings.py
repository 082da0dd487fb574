"""Hashes, base64 and the like, JSON."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import zlib
from typing import Any


def hash_sha256(data: bytes) -> tuple[bytes, str]:
    return hashlib.sha256(data).digest(), hashlib.sha256(data).hexdigest()


def hash_others(data: bytes) -> tuple[str, str, str, str, str]:
    return (
        hashlib.sha1(data).hexdigest(),
        hashlib.md5(data).hexdigest(),
        hashlib.sha512(data).hexdigest(),
        hashlib.sha384(data).hexdigest(),
        hashlib.sha224(data).hexdigest(),
    )


def hash_empty(text: str) -> tuple[str, bytes]:
    return hashlib.sha256().hexdigest(), hashlib.sha1(text.encode("utf-8", "replace")).digest()


def hash_pbkdf2(data: bytes, other_data: bytes, few_times: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", data, other_data, few_times + 1)


def hash_pbkdf2_others(data: bytes, other_data: bytes, few_times: int) -> tuple[bytes, bytes]:
    return (
        hashlib.pbkdf2_hmac("sha1", data, other_data, few_times + 1),
        hashlib.pbkdf2_hmac("sha512", data, other_data, 2),
    )


def hash_pbkdf2_none(data: bytes, small: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", data, b"salt", small)


def hmac_new(data: bytes, other_data: bytes) -> tuple[str, bytes, str]:
    return (
        hmac.new(data, other_data, hashlib.sha256).hexdigest(),
        hmac.new(data, other_data, "sha1").digest(),
        hmac.new(data, digestmod="sha512").hexdigest(),
    )


def hmac_digest(data: bytes, other_data: bytes) -> tuple[bytes, bytes]:
    return hmac.digest(data, other_data, "sha256"), hmac.digest(data * 9, other_data, "md5")


def compare_digest(piece: bytes, other_piece: bytes) -> tuple[bool, bool]:
    return hmac.compare_digest(piece, other_piece), secrets.compare_digest(piece, piece)


def compare_digest_texts(part: str, other_part: str) -> bool:
    return hmac.compare_digest(part, other_part)


def compare_digest_secrets(part: str, key: str) -> bool:
    return secrets.compare_digest(part, key)


def b64encode(data: bytes) -> tuple[bytes, bytes, bytes]:
    return base64.b64encode(data), base64.standard_b64encode(data), base64.urlsafe_b64encode(data)


def b64decode(base64_text: str) -> bytes:
    return base64.b64decode(base64_text)


def b64decode_validate(base64_text: str) -> bytes:
    return base64.b64decode(base64_text, validate=True)


def b64decode_flag(base64_data: bytes, flag: bool) -> bytes:
    return base64.b64decode(base64_data, validate=flag)


def b64decode_bytes(base64_data: bytes) -> bytes:
    return base64.b64decode(base64_data)


def b64decode_urlsafe(base64_text: str) -> bytes:
    return base64.urlsafe_b64decode(base64_text)


def b64decode_urlsafe_bytes(base64_data: bytes) -> bytes:
    return base64.urlsafe_b64decode(base64_data)


def b64decode_any(text: str) -> bytes:
    return base64.b64decode(text)


def b64decode_padded(base64_text: str) -> bytes:
    return base64.urlsafe_b64decode(base64_text + "=" * (-len(base64_text) % 4))


def b16_b32_encode(data: bytes) -> tuple[bytes, bytes]:
    return base64.b16encode(data), base64.b32encode(data)


def hexlify(data: bytes) -> bytes:
    return binascii.hexlify(data)


def unhexlify(hex_text: str) -> bytes:
    return binascii.unhexlify(hex_text)


def unhexlify_bytes(hex_data: bytes) -> bytes:
    return binascii.unhexlify(hex_data)


def crc32(data: bytes, other_data: bytes) -> tuple[int, int, int]:
    first = zlib.crc32(data)
    return first, zlib.crc32(other_data, first), binascii.crc32(data)


def crc32_start(data: bytes, number: int) -> tuple[int, int]:
    return zlib.crc32(data, number), binascii.crc32(data, number)


def json_round(json_text: str) -> tuple[str, str]:
    """Stops: limit"""
    found: Any = json.loads(json_text)
    return json.dumps(found), json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def json_round_bytes(json_data: bytes) -> str:
    """Stops: limit"""
    found: Any = json.loads(json_data)
    return json.dumps(found)


def json_text_of(json_text: str) -> str:
    """Stops: limit|where the script needs a str"""
    return str(json.loads(json_text))


def json_kind(json_text: str) -> str:
    """Stops: limit"""
    found = json.loads(json_text)
    if found is None:
        return "none"
    if isinstance(found, bool):
        return "bool " + str(found)
    if isinstance(found, int):
        return "int " + str(found + 0)
    if isinstance(found, str):
        return "str " + found.upper() + str(len(found))
    if isinstance(found, list):
        return "list " + str(len(found))
    if isinstance(found, dict):
        return "dict " + str(len(found))
    return "float"


def json_length(json_text: str) -> int:
    """Stops: limit"""
    return len(json.loads(json_text))


def json_truth(json_text: str) -> bool:
    """Stops: limit"""
    return bool(json.loads(json_text))


def json_member(json_object: str) -> str:
    """Stops: limit"""
    found = json.loads(json_object)
    return json.dumps(found["a"])


def json_members(json_object: str, key: str) -> str:
    """Stops: limit"""
    found = json.loads(json_object)
    inner = found.get("a")
    text = f"{json.dumps(found.get(key))} {json.dumps(found.get('b', 3))} {key in found} "
    if isinstance(inner, dict):
        text += json.dumps(inner.get("b", "none"))
    elif isinstance(inner, list):
        text += json.dumps(inner[0])
    return text


def json_get_missing(json_text: str) -> str:
    """Stops: limit|AttributeError"""
    return json.dumps(json.loads(json_text).get("a", "none"))


def json_index(json_text: str, index: int) -> str:
    """Stops: limit|TypeError"""
    return json.dumps(json.loads(json_text)[index])


def json_item(json_text: str, key: str) -> str:
    """Stops: limit|TypeError"""
    return json.dumps(json.loads(json_text)[key])


def json_in(json_text: str, key: str) -> bool:
    """Stops: limit|TypeError"""
    return key in json.loads(json_text)


def json_each(json_text: str) -> str:
    """Stops: limit|TypeError"""
    out = ""
    for item in json.loads(json_text):
        out += json.dumps(item) + ";"
    return out


def json_views(json_object: str) -> str:
    """Stops: limit|AttributeError"""
    found = json.loads(json_object)
    out = ""
    for name in found.keys():
        out += name + ","
    for value in found.values():
        out += json.dumps(value)
    for name, value in found.items():
        out += f"{name}={json.dumps(value)};"
    return out


def json_equal(json_text: str, json_object: str, key: str, small: int) -> tuple[bool, bool, bool]:
    """Stops: limit"""
    one = json.loads(json_text)
    return one == json.loads(json_object), one == key, one == small


def json_equal_self(json_text: str, flag: bool) -> tuple[bool, bool, bool]:
    """Stops: limit"""
    one = json.loads(json_text)
    return one == json.loads(json_text), one == flag, one != None


def json_dumps_display(
    text: str, number: int, flag: bool, maybe: str | None, words: list[str]
) -> str:
    return json.dumps({"t": text, "n": [number, flag, None], "m": {"x": maybe}, "w": words, "": ()})


def json_dumps_plain(text: str, number: int, flag: bool) -> tuple[str, str, str, str]:
    return (
        json.dumps(text),
        json.dumps(text, ensure_ascii=False),
        json.dumps(number) + json.dumps(flag),
        json.dumps([text, {"a": number}], separators=(",", ":")),
    )


def json_dumps_key(text: str, words: list[str]) -> str:
    return json.dumps({text: words}, ensure_ascii=False, separators=(", ", " : "))


def json_formatted(json_object: str) -> str:
    """Stops: limit|TypeError"""
    found = json.loads(json_object)
    name = found.get("a")
    return f"{name} {found.get('b')}" if isinstance(name, str) else "no text"


def json_typed(json_object: str) -> str:
    """Stops: limit|TypeError"""
    found = json.loads(json_object)
    a: int = found["a"]
    b: str = found["b"]
    return f"{a + 1} {b.upper()}"


def json_typed_maybe(json_object: str) -> str:
    """Stops: limit|TypeError"""
    found = json.loads(json_object)
    name: str | None = found.get("a")
    flag: bool = found.get("b", False)
    return f"{name!r} {flag!r}"


def json_narrowed(json_text: str) -> str:
    """Stops: limit|TypeError"""
    out = ""
    for item in json.loads(json_text):
        if isinstance(item, str):
            out += item
        elif isinstance(item, int) and item > 3:
            out += f"{item:x}"
        elif item is None:
            out += "-"
        elif not item:
            out += "e"
        else:
            out += "?"
    return out


def json_compared(json_text: str, json_object: str) -> tuple[bool, bool, bool, bool]:
    """Stops: limit"""
    one = json.loads(json_text)
    return one == "a", one != 1, one in ("", "a", "b"), one == json.loads(json_object)


def json_bytes(json_data: bytes) -> bool:
    """Stops: limit|UTF-8 alone"""
    return json.loads(json_data) == json.loads(json_data)
