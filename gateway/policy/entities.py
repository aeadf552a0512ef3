"""A caller and what it asks for, as Cedar sees them (`routing.policy_schema` has their types)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import cedarpy

from gateway.call import Principal
from gateway.routing.model import Route
from gateway.routing.policy_schema import upstreams_of

GATEWAY = "figway"


def request(principal: Principal, action: str, resource: tuple[str, str], context: Mapping[str, Any]) -> dict[str, Any]:
    """The question whether `principal` may do `action` on `resource`."""
    kind, name = resource
    return {
        "principal": {"type": "User", "id": principal.id},
        "action": {"type": "Action", "id": action},
        "resource": {"type": kind, "id": name},
        "context": context,
    }


def caller(principal: Principal) -> dict[str, Any]:
    """What `context` says of who calls, whatever the call."""
    chain = dict.fromkeys((*principal.delegation, *((principal.agent,) if principal.agent else ())))
    context: dict[str, Any] = {"agents": [_agent(each) for each in chain], "delegation_depth": len(chain)}
    context["in_run"] = principal.run is not None
    if principal.agent:
        context["agent"] = _agent(principal.agent)
    if principal.scopes is not None:
        context["scopes"] = sorted(set(principal.scopes))
    return context


def moment(now: float | None = None) -> dict[str, int]:
    """`context.time` in UTC: the hour, the weekday (Monday is 1) and the seconds since 1970."""
    epoch = time.time() if now is None else now
    told = time.gmtime(epoch)
    return {"hour": told.tm_hour, "weekday": told.tm_wday + 1, "epoch": int(epoch)}


def of_route(principal: Principal, route: Route) -> cedarpy.Entities:
    """The entities of a call of a route."""
    return _parsed(
        user(principal),
        entity("Action", route.operation_id, [("Action", route.effect.value)]),
        entity(
            "Route",
            route.operation_id,
            [("Group", route.group), *(("Upstream", name) for name in sorted(upstreams_of(route)))],
        ),
    )


def of_gateway(principal: Principal, permission: str) -> cedarpy.Entities:
    """The entities of a call of one of the gateway's own routes."""
    return _parsed(user(principal), entity("Action", permission), entity("Gateway", GATEWAY))


def user(principal: Principal) -> dict[str, Any]:
    """The principal with what it belongs to."""
    above = [("Role", role) for role in principal.roles] + [("Team", team) for team in principal.teams]
    above += [("Tenant", principal.tenant)] if principal.tenant else []
    given = {"agent": principal.agent, "tenant": principal.tenant, "issuer": principal.issuer}
    return entity("User", principal.id, above, **{name: value for name, value in given.items() if value})


def entity(kind: str, id: str, parents: Iterable[tuple[str, str]] = (), **attributes: Any) -> dict[str, Any]:
    """An entity in Cedar's JSON form."""
    refs = [{"type": parent, "id": name} for parent, name in dict.fromkeys(parents)]
    return {"uid": {"type": kind, "id": id}, "attrs": attributes, "parents": refs}


def _agent(name: str) -> dict[str, Any]:
    return {"__entity": {"type": "Agent", "id": name}}


def _parsed(*entities: dict[str, Any]) -> cedarpy.Entities:
    return cedarpy.Entities.from_json_str(json.dumps(entities))
