"""Which filters and sorts a list is imported with: by each field, within bounds, those by keys first."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from adapters.contract import JsonSchema

_MOST = 40
"""Parameters of one list."""
_PLAIN = re.compile(r"[^\W\d][\w -]{0,63}")
_RESERVED = frozenset({"limit", "cursor", "sort", "fields", "expand", "before"})
_MOMENTS = frozenset({"date", "date-time", "time", "decimal"})


def filters(fields: Mapping[str, JsonSchema], keys: Collection[str] = ()) -> dict[str, JsonSchema]:
    """Query parameter → schema, by the fields' own schemas: equality, of numbers and moments a range, of texts `like`.

    `keys`: fields that name something, of which there is no range.
    """
    named = {name: _scalar(schema) for name, schema in fields.items() if _fits(name)}
    scalars = {name: schema for name, schema in named.items() if schema is not None}
    found: dict[str, JsonSchema] = {name: schema for name, schema in scalars.items() if schema["type"] != "number"}
    for name, schema in scalars.items():
        if name not in keys and (schema["type"] in ("integer", "number") or schema.get("format") in _MOMENTS):
            found |= {f"{name}.ge": schema, f"{name}.le": schema}
        elif schema["type"] == "string" and "format" not in schema and "enum" not in schema and name not in keys:
            found[f"{name}.like"] = {"type": "string", "minLength": 1, "maxLength": 200}
    return dict(list(found.items())[:_MOST])


def sortable(name: str) -> bool:
    """Whether `sort` can name a field: commas part names there, and a minus descends."""
    return _PLAIN.fullmatch(name) is not None


def _fits(name: str) -> bool:
    return _PLAIN.fullmatch(name) is not None and name not in _RESERVED


def _scalar(schema: JsonSchema) -> dict[str, Any] | None:
    """The schema of one value that isn't null; None: no query can hold it."""
    kinds = schema.get("type")
    named = [kinds] if isinstance(kinds, str) else [each for each in kinds or () if each != "null"]
    if len(named) != 1 or named[0] not in ("string", "integer", "number", "boolean") or "contentEncoding" in schema:
        return None
    kept = {key: value for key, value in schema.items() if key != "description"}
    if "enum" in kept:
        kept["enum"] = [each for each in kept["enum"] if each is not None]
    return {**kept, "type": named[0]}
