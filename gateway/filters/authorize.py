"""What a principal may do: Cedar policies, default deny.

Entities, as policies see them: the principal is `User::"<id>"` in `Role::"<role>"` for each of its roles, with the
attribute `agent` when an agent acts for it; the action is `Action::"<operationId>"` in `Action::"<effect>"`
(read, idempotent_write, write); the resource is `Route::"<operationId>"` in `Group::"<group>"`. For the gateway's own
routes the action is a permission such as `Action::"gateway:read_audit"`, the resource `Gateway::"figway"`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cedarpy

from gateway.call import Call, Principal
from gateway.errors import Forbidden
from gateway.pipeline import Stage
from gateway.routing.model import Route

# Decisions kept per snapshot; beyond it the oldest go. A decision is some 100 bytes.
_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call is allowed, and the ids of the policies that decided; none: nothing allowed it."""

    allowed: bool
    policies: tuple[str, ...]


class Policies:
    """A snapshot's Cedar policies, parsed once; decisions are remembered, since a snapshot never changes."""

    def __init__(self, text: str) -> None:
        self._parsed = cedarpy.PolicySet.from_str(text)
        self._decisions: dict[tuple[Principal, str], Decision] = {}

    def decide(self, principal: Principal, route: Route) -> Decision:
        """Whether `principal` may call `route`."""
        key = (principal, route.operation_id)
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._evaluate(principal, route)
            if len(self._decisions) >= _KEPT:
                self._decisions.pop(next(iter(self._decisions)))
            self._decisions[key] = decision
        return decision

    def permits(self, principal: Principal, permission: str) -> Decision:
        """Whether `principal` has one of `routing.permissions.PERMISSIONS`. Not remembered: such calls are rare."""
        resource = {"type": "Gateway", "id": "figway"}
        entities = [_user(principal), _entity("Action", permission), _entity("Gateway", "figway")]
        return self._decided(principal, permission, resource, entities)

    def _evaluate(self, principal: Principal, route: Route) -> Decision:
        resource = {"type": "Route", "id": route.operation_id}
        entities = [
            _user(principal),
            _entity("Action", route.operation_id, [("Action", route.effect.value)]),
            _entity("Route", route.operation_id, [("Group", route.group)]),
        ]
        return self._decided(principal, route.operation_id, resource, entities)

    def _decided(
        self, principal: Principal, action: str, resource: dict[str, str], entities: list[dict[str, Any]]
    ) -> Decision:
        request = {
            "principal": {"type": "User", "id": principal.id},
            "action": {"type": "Action", "id": action},
            "resource": resource,
            "context": {},
        }
        result = cedarpy.is_authorized(request, self._parsed, entities)
        # Cedar skips a policy that errors, so an erring forbid would allow: any error denies.
        allowed = bool(result.allowed) and not result.diagnostics.errors
        return Decision(allowed, tuple(sorted(result.diagnostics.reasons)))


def _user(principal: Principal) -> dict[str, Any]:
    agent = {"agent": principal.agent} if principal.agent else {}
    return _entity("User", principal.id, [("Role", role) for role in principal.roles], **agent)


def _entity(kind: str, id: str, parents: Sequence[tuple[str, str]] = (), **attributes: Any) -> dict[str, Any]:
    refs = [{"type": parent, "id": name} for parent, name in parents]
    return {"uid": {"type": kind, "id": id}, "attrs": attributes, "parents": refs}


def authorize(policies: Policies, route: Route) -> Stage:
    """A filter that lets a call through only when a policy permits it and none forbids it."""

    def before(call: Call) -> None:
        assert call.principal is not None
        decision = policies.decide(call.principal, route)
        call.policies = decision.policies
        if not decision.allowed:
            call.decision = "deny"
            raise Forbidden(
                f"No policy lets you call {route.operation_id}.",
                fix="Ask the owner of the gateway's policies for access.",
            )
        call.decision = "allow"

    return Stage(before)
