"""Whether what a route asks can be answered from a replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.contract import Operation
from gateway.routing.captured_operations import Spelling, lacking
from gateway.routing.captures import materialized
from gateway.routing.model import Binding, Expression, MappingFailed, Route
from gateway.routing.upstreams import Upstreams

_ABSENT = object()


def check_materialized(route: Route, upstreams: Upstreams, say: Callable[[tuple[str, ...], str], None]) -> None:
    """Tells by `say` (a place within x-gateway, a sentence) what keeps replicas from answering a route."""
    bindings = [each for each in (route.legacy, route.replacement) if each is not None]
    if route.freshness is None or not route.freshness.materialized or not bindings:
        return
    if route.location is not None:
        say(("location",), "a route that a replica answers has no location: remove one of them")
    if any(each.upstream in upstreams.broken or each.upstream not in upstreams.specs for each in bindings):
        return
    found = [
        materialized(
            each.upstream, upstreams.specs[each.upstream].changes, upstreams.adapters[each.upstream], each.operation
        )
        for each in bindings
    ]
    if not any(found):
        names = " or ".join(f"'{each.operation}'" for each in bindings)
        say(
            ("freshness", "mode"),
            f"no replica can answer {names}: capture its table under the upstream's changes; it must be the get or "
            "list of a table with a key, or what a capture of operations names, answered alike to all callers",
        )
    for binding, each in zip(bindings, found, strict=True):
        if each is not None and each.spelling is not None:
            described = upstreams.adapters[binding.upstream].operations()[binding.operation]
            for sentence in _misfits(each.spelling, binding, described):
                say(("freshness", "mode"), f"no replica can answer '{binding.operation}': {sentence}")


def _misfits(spelling: Spelling, binding: Binding, operation: Operation) -> list[str]:
    """Sentences that say what keeps it from being answered, whoever calls."""
    if spelling.key:
        given = set(binding.input or spelling.key)
        strange = sorted(given ^ set(spelling.key))
        return [f"its input has to be gets.key alone, and '{strange[0]}' isn't"] if strange else []
    found = list(_asked_otherwise(spelling, binding))
    beside = lacking(operation, ".".join(spelling.within), ".".join(spelling.next))
    if beside:
        found.append(f"its result also has '{beside[0]}', which isn't captured")
    return found


def _asked_otherwise(spelling: Spelling, binding: Binding) -> Iterator[str]:
    given = binding.input or {}
    for name in spelling.fixed.keys() - given.keys():
        yield f"the capture asks with '{name}', and the route doesn't"
    if spelling.limit and spelling.limit not in given:
        yield f"the route has to say '{spelling.limit}', as it is paged"
    for name, each in given.items():
        if name in (spelling.limit, spelling.after):
            continue
        value = _constant(each)
        if value is not _ABSENT and name not in spelling.filters and spelling.fixed.get(name, _ABSENT) != value:
            yield f"the capture doesn't ask with this '{name}'"
        elif value is _ABSENT and name not in spelling.filters and not each.names() <= {"query", "header"}:
            yield f"'{name}' isn't among the capture's filters"


def _constant(expression: Expression) -> object:
    """What an expression always is; `_ABSENT`: it depends on the call."""
    if expression.names():
        return _ABSENT
    try:
        return expression({})
    except MappingFailed:
        return _ABSENT
