"""The JSON Schema of a source's rows as a subscriber is told them: the route's, without what policies never show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.feeds.sources import Source
from gateway.policy.grants import Grant
from gateway.routing.rules import Path

_DEFS = "#/$defs/"
_MOST_HOPS = 20
_TOKEN = {"type": "string", "description": "A token that stands for the value: equal ones for equal values."}
_WITHIN = ("allOf", "anyOf", "oneOf")

Schema = dict[str, Any]


def row_schema(source: Source, grant: Grant | None) -> Schema:
    """A row as its reader sees it: fields that are always left out aren't there, those that may be aren't required.
    Refers to its own `$defs`."""
    reply: Mapping[str, Any] = source.route.reply or {}
    definitions = reply.get("$defs", {})
    row: Schema = {name: each for name, each in reply.items() if name != "$defs"}
    if source.route.is_list:
        items = _followed(row, definitions).get("properties", {}).get("items", {})
        row = dict(_followed(items, definitions).get("items", {}))
    if grant is not None:
        left_out, tokens = grant.always()
        for path in grant.unsafe:
            row = _changed(row, path, definitions, _optional)
        for path in left_out:
            row = _changed(row, path, definitions, _gone)
        for path in tokens:
            row = _changed(row, path, definitions, _tokenised)
    return {**row, "$defs": definitions} if definitions else row


def _followed(schema: Any, definitions: Mapping[str, Any]) -> Schema:
    """A copy of what `$ref`s lead to."""
    for _ in range(_MOST_HOPS):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith(_DEFS):
            break
        schema = definitions.get(reference.removeprefix(_DEFS), {})
    return dict(schema) if isinstance(schema, dict) else {}


def _changed(schema: Any, path: Path, definitions: Mapping[str, Any], change: Any) -> Schema:
    """A copy in which the member at `path` is changed wherever it is described; an array stands for its items."""
    made = _followed(schema, definitions)
    for word in _WITHIN:
        if isinstance(made.get(word), list):
            made[word] = [_changed(each, path, definitions, change) for each in made[word]]
    if "items" in made:
        made["items"] = _changed(made["items"], path, definitions, change)
    properties = made.get("properties")
    if isinstance(properties, dict) and path[0] in properties:
        if len(path) == 1:
            return _made(change, made, path[0])
        below = _changed(properties[path[0]], path[1:], definitions, change)
        made["properties"] = {**properties, path[0]: below}
    return made


def _made(change: Any, schema: Schema, name: str) -> Schema:
    properties, required = dict(schema["properties"]), [each for each in schema.get("required", ()) if each != name]
    change(properties, name)
    made = {**schema, "properties": properties}
    return {**made, "required": required} if "required" in schema else made


def _optional(properties: Schema, name: str) -> None:
    """It stays as it is, and isn't required any more."""


def _gone(properties: Schema, name: str) -> None:
    properties.pop(name, None)


def _tokenised(properties: Schema, name: str) -> None:
    properties[name] = _TOKEN


def apart(schema: Schema, name: str) -> dict[str, Schema]:
    """The schema and its `$defs` as components of their own: `name`, and `name.DEFINITION` for what it refers to."""
    definitions = schema.get("$defs", {})
    row = {key: each for key, each in schema.items() if key != "$defs"}
    found, waiting = {name: _renamed(row, name)}, list(_named(row))
    while waiting:
        each = waiting.pop()
        if f"{name}.{each}" not in found and each in definitions:
            found[f"{name}.{each}"] = _renamed(definitions[each], name)
            waiting += _named(definitions[each])
    return found


def _named(value: Any) -> Sequence[str]:
    """The definitions that a schema refers to."""
    if isinstance(value, list):
        return [name for each in value for name in _named(each)]
    if not isinstance(value, dict):
        return []
    reference = value.get("$ref")
    own = [reference.removeprefix(_DEFS)] if isinstance(reference, str) and reference.startswith(_DEFS) else []
    return [*own, *(name for each in value.values() for name in _named(each))]


def _renamed(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_renamed(each, name) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: each.replace(_DEFS, f"#/components/schemas/{name}.", 1)
        if key == "$ref" and isinstance(each, str)
        else _renamed(each, name)
        for key, each in value.items()
    }
