"""Whether an operation's input fits into a path and a query, and how each of its values is called there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import JsonSchema
from gateway.importing.words import snake, words
from gateway.routing.paths import resolve

_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_DEEPEST = 3
_MOST = 24


class DoesntFit(Exception):
    """The input needs a body; the message says why, completing "it takes …"."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One value of the input that a caller may give beside the body."""

    name: str
    """Of the parameter."""
    member: str
    """Where it goes in the operation's input, dotted."""
    schema: JsonSchema
    required: bool


def asked(schema: JsonSchema, keys: tuple[str, ...] = ()) -> list[Asked]:
    """The values of an input as parameters, `keys` first; raises `DoesntFit`."""
    found = list(_leaves(schema, schema, "", True, 0))
    if len(found) > _MOST:
        raise DoesntFit(f"{len(found)} values")
    found.sort(key=lambda each: keys.index(each[0]) if each[0] in keys else len(keys))
    names: dict[str, None] = {}
    made = []
    for member, leaf, required in found:
        name = _free(member, names)
        names[name] = None
        made.append(Asked(name, member, leaf, required))
    return made


def parameter_name(member: str) -> str:
    """A member's name as a parameter's, `CustomerId` as `customer_id`."""
    return snake(words(member.rpartition(".")[2]))


def scalar(schema: Any, root: JsonSchema) -> JsonSchema | None:
    """What a query can hold of a schema: a text, a number or a truth value; None: it can't hold it."""
    schema = _whole(schema, root)
    if schema is None or any(way in schema for way in ("oneOf", "anyOf", "allOf", "not")):
        return None
    kinds = schema.get("type")
    named = [kinds] if isinstance(kinds, str) else [each for each in kinds or () if each != "null"]
    if len(named) != 1 or named[0] not in _SCALARS:
        return _enumerated(schema) if not named else None
    kept = {key: value for key, value in schema.items() if key not in ("$defs", "type")}
    if "enum" in kept:
        kept["enum"] = [each for each in kept["enum"] if each is not None]
    return {"type": named[0], **kept}


def _enumerated(schema: JsonSchema) -> JsonSchema | None:
    values = schema.get("enum", ())
    return {"type": "string", **schema} if values and all(isinstance(each, str) for each in values) else None


def _leaves(
    schema: Any, root: JsonSchema, path: str, required: bool, depth: int
) -> Iterator[tuple[str, JsonSchema, bool]]:
    whole = _whole(schema, root)
    if whole is None or depth > _DEEPEST or any(way in whole for way in ("oneOf", "anyOf", "allOf")):
        raise DoesntFit("a choice" if depth else "no plain object")
    needed = frozenset(whole.get("required", ()))
    if not whole.get("properties") and whole.get("additionalProperties") is not False and depth:
        raise DoesntFit("an object of any members")
    for name, inner in whole.get("properties", {}).items():
        if isinstance(inner, Mapping) and "const" in inner and name not in needed:
            continue
        yield from _leaf(f"{path}{name}", name, inner, root, required and name in needed, depth)


def _leaf(
    member: str, name: str, inner: Any, root: JsonSchema, required: bool, depth: int
) -> Iterator[tuple[str, JsonSchema, bool]]:
    leaf = scalar(inner, root)
    if leaf is not None:
        if "." in name:
            raise DoesntFit(f"'{name}', a name with a dot")
        yield member, leaf, required
        return
    whole = _whole(inner, root)
    if whole is None or whole.get("type") != "object":
        raise DoesntFit(f"'{name}', which is no single value")
    yield from _leaves(whole, root, f"{member}.", required, depth + 1)


def _whole(schema: Any, root: JsonSchema) -> dict[str, Any] | None:
    """A schema with what it refers to in its place; None for what isn't a mapping."""
    for _ in range(8):
        if not isinstance(schema, Mapping):
            return None
        if "$ref" not in schema:
            return dict(schema)
        target = resolve(schema["$ref"], root)
        if not isinstance(target, Mapping):
            return None
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return None


def _free(member: str, taken: Mapping[str, None]) -> str:
    parts = member.split(".")
    for count in range(1, len(parts) + 1):
        name = snake([each for part in parts[-count:] for each in words(part)])
        if name not in taken:
            return name
    base, number = snake([*words(member), "value"]), 2
    while base in taken:
        base, number = f"{snake(words(member))[:56]}_{number}", number + 1
    return base
