"""Every schema with the bounds that hold anyway: the gateway's, and those of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REPLY = 2**24
"""Bytes of a reply, as `defaults.max_reply` has them; a text can't be longer."""
_ITEMS = _REPLY // 2
_SHORT = {"date": 16, "date-time": 64, "time": 32, "duration": 64, "uuid": 36, "decimal": 256}
_LOW, _HIGH = -(2**63), 2**63 - 1
_ONE = ("items", "not", "if", "then", "else", "contains", "additionalProperties", "propertyNames")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs")


def bounded(schema: Any) -> Any:
    """A copy of a schema in which every text, integer and array has a bound."""
    if not isinstance(schema, Mapping):
        return schema
    made = {key: _inner(key, value) for key, value in schema.items()}
    kinds = schema.get("type")
    named = [kinds] if isinstance(kinds, str) else list(kinds or ())
    if "string" in named and not {"maxLength", "enum", "const"} & set(made):
        made["maxLength"] = _SHORT.get(str(made.get("format")), _REPLY)
    if "integer" in named and not {"enum", "const"} & set(made):
        _number(made)
    if "array" in named and "maxItems" not in made:
        made["maxItems"] = _ITEMS
    if "object" in named and not {"properties", "additionalProperties", "patternProperties"} & set(made):
        made["maxProperties"] = made.get("maxProperties", _ITEMS)
    return made


def _number(made: dict[str, Any]) -> None:
    if not {"minimum", "exclusiveMinimum"} & set(made):
        made["minimum"] = _LOW
    if not {"maximum", "exclusiveMaximum"} & set(made):
        made["maximum"] = _HIGH
    low, high = made.get("minimum", _LOW), made.get("maximum", _HIGH)
    if "format" not in made and low >= _LOW and high <= _HIGH:
        made["format"] = "int32" if low >= -(2**31) and high < 2**31 else "int64"


def _inner(key: str, value: Any) -> Any:
    if key in _ONE:
        return bounded(value)
    if key in _MANY:
        return [bounded(each) for each in value]
    if key in _NAMED:
        return {name: bounded(each) for name, each in value.items()}
    return value
