"""What a write may be asked to bring, and what it may change, held against what its upstreams can do."""

from __future__ import annotations

from collections.abc import Callable

from adapters.contract import Effect
from gateway.routing.bindings import operation_of
from gateway.routing.model import Route
from gateway.routing.report import Place
from gateway.routing.upstreams import Upstreams

Say = Callable[[Place, str], None]
_ONLY_WRITES = (("plan", "plan"), ("approval", "approval"), ("max_affected", "max_affected"))


def check_safety(route: Route, upstreams: Upstreams, say: Say) -> None:
    """Tells what would be promised and not kept."""
    for name, member in _ONLY_WRITES:
        if route.effect is Effect.READ and getattr(route, member):
            say((name,), f"a read changes nothing: remove {name}, or say which effect it has")
    if route.effect is Effect.READ:
        return
    if route.plan:
        _check_plan(route, say)
    if route.max_affected is not None:
        _check_bound(route, upstreams, say)


def _check_plan(route: Route, say: Say) -> None:
    for name, binding in (("legacy", route.legacy), ("replacement", route.replacement)):
        if binding is not None and not (binding.dry_run or binding.previews):
            sentence = f"{name}'s '{binding.operation}' can neither be tried nor shown beforehand: remove plan"
            say(("plan",), f"{sentence}, or say dry_run: true where its API takes Prefer: dry-run")


def _check_bound(route: Route, upstreams: Upstreams, say: Say) -> None:
    if route.compose is not None:
        say(("max_affected",), "a composite changes no rows itself: say max_affected at the routes of its steps")
    for binding in (route.legacy, route.replacement):
        adapter = None if binding is None else upstreams.adapters.get(binding.upstream)
        operation = None if adapter is None or binding is None else operation_of(adapter, binding.operation)
        if operation is not None and not operation.counts:
            sentence = f"'{operation.name}' doesn't count what it changes, so nothing would hold it to max_affected"
            say(("max_affected",), f"{sentence}: use a table's update or delete, or plain SQL, or remove it")
