"""What a tool answers to a caller who doesn't see all of it, as a schema: never one that its replies might break."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.contract import JsonSchema
from gateway.routing.rules import Path

_TOLD = "May be left out for you, or a token may stand for it."
# What stays true of a value when something in it is left out.
_STAYS = frozenset({"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "$defs"})
_STAYS |= {"title", "description", "deprecated", "readOnly"}


class _Untold(Exception):
    """What is left out stands where a schema can't say so."""


def masked(schema: JsonSchema, paths: Iterable[Path], *, is_list: bool) -> JsonSchema | None:
    """The schema with what stands at `paths` of a row as what needn't be there, and may be anything; None: it can't be
    said. Paths lead from a row, and through arrays to each item."""
    wanted = [("items", *path) if is_list else path for path in paths]
    try:
        return _masked(schema, wanted)
    except _Untold:
        return None


def _masked(schema: Any, paths: list[Path]) -> JsonSchema:
    if not isinstance(schema, Mapping) or not schema.keys() <= _STAYS:
        raise _Untold
    made = dict(schema)
    if "items" in schema:
        made["items"] = _masked(schema["items"], paths)
    members = dict(schema.get("properties", {}))
    for name in members:
        below = [path[1:] for path in paths if path[0] == name]
        if () in below:
            members[name] = {"description": _TOLD}
        elif below:
            members[name] = _masked(members[name], below)
    if members:
        made["properties"] = members
    gone = {path[0] for path in paths if len(path) == 1}
    if gone & set(schema.get("required", ())):
        made["required"] = [name for name in schema["required"] if name not in gone]
    return made
