"""Instances of our JSON Schemas, for Hypothesis: the subset of Draft 2020-12 that the SOAP adapter writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

_XML = st.characters(
    codec="utf-8", min_codepoint=0x21, exclude_categories=("Cs", "Cn", "Zs", "Zl", "Zp"), exclude_characters="\x7f\x85"
)
_LATIN = st.characters(codec="latin-1", min_codepoint=0x20, exclude_characters="\x7f\x85")
_WORDS = st.lists(st.text(_XML, min_size=1, max_size=6), max_size=3).map(" ".join)
_FORMATS = {
    "date-time": st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"),
    "date": st.dates().map(lambda day: day.isoformat()),
    "decimal": st.decimals(0, 10**6, places=2).map(lambda value: format(value, "f")),
}
_DEEP = 6


def instances(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that `schema` accepts, in the one spelling that decoding gives back."""
    return _of(schema, schema.get("$defs", {}), 0)


def without_elements(schema: Any) -> Any:
    """`schema` with plain text in place of mixed content, of whose elements no JSON Schema knows."""
    if isinstance(schema, list):
        return [without_elements(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    mended = {name: without_elements(each) for name, each in schema.items()}
    text = schema.get("properties", {}).get("#text", {})
    if text.get("contentMediaType") == "application/xml":
        mended["properties"]["#text"] = {"const": "some &amp; text"}
    return mended


def _of(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if "default" in schema:  # An empty element means its default, so that "" doesn't come back.
        return st.just(schema["default"])
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return st.deferred(lambda: _of(target, definitions, depth + 1))
    if "const" in schema:
        return st.just(schema["const"])
    if "examples" in schema and not {"anyOf", "oneOf"} & schema.keys():
        return st.sampled_from(schema["examples"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema.get("properties", {}).get("@xsi:type", ()):
        return st.just({"@xsi:type": "xsd:string", "#text": "of any type"})
    if schema.get("type") == "object":
        return _object(schema, definitions, depth)
    for word in ("oneOf", "anyOf"):
        if word in schema:
            branches = schema[word] if depth <= _DEEP else schema[word][-1:]
            return st.one_of([_of(each, definitions, depth + 1) for each in branches])
    return _plain(schema, definitions, depth)


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "array" and schema.get("description", "").startswith(_ORDER):
        return _ordered(schema, definitions, depth)
    if kind == "array":
        least = schema.get("minItems", 0)
        most = least if depth > _DEEP else min(schema.get("maxItems", 3), max(3, least))
        return st.lists(_of(schema["items"], definitions, depth + 1), min_size=least, max_size=most)
    if kind == "integer":
        least = max(schema.get("minimum", -(2**63)), -(2**63))
        return st.integers(least, min(schema.get("maximum", 2**63 - 1), 2**64 - 1))
    if kind == "number":
        return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    return _text(schema)


_ORDER = "In the order "


@st.composite
def _ordered(draw: st.DrawFn, schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> list[Any]:
    """Elements one by one, in the order that the schema's description tells."""
    items = schema["items"]
    while "$ref" in items:
        items = definitions[items["$ref"].rpartition("/")[2]]
    names = list(items["properties"])
    pattern = schema["description"].removeprefix(_ORDER).removesuffix(".")
    for number, name in sorted(enumerate(names), key=lambda each: -len(each[1])):
        pattern = re.sub(rf"(?<![^ (]){re.escape(name)}(?![^ ,)?*+{{])", chr(0xE000 + number), pattern)
    pattern = re.sub(r"[&, ](?![0-9]*\})", "", pattern)
    drawn = draw(st.from_regex(re.compile(pattern), fullmatch=True).filter(lambda text: len(text) < 12))
    chosen = [names[ord(each) - 0xE000] for each in drawn]
    return [{name: draw(_of(items["properties"][name], definitions, depth + 1))} for name in chosen]


def _text(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if schema.get("contentMediaType") == "application/xml":
        return st.just('<x:y xmlns:x="urn:other">text</x:y>')
    if schema.get("contentEncoding") == "base64":
        return st.sampled_from(["", "AA==", "c2lnbmVk", "/+8="])
    patterns = [each["pattern"] for each in (schema, *schema.get("allOf", ())) if "pattern" in each]
    if patterns:
        return _matching(tuple(patterns), schema.get("minLength", 0), schema.get("maxLength", 40))
    least, most = schema.get("minLength", 0), schema.get("maxLength", 40)
    if least == 0 and most >= 20:
        return _WORDS.map(lambda text: text[:most].strip())
    return st.text(_XML, min_size=least, max_size=most)


@lru_cache(maxsize=1024)  # Hypothesis takes a pattern apart each time, which is most of an example's time.
def _matching(patterns: tuple[str, ...], least: int, most: int) -> st.SearchStrategy[str]:
    # libxml2 knows the name characters of XML 1.0's fourth edition, which are fewer than the fifth's.
    if patterns[0].startswith("^(?:(?:\\{"):  # A qualified name, whose namespace is an address.
        return st.sampled_from(["plain", "{urn:q:x}of.urn", "{http://q/?a=b&c#d}of-http", "xsd:int"])
    first, *rest = (re.compile(pattern, re.ASCII) for pattern in patterns)
    return st.from_regex(first, fullmatch=True, alphabet=_LATIN).filter(
        lambda text: least <= len(text) <= most and all(each.search(text) for each in rest)
    )


@st.composite
def _object(draw: st.DrawFn, schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> dict[str, Any]:
    required, absent = set(schema.get("required", ())), set()
    for rule in _rules(schema):
        branches = rule.get("oneOf") or rule.get("anyOf") or [rule]
        _choose(draw, branches, required, absent)
    value = {}
    if schema.get("maxProperties") == 1:
        name = draw(st.sampled_from(list(schema["properties"])))
        return {name: draw(_of(schema["properties"][name], definitions, depth + 1))}
    for name, inner in schema["properties"].items():
        if _impossible(inner, definitions) and name not in required:
            continue
        # A type says its name only where it stands in for another.
        if name in absent or (name == "@xsi:type" and name not in required):
            continue
        # An attribute with a default is never absent when it is read.
        if (
            name in required
            or (name.startswith("@") and "default" in inner)
            or (depth <= _DEEP and draw(st.booleans()))
        ):
            value[name] = draw(_of(inner, definitions, depth + 1))
    for name, inner in schema["properties"].items():
        if len(value) < schema.get("minProperties", 0) and name not in value:
            value[name] = draw(_of(inner, definitions, depth + 1))
    return value


def _impossible(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    """Whether no value is of this type: it is abstract, and nothing stands in for it."""
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return "not" in schema


def _rules(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*schema.get("allOf", ()), *([schema] if "oneOf" in schema or "anyOf" in schema else ())]


def _choose(draw: st.DrawFn, branches: list[Mapping[str, Any]], required: set[str], absent: set[str]) -> None:
    chosen = draw(st.sampled_from(branches))
    required |= set(chosen.get("required", ()))
    absent |= {name for name, inner in chosen.get("properties", {}).items() if inner is False}
    if all(set(each) <= {"required"} for each in branches[:-1]) and len(branches) > 1:
        absent |= {name for each in branches if each is not chosen for name in each.get("required", ())} - required
    for inner in chosen.get("allOf", ()):
        _choose(draw, inner.get("oneOf") or inner.get("anyOf") or [inner], required, absent)
