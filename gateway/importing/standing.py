"""What stands in every imported contract: paging, and what the gateway itself answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CURSOR: Mapping[str, Any] = {
    "name": "cursor",
    "in": "query",
    "description": "Where to go on: taken from `next`, never made by hand.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 2000},
}


def limit(page: int, most: int) -> dict[str, Any]:
    """The parameter `limit`, by the workspace's defaults."""
    schema = {"type": "integer", "format": "int32", "minimum": 1, "maximum": most, "default": page}
    return {"name": "limit", "in": "query", "description": "How many items a page has at most.", "schema": schema}
