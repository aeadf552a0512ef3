"""Trims a reply to its schema: what the schema doesn't declare is left out (`enforcement: shape`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.contract import Json, JsonSchema


def trimmer(schema: JsonSchema) -> Callable[[Json], Json]:
    """A function that leaves out every object member that `schema` (with its own `$defs`) doesn't declare."""
    definitions = schema.get("$defs", {})

    def trim(value: Json, part: Mapping[str, Any]) -> Json:
        part = _resolved(part, definitions)
        if isinstance(value, list) and "items" in part:
            return [trim(item, part["items"]) for item in value]
        properties = _properties(part, definitions)
        if not isinstance(value, dict) or not properties:
            return value
        return {name: trim(member, properties[name]) for name, member in value.items() if name in properties}

    return lambda value: trim(value, schema)


def _resolved(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        part = definitions.get(str(part["$ref"]).rsplit("/", 1)[-1], {})
    return part


def _properties(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """All that an object may have: its own properties and those of every branch."""
    found = dict(part.get("properties", {}))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in part.get(keyword, ()):
            found.update(_properties(_resolved(branch, definitions), definitions))
    return found
