"""`fields=a,b`: the reply's entities with these members only.

Outside of all that looks at replies, so that what is left out has been judged, and decided by, as if it were there.
"""

from __future__ import annotations

import orjson

from adapters.contract import Json
from gateway.call import Call, Reply
from gateway.errors import InvalidRequest
from gateway.pipeline import Stage
from gateway.routing.model import Route
from gateway.routing.shown import members_of


def sparse(route: Route) -> Stage:
    """A filter that reads `fields` into `call.fields` and leaves out of the reply what it doesn't name."""
    members = members_of(route.reply, is_list=route.is_list)
    cut = _items_cut if route.is_list else _cut

    def before(call: Call) -> None:
        asked = call.query.get("fields")
        if asked:
            names = asked if isinstance(asked, list) else str(asked).split(",")
            unknown = [str(name) for name in names if name not in members]
            if unknown:
                raise _unknown(unknown[0], members)
            call.fields = tuple(dict.fromkeys(names))

    def after(call: Call, reply: Reply) -> None:
        if call.fields:
            body = reply.body if reply.encoded is None else orjson.loads(reply.encoded)
            reply.body, reply.encoded = cut(body, call.fields), None

    return Stage(before, after)


def _unknown(name: str, members: tuple[str, ...]) -> InvalidRequest:
    return InvalidRequest(
        "The members that you ask for by 'fields' aren't all there.",
        errors=[{"pointer": "/query/fields", "detail": "there is no such member"}],
        fix=f"Ask for some of: {', '.join(members)}.",
        note=f"fields names {name[:80]!r}",
    )


def _cut(entity: Json, names: tuple[str, ...]) -> Json:
    return {name: entity[name] for name in names if name in entity} if isinstance(entity, dict) else entity


def _items_cut(body: Json, names: tuple[str, ...]) -> Json:
    items = body.get("items") if isinstance(body, dict) else None
    return {**body, "items": [_cut(item, names) for item in items]} if isinstance(items, list) else body
