"""`<dataset>.aggregate` as an operation: what it takes and what it answers, by the dataset's own fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.contract import Effect, Operation
from adapters.files.aggregates import FUNCTIONS, MAX_FIELDS, MAX_GROUPS
from adapters.files.dataset import Description
from adapters.files.formats import FieldType

_NUMERIC = ("integer", "decimal", "number")
_PLAIN: dict[FieldType, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "decimal": {"type": "string", "format": "decimal"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
}
_ABOUT = {
    "group": "Fields whose values make the groups; left out, all records are one.",
    "sum": "Fields to add up.",
    "avg": "Fields of which to tell the average.",
    "min": "Fields of which to tell the least value.",
    "max": "Fields of which to tell the largest value.",
    "distinct": "Fields whose different values to count.",
}


def aggregating(description: Description, record: Mapping[str, Any]) -> Operation:
    """The operation of a dataset whose records are as `record` says."""
    name, fields = description.name, description.format.fields
    numeric = None if fields is None else [path for path, kind in fields.items() if kind in _NUMERIC]
    every = None if fields is None else list(fields)
    given = {member: _names(numeric if member in ("sum", "avg") else every, about) for member, about in _ABOUT.items()}
    conditions = {"type": "array", "items": {"type": "array", "minItems": 3, "maxItems": 3}}
    input = {
        "type": "object",
        "properties": {**given, "where": conditions, "rows": {"type": "array"}},
        "additionalProperties": False,
    }
    found = {"group": _members(_values(fields, record)), "count": {"type": "integer"}}
    found |= {function: _members(_answers(function, fields, record)) for function in FUNCTIONS}
    item = {"type": "object", "properties": found, "required": ["group", "count"], "additionalProperties": False}
    output = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": item, "maxItems": MAX_GROUPS}},
        "required": ["items"],
        "additionalProperties": False,
    }
    about = f"Counts, sums, averages, least and largest values of {name}, by groups."
    return Operation(f"{name}.aggregate", Effect.READ, input, output, about)


def _names(fields: list[str] | None, about: str) -> dict[str, Any]:
    items = {"enum": fields} if fields else {"type": "string"}
    most = MAX_FIELDS if fields is None else min(MAX_FIELDS, len(fields))
    return {"type": ["array", "null"], "items": items, "maxItems": most, "description": about}


def _members(values: Mapping[str, Any] | None) -> dict[str, Any]:
    if values is None:
        return {"type": "object"}
    return {"type": "object", "properties": values, "additionalProperties": False}


def _values(fields: Mapping[str, FieldType] | None, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Each field as it is in the records, or null."""
    if fields is None:
        return None
    return {path: nullable(_at(record, path.split(".")) or _PLAIN[kind]) for path, kind in fields.items()}


def _answers(function: str, fields: Mapping[str, FieldType] | None, record: Mapping[str, Any]) -> dict[str, Any] | None:
    if fields is None:
        return None
    if function == "distinct":
        return {path: {"type": "integer"} for path in fields}
    if function in ("min", "max"):
        return _values(fields, record)
    return {
        path: nullable(_PLAIN["number" if kind == "number" else "decimal"])
        for path, kind in fields.items()
        if kind in _NUMERIC
    }


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, or null."""
    kinds = schema.get("type", [])
    known: Iterable[str] = [kinds] if isinstance(kinds, str) else kinds
    if "enum" in schema:
        return {"anyOf": [dict(schema), {"type": "null"}]}
    return {**schema, "type": list(dict.fromkeys([*known, "null"]))} if known else dict(schema)


def _at(schema: Mapping[str, Any], path: Iterable[str]) -> Mapping[str, Any] | None:
    for name in path:
        schema = schema.get("properties", {}).get(name)
        if schema is None:
            return None
    return schema
