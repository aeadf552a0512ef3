"""The JSON Schema of a simple type: its type, facets and enumeration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC
from typing import Any, TypeAlias

from adapters.soap.compound import codec_of
from adapters.soap.decimals import DECIMAL_NUMBER, DECIMAL_PATTERN, INTEGER_TEXT
from adapters.soap.form import Complex, Form, Simple
from adapters.soap.names import QNAME, QNAME_PATTERN
from adapters.soap.patterns import NAMES, anchored, translated
from adapters.soap.scalars import FLOATS, INTEGERS, SPECIAL_FLOATS, TEXT_PATTERNS
from adapters.soap.values import BadValue

_Schema: TypeAlias = dict[str, Any]

_LENGTHS: Mapping[str, tuple[str, ...]] = {
    "length": ("minLength", "maxLength"),
    "minLength": ("minLength",),
    "maxLength": ("maxLength",),
}
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "length": ("minItems", "maxItems"),
    "minLength": ("minItems",),
    "maxLength": ("maxItems",),
}
# Beside numbers, the types whose values have more than one spelling.
_SPELT = frozenset(
    {"boolean", "decimal", DECIMAL_NUMBER, INTEGER_TEXT, "dateTime", "date", "base64Binary", "hexBinary"}
)
_LONG = anchored("-?[0-9]{1,1000}")
_PLAIN_DECIMAL = anchored(r"-?[0-9]+(?:\.[0-9]+)?")
_BOUNDS: Mapping[str, str] = {
    "minInclusive": "minimum",
    "maxInclusive": "maximum",
    "minExclusive": "exclusiveMinimum",
    "maxExclusive": "exclusiveMaximum",
}


def simple_schema(form: Form, simple: Simple, *, output: bool) -> _Schema:
    """The schema of `simple`. `output` has one spelling of each value, input takes numbers for decimals too."""
    schema = _bare(form, simple, output=output)
    if simple.enumeration:
        schema.update(_enumeration(form, simple))
    if simple.documentation:
        schema["description"] = simple.documentation
    return schema


def _bare(form: Form, simple: Simple, *, output: bool) -> _Schema:
    if simple.variety == "list":
        item = form.type(simple.members[0])
        items = simple_schema(form, item, output=output) if isinstance(item, Simple) else {}
        return {"type": "array", "items": items, **_named(simple, _COUNTS)}
    if simple.variety == "union":
        members = (form.type(key) for key in simple.members)
        return {"anyOf": [simple_schema(form, each, output=output) for each in members if isinstance(each, Simple)]}
    kind = simple.primitive
    if kind in INTEGERS:
        return _integer(simple)
    if kind in FLOATS:
        return {"anyOf": [{"type": "number", **_bounds(simple, float)}, {"enum": list(SPECIAL_FLOATS)}]}
    if kind == INTEGER_TEXT:
        return {"type": "string" if output else ["string", "integer"], "pattern": _LONG}
    if kind in ("decimal", DECIMAL_NUMBER):
        if output:
            kinds = "string" if kind == "decimal" else ["string", "number"]
            return {"type": kinds, "format": "decimal", "pattern": _PLAIN_DECIMAL}
        return {"type": ["string", "number"], "format": "decimal", "pattern": anchored(DECIMAL_PATTERN)}
    return _text(simple)


def _text(simple: Simple) -> _Schema:
    kind = simple.primitive
    if kind == "boolean":
        return {"type": "boolean"}
    if kind == "dateTime":
        return {"type": "string", "format": "date-time"}
    if kind == "date":
        return {"type": "string", "format": "date"}
    if kind in ("base64Binary", "hexBinary"):
        return {"type": "string", "contentEncoding": "base64"}
    if kind == QNAME:
        return {"type": "string", "pattern": anchored(QNAME_PATTERN)}
    if kind in TEXT_PATTERNS:
        return {"type": "string", "pattern": anchored(TEXT_PATTERNS[kind])}
    return {"type": "string", **_named(simple, _LENGTHS), **_patterns(simple)}


def _integer(simple: Simple) -> _Schema:
    least, most = INTEGERS[simple.primitive]
    schema: _Schema = {"type": "integer"}
    if least is not None:
        schema["minimum"] = least
    if most is not None:
        schema["maximum"] = most
    return {**schema, **_bounds(simple, int)}


def _bounds(simple: Simple, number: Callable[[str], float]) -> _Schema:
    found = {}
    for facet, keyword in _BOUNDS.items():
        if facet in simple.facets:
            found[keyword] = number(simple.facets[facet])
    return found


def _named(simple: Simple, keywords: Mapping[str, tuple[str, ...]]) -> _Schema:
    return {
        keyword: int(simple.facets[facet])
        for facet, names in keywords.items()
        if facet in simple.facets
        for keyword in names
    }


def _patterns(simple: Simple) -> _Schema:
    """All steps of derivation must match; a pattern that JSON Schema's dialect has no words for is left out."""
    own = tuple((pattern,) for pattern in NAMES.get(simple.primitive, ()))
    steps = [pattern for pattern in map(translated, own + simple.patterns) if pattern is not None]
    if len(steps) == 1:
        return {"pattern": steps[0]}
    return {"allOf": [{"pattern": pattern} for pattern in steps]} if steps else {}


def spelt(keyword: str, form: Form, found: Simple | Complex, text: str | None) -> _Schema:
    """`{keyword: value}` of a default or fixed value; one that JSON may spell otherwise, too, is an example."""
    if text is None or not isinstance(found, Simple):
        return {}
    try:
        value = codec_of(form, found, UTC).decode(text)
    except BadValue:
        return {}
    if keyword == "const" and (found.variety != "atomic" or not _one_spelling(found)):
        return {"examples": [value]}
    return {keyword: value}


def _one_spelling(simple: Simple) -> bool:
    return (
        simple.primitive in INTEGERS or simple.primitive in FLOATS or simple.primitive == "boolean" or _textual(simple)
    )


def _enumeration(form: Form, simple: Simple) -> _Schema:
    if simple.variety == "atomic" and simple.primitive in INTEGERS:
        return {"enum": [int(value) for value in simple.enumeration]}
    if simple.variety == "atomic" and _textual(simple):
        return {"enum": list(simple.enumeration)}
    # One value has several spellings there, so that a list of texts would refuse right ones.
    values = []
    for text in simple.enumeration:
        with suppress(BadValue):
            values.append(codec_of(form, simple, UTC).decode(text))
    return {"examples": values}


def _textual(simple: Simple) -> bool:
    kind = simple.primitive
    return kind not in TEXT_PATTERNS and kind not in FLOATS and kind not in _SPELT
