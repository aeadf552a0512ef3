"""What a principal may do: a call goes on only when a policy permits it and none forbids it."""

from __future__ import annotations

from gateway.call import Call
from gateway.errors import Forbidden
from gateway.pipeline import Stage
from gateway.policy.decide import SCOPES, Decision, Policies
from gateway.routing.model import Route


def authorize(policies: Policies, route: Route) -> Stage:
    """A filter that decides by who calls; where a policy waits for the call, `authorize_call` has the last word."""
    decider = policies.decider(route)
    settled_later = policies.waits_for(route)

    def before(call: Call) -> None:
        assert call.principal is not None
        decision = decider(call.principal)
        call.policies = decision.policies
        if decision.differing:
            call.trial = decision.differing
            policies.differed.update(decision.differing)
        if not decision.allowed or (decision.waits and not settled_later):
            _refuse(call, route, decision)
        # What waits is neither allowed nor denied yet.
        call.decision = "" if decision.waits else "allow"
        call.grant = decision.grant

    return Stage(before)


def authorize_call(policies: Policies, route: Route) -> Stage:
    """A filter that decides over the call's arguments and time, where the first decision waits for them."""
    judge = policies.judge(route)

    def before(call: Call) -> None:
        if call.decision != "allow":
            decision = judge(call)
            call.policies = decision.policies
            if not decision.allowed:
                _refuse(call, route, decision)
            call.decision, call.grant = "allow", decision.grant

    return Stage(before)


def _refuse(call: Call, route: Route, decision: Decision) -> None:
    call.decision = "deny"
    if decision.policies == (SCOPES,):
        raise Forbidden(
            f"Your credential is narrowed to other operations than {route.operation_id}.",
            fix="Use a credential whose scopes name the operation, its effect or its group.",
        )
    raise Forbidden(
        f"No policy lets you call {route.operation_id}.", fix="Ask the owner of the gateway's policies for access."
    )
