"""Which of legacy's fields each caller still gets: counted where a reply leaves, as its caller sees it.

Of a route with a parameter `fields` it is what the caller asked for; elsewhere the members that the reply has, those
that the contract declares by their names. A field that a replacement answers isn't legacy's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from adapters.contract import Effect, Json
from gateway.call import Call, Principal, Reply
from gateway.migration.decommission import PURPOSES, legacy_of
from gateway.migration.tally import DAY, OTHERS, Tally
from gateway.pipeline import Stage
from gateway.routing.model import Compiled, Route
from gateway.routing.paths import ITEM, at_member

_LOOKED_AT = 20
"""Items of a list whose members count, at most."""
_MOST_NAMES = 200
_NOBODY = Principal("")


def received(route: Route, tally: Tally) -> Stage | None:
    """A filter that counts what legacy's callers get; None: nothing is to take legacy's place."""
    legacy = route.legacy
    replaced = route.replacement is not None or route.missing is not None
    if legacy is None or not replaced or route.effect is not Effect.READ or route.reply is None:
        return None
    declared = _declared(route)
    owned = frozenset(path[0] for path in (route.replacement.owns if route.replacement else ()) if len(path) == 1)
    asks = any(each.name == "fields" and each.where == "query" for each in route.parameters)
    upstream, operation = legacy.upstream, legacy.operation

    def after(call: Call, reply: Reply) -> None:
        if reply.served_by not in ("legacy", "both"):
            return
        said = call.query.get("fields") if asks else None
        names = _members(reply.body, is_list=route.is_list) if said is None else _said(said)
        kept = {name if name in declared else OTHERS for name in names}
        who = call.principal or _NOBODY
        of_legacy = kept - owned if reply.served_by == "both" else kept
        tally.received(upstream, operation, who.id, who.agent or "", tuple(sorted(of_legacy)[:_MOST_NAMES]))

    return Stage(after=after)


def _declared(route: Route) -> frozenset[str]:
    reply, to_row = route.reply or {}, ("items", ITEM) if route.is_list else ()
    return frozenset(name for each in at_member(reply, to_row, reply) for name in each.get("properties", {}))


def _members(body: Json, *, is_list: bool) -> Iterable[str]:
    if not isinstance(body, dict):
        return ()
    items = body.get("items") if is_list else None
    rows = items[:_LOOKED_AT] if isinstance(items, list) else [body]
    return {name for each in rows if isinstance(each, dict) for name in each}


def _said(fields: Json) -> Iterable[str]:
    return fields if isinstance(fields, list) else [each.strip() for each in str(fields).split(",") if each.strip()]


def callers_of(tally: Tally, compiled: Compiled, group: str, days: int, now: float | None = None) -> dict[str, Any]:
    """Who has asked a group's legacy side in so many days, the last one first, and which fields of it they got. Blocks;
    raises `sqlite3.Error`."""
    since = (time.time() if now is None else now) - days * DAY
    operations = legacy_of(compiled, group)
    fields: dict[tuple[str, ...], Counter[str]] = {}
    for each in tally.fields(operations, since):
        fields.setdefault((each.upstream, each.operation, each.principal, each.agent), Counter())[each.name] += (
            each.calls
        )
    callers = []
    for caller in tally.callers(operations, since):
        got = fields.get((caller.upstream, caller.operation, caller.principal, caller.agent), Counter())
        mine = dict(got.most_common()) if caller.purpose == "caller" else {}
        callers.append({**caller._asdict(), "purpose": PURPOSES[caller.purpose], "fields": mine})
    return {"group": group, "days": days, "callers": callers}
