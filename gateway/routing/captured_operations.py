"""Captured operations whose answers a replica can give: `pages`, `filters` and `gets` of a capture.

A replica stands in for an operation only where both are proven alike by what the upstream says of itself: a member that
one has and the other lacks would be told as if it weren't there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from adapters.changes import Form, Kind
from adapters.contract import Json, JsonSchema, Operation
from gateway.routing.alike import alike, followed

_PATH = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
_DEPTH = 4
"""How deep within an entity filters may lead."""
_KINDS: Mapping[str, Kind] = {"string": "text", "integer": "integer", "boolean": "boolean"}
_KEYS = ("text", "integer")


class PagesModel(BaseModel):
    """How an operation that isn't a list itself is read page by page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: str = Field(min_length=1, description="The input member that says how many entities a page has at most.")
    after: str = Field(min_length=1, description="The input member that says where a page begins.")
    next: str = Field(
        pattern=_PATH, description="Where a result has what the next page is asked with; absent: no more."
    )


class GetsModel(BaseModel):
    """Another operation, which answers one entity by its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str = Field(min_length=1, description="The operation that answers one entity.")
    key: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1, max_length=16, description="Its input members that are the key, in the key's order."
    )
    item: str = Field(
        default="", pattern=f"^$|{_PATH}", description="Where its result has the entity; left out: it is the entity."
    )


class Spelling(NamedTuple):
    """How an operation asks for, and tells, what a table's `get` or `list` does."""

    within: tuple[str, ...]
    """The members of the result that lead to the entity, or to the list of them."""
    key: tuple[str, ...] = ()
    """Of a get: the input members that are the key, in its order."""
    fixed: Mapping[str, Json] = {}
    """Of a list: what is asked of the upstream with every page of the capture."""
    filters: Mapping[str, str] = {}
    """Input member → the member of an entity that equals it, by dotted path."""
    limit: str = ""
    after: str = ""
    next: tuple[str, ...] = ()


def path_of(text: str) -> tuple[str, ...]:
    """The members that a dotted path leads through."""
    return tuple(text.split(".")) if text else ()


def member(schema: JsonSchema, root: JsonSchema, path: tuple[str, ...]) -> JsonSchema | None:
    """What describes the member at a path; None: nothing does."""
    found = followed(schema, root)
    for name in path:
        inner = found.get("properties", {}).get(name)
        if not isinstance(inner, Mapping):
            return None
        found = followed(inner, root)
    return found


def entity(operation: Operation, items: str) -> JsonSchema | None:
    """What describes an entity of a list; None: nothing does, or `items` is more than a path."""
    found = member(operation.output, operation.output, path_of(items))
    each = None if found is None else found.get("items")
    return followed(each, operation.output) if isinstance(each, Mapping) else None


def form_of(operation: Operation, items: str, key: tuple[str, ...]) -> Form | None:
    """What entities that an operation answered can be asked for; None: nothing, as their key isn't described."""
    found = entity(operation, items)
    if found is None:
        return None
    fields = dict(_fields(found, operation.output, "", _DEPTH))
    if not all(fields.get(name) in _KEYS for name in key):
        return None
    described = {"entity": found, "within": operation.output.get("$defs")}
    shape = hashlib.sha256(orjson.dumps(described, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return Form(key, fields, True, False, True, False, "", shape)


def _fields(schema: JsonSchema, root: JsonSchema, at: str, depth: int) -> Iterator[tuple[str, Kind]]:
    for name, described in schema.get("properties", {}).items():
        if not isinstance(described, Mapping) or not name.replace("_", "a").isalnum():
            continue
        found = _there(followed(described, root), root)
        kind = found.get("type")
        if kind == "object" and depth:
            yield from _fields(found, root, f"{at}{name}.", depth - 1)
        elif isinstance(kind, str) and kind in _KINDS and "format" not in found and "contentEncoding" not in found:
            yield at + name, _KINDS[kind]


def _there(schema: JsonSchema, root: JsonSchema) -> JsonSchema:
    """What describes a value that may also be null."""
    ways = [followed(each, root) for each in schema.get("anyOf", ()) if isinstance(each, Mapping)]
    ways = [each for each in ways if each.get("type") != "null"]
    return ways[0] if len(ways) == 1 else schema


def lacking(operation: Operation, items: str, following: str) -> list[str]:
    """What a result has beside its entities and the way to the next page: a replica can't tell it."""
    paths = [path_of(items), path_of(following)]
    found: list[str] = []
    for depth, at in [(depth, path[:depth]) for path in paths for depth in range(len(path))]:
        known = {path[depth] for path in paths if path[:depth] == at and len(path) > depth}
        described = member(operation.output, operation.output, at) or {}
        found += [".".join((*at, name)) for name in described.get("properties", {}) if name not in known]
    return sorted(set(found))


def get_faults(
    gets: GetsModel, found: Operation | None, listed: Operation, items: str, key: tuple[str, ...]
) -> list[str]:
    """What keeps an operation from being answered by the entities of another one."""
    where, name = "gets: ", gets.operation
    if found is None:
        return [f"{where}the upstream has no operation '{name}'"]
    if len(gets.key) != len(key):
        return [f"{where}the key has {len(key)} members ({', '.join(key)}), and gets.key {len(gets.key)}"]
    taken = found.input.get("properties", {})
    strange = [each for each in gets.key if taken and each not in taken]
    if strange:
        return [f"{where}'{name}' takes no '{strange[0]}'"]
    one = member(found.output, found.output, path_of(gets.item))
    each = entity(listed, items)
    if one is None or each is None or not one.get("properties"):
        return [f"{where}nothing describes what '{name if one is None or each else listed.name}' answers there"]
    if form_of(listed, items, key) is None:
        return [f"{where}the key ({', '.join(key)}) must be texts or integers"]
    differing = alike(each, listed.output, one, found.output)
    if differing is not None:
        return [
            f"{where}'{listed.name}' and '{name}' describe their entities differently at "
            f"{differing or 'their members'}: a replica of the one can't stand in for the other"
        ]
    return []


def page_faults(pages: PagesModel | None, filters: Mapping[str, str], found: Operation, form: Form | None) -> list[str]:
    """What keeps an operation from being read, and asked, as `pages` and `filters` say."""
    taken: Mapping[str, Any] = found.input.get("properties", {})
    asked = [] if pages is None else [pages.limit, pages.after]
    for name in [*asked, *filters]:
        if taken and name not in taken:
            return [f"'{found.name}' takes no '{name}'"]
    if found.is_list and (pages is not None or filters):
        return [f"'{found.name}' is a list by itself: leave pages and filters out"]
    if pages is not None and taken and member(found.output, found.output, path_of(pages.next)) is None:
        return [f"pages: '{found.name}' answers no '{pages.next}'"]
    for path in filters.values():
        if form is None or path not in form.fields:
            return [f"filters: '{path}' isn't a text, integer or boolean of each entity"]
    return []
