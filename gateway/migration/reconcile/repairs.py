"""What would make an entity as the side with the last word has it: a call of one of the group's own write routes.

A repair's hash stands for what is written, where, and over what: when the entity is read again and has changed on
either side in what matters, the same hash isn't had any more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import sha256

from adapters.contract import Json
from gateway.audit.arguments import canonical
from gateway.call import Call, Principal, new_id
from gateway.migration.entries import Entry
from gateway.migration.reconcile.asking import Asking
from gateway.migration.reconcile.model import Kind, Look, Mended
from gateway.migration.requests import of_call
from gateway.migration.writes import first_side
from gateway.routing.model import Route
from gateway.routing.paths import declared
from gateway.telemetry import continue_trace


def mended(asking: Asking, id: Json, look: Look) -> Mended | None:
    """The repair of an entity as it was just seen; None: it is well, or no route of the group can mend it."""
    first = first_side(asking.group)
    other = "replacement" if first == "legacy" else "legacy"
    right, wrong = (look.legacy, look.replacement) if first == "legacy" else (look.replacement, look.legacy)
    ways = asking.ways
    if look.kind is Kind.DIFFERENT:
        return _updated(ways.change, other, {ways.parameter: id}, right, wrong, look)
    if look.kind not in (Kind.MISSING, Kind.EXTRA):
        return None
    if right is None:
        return _made(ways.delete, other, "delete", {ways.parameter: id}, None, (), ()) if ways.delete else None
    return _created(ways.create, other, ways.parameter, id, right)


def _updated(
    route: Route | None, side: str, path: dict[str, Json], right: Json, wrong: Json, look: Look
) -> Mended | None:
    if route is None or not isinstance(right, Mapping) or not isinstance(wrong, Mapping):
        return None
    names = _writable(route)
    members = tuple(name for name in look.members if name in names)
    left = tuple(name for name in look.members if name not in names)
    if not members:
        return None
    if route.method == "PUT":  # the whole of it
        body = {name: right[name] for name in names if name in right}
    else:  # a member that is left out stays as it is, and null clears it
        body = {name: right.get(name) for name in members}
    over = [wrong.get(name) for name in members]
    return _made(route, side, "update", path, body, members, left, over)


def _created(route: Route | None, side: str, parameter: str, id: Json, right: Json) -> Mended | None:
    if route is None or not isinstance(right, Mapping):
        return None
    names = _writable(route)
    body = {name: value for name, value in right.items() if name in names}
    in_path = "{" in route.path
    if not in_path and not {parameter, "id"} & body.keys():
        return None  # the side would give it an id of its own
    left = tuple(sorted(name for name in right if name not in names and name not in (parameter, "id")))
    return _made(route, side, "create", {parameter: id} if in_path else {}, body, tuple(sorted(body)), left)


def _made(
    route: Route, side: str, verb: str, path: dict[str, Json], body: Json, members: tuple[str, ...],
    left: tuple[str, ...], over: Json = None,
) -> Mended:  # fmt: skip
    whole = canonical([side, verb, route.operation_id, path, body, over])
    return Mended(side, verb, route.operation_id, path, body, members, left, sha256(whole).hexdigest())


def _writable(route: Route) -> tuple[str, ...]:
    """The members that a route's body may have, by its contract."""
    schema = None if route.body is None else route.body.media.get("application/json")
    return () if schema is None else tuple(declared(schema))


def entry_of(
    repair: Mended, id: str, entity: str, asking: Asking, route: Route, who: Principal, patience: float
) -> Entry:
    """The repair as the outbox keeps it: a write that the side with the last word has done already."""
    target = route.path
    for name, value in repair.path.items():
        target = target.replace(f"{{{name}}}", str(value))
    call = Call(
        id=f"repair {repair.hash[:16]}",
        operation=route.operation_id,
        snapshot=asking.snapshot,
        method=route.method,
        target=target,
        deadline=time.monotonic() + patience,
        traceparent=continue_trace(None),
        path=repair.path,
        body=repair.body,
        principal=who,
        route=route.path,
        effect=route.effect.value,
    )
    return Entry(
        id=id,
        group=asking.group.name,
        entity=entity,
        route=route.operation_id,
        authority=first_side(asking.group),
        fence=asking.snapshot,
        key=id,
        request=of_call(call),
        patience=patience,
    )


def new_entry_id() -> str:
    """An id in the outbox, by which both sides know the repair again."""
    return f"repair-{new_id()}"
