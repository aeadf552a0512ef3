"""What policies may speak of: the Cedar schema (https://docs.cedarpolicy.com/schema/json-schema.html) of a workspace.

The entities are what `gateway.policy` builds. `context.arguments` has the types that the contract declares, as far as
Cedar has them: text is String, integer Long, boolean Bool, a decimal (as text or number) Cedar's `decimal`, an array
a Set, an object a record. Null counts as absent. What has no such type can't be spoken of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Effect, JsonSchema
from gateway.routing.model import Parameter, Route
from gateway.routing.paths import at_member, required
from gateway.routing.permissions import PERMISSIONS

EFFECTS = tuple(effect.value for effect in Effect)
_DEEPEST = 4
_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Policed:
    """What policies may speak of."""

    actions: Mapping[str, str | None]
    """operationId → its effect; None while that isn't known."""
    groups: frozenset[str]
    upstreams: frozenset[str] = frozenset()
    routes: Mapping[str, Route] = field(default_factory=dict)

    @classmethod
    def of(cls, operation_ids: list[str], routes: tuple[Route, ...]) -> Policed:
        """What there is, routes that don't compile included."""
        effects = {route.operation_id: route.effect.value for route in routes}
        actions = {each: effects.get(each) for each in operation_ids}
        upstreams = frozenset(name for route in routes for name in upstreams_of(route))
        by_id = {route.operation_id: route for route in routes}
        return cls(actions, frozenset(route.group for route in routes), upstreams, by_id)

    def schema(self, *, arguments: bool = False) -> dict[str, Any]:
        """The Cedar schema; with `arguments` it has each route's own."""
        applies = {"principalTypes": ["User"], "resourceTypes": ["Route"]}
        # An effect is a group of actions, with or without a member today: a policy on it is sound in either case.
        actions: dict[str, Any] = {effect: {"appliesTo": {**applies, "context": _context(_NONE)}} for effect in EFFECTS}
        for name in PERMISSIONS:
            control = {"principalTypes": ["User"], "resourceTypes": ["Gateway"], "context": _context(_NONE)}
            actions[name] = {"appliesTo": control}
        for name, effect in self.actions.items():
            if name in EFFECTS:
                continue
            parents = [{"id": each} for each in ([effect] if effect else EFFECTS)]
            route = self.routes.get(name) if arguments else None
            context = _context(_arguments(route) if route is not None else _NONE)
            actions[name] = {"memberOf": parents, "appliesTo": {**applies, "context": context}}
        return {"": {"entityTypes": _ENTITIES, "actions": actions}}


def upstreams_of(route: Route) -> frozenset[str]:
    """The upstreams that a route may be served by; none for a composite, whose steps have theirs."""
    return frozenset(each.upstream for each in (route.legacy, route.replacement) if each is not None)


_TEXT = {"type": "String"}
_LONG = {"type": "Long"}
_AGENT = {"type": "Entity", "name": "Agent"}
_ENTITIES: Mapping[str, Any] = {
    "User": {
        "memberOfTypes": ["Role", "Team", "Tenant"],
        "shape": {
            "type": "Record",
            "attributes": {name: {**_TEXT, "required": False} for name in ("agent", "tenant", "issuer")},
        },
    },
    "Agent": {},
    "Role": {},
    "Team": {},
    "Tenant": {},
    "Route": {"memberOfTypes": ["Group", "Upstream"]},
    "Group": {},
    "Upstream": {},
    "Gateway": {},
}
_TIME = {
    "type": "Record",
    "attributes": {"hour": _LONG, "weekday": _LONG, "epoch": _LONG},
}


def _context(arguments: Mapping[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = {
        "agent": {**_AGENT, "required": False},
        "agents": {"type": "Set", "element": _AGENT},
        "delegation_depth": _LONG,
        "in_run": {"type": "Boolean"},
        "scopes": {"type": "Set", "element": _TEXT, "required": False},
        "time": _TIME,
    }
    if arguments:
        members["arguments"] = arguments
    return {"type": "Record", "attributes": members}


# ── arguments ────────────────────────────────────────────────────────────────────────────────────────────────


def _arguments(route: Route) -> dict[str, Any]:
    places: dict[str, Any] = {where: _place(route.parameters, where) for where in ("path", "query", "header")}
    if route.body is not None:
        body = cedar_type(next(iter(route.body.media.values()), {}))
        if body is not None:
            places["body"] = {**body, "required": route.body.required}
    return {"type": "Record", "attributes": places}


def _place(parameters: tuple[Parameter, ...], where: str) -> dict[str, Any]:
    found = {}
    for each in parameters:
        kind = cedar_type(each.schema) if each.where == where else None
        if kind is not None:
            found[each.name] = {**kind, "required": each.required or where == "path"}
    return {"type": "Record", "attributes": found}


def cedar_type(schema: JsonSchema, root: JsonSchema | None = None, depth: int = 0) -> dict[str, Any] | None:
    """The Cedar type of a JSON Schema's values that aren't null; None where Cedar has none."""
    root = schema if root is None else root
    branches = at_member(schema, (), root)
    kinds = {kind for branch in branches for kind in _kinds(branch)} - {"null"}
    if len(kinds) != 1 or depth > _DEEPEST:
        return None
    kind = kinds.pop()
    if kind == "object":
        return _object(branches, schema, root, depth)
    if kind == "array":
        elements = [cedar_type(branch.get("items", {}), root, depth + 1) for branch in branches]
        element = elements[0] if len(elements) == 1 else None
        return None if element is None else {"type": "Set", "element": element}
    decimal = kind == "number" or all(branch.get("format") == "decimal" for branch in branches)
    if decimal and kind in ("number", "string"):
        return {"type": "Extension", "name": "decimal"}
    return {"string": _TEXT, "integer": _LONG, "boolean": {"type": "Boolean"}}.get(kind)


def _object(branches: list[JsonSchema], schema: JsonSchema, root: JsonSchema, depth: int) -> dict[str, Any]:
    names = dict.fromkeys(name for branch in branches for name in branch.get("properties", {}))
    needed = required({**schema, "$defs": root.get("$defs", {})})
    members: dict[str, Any] = {}
    for name in names:
        kinds = [cedar_type(each, root, depth + 1) for each in at_member(schema, (name,), root, follow=False)]
        if kinds and kinds[0] is not None and all(each == kinds[0] for each in kinds):
            # What may be null may be absent.
            present = name in needed and not _nullable(schema, name, root)
            members[name] = {**kinds[0], "required": present}
    return {"type": "Record", "attributes": members}


def _nullable(schema: JsonSchema, name: str, root: JsonSchema) -> bool:
    members = at_member(schema, (name,), root)
    return any("type" not in each or "null" in _kinds(each) for each in members)


def _kinds(branch: JsonSchema) -> list[str]:
    kind = branch.get("type")
    if kind is None and "properties" in branch:
        return ["object"]
    if kind is None and branch.get("enum") and all(isinstance(each, str) for each in branch["enum"]):
        return ["string"]
    return [kind] if isinstance(kind, str) else list(kind or ["unknown"])
