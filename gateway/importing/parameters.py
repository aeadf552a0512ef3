"""The parameters of an imported route, as OpenAPI has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from adapters.contract import JsonSchema
from gateway.importing.bounds import bounded
from gateway.importing.examples import NoExample, example
from gateway.importing.queries import Asked, scalar
from gateway.importing.words import said, sentence, words

_MOST_EXPANDED = 5


def parameter(each: Asked, where: str, root: JsonSchema) -> dict[str, Any]:
    """A value in the path or the query; `root` is what its schema refers into."""
    schema = dict(scalar(each.schema, root) or {"type": "string"})
    told = sentence(str(schema.pop("description", "")))
    made: dict[str, Any] = {"name": each.name, "in": where}
    if where == "path" or each.required:
        made["required"] = True
    made["description"] = told or f"{said(words(each.name)).capitalize()}."
    made["schema"] = bounded(schema)
    return with_example(made, made["schema"])


def filter_(name: str, schema: JsonSchema, item: JsonSchema) -> dict[str, Any]:
    """A filter of a list, by its name such as `Name.like`; `item` is what its schema refers into."""
    field, _, operator = name.rpartition(".")
    plain, meaning = (field, _OPERATORS[operator]) if operator in _OPERATORS and field else (name, "is")
    shown = dict(scalar(schema, item) or {"type": "string"})
    shown.pop("description", None)
    made = {"name": name, "in": "query", "description": f"Only items whose {plain} {meaning} this."}
    return with_example({**made, "schema": bounded(shown)}, shown)


_OPERATORS = {
    "eq": "is",
    "ne": "isn't",
    "lt": "is less than",
    "le": "is at most",
    "gt": "is more than",
    "ge": "is at least",
    "in": "is one of",
    "like": "fits (`%` stands for any text)",
    "null": "is absent:",
}


def sort(fields: Iterable[str]) -> dict[str, Any]:
    """The parameter `sort` over those fields."""
    names = list(fields)
    one = "-?(" + "|".join(re.escape(name) for name in names) + ")"
    pattern = f"^{one}(,{one})*$"
    pattern = pattern if len(pattern) <= 2000 else "^[^,]+(,[^,]+)*$"
    schema = {"type": "string", "pattern": pattern, "maxLength": 2000}
    told = "Members to sort by, separated by commas; a leading `-` descends."
    return {"name": "sort", "in": "query", "description": told, "schema": schema, "example": names[0]}


def expand(names: Iterable[str]) -> dict[str, Any]:
    """The parameter `expand`, which may name these."""
    known = list(names)
    items = {"type": "string", "enum": known}
    schema = {"type": "array", "maxItems": _MOST_EXPANDED, "items": items}
    told = "What to join, separated by commas."
    where = {"name": "expand", "in": "query", "style": "form", "explode": False, "description": told}
    return {**where, "schema": schema, "example": known[:1]}


def with_example(holder: dict[str, Any], schema: JsonSchema) -> dict[str, Any]:
    """A parameter or a body with an example, where one is found."""
    try:
        return {**holder, "example": example(schema)}
    except NoExample:
        return holder
