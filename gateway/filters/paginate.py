"""Lists: `limit`, `cursor`, `sort` and filters become a `ListRequest`; its position becomes a signed cursor.

A cursor is opaque and bound to the route and to the sort and filters it was made for (HMAC-SHA256, 128 bits kept),
so one that was tampered with, or used with another question, is a 400. It begins with the id of the key that signed it.
A position means something only to the side that gave it: the replacement's cursors say whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from adapters.contract import Json
from gateway.call import Call, Reply
from gateway.errors import InvalidRequest
from gateway.filters.cursors import opened, sealed
from gateway.identity.signing import Keyring
from gateway.pipeline import Stage
from gateway.routing.groups import Served, Side
from gateway.routing.model import Defaults, Route

OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "like", "null")
_MARKS: Mapping[Served, str] = {"legacy": "", "replacement": "r.", "both": "b."}
"""What a side's cursors begin with; no key's id begins so."""
_BACK = "p."
"""What stands behind that where a cursor leads backwards."""
_RESERVED = frozenset({"limit", "cursor", "sort", "fields", "expand"})


def paginate(route: Route, defaults: Defaults, keys: Keyring, side: Served = "legacy") -> Stage:
    """A filter that reads the list's parameters into `call.page` and writes the reply's `next`; `side` is the one that
    positions are of, where the route has two."""
    mark = _MARKS[side]
    declared = {each.name for each in route.parameters if each.where == "query"}
    filters = {name: _field(name) for name in declared - _RESERVED}
    repeated = frozenset(each.name for each in route.parameters if each.where == "query" and each.explode)

    # Where a side's pages can't go backwards, nothing is known to be before them.
    both_ways = route.both_ways and side != "both"

    def before(call: Call) -> None:
        query = call.query
        cursor = (query.get("cursor") or "").removeprefix(mark)
        backwards = both_ways and cursor.startswith(_BACK)
        bound = _bound_to(route, call) + mark.encode()
        position = opened(cursor, bound, keys) if cursor and not backwards else None
        page: dict[str, Json] = {
            "limit": min(_limit(query.get("limit", defaults.page)), defaults.max_page),
            "after": position,
            "sort": _sort(query.get("sort")),
            "where": [[*filters[name], value] for name, value in query.items() if name in filters],
        }
        if both_ways:
            before = opened(cursor.removeprefix(_BACK), bound + _BACK.encode(), keys) if backwards else None
            page["before"] = before
        call.page = page

    def after(call: Call, reply: Reply) -> None:
        body = reply.body
        if isinstance(body, dict):
            bound = _bound_to(route, call) + mark.encode()
            call.following = cursor(mark, body.get("next"), bound)
            body["next"] = _url(call, call.following, repeated)
            if route.both_ways:
                position = body.get("previous") if both_ways else None
                body["previous"] = _url(call, cursor(mark + _BACK, position, bound + _BACK.encode()), repeated)

    def cursor(mark: str, position: Json, bound: bytes) -> str | None:
        return None if position is None else mark + sealed(position, bound, keys.current)

    return Stage(before, after)


def side_of_cursor(call: Call) -> Side | None:
    """Whose cursor a call shows; None: it shows none. Whether it's a true one is seen when it's opened."""
    cursor = call.query.get("cursor")
    if not isinstance(cursor, str) or not cursor:
        return None
    return "replacement" if cursor.startswith((_MARKS["replacement"], _MARKS["both"])) else "legacy"


def _limit(asked: Any) -> int:
    # Contracts that give no minimum mean one all the same: to some databases -1 is everything.
    if not isinstance(asked, int) or asked < 1:
        raise InvalidRequest(
            "The limit is a whole number from 1.",
            errors=[{"pointer": "/query/limit", "detail": "is less than 1", "rule": "minimum", "expected": 1}],
            fix="Send limit=1 or more, or leave it out.",
        )
    return asked


def _field(name: str) -> tuple[str, str]:
    """`qty.ge` → (qty, ge); `qty` → (qty, eq)."""
    field, _, operator = name.rpartition(".")
    return (field, operator) if operator in OPERATORS and field else (name, "eq")


def _sort(text: Any) -> list[str]:
    fields = text if isinstance(text, list) else str(text).split(",") if text else []
    if len({field.lstrip("-") for field in fields}) != len(fields):
        raise InvalidRequest(
            "A field is named twice in 'sort'.",
            errors=[{"pointer": "/query/sort", "detail": "names a field twice", "rule": "uniqueItems"}],
            fix="Name each field once.",
        )
    return fields


def _bound_to(route: Route, call: Call) -> bytes:
    """What a cursor is good for: the route, its path and every parameter but `cursor` and `limit`."""
    asked = {name: value for name, value in call.query.items() if name not in ("cursor", "limit")}
    return orjson.dumps([route.operation_id, call.path, asked], option=orjson.OPT_SORT_KEYS)


def _url(call: Call, cursor: str | None, repeated: frozenset[str]) -> str | None:
    """The URL of another page: the same question, relative to the host that was asked. Of a list, each item is a
    parameter of its own where its name is in `repeated`; elsewhere commas join them."""
    if cursor is None:
        return None
    asked: Mapping[str, Any] = {**call.query, "cursor": cursor}
    texts = {name: _written(value, name in repeated) for name, value in asked.items() if value is not None}
    return f"{call.target}?{urlencode(texts, doseq=True, quote_via=quote)}"


def _written(value: Json, repeated: bool) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        items = [str(_written(item, repeated)) for item in value]
        return items if repeated else ",".join(items)
    return value
