"""Follows an expression's syntax tree: from what its input is known to be, to what its value depends on.

It is sound, never exact at any price: a dependency too many is possible, one too few is not. Names of members,
positions and hashes are followed exactly; of a function's value all its arguments decide, but for those that only pass
values on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from gateway.lineage.flow import (
    NONE,
    NOTHING,
    At,
    Dependencies,
    Either,
    Flow,
    Items,
    Made,
    Parts,
    either,
    everything,
    item,
    member,
    presence,
    shape,
    subject,
)
from gateway.routing.closures import Node, children_of


def trace(node: Node, current: Flow) -> Flow:
    """The value of the tree over `current`."""
    return _RULES.get(node["type"], _function)(node, current)


def _field(node: Node, current: Flow) -> Flow:
    return member(current, node["value"])


def _index(node: Node, current: Flow) -> Flow:
    return item(current, node["value"])


def _same(_: Node, current: Flow) -> Flow:
    return current


def _constant(_: Node, __: Flow) -> Flow:
    return NOTHING


def _in_turn(node: Node, current: Flow) -> Flow:
    return reduce(lambda flow, child: trace(child, flow), node["children"], current)


def _hash(node: Node, current: Flow) -> Flow:
    members = {pair["value"]: trace(pair["children"][0], current) for pair in node["children"]}
    return Parts(members, presence(current))


def _list(node: Node, current: Flow) -> Flow:
    members = {str(at): trace(child, current) for at, child in enumerate(node["children"])}
    return Parts(members, presence(current), is_list=True)


def _listed(flow: Flow) -> tuple[Flow, Dependencies]:
    """The items of a list, and what decides how many there are."""
    if isinstance(flow, Parts) and flow.is_list:
        return either(flow.members.values()), shape(flow)
    return item(flow, None), shape(flow) if isinstance(flow, Items | Either) else presence(flow)


def _projected(flow: Flow, right: Node, conditions: list[Node]) -> Flow:
    each, of = _listed(flow)
    for condition in conditions:
        of |= everything(trace(condition, each))
    found = trace(right, each)
    # What is null is left out, so the places of the others depend on it.
    return Items(found, of | presence(found))


def _projection(node: Node, current: Flow) -> Flow:
    base, right, *conditions = node["children"]
    return _projected(trace(base, current), right, conditions)


def _values(node: Node, current: Flow) -> Flow:
    base, right = node["children"]
    flow = trace(base, current)
    return _projected(_members(flow), right, [])


def _members(flow: Flow) -> Flow:
    """An object's members as a list; null for anything else."""
    if isinstance(flow, At):
        return Items(item(flow, None), presence(flow))
    if isinstance(flow, Parts):
        return Items(either(flow.members.values()), shape(flow))
    if isinstance(flow, Either):
        return subject(either(_members(each) for each in flow.options), flow.of)
    return Made(everything(flow))


def _flatten(node: Node, current: Flow) -> Flow:
    each, of = _listed(trace(node["children"][0], current))
    inner, more = _listed(each)
    return Items(either((each, inner)), of | more | presence(each))


def _slice(_: Node, current: Flow) -> Flow:
    each, of = _listed(current)
    return Items(each, of)


def _or(node: Node, current: Flow) -> Flow:
    left, right = (trace(child, current) for child in node["children"])
    return Either((left, right), shape(left))


def _not(node: Node, current: Flow) -> Flow:
    return Made(shape(trace(node["children"][0], current)))


def _comparator(node: Node, current: Flow) -> Flow:
    left, right = (trace(child, current) for child in node["children"])
    return Made(everything(left) | everything(right))


def _function(node: Node, current: Flow) -> Flow:
    arguments = [child for child in children_of(node) if child["type"] != "expref"]
    flows = [trace(child, current) for child in arguments]
    rule = _FUNCTIONS.get(node["value"]) if node["type"] == "function_expression" else None
    if rule is not None:
        return rule(node, flows)
    # What is evaluated by name (`&x`) is evaluated over the other arguments.
    return Made(NONE.union(*(everything(flow) for flow in flows)))


def _sorted(node: Node, flows: list[Flow]) -> Flow:
    each, of = _listed(flows[0])
    keys = [everything(trace(child["children"][0], each)) for child in children_of(node) if child["type"] == "expref"]
    return Items(each, of.union(everything(each) if not keys else NONE, *keys))


def _chosen(node: Node, flows: list[Flow]) -> Flow:
    sorted_ = _sorted(node, flows)
    return item(sorted_, None)


def _mapped(node: Node, flows: list[Flow]) -> Flow:
    each, of = _listed(flows[0])
    body = next(child for child in children_of(node) if child["type"] == "expref")
    return Items(trace(body["children"][0], each), of)


def _first_not_null(_: Node, flows: list[Flow]) -> Flow:
    return Either(tuple(flows), NONE.union(*(presence(flow) for flow in flows)))


_FUNCTIONS: Mapping[str, Callable[[Node, list[Flow]], Flow]] = {
    "sort_by": _sorted,
    "max_by": _chosen,
    "min_by": _chosen,
    "map": _mapped,
    "not_null": _first_not_null,
}
_RULES: Mapping[str, Callable[[Node, Flow], Flow]] = {
    "field": _field,
    "index": _index,
    "identity": _same,
    "current": _same,
    "literal": _constant,
    "subexpression": _in_turn,
    "index_expression": _in_turn,
    "pipe": _in_turn,
    "multi_select_dict": _hash,
    "multi_select_list": _list,
    "projection": _projection,
    "filter_projection": _projection,
    "value_projection": _values,
    "flatten": _flatten,
    "slice": _slice,
    "or_expression": _or,
    "and_expression": _or,
    "not_expression": _not,
    "comparator": _comparator,
}

WHOLE_INPUT = At(())
"""The flow of an expression's input."""
