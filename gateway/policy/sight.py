"""What a caller may see of a route, as one text: what was kept for it is said again while the text is the same."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from gateway.call import Principal
from gateway.policy.decide import Policies
from gateway.routing.model import Compiled, Route
from gateway.routing.parts import parts_of
from gateway.routing.policies import decides


class Sights:
    """The sights of one snapshot's routes; they don't depend on its number, so most outlive it."""

    def __init__(self, policies: Policies, compiled: Compiled) -> None:
        self._policies, self._rules = policies, compiled.rules
        self._routes = {route.operation_id: route for route in compiled.routes}
        self._waiting: dict[str, str] = {}

    def of(self, principal: Principal, operation: str) -> str:
        """What `principal` may see of a route and, if it's a composite, of its parts; empty: there is no such route."""
        route = self._routes.get(operation)
        if route is None:
            return ""
        return sha256(
            "\n".join(self._of(principal, each) for each in parts_of(route, self._routes)).encode()
        ).hexdigest()

    def _of(self, principal: Principal, route: Route) -> str:
        decision = self._policies.decide(principal, route)
        seen = "" if decision.grant is None else decision.grant.spelt
        if decision.waits and self._policies.narrowed(route):
            # It depends on the call, which is the same: so it's as much as long as caller and policies are the same.
            seen = f"{replace(principal, credential='')!r} {self._spelt(route)}"
        return f"{route.operation_id} {decision.allowed} {seen}"

    def _spelt(self, route: Route) -> str:
        text = self._waiting.get(route.operation_id)
        if text is None:
            deciding = [each for each in self._rules.policies if decides(each, route)]
            text = repr([(each.node, each.annotations) for each in deciding])
            self._waiting[route.operation_id] = text
        return text
