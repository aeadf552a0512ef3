"""A layout → JSON Schema: of what decoding gives, and of what encoding takes."""

from __future__ import annotations

from typing import Any

from adapters.contract import JsonSchema
from adapters.files.copybook import texts
from adapters.files.copybook.layout import Field, Group, Layout, Node
from adapters.files.copybook.numbers import MAX_INTEGER_DIGITS
from adapters.files.copybook.picture import Category, Picture


def output_schema(layout: Layout) -> dict[str, Any]:
    """What a decoded record looks like."""
    return _group(layout.root, written=False)


def input_schema(layout: Layout, required: str) -> dict[str, Any]:
    """What a record to be written looks like; only field `required`, its key, must be given."""
    return {**_group(layout.root, written=True), "required": [required]}


def _group(group: Group, *, written: bool) -> dict[str, Any]:
    properties, required = _members(group, written=written)
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema if written or not required else {**schema, "required": required}


def _members(group: Group, *, written: bool) -> tuple[dict[str, JsonSchema], list[str]]:
    properties: dict[str, JsonSchema] = {}
    required: list[str] = []
    for area in group.areas:
        for node in area.nodes:
            found, names = _member(node, written=written)
            properties |= found
            required += names if len(area.nodes) == 1 else []
    return properties, required


def _member(node: Node, *, written: bool) -> tuple[dict[str, JsonSchema], list[str]]:
    if node.shown != "named":
        lifted = isinstance(node, Group) and node.shown == "lifted"
        return _members(node, written=written) if lifted and isinstance(node, Group) else ({}, [])
    schema = _group(node, written=written) if isinstance(node, Group) else _field(node, written=written)
    if node.occurs is not None:
        schema = {"type": "array", "items": schema, "maxItems": node.occurs.high}
    return {node.name: schema}, [node.name]


def _field(field: Field, *, written: bool) -> dict[str, Any]:
    picture = field.picture
    if picture is None:
        return {"type": "number"}
    if texts.is_shown(field):
        return {"type": "string"}
    if picture.category in (Category.TEXT, Category.NATIONAL):
        return _conditions(field, {"type": "string", "maxLength": picture.length})
    return _conditions(field, _number(picture, nullable=field.usage == "display", written=written))


def _number(picture: Picture, *, nullable: bool, written: bool) -> dict[str, Any]:
    null = ["null"] if nullable else []
    if picture.scale <= 0 and picture.digits <= MAX_INTEGER_DIGITS:
        return {"type": ["integer", *null] if null else "integer"}
    types = ["string", *(["number"] if written else []), *null]
    return {"type": types if len(types) > 1 else "string", "format": "decimal"}


def _conditions(field: Field, schema: dict[str, Any]) -> dict[str, Any]:
    """Level 88 documents the values of a text: an `enum`, and which condition means which."""
    if not field.conditions:
        return schema
    meaning = "; ".join(
        f"{condition.name}: {', '.join([*condition.values, *(f'{a} to {b}' for a, b in condition.through)])}"
        for condition in field.conditions
    )
    schema = {**schema, "description": meaning}
    if schema["type"] == "string" and not any(condition.through for condition in field.conditions):
        values = dict.fromkeys(value.rstrip() for condition in field.conditions for value in condition.values)
        schema["enum"] = list(values)
    return schema
