"""What of entities a caller wants: `fields`, the members that they are to have, and `expand`, what is to be joined.

Both are the gateway's own wherever a contract declares them as query parameters of a read, unless a binding reads
them itself. Names are the contract's; an adapter that can leave out or join by itself gets its upstream's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.contract import Effect, JsonSchema, Operation
from gateway.routing.mapping import Mapped
from gateway.routing.model import Expression, Route
from gateway.routing.paths import ITEM, at_member, declared

SHOWN = frozenset({"fields", "expand"})


def taken(operation: Operation | None) -> frozenset[str]:
    """What an operation can do of `fields`, `expand` and, where it lists, `before`: what its input has, as
    `adapters.contract.ListRequest` reads it."""
    inputs = {} if operation is None else declared(operation.input)
    found = {name for name in SHOWN if _names(inputs.get(name))}
    return frozenset(
        found | ({"before"} if operation is not None and operation.is_list and "before" in inputs else set())
    )


def _names(schema: object) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "array"


def claimed(inputs: Mapping[str, Mapped] | None, operation: Operation | None) -> frozenset[str]:
    """Of `fields` and `expand`, those that a binding reads itself, by its expressions or merged."""
    if inputs is not None:
        return claims(inputs.values())
    if operation is None or operation.is_list:
        return frozenset()
    return frozenset(name for name in SHOWN & declared(operation.input).keys() if name not in taken(operation))


def claims(expressions: Iterable[Expression]) -> frozenset[str]:
    """Of `fields` and `expand`, those that expressions read of the query."""
    chains = {chain[:2] for each in expressions if isinstance(each, Mapped) for chain in each.chains()}
    alone = {each.source for each in expressions if isinstance(each, Mapped)}
    return frozenset(name for name in SHOWN if ("query", name) in chains or "query" in alone)


def claimed_by(route: Route) -> frozenset[str]:
    """Of `fields` and `expand`, those that some binding or step of a route reads itself."""
    steps = () if route.compose is None else route.compose.steps
    read = claims([each for step in steps for each in step.reads()])
    return read.union(*(each.claims for each in (route.legacy, route.replacement) if each is not None))


def is_sparse(route: Route) -> bool:
    """Whether a route's `fields` is the gateway's."""
    declares = any(each.where == "query" and each.name == "fields" for each in route.parameters)
    return declares and route.effect is Effect.READ and "fields" not in claimed_by(route)


def members_of(reply: JsonSchema | None, *, is_list: bool) -> tuple[str, ...]:
    """The members that a reply's entities may have, in the contract's order."""
    if reply is None:
        return ()
    branches = at_member(reply, ("items", ITEM) if is_list else (), reply)
    return tuple(dict.fromkeys(name for branch in branches for name in branch.get("properties", {})))


def partial_of(reply: JsonSchema, *, is_list: bool) -> JsonSchema:
    """The schema of the same reply when its entities have only some of their members."""
    parts: dict[str, list[JsonSchema]] = {}
    for branch in at_member(reply, ("items", ITEM) if is_list else (), reply):
        for name, schema in branch.get("properties", {}).items():
            parts.setdefault(name, []).append(schema)
    properties = {name: each[0] if len(each) == 1 else {"anyOf": each} for name, each in parts.items()}
    entity = {"type": "object", "properties": properties}
    listed = {"type": "object", "properties": {"items": {"type": "array", "items": entity}}, "required": ["items"]}
    return {"$defs": reply.get("$defs", {}), **(listed if is_list else entity)}


def expandable(route: Route) -> tuple[str, ...]:
    """What `expand` may name, where it is the gateway's."""
    found = (each for each in route.parameters if each.where == "query" and each.name == "expand")
    names: Iterable[str] = next((each.schema.get("items", {}).get("enum", ()) for each in found), ())
    return () if "expand" in claimed_by(route) else tuple(names)
