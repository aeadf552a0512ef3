"""What a binding's input may read: `{path, query, header, body, list, principal, call}` of the call at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from adapters.contract import Json
from gateway.call import Call, id_within
from gateway.routing.model import Expression


def scope_builder(names: frozenset[str]) -> Callable[[Call], dict[str, Json]]:
    """A function from a call to the values that expressions may read, of which only `names` are made."""
    makers = [(name, make) for name, make in _SCOPE.items() if name in names]
    return lambda call: {name: make(call) for name, make in makers}


def _principal(call: Call) -> Json:
    principal = call.principal
    if principal is None:
        return None
    return {
        "id": principal.id,
        "agent": principal.agent,
        "roles": list(principal.roles),
        "tenant": principal.tenant,
    }


def now_text() -> str:
    """The time as mappings read it, such as 2026-11-21T10:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _steps(call: Call) -> Iterator[str]:
    """The names of the steps that lead to the call, its own first."""
    at: Call | None = call
    while at is not None and at.parent is not None:
        yield at.step
        at = at.parent


def _facts(call: Call) -> Json:
    # What was shown is what is made: a write that was tried has the id and the time of its dry run.
    id, now = (call.id, now_text()) if call.planned is None else call.planned[:2]
    if call.parent is not None:  # two steps of a composite don't make entities of one id
        id = id_within(id, *_steps(call))
    return {"id": id, "time": now, "idempotency_key": call.idempotency_key}


_SCOPE: Mapping[str, Callable[[Call], Json]] = {
    "path": lambda call: call.path,
    "query": lambda call: call.query,
    "header": lambda call: call.header,
    "body": lambda call: call.body,
    "list": lambda call: call.page,
    "principal": _principal,
    "call": _facts,
}


# What the gateway says itself always has all its members: a null there is nothing.
_OURS = frozenset({"list", "call", "principal"})


def is_given(expression: Expression, scope: Mapping[str, Json]) -> bool:
    """Whether a plain path such as `body.email` leads to a null that stands there, rather than to nothing."""
    *parents, last = expression.source.split(".")
    if parents and parents[0] in _OURS:
        return False
    holder: Json = scope
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, dict) else None
    return isinstance(holder, dict) and last in holder
