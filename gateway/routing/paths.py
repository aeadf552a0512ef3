"""Which paths of its scope a JMESPath expression reads, and whether a JSON Schema allows for them.

A path ("chain") is a tuple of member names; "[]" stands for the items of an array.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from adapters.contract import JsonSchema

Chain: TypeAlias = tuple[str, ...]
ITEM = "[]"
_LIST_OF = "*"
_MAX_BRANCHES = 50


def chains(node: Mapping[str, Any]) -> frozenset[Chain]:
    """The paths that the syntax tree `node` reads from its root value."""
    reader = _Reader()
    reader.read(node, frozenset({()}))
    return frozenset(chain for chain in reader.seen if _LIST_OF not in chain)


class _Reader:
    """Walks a tree with the set of paths that the current value may be at; an empty set means: not known."""

    def __init__(self) -> None:
        self.seen: set[Chain] = set()

    def read(self, node: Mapping[str, Any], at: frozenset[Chain]) -> frozenset[Chain]:
        kind, children = node["type"], node["children"]
        if kind == "field":
            found = frozenset((*chain, node["value"]) for chain in at)
            self.seen |= found
            return found
        if kind in ("identity", "current"):
            return at
        if kind in ("subexpression", "pipe", "index_expression"):
            for child in children:
                at = self.read(child, at)
            return at
        if kind in ("projection", "filter_projection"):
            return self._projection(children, at)
        if kind == "index":
            return items(at)
        if kind == "slice":
            return at
        if kind == "flatten":
            return frozenset(_flat(chain) for chain in self.read(children[0], at))
        return self._apart(kind, children, at)

    def _projection(self, children: Any, at: frozenset[Chain]) -> frozenset[Chain]:
        each = items(self.read(children[0], at))
        for condition in children[2:]:
            self.read(condition, each)
        return frozenset((*chain, _LIST_OF) for chain in self.read(children[1], each))

    def _apart(self, kind: str, children: Any, at: frozenset[Chain]) -> frozenset[Chain]:
        # `&x` and what follows `*` are evaluated over values that aren't followed here.
        inner = frozenset[Chain]() if kind == "expref" else at
        results = [self.read(child, inner) for child in children[:1]] if kind == "value_projection" else []
        if kind != "value_projection":
            results = [self.read(child, inner) for child in children]
        return results[0] | results[1] if kind in ("or_expression", "and_expression") else frozenset()


def items(at: Iterable[Chain]) -> frozenset[Chain]:
    """The paths of the items of what is at `at`."""
    return frozenset(chain[:-1] if chain[-1:] == (_LIST_OF,) else (*chain, ITEM) for chain in at)


def _flat(chain: Chain) -> Chain:
    # A list of lists becomes a list of their items.
    return (*chain[:-1], ITEM, _LIST_OF) if chain[-1:] == (_LIST_OF,) else chain


def unknown(chain: Chain, schema: JsonSchema, root: JsonSchema | None = None) -> str | None:
    """The first name of `chain` that nothing in `schema` speaks of; None when all are known or it can't be told.

    An object schema that names members is taken to name all, unless it says `additionalProperties`: this is for
    finding misspelt names in what is read.
    """
    whole = schema if root is None else root
    at = [schema]
    for name in chain:
        branches = list(_branches(at, whole))
        if name == ITEM:
            at = [branch["items"] for branch in branches if isinstance(branch.get("items"), Mapping)] or branches
            continue
        at = [branch["properties"][name] for branch in branches if name in branch.get("properties", {})]
        if not at:
            return None if any(map(_vague, branches)) or not branches else name
        at = [branch for branch in at if isinstance(branch, Mapping)]
    return None


def members(schema: JsonSchema) -> Mapping[str, Any] | None:
    """All members that an object may have by its schema; None when it may have others or it can't be told."""
    branches = list(_branches([schema], schema))
    if not any(
        branch.get("additionalProperties") is False and "patternProperties" not in branch for branch in branches
    ):
        return None
    return {name: member for branch in branches for name, member in branch.get("properties", {}).items()}


def declared(schema: JsonSchema) -> Mapping[str, Any]:
    """The members that an object schema names, whatever else it allows for."""
    return {
        name: member for branch in _branches([schema], schema) for name, member in branch.get("properties", {}).items()
    }


def required(schema: JsonSchema) -> frozenset[str]:
    """The members that every value of an object schema has, as far as `required`, `allOf` and `$ref` tell."""
    found: set[str] = set()
    for branch in _branches([schema], schema, ("allOf",)):
        found.update(branch.get("required", ()))
    return frozenset(found)


def at_member(schema: JsonSchema, names: Iterable[str], root: JsonSchema, *, follow: bool = True) -> list[JsonSchema]:
    """The schemas that may describe what stands at a path; with `follow`, references and branches are resolved."""
    at: list[JsonSchema] = [schema]
    for name in names:
        inner = [branch["items"] if name == ITEM else branch["properties"][name] for branch in _branches(at, root)
                 if ("items" in branch if name == ITEM else name in branch.get("properties", {}))]  # fmt: skip
        at = [each for each in inner if isinstance(each, Mapping)]
    return list(_branches(at, root)) if follow else at


def path_of(text: str) -> Chain:
    """A member's name, or a JSON Pointer (RFC 6901), as a path: `email`, `/address/city`."""
    if not text.startswith("/"):
        return (text,)
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))


def _vague(branch: JsonSchema) -> bool:
    others = branch.get("additionalProperties", False) is not False or "patternProperties" in branch
    return others or not ("properties" in branch or "additionalProperties" in branch)


def _branches(
    schemas: Iterable[JsonSchema], root: JsonSchema, ways: tuple[str, ...] = ("allOf", "anyOf", "oneOf")
) -> Iterable[JsonSchema]:
    """Every schema that may describe the value, `$ref`s followed; bounded, so recursion ends."""
    waiting, count = list(schemas), 0
    while waiting and count < _MAX_BRANCHES:
        schema, count = waiting.pop(), count + 1
        if not isinstance(schema, Mapping):
            continue
        target = resolve(schema.get("$ref"), root)
        waiting += [target] if target is not None else []
        inner = [branch for way in ways for branch in schema.get(way, ())]
        waiting += inner
        if "$ref" not in schema and (not inner or "properties" in schema) and schema.get("type") != "null":
            yield schema


def resolve(reference: object, root: JsonSchema) -> Any | None:
    """What a `#/…` reference names within `root`; None when it names nothing."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    value: Any = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, Mapping) and name in value:
            value = value[name]
        else:
            return None
    return value
