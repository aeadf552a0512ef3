"""What an operation is asked, as a table's `get` or `list` is; and what rows are, as the operation tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Json
from gateway.events.answers import MOST
from gateway.events.bindable import Unanswerable
from gateway.routing.captured_operations import Spelling


def one_asked(spelling: Spelling, key: tuple[str, ...], input: Mapping[str, Json]) -> dict[str, Json]:
    """A get's input: the key; raises `Unanswerable`."""
    if input.keys() != set(spelling.key):
        raise Unanswerable("it is asked for with more than a key")
    return {name: input[member] for name, member in zip(key, spelling.key, strict=True)}


def page_asked(spelling: Spelling, input: Mapping[str, Json]) -> dict[str, Json]:
    """A list's input: limit, position and conditions; raises `Unanswerable`."""
    asked = {name: value for name, value in input.items() if name not in (spelling.limit, spelling.after)}
    where = [
        [path, "eq", asked.pop(name)] for name, path in spelling.filters.items() if _filters(spelling, asked, name)
    ]
    if asked != spelling.fixed:
        raise Unanswerable("it is asked for otherwise than it was captured")
    page: dict[str, Json] = {"limit": input.get(spelling.limit) if spelling.limit else MOST, "where": where}
    if spelling.after and input.get(spelling.after) is not None:
        page["after"] = input[spelling.after]
    return page


def _filters(spelling: Spelling, asked: Mapping[str, Json], name: str) -> bool:
    """Whether it is asked for with a filter that the capture itself isn't narrowed by."""
    return name in asked and (name not in spelling.fixed or asked[name] != spelling.fixed[name])


def told(spelling: Spelling, value: Json) -> Json:
    """What rows come to as the operation's result; raises `Unanswerable` where they are more than one can have."""
    if not spelling.key:
        if value["next"] is not None and not spelling.next:
            raise Unanswerable("the operation answers all at once")
        return _put(_put({}, spelling.within, value["items"]), spelling.next, value["next"])
    return value if value is None or not spelling.within else _put({}, spelling.within, value)


def _put(result: dict[str, Any], path: tuple[str, ...], value: Json) -> dict[str, Any]:
    if value is None:
        return result
    at = result
    for name in path[:-1]:
        at = at.setdefault(name, {})
    at[path[-1]] = value
    return result
