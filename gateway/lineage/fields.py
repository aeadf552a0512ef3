"""A reply's fields, by its contract and by the mapping that makes it, each with what it depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import JsonSchema
from gateway.lineage.flow import ANY, At, Dependencies, Either, Flow, Items, Made, Parts, everything, item, member
from gateway.routing.paths import ITEM, at_member

MOST = 2_000
"""Fields that are told of one reply."""
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its place in the reply, the value's own dependencies, and those that decide whether it's there."""

    place: tuple[str, ...]
    value: Dependencies
    when: Dependencies


def fields(flow: Flow, schema: JsonSchema | None) -> list[Field]:
    """The fields of a value, as far down as its contract and its mapping tell; at most `MOST`."""
    found = []
    for each in _fields(flow, schema or {}, (), ()):
        found.append(each)
        if len(found) == MOST:
            break
    return found


def _fields(flow: Flow, schema: JsonSchema, at: tuple[str, ...], path: tuple[str, ...]) -> Iterator[Field]:
    options = list(_options(flow))
    described = at_member(schema, path, schema) if len(path) < _DEEPEST else []
    open_ = any(isinstance(each, At) for each in options)
    names = _names(options, described if open_ else [])
    if names:
        for name in names:
            yield from _fields(member(flow, name), schema, (*at, name), (*path, name))
    elif _is_list(options, described if open_ else []):
        yield from _fields(item(flow, None), schema, (*at, ANY), (*path, ITEM))
    else:
        own = value(flow)
        yield Field(at, own, everything(flow) - own)


def _options(flow: Flow) -> Iterator[Flow]:
    if isinstance(flow, Either):
        for each in flow.options:
            yield from _options(each)
    else:
        yield flow


def _names(options: list[Flow], described: list[Mapping[str, Any]]) -> list[str]:
    made = [name for each in options if isinstance(each, Parts) and not each.is_list for name in each.members]
    return list(dict.fromkeys([*made, *(name for each in described for name in each.get("properties", {}))]))


def _is_list(options: list[Flow], described: list[Mapping[str, Any]]) -> bool:
    made = any(isinstance(each, Items) or (isinstance(each, Parts) and each.is_list) for each in options)
    return made or any("items" in each for each in described)


def value(flow: Flow) -> Dependencies:
    """What the value itself is made of, without what only decides whether, or which, it is."""
    if isinstance(flow, At | Made):
        return frozenset(each for each in everything(flow) if each.whole)
    if isinstance(flow, Items):
        return value(flow.each)
    inner = flow.members.values() if isinstance(flow, Parts) else flow.options
    return frozenset[Any]().union(*(value(each) for each in inner))
