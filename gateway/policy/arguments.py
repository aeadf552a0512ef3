"""A call's arguments as Cedar values, by the types that the contract declares.

Only what a policy may mention is converted. A value that has no place in Cedar's type (a decimal with more than four
places, an integer of more than 64 bits) can't be judged: then the call is denied, never judged without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from adapters.contract import Json
from gateway.call import Call
from gateway.routing.model import Route
from gateway.routing.policy_schema import cedar_type

Convert: TypeAlias = Callable[[Json], Any]


class Unfit(Exception):
    """A value that Cedar has no place for."""


def reader(route: Route, mentioned: frozenset[str]) -> Callable[[Call], dict[str, Any]]:
    """A function from a call to `context.arguments`, of which only the mentioned members are made; raises `Unfit`."""
    places: dict[str, dict[str, Convert]] = {"path": {}, "query": {}, "header": {}}
    for each in route.parameters:
        kind = cedar_type(each.schema) if each.name in mentioned else None
        if kind is not None:
            places[each.where][each.name] = _converter(kind)
    body = None
    if route.body is not None and "body" in mentioned:
        kind = cedar_type(next(iter(route.body.media.values()), {}))
        body = None if kind is None else _converter(_narrowed(kind, mentioned))

    def read(call: Call) -> dict[str, Any]:
        given = {"path": call.path, "query": call.query, "header": call.header}
        made: dict[str, Any] = {where: _record(given[where], members) for where, members in places.items()}
        if body is not None and not _absent(call.body):
            made["body"] = body(call.body)
        return made

    return read


def _absent(body: Json) -> bool:
    # A body that may be left out is an object of its own kind until it's there.
    return not isinstance(body, dict | list | str | int | float | bool)


def _narrowed(kind: dict[str, Any], mentioned: frozenset[str]) -> dict[str, Any]:
    if kind["type"] != "Record":
        return kind
    return {**kind, "attributes": {name: each for name, each in kind["attributes"].items() if name in mentioned}}


def _converter(kind: Mapping[str, Any]) -> Convert:
    if kind["type"] == "Record":
        members = {name: _converter(each) for name, each in kind["attributes"].items()}
        return lambda value: _record(_as(dict, value), members)
    if kind["type"] == "Set":
        convert = _converter(kind["element"])
        return lambda value: [convert(each) for each in _as(list, value)]
    if kind["type"] == "Extension":
        return _decimal
    return {"String": lambda value: _as(str, value), "Long": _long, "Boolean": lambda value: _as(bool, value)}[
        kind["type"]
    ]


def _record(given: Mapping[str, Json], members: Mapping[str, Convert]) -> dict[str, Any]:
    # Cedar has no null: what is null is absent.
    return {name: convert(given[name]) for name, convert in members.items() if given.get(name) is not None}


def _as(kind: type, value: Json) -> Any:
    if not isinstance(value, kind):
        raise Unfit
    return value


def _long(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise Unfit
    return value


def _decimal(value: Json) -> dict[str, Any]:
    if isinstance(value, bool):
        raise Unfit
    try:
        number = Decimal(str(value))
        scaled = number * 10_000
        exact = number.is_finite() and abs(scaled) < 2**63 and scaled == scaled.to_integral_value()
    except InvalidOperation:
        exact = False
    if not exact:
        raise Unfit
    text = format(number, "f")
    whole, _, places = text.partition(".")
    return {"__extn": {"fn": "decimal", "arg": f"{whole}.{places.rstrip('0') or '0'}"}}
