"""A route's contract as the schemas of a tool: JSON Schema 2020-12 with no references but those of recursion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Effect, JsonSchema
from gateway.routing.model import Parameter, Route
from gateway.routing.shown import partial_of

RESERVED = "_gateway"
"""The argument that stands for header fields of the gateway's own."""
_PLACES = ("path", "query", "header", "body")
# What `_gateway` stands for, and what the gateway sends by itself.
_OURS = frozenset(
    {"idempotency-key", "prefer", "cache-control", "authorization", "accept", "content-type", "traceparent"}
)
_OURS |= {"figway-plan", "figway-approval"}
_PLAIN = frozenset({"type", "properties", "required", "additionalProperties", "title", "description", "$defs"})
_PREFIX = "#/$defs/"
_MOST_NODES = 5_000
"""Parts that a schema may have with its references written out; beyond that they stay."""
_HOW: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "description": "How the gateway is to make the call.",
    "properties": {
        "dry_run": {
            "type": "boolean",
            "description": "Show what the change would do in place of making it, with a plan_token to make just that; "
            "refused where that can't be done without effect.",
        },
        "idempotency_key": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": r"^[\x20-\x7e]+$",
            "description": "A new UUID for each change; the same one to send the same change again, "
            "which then happens once.",
        },
        "plan_token": {
            "type": "string",
            "pattern": r"^[A-Za-z0-9._-]{1,4000}$",
            "description": "The dry run's: make what it showed, or nothing.",
        },
        "approval": {
            "type": "string",
            "pattern": r"^[A-Za-z0-9]{1,64}$",
            "description": "The approval that was asked for, once it is given; the idempotency_key stays the same.",
        },
    },
}
_DRY_RUN: Mapping[str, Any] = {
    "type": "object",
    "description": "What _gateway.dry_run shows; nothing was changed.",
    "required": ["dry_run", "plan_token", "expires"],
    "properties": {
        "dry_run": {"const": True},
        "would": {"type": "object"},
        "affected": {"type": "integer"},
        "before": {},
        "after": {},
        "plan_token": {"type": "string"},
        "expires": {"type": "string"},
    },
}
_HOW_OLD: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "description": "How the gateway is to make the call.",
    "properties": {
        "max_age": {
            "type": "integer",
            "minimum": 0,
            "maximum": 2**31,
            "description": "The age in seconds beyond which an answer is refused; 0: as it is now. "
            "Left out: whatever the route keeps.",
        },
    },
}


class _TooLarge(Exception):
    """A schema would be too large with its references written out."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a tool's arguments go. `places` names each argument's place, None: the arguments are the places."""

    schema: JsonSchema
    places: Mapping[str, str] | None


def input_of(route: Route) -> Shape:
    """The arguments of a route's tool: members of path, query, header and body side by side, where no name stands
    twice and the body is a plain object; else one member a place."""
    parts = {where: _of_parameters(route, where) for where in ("path", "query", "header")}
    body = None if route.body is None else inlined(next(iter(route.body.media.values())))
    flat = _flat(route, parts, body)
    if flat is None:
        return Shape(_grouped(route, parts, body), None)
    return flat


def _of_parameters(route: Route, where: str) -> dict[str, Parameter]:
    return {each.name: each for each in route.parameters if each.where == where and each.name.lower() not in _OURS}


def _flat(route: Route, parts: Mapping[str, Mapping[str, Parameter]], body: JsonSchema | None) -> Shape | None:
    members: dict[str, Any] = {}
    places: dict[str, str] = {}
    required: list[str] = []
    for where, parameters in parts.items():
        for name, each in parameters.items():
            if name in places:
                return None
            members[name], places[name] = _told(each), where
            required += [name] if each.required else []
    if body is not None and route.body is not None:
        if not _plain(body, optional=not route.body.required):
            return None
        for name, schema in body.get("properties", {}).items():
            if name in places:
                return None
            members[name], places[name] = schema, "body"
        required += body.get("required", ())
    if RESERVED in places:
        return None
    return Shape(_object(route, members, required, {} if body is None else body.get("$defs", {})), places)


def _plain(body: JsonSchema, *, optional: bool) -> bool:
    """Whether a body is an object with members that are named, none of which depends on another."""
    named = body.get("type") == "object" and body.keys() <= _PLAIN and not body.get("additionalProperties")
    return (
        named
        and set(body.get("required", ())) <= set(body.get("properties", {}))
        and not (optional and body.get("required"))
    )


def _grouped(route: Route, parts: Mapping[str, Mapping[str, Parameter]], body: JsonSchema | None) -> JsonSchema:
    members: dict[str, Any] = {}
    required: list[str] = []
    for where, parameters in parts.items():
        needed = [name for name, each in parameters.items() if each.required]
        if parameters:
            properties = {name: _told(each) for name, each in parameters.items()}
            members[where] = {"type": "object", "properties": properties, "additionalProperties": False}
        if needed:
            members[where]["required"] = needed
            required.append(where)
    defs: Mapping[str, Any] = {}
    if body is not None and route.body is not None:
        defs = body.get("$defs", {})
        members["body"] = {name: part for name, part in body.items() if name != "$defs"}
        required += ["body"] if route.body.required else []
    return _object(route, members, required, defs)


def _told(parameter: Parameter) -> JsonSchema:
    schema = inlined(parameter.schema)
    return schema if parameter.default is None else {"default": parameter.default, **schema}


def _object(route: Route, members: dict[str, Any], required: list[str], defs: Mapping[str, Any]) -> JsonSchema:
    lifted: dict[str, Any] = dict(defs)
    for name, member in members.items():
        if isinstance(member, Mapping) and "$defs" in member:
            lifted |= member["$defs"]
            members[name] = {key: part for key, part in member.items() if key != "$defs"}
    members[RESERVED] = _HOW_OLD if route.effect is Effect.READ else _HOW
    schema: dict[str, Any] = {"type": "object", "properties": members, "additionalProperties": False}
    if required:
        schema["required"] = required
    return {**schema, "$defs": lifted} if lifted else schema


def output_of(route: Route) -> tuple[JsonSchema | None, bool]:
    """The schema of what a route's tool answers, and whether it is wrapped in `{"result": …}` as it needn't be an
    object; None: the contract says none that is kept to. Of a write, it is also that of a dry run."""
    if route.reply is None or route.enforcement == "off":
        return None, False
    schema = inlined(partial_of(route.reply, is_list=route.is_list) if route.sparse else route.reply)
    answer, wrapped = _wrapped(schema)
    if route.effect is Effect.READ:
        return answer, wrapped
    either = {"type": "object", "anyOf": [{name: part for name, part in answer.items() if name != "$defs"}, _DRY_RUN]}
    return ({**either, "$defs": answer["$defs"]} if "$defs" in answer else either), wrapped


def _wrapped(schema: JsonSchema) -> tuple[JsonSchema, bool]:
    if schema.get("type") == "object":
        return schema, False
    rest = {name: part for name, part in schema.items() if name != "$defs"}
    whole: dict[str, Any] = {"type": "object", "properties": {"result": rest}, "required": ["result"]}
    return ({**whole, "$defs": schema["$defs"]} if "$defs" in schema else whole), True


# ── references ───────────────────────────────────────────────────────────────────────────────────────────────


def inlined(schema: JsonSchema) -> JsonSchema:
    """The schema with what its `$ref`s into its own `$defs` name in their place; what recurs, and what would be too
    large, keeps them."""
    defs = schema.get("$defs", {})
    writer = _Writer(defs)
    root = {name: part for name, part in schema.items() if name != "$defs"}
    try:
        whole = writer.written(root, ())
        kept: dict[str, Any] = {}
        while missing := writer.recurring - kept.keys():
            name = min(missing)
            kept[name] = writer.written(defs[name], (name,))
    except _TooLarge:
        return schema
    made: dict[str, Any] = {**whole, "$defs": kept} if kept else whole
    return made


class _Writer:
    """Writes references out, and notes which can't be."""

    def __init__(self, defs: Mapping[str, Any]) -> None:
        self._defs = defs
        self.recurring: set[str] = set()
        self._room = _MOST_NODES

    def written(self, value: Any, within: tuple[str, ...]) -> Any:
        """`value` with its references written out; `within` are the definitions around it."""
        self._room -= 1
        if self._room < 0:
            raise _TooLarge
        if isinstance(value, list):
            return [self.written(each, within) for each in value]
        if not isinstance(value, Mapping):
            return value
        name = self._named(value.get("$ref"))
        rest = {key: self.written(each, within) for key, each in value.items() if name is None or key != "$ref"}
        if name is None:
            return rest
        if name in within:
            self.recurring.add(name)
            return {"$ref": _PREFIX + name.replace("~", "~0").replace("/", "~1"), **rest}
        whole = self.written(self._defs[name], (*within, name))
        # Beside a reference both hold (JSON Schema 2020-12 core section 8.2.3.1); what only describes may stand here.
        if rest.keys() <= {"description", "title", "default", "examples"}:
            return {**whole, **rest}
        return {**rest, "allOf": [*rest.get("allOf", ()), whole]}

    def _named(self, reference: object) -> str | None:
        if not isinstance(reference, str) or not reference.startswith(_PREFIX):
            return None
        name = reference[len(_PREFIX) :].replace("~1", "/").replace("~0", "~")
        return name if name in self._defs else None
