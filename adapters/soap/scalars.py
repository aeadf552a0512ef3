"""Simple values between XML text and JSON, with one spelling each (XML Schema 1.0, part 2).

decimal ↔ str · integers ↔ int to 64 bits · float, double ↔ float, or "INF" "-INF" "NaN" · dateTime ↔ RFC 3339 with
offset (a reply that has none is in the upstream's declared time zone) · date ↔ ISO 8601, a zone dropped · base64Binary
and hexBinary ↔ base64 · list ↔ array. Text that isn't of its type raises `BadValue`; nothing turns into null.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import tzinfo

from adapters.contract import Json
from adapters.soap.decimals import (
    DECIMAL_NUMBER,
    INTEGER_TEXT,
    decimal_encoder,
    decode_decimal,
    decode_long,
    decode_number,
    long_encoder,
)
from adapters.soap.form import Simple
from adapters.soap.moments import ZONE, decode_date, decode_date_time, encode_date, encode_date_time
from adapters.soap.names import NAME, QNAME
from adapters.soap.values import BadValue, Codec

INTEGERS: Mapping[str, tuple[int | None, int | None]] = {
    "integer": (None, None),
    "long": (-(2**63), 2**63 - 1),
    "int": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "byte": (-(2**7), 2**7 - 1),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
    "unsignedLong": (0, 2**64 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedByte": (0, 2**8 - 1),
}
WIDE_INTEGERS = frozenset(
    {name for name, (_, most) in INTEGERS.items() if most is None or most > 2**53}
    | {"nonPositiveInteger", "negativeInteger"}
)
"""Those with values that a double doesn't hold."""
FLOATS = frozenset({"float", "double"})
SPECIAL_FLOATS = ("INF", "-INF", "NaN")

# There is no year 0, and no more zeros before a year than make four digits (part 2, section 3.2.7.1); nine are enough.
_YEAR = "-?(?:(?!0000)[0-9]{4}|[1-9][0-9]{4,8})"
# Types that stay text, by the pattern of their text.
TEXT_PATTERNS: Mapping[str, str] = {
    "time": rf"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?{ZONE}?",
    "duration": r"-?P(?=.)(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?"
    r"(?:T(?=.)(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+(?:\.[0-9]+)?S)?)?",
    "gYear": rf"{_YEAR}{ZONE}?",
    "gYearMonth": rf"{_YEAR}-(?:0[1-9]|1[0-2]){ZONE}?",
    "gMonthDay": rf"--(?:(?!02-3|(?:0[469]|11)-31)(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])){ZONE}?",
    "gMonth": rf"--(?:0[1-9]|1[0-2]){ZONE}?",
    "gDay": rf"---(?:0[1-9]|[12][0-9]|3[01]){ZONE}?",
}

_SHORT = 18
"""Digits that fit 64 bits whatever they are."""
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SPACES = re.compile(r"[ \t\r\n]+")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def atomic(simple: Simple, zone: tzinfo) -> Codec:
    """The codec of an atomic type; `zone` is that of a dateTime that names none."""
    kind = simple.primitive
    if kind in INTEGERS:
        return Codec(_decode_integer, _encode_integer)
    if kind in TEXT_PATTERNS:
        return _patterned(kind)
    if kind == "dateTime":
        return Codec(lambda text: decode_date_time(text, zone), encode_date_time)
    if kind == "decimal":
        return Codec(decode_decimal, decimal_encoder(simple.facets))
    if kind == DECIMAL_NUMBER:
        return Codec(decode_number, decimal_encoder(simple.facets))
    if kind == INTEGER_TEXT:
        return Codec(decode_long, long_encoder(simple.facets))
    return _CODECS.get(kind) or _text(simple)


def _collapsed(text: str) -> str:
    return " ".join(_SPACES.split(text.strip(" \t\r\n"))) if _SPACES.search(text) else text


def _text(simple: Simple) -> Codec:
    default = {"string": "preserve", "anySimpleType": "preserve", "normalizedString": "replace"}
    space = simple.facets.get("whiteSpace", default.get(simple.primitive, "collapse"))
    if space == "preserve":
        return Codec(str, str)
    if space == "replace":
        return Codec(lambda text: re.sub(r"[\t\r\n]", " ", text), str)
    return Codec(_collapsed, str)


def _decode_integer(text: str) -> int:
    if len(text) <= _SHORT and text.isascii() and text.isdigit():
        return int(text)
    text = text.strip(" \t\r\n")
    if _INTEGER.fullmatch(text) is None:
        raise BadValue("isn't an integer")
    value = int(text) if len(text) <= 40 else 2**64
    if not -(2**63) <= value < 2**64:
        raise BadValue("is an integer of more than 64 bits")
    return value


def _encode_integer(value: Json) -> str:
    return str(int(value))


def _decode_float(text: str) -> float | str:
    text = text.strip(" \t\r\n")
    if text in SPECIAL_FLOATS:
        return text
    value = float(text) if _FLOAT.fullmatch(text) else float("inf")
    if value in (float("inf"), float("-inf")):
        raise BadValue("isn't a number that a double can hold")
    return value


def _encode_float(value: Json) -> str:
    return value if isinstance(value, str) else repr(value)


def _decode_boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.strip(" \t\r\n"))
    if value is None:
        raise BadValue("isn't a boolean")
    return value


def _patterned(kind: str) -> Codec:
    pattern = re.compile(TEXT_PATTERNS[kind])

    def check(text: str) -> str:
        text = text.strip(" \t\r\n")
        if pattern.fullmatch(text) is None:
            raise BadValue(f"isn't a {kind}")
        return text

    return Codec(check, check)


def _base64(text: str) -> str:
    text = _SPACES.sub("", text)
    _bytes(text)
    return text


def _bytes(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise BadValue("isn't base64") from None


def _decode_hex(text: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(text.strip(" \t\r\n"))).decode()
    except ValueError:
        raise BadValue("isn't hexBinary") from None


def _encode_hex(value: Json) -> str:
    return binascii.hexlify(_bytes(value)).decode().upper()


BASE64 = Codec(_base64, _base64)

_CODECS: Mapping[str, Codec] = {
    "boolean": Codec(_decode_boolean, lambda value: "true" if value else "false"),
    "float": Codec(_decode_float, _encode_float),
    "double": Codec(_decode_float, _encode_float),
    "date": Codec(decode_date, encode_date),
    "base64Binary": BASE64,
    "hexBinary": Codec(_decode_hex, _encode_hex),
    QNAME: NAME,
}
