"""Whether what a contract offers of `fields`, `expand` and `previous` is there to be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.contract import Effect
from gateway.routing.bindings import operation_of
from gateway.routing.model import Binding, Parameter, Route
from gateway.routing.paths import declared
from gateway.routing.shown import claimed_by, members_of
from gateway.routing.upstreams import Upstreams

Say = Callable[[tuple[str, ...], str], None]


def check_shown(route: Route, upstreams: Upstreams, say: Say) -> None:
    """Tells by `say` (a place within x-gateway, a sentence) what isn't."""
    asked = {each.name: each for each in route.parameters if each.where == "query"}
    if "fields" in asked:
        _check_fields(route, say)
    if "expand" in asked:
        _check_expand(route, asked["expand"], upstreams, say)
    if route.both_ways:
        _check_previous(route, say)


def _sides(route: Route) -> Iterator[tuple[str, Binding]]:
    for name, binding in (("legacy", route.legacy), ("replacement", route.replacement)):
        if binding is not None:
            yield name, binding


def _check_fields(route: Route, say: Say) -> None:
    if not route.sparse:
        if "fields" not in claimed_by(route):
            say((), "only a read can be asked for some 'fields': remove the parameter")
    elif not members_of(route.reply, is_list=route.is_list):
        say((), "'fields' needs a reply whose members are declared: declare them, or remove the parameter")
    elif route.measured is not None:
        say(("cost",), "what a call cost is measured by its whole reply: remove 'fields' or cost.measured")


def _check_expand(route: Route, parameter: Parameter, upstreams: Upstreams, say: Say) -> None:
    if "expand" in claimed_by(route):
        return
    names = parameter.schema.get("items", {}).get("enum")
    if route.effect is not Effect.READ or route.compose is not None:
        say((), "only a read of one system can 'expand': read the parameter, or remove it")
    elif not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        say((), "'expand' takes a list of names: give its schema type: array, and its items an enum")
    else:
        for side, binding in _sides(route):
            for name in names:
                _check_joined(name, side, binding, upstreams, say)


def _check_joined(name: str, side: str, binding: Binding, upstreams: Upstreams, say: Say) -> None:
    adapter = upstreams.adapters.get(binding.upstream)
    operation = None if adapter is None else operation_of(adapter, binding.operation)
    if operation is None:
        return
    if "expand" not in binding.takes or (operation.is_list and binding.input is not None):
        say((side,), f"'{operation.name}' can't expand as it is bound: remove the parameter 'expand'")
        return
    known = declared(operation.input)["expand"].get("items", {}).get("enum", ())
    read = (binding.reads or {}).get(name, frozenset())
    if len(read) != 1 or not read <= set(known):
        among = ", ".join(sorted(known))
        say((side,), f"'{name}' isn't what '{operation.name}' can expand: map it in output to one of {among}")


def _check_previous(route: Route, say: Say) -> None:
    if route.compose is not None:
        say((), "a composite has no pages backwards: remove 'previous' from the reply")
    for side, binding in _sides(route):
        if "before" not in binding.takes or binding.input is not None:
            say(
                (side,),
                f"'{binding.operation}' has no pages backwards as it is bound: remove 'previous' from the reply",
            )
