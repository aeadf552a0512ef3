"""What stands in every imported contract: paging, and what the gateway itself answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Plain = Mapping[str, Any]

CURSOR: Plain = {
    "name": "cursor",
    "in": "query",
    "description": "Where to go on: taken from `next`, never made by hand.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 2000},
}


FIELDS: Plain = {
    "name": "fields",
    "in": "query",
    "style": "form",
    "explode": False,
    "description": "The members to have, separated by commas; left out: all of them.",
    "schema": {"type": "array", "maxItems": 1000, "items": {"type": "string", "minLength": 1, "maxLength": 200}},
}
IF_MATCH: Plain = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The `ETag` of what was read: the change is made only if it is this one still. `*`: in any case.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 1000},
    "example": "*",
}


def limit(page: int, most: int) -> dict[str, Any]:
    """The parameter `limit`, by the workspace's defaults."""
    schema = {"type": "integer", "format": "int32", "minimum": 1, "maximum": most, "default": page}
    return {"name": "limit", "in": "query", "description": "How many items a page has at most.", "schema": schema}
