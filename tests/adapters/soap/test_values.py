"""Simple values: one spelling each, nothing guessed, nothing turned into null."""

from __future__ import annotations

from datetime import UTC, tzinfo
from decimal import Decimal
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.soap.compound import codec
from adapters.soap.form import Form, Simple
from adapters.soap.patterns import translated
from adapters.soap.values import BadValue, Codec, escape, escape_attribute

STABLE = settings(deadline=None, database=None, derandomize=True, max_examples=200)
BERLIN = ZoneInfo("Europe/Berlin")


def _codec(kind: str, zone: tzinfo = UTC, **facets: str) -> Codec:
    return codec(Form((), {"t": Simple("t", "", kind, facets=facets)}), "t", zone)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", " +007 ", 7),
        ("long", str(-(2**63)), -(2**63)),
        ("unsignedLong", str(2**64 - 1), 2**64 - 1),
        ("decimal", "12.50", "12.50"),
        ("decimal", " +007.", "7"),
        ("decimal", "-.5", "-0.5"),
        ("double", "1.5E3", 1500.0),
        ("float", "-INF", "-INF"),
        ("double", "NaN", "NaN"),
        ("boolean", "1", True),
        ("boolean", " false ", False),
        ("string", " a\n b ", " a\n b "),
        ("token", " a\n b ", "a b"),
        ("normalizedString", "a\tb", "a b"),
        ("anyURI", " http://x ", "http://x"),
        ("date", "2026-02-28+02:00", "2026-02-28"),
        ("time", "23:59:59.5Z", "23:59:59.5Z"),
        ("duration", "-P1DT0.5S", "-P1DT0.5S"),
        ("gYearMonth", "2026-12", "2026-12"),
        ("base64Binary", "c2ln\n bmVk", "c2lnbmVk"),
        ("hexBinary", "00fF", "AP8="),
        ("NMTOKENS", "a  b", ["a", "b"]),
        ("dateTime", "2026-07-01T12:00:00", "2026-07-01T12:00:00+02:00"),
        ("dateTime", "2026-01-01T12:00:00.123", "2026-01-01T12:00:00.123+01:00"),
        ("dateTime", "2026-01-01T12:00:00+00:00", "2026-01-01T12:00:00Z"),
        ("dateTime", "2026-12-31T24:00:00-05:00", "2027-01-01T00:00:00-05:00"),
    ],
)
def test_decodes(kind: str, text: str, value: Any) -> None:
    form = Form((), {})
    decoded = codec(form, "xsd:" + kind, BERLIN).decode(text)
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", ""),
        ("int", "1.0"),
        ("int", "1_000"),
        ("int", "²"),
        ("int", "٣"),
        ("integer", str(2**64)),
        ("integer", "9" * 5000),
        ("decimal", ""),
        ("decimal", "1,5"),
        ("decimal", "1e3"),
        ("decimal", "NaN"),
        ("double", "infinity"),
        ("double", "1e999"),
        ("double", "0x10"),
        ("boolean", "yes"),
        ("boolean", "TRUE"),
        ("date", "2026-02-30"),
        ("date", "20260228"),
        ("time", "25:00:00"),
        ("dateTime", "2026-02-30T00:00:00Z"),
        ("dateTime", "2026-01-01 00:00:00"),
        ("dateTime", "2026-01-01T24:00:01Z"),
        ("dateTime", "9999-12-31T24:00:00Z"),
        ("duration", "P"),
        ("duration", "P1DT"),
        ("base64Binary", "a"),
        ("base64Binary", "!!!!"),
        ("hexBinary", "abc"),
    ],
)
def test_refuses(kind: str, text: str) -> None:
    with pytest.raises(BadValue):
        _codec(kind).decode(text)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("int", 5.0, "5"),
        ("decimal", 0.1, "0.1"),
        ("decimal", 1e22, "10000000000000000000000"),
        ("decimal", 1e-7, "0.0000001"),
        ("decimal", 7, "7"),
        ("double", 1e22, "1e+22"),
        ("double", "INF", "INF"),
        ("boolean", True, "true"),
        ("dateTime", "2026-01-01t00:00:00z", "2026-01-01T00:00:00Z"),
        ("hexBinary", "AP8=", "00FF"),
    ],
)
def test_encodes(kind: str, value: Any, text: str) -> None:
    assert _codec(kind).encode(value) == text


@pytest.mark.parametrize(
    ("facets", "good", "bad"),
    [
        ({"fractionDigits": "2"}, ["1", "1.50", "1.500"], ["1.501"]),
        ({"totalDigits": "3"}, ["123", "1.23", "0.123", "1.2300"], ["1234", "12.34", "0.1234"]),
        ({"minInclusive": "0", "maxExclusive": "10"}, ["0", 9.99], ["-0.01", 10]),
    ],
)
def test_decimal_rules_hold_before_anything_is_sent(facets: dict[str, str], good: list[Any], bad: list[Any]) -> None:
    rules = _codec("decimal", **facets)
    for value in good:
        rules.encode(value)
    for value in bad:
        with pytest.raises(BadValue, match="breaks the rule"):
            rules.encode(value)


@STABLE
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_decimals_are_exact(value: Decimal) -> None:
    text = format(value, "f")
    assert Decimal(_codec("decimal").decode(_codec("decimal").encode(text))) == value


@STABLE
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_are_exact(value: float) -> None:
    assert _codec("double").decode(_codec("double").encode(value)) == value


@STABLE
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_goes_through_xml_unchanged_or_is_refused(text: str) -> None:
    try:
        document = f'<a b="{escape_attribute(text)}">{escape(text)}</a>'
    except BadValue:
        assert any(ord(each) < 32 or ord(each) >= 0xFFFE for each in text)
        return
    node = etree.fromstring(document.encode())
    assert (node.text or "", node.get("b")) == (text, text)


@STABLE
@given(st.text(max_size=30), st.sampled_from(["int", "decimal", "double", "dateTime", "date", "base64Binary", "time"]))
def test_any_text_decodes_or_is_refused(text: str, kind: str) -> None:
    try:
        assert _codec(kind, BERLIN).decode(text) is not None
    except BadValue:
        return


@pytest.mark.parametrize(
    ("pattern", "translation"),
    [
        (r"\d{3}", r"^(?:\d{3})$"),
        ("a^b$", r"^(?:a\^b\$)$"),
        ("[^a]", "^(?:[^a])$"),
        (r"[a-z-[aeiou]]", None),
        (r"\p{IsGreek}", None),
        (r"(", None),
    ],
)
def test_patterns_are_translated_or_left_out(pattern: str, translation: str | None) -> None:
    assert translated((pattern,)) == translation


@pytest.mark.parametrize(
    ("base", "facets", "good", "bad"),
    [
        ("string", '<xs:pattern value="\\p{Lu}[a-z-[aeiou]]+"/>', ["Xyz"], ["Xab", "xyz", "1y"]),
        ("string", '<xs:pattern value="\\p{IsBasicLatin}*"/>', ["abc", ""], ["ä"]),
        ("date", '<xs:minInclusive value="2000-01-01"/>', ["2000-01-01"], ["1999-12-31"]),
        (
            "dateTime",
            '<xs:maxExclusive value="2000-01-01T00:00:00Z"/>',
            ["1999-12-31T23:59:59Z"],
            ["2000-01-01T00:00:00Z"],
        ),
        ("base64Binary", '<xs:maxLength value="2"/>', ["AAA=", ""], ["AAAA"]),
        ("hexBinary", '<xs:length value="1"/>', ["AA=="], ["AAA="]),
        ("decimal", '<xs:enumeration value="1.50"/><xs:enumeration value="2"/>', ["1.5", 2, "2.0"], ["1", "3"]),
        ("int", '<xs:totalDigits value="3"/>', [999, -999], [1000]),
        ("int", '<xs:pattern value="[0-9]{3}"/>', [123], [12, 1234]),
        ("duration", '<xs:enumeration value="P1D"/>', ["P1D"], ["P2D"]),
        ("double", '<xs:enumeration value="0.5"/>', [0.5], [0.25]),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_rules_that_json_schema_cannot_say(
    shapes: ModuleType, base: str, facets: str, good: list[Any], bad: list[Any]
) -> None:
    form = shapes.content(
        '<xs:sequence><xs:element name="v" type="t:V"/></xs:sequence><xs:attribute name="a" type="t:V"/>',
        f'<xs:simpleType name="V"><xs:restriction base="xs:{base}">{facets}</xs:restriction></xs:simpleType>',
    )
    for value in good:
        assert shapes.render(form, {"v": value, "@a": value})
    for value in bad:
        for wrong in ({"v": value}, {"v": good[0], "@a": value}):
            assert shapes.accepts(form, wrong)
            with pytest.raises(BadValue, match="rule"):
                shapes.render(form, wrong)
