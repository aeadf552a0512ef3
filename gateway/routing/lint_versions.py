"""Whether what contracts say of versions and `If-Match` holds: nobody may believe a write guarded that isn't."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from adapters.contract import Effect
from gateway.routing.bindings import operation_of
from gateway.routing.model import Binding, Route
from gateway.routing.upstreams import Upstreams
from gateway.routing.versions import is_if_match, reads_it

Say = Callable[[tuple[str, ...], str], None]


def check_versions(route: Route, routes: Iterable[Route], upstreams: Upstreams, say: Say) -> None:
    """Tells by `say` (a place within x-gateway, a sentence) what doesn't. `routes` are all of the workspace's."""
    writes = route.effect is not Effect.READ
    declares = writes and any(is_if_match(each) for each in route.parameters)
    for side, binding in (("legacy", route.legacy), ("replacement", route.replacement)):
        if binding is None:
            continue
        if binding.version is not None:
            _check_known(binding, side, upstreams, say)
            if writes and not any(_tells(each, route, binding) for each in routes):
                say((side, "version"), "no GET of this path has such a version, so that nobody could name one: add it")
        elif declares and not reads_it((binding.input or {}).values()):
            say((side,), "'If-Match' is declared, and nothing obeys it: say version, read the header, or remove it")
    if declares and route.compose is not None:
        passed = reads_it(each for step in route.compose.steps for each in step.reads())
        if not passed:
            say(("compose",), "'If-Match' is declared, and no step is given it: pass it on, or remove it")


def _check_known(binding: Binding, side: str, upstreams: Upstreams, say: Say) -> None:
    adapter = upstreams.adapters.get(binding.upstream)
    operation = None if adapter is None else operation_of(adapter, binding.operation)
    if operation is None or operation.version == binding.version:
        return
    if operation.version is None:
        say((side, "version"), f"'{operation.name}' knows no versions: remove it")
    else:
        say((side, "version"), f"what '{operation.name}' calls its version is '{operation.version}': say that")


def _tells(other: Route, route: Route, binding: Binding) -> bool:
    sides = (other.legacy, other.replacement)
    told = any(each is not None and each.version and each.upstream == binding.upstream for each in sides)
    return told and other.method == "GET" and other.path == route.path
