"""Decimals and long integers between XML text and JSON: as text, or as numbers where those are exact."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from adapters.contract import Json
from adapters.soap.values import BadValue, Encode

DECIMAL_NUMBER, INTEGER_TEXT = "decimal as number", "integer as text"
"""Primitives of other spellings: see `respelt`."""
DECIMAL_PATTERN = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"

_MOST_DIGITS = 1000
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(DECIMAL_PATTERN)
_PLAIN_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


def decode_decimal(text: str) -> str:
    """xsd:decimal → its digits, with no sign or zero that says nothing in front; raises `BadValue`."""
    if _PLAIN_DECIMAL.fullmatch(text) is not None:
        return text
    text = text.strip(" \t\r\n")
    if _DECIMAL.fullmatch(text) is None:
        raise BadValue("isn't a decimal")
    whole, point, fraction = text.lstrip("+-").partition(".")
    sign = "-" if text.startswith("-") else ""
    return sign + (whole.lstrip("0") or "0") + (point + fraction if fraction else "")


def decimal_encoder(facets: Mapping[str, str]) -> Encode:
    """Writes text or a number as xsd:decimal that keeps to the facets; it raises `BadValue`."""
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


def decode_long(text: str) -> str:
    """An integer → its digits, at most a thousand; raises `BadValue`."""
    text = text.strip(" \t\r\n")
    if _INTEGER.fullmatch(text) is None or len(text) > _MOST_DIGITS:
        raise BadValue("isn't an integer")
    digits = text.lstrip("+-").lstrip("0") or "0"
    return f"-{digits}" if text.startswith("-") and digits != "0" else digits


def long_encoder(facets: Mapping[str, str]) -> Encode:
    """Writes text or an integer as an integer that keeps to the facets; it raises `BadValue`."""
    check = _decimal_check(facets)

    def encode(value: Json) -> str:
        text = decode_long(str(value))
        check(Decimal(text))
        return text

    return encode


def decode_number(text: str) -> float | str:
    """A number where one holds the decimal digit by digit, else its text."""
    text = decode_decimal(text)
    try:
        number = int(text) if "." not in text else float(text)
    except ValueError:
        return text
    exact = abs(number) <= 2**53 if isinstance(number, int) else Decimal(repr(number)) == Decimal(text)
    return number if exact else text
