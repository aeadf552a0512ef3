"""Simple values between XML text and JSON, with one spelling each (XML Schema 1.0, part 2).

decimal ↔ str · integers ↔ int to 64 bits · float, double ↔ float, or "INF" "-INF" "NaN" · dateTime ↔ RFC 3339 with
offset (a reply that has none is in the upstream's declared time zone) · date ↔ ISO 8601, a zone dropped · base64Binary
and hexBinary ↔ base64 · list ↔ array. Text that isn't of its type raises `BadValue`; nothing turns into null.
"""

from __future__ import annotations

import base64
import binascii
import operator
import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import Decimal

from adapters.contract import Json
from adapters.soap.form import Form, Simple
from adapters.soap.moments import ZONE, decode_date, decode_date_time, encode_date, encode_date_time
from adapters.soap.values import BadValue, Codec, Encode

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
FLOATS = frozenset({"float", "double"})
SPECIAL_FLOATS = ("INF", "-INF", "NaN")

# There is no year 0, and no more zeros before a year than make four digits (part 2, section 3.2.7.1).
_YEAR = "-?(?:(?!0000)[0-9]{4}|[1-9][0-9]{4,})"
# Types that stay text, by the pattern of their text.
TEXT_PATTERNS: Mapping[str, str] = {
    "time": rf"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?{ZONE}?",
    "duration": r"-?P(?=.)(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?"
    r"(?:T(?=.)(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+(?:\.[0-9]+)?S)?)?",
    "gYear": rf"{_YEAR}{ZONE}?",
    "gYearMonth": rf"{_YEAR}-(?:0[1-9]|1[0-2]){ZONE}?",
    "gMonthDay": rf"--(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]){ZONE}?",
    "gMonth": rf"--(?:0[1-9]|1[0-2]){ZONE}?",
    "gDay": rf"---(?:0[1-9]|[12][0-9]|3[01]){ZONE}?",
}
DECIMAL_PATTERN = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"

_SHORT = 18
"""Digits that fit 64 bits whatever they are."""
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(DECIMAL_PATTERN)
_PLAIN_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SPACES = re.compile(r"[ \t\r\n]+")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def codec(form: Form, key: str, zone: tzinfo) -> Codec:
    """The codec of the simple type called `key`; `zone` is that of a dateTime that names none."""
    simple = form.type(key)
    if not isinstance(simple, Simple):
        raise TypeError(f"{key} isn't a simple type")
    if simple.variety == "list":
        return _list(codec(form, simple.members[0], zone))
    if simple.variety == "union":
        return _union([_member(form, member, zone) for member in simple.members])
    return _atomic(simple, zone)


def _atomic(simple: Simple, zone: tzinfo) -> Codec:
    kind = simple.primitive
    if kind in INTEGERS:
        return Codec(_decode_integer, _encode_integer)
    if kind in TEXT_PATTERNS:
        return _patterned(kind)
    if kind == "dateTime":
        return Codec(lambda text: decode_date_time(text, zone), encode_date_time)
    if kind == "decimal":
        return Codec(_decode_decimal, _decimal_encoder(simple.facets))
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


def _decode_decimal(text: str) -> str:
    if _PLAIN_DECIMAL.fullmatch(text) is not None:
        return text
    text = text.strip(" \t\r\n")
    if _DECIMAL.fullmatch(text) is None:
        raise BadValue("isn't a decimal")
    whole, point, fraction = text.lstrip("+-").partition(".")
    sign = "-" if text.startswith("-") else ""
    return sign + (whole.lstrip("0") or "0") + (point + fraction if fraction else "")


def _decimal_encoder(facets: Mapping[str, str]) -> Encode:
    check = _decimal_check(facets)

    def encode(value: Json) -> str:
        text = value if isinstance(value, str) else format(Decimal(repr(value)), "f")
        if _DECIMAL.fullmatch(text) is None:
            raise BadValue("isn't a decimal")
        check(Decimal(text))
        return text

    return encode


def _decimal_check(facets: Mapping[str, str]) -> Callable[[Decimal], None]:
    tests = [(_test(name, text.strip()), f"{name} {text}") for name, text in facets.items() if name in _DECIMAL_FACETS]

    def check(value: Decimal) -> None:
        for test, rule in tests:
            if not test(value):
                raise BadValue(f"breaks the rule {rule}")

    return check


def _test(facet: str, text: str) -> Callable[[Decimal], bool]:
    if facet == "totalDigits":
        return lambda value: _digits(value)[0] <= int(text)
    if facet == "fractionDigits":
        return lambda value: _digits(value)[1] <= int(text)
    bound, compare = Decimal(text), _BOUNDS[facet]
    return lambda value: compare(value, bound)


_BOUNDS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "minInclusive": operator.ge,
    "maxInclusive": operator.le,
    "minExclusive": operator.gt,
    "maxExclusive": operator.lt,
}
_DECIMAL_FACETS = frozenset({*_BOUNDS, "totalDigits", "fractionDigits"})


def _digits(value: Decimal) -> tuple[int, int]:
    """Significant digits and fraction digits, trailing zeros not counted (part 2, sections 4.3.11 and 4.3.12)."""
    _, digits, exponent = value.normalize().as_tuple()
    shift = exponent if isinstance(exponent, int) else 0
    fraction = max(0, -shift)
    return max(len(digits) + max(0, shift), fraction), fraction


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


def _list(item: Codec) -> Codec:
    return Codec(
        lambda text: [item.decode(each) for each in text.split()],
        lambda value: " ".join(item.encode(each) for each in value),
    )


def _member(form: Form, key: str, zone: tzinfo) -> tuple[Codec, frozenset[str]]:
    simple = form.type(key)
    return codec(form, key, zone), frozenset(simple.enumeration if isinstance(simple, Simple) else ())


def _union(members: list[tuple[Codec, frozenset[str]]]) -> Codec:
    def decode(text: str) -> Json:
        for member, enumeration in members:
            try:
                value = member.decode(text)
            except BadValue:
                continue
            if not enumeration or text.strip() in enumeration:
                return value
        raise BadValue("is of none of its union's types")

    def encode(value: Json) -> str:
        # bool is an int in Python: the text of a value is what JSON shows, whichever member it belongs to.
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else repr(value)

    return Codec(decode, encode)


BASE64 = Codec(_base64, _base64)

_CODECS: Mapping[str, Codec] = {
    "boolean": Codec(_decode_boolean, lambda value: "true" if value else "false"),
    "float": Codec(_decode_float, _encode_float),
    "double": Codec(_decode_float, _encode_float),
    "date": Codec(decode_date, encode_date),
    "base64Binary": BASE64,
    "hexBinary": Codec(_decode_hex, _encode_hex),
}
