"""Whether two JSON Schemas describe the same values, as far as their words are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import JsonSchema
from gateway.routing.paths import resolve

_NOTES = frozenset({"$defs", "$comment", "description", "title", "examples", "example", "default", "deprecated"})
_ONE = frozenset({"items", "additionalProperties", "not", "contains", "propertyNames"})
_MANY = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_DEEPEST = 40


def followed(schema: JsonSchema, root: JsonSchema) -> JsonSchema:
    """A schema in place of what refers to it."""
    for _ in range(_DEEPEST):
        target = resolve(schema.get("$ref"), root)
        if not isinstance(target, Mapping):
            return schema
        own = {word: value for word, value in schema.items() if word != "$ref" and word not in _NOTES}
        schema = {**target, **own} if own else target
    return schema


def alike(one: JsonSchema, of_one: JsonSchema, other: JsonSchema, of_other: JsonSchema) -> str | None:
    """The dotted path at which two schemas, each within its document, differ; empty: at the top; None: nowhere."""
    return _Comparison(of_one, of_other).schemas(one, other, ())


class _Comparison:
    def __init__(self, of_one: JsonSchema, of_other: JsonSchema) -> None:
        self._roots = of_one, of_other
        self._begun: set[tuple[int, int]] = set()

    def schemas(self, one: Any, other: Any, at: tuple[str, ...]) -> str | None:
        if not isinstance(one, Mapping) or not isinstance(other, Mapping):
            return None if one == other else ".".join(at)
        if (id(one), id(other)) in self._begun:  # within itself
            return None
        self._begun.add((id(one), id(other)))  # of the documents' own parts: what is followed may be made for a moment
        one, other = followed(one, self._roots[0]), followed(other, self._roots[1])
        if len(at) > _DEEPEST:
            return ".".join(at)
        for word in sorted((one.keys() | other.keys()) - _NOTES):
            found = self._words(word, one.get(word), other.get(word), at)
            if found is not None:
                return found
        return None

    def _words(self, word: str, one: Any, other: Any, at: tuple[str, ...]) -> str | None:
        if word == "properties" and isinstance(one, Mapping) and isinstance(other, Mapping):
            return self._members(one, other, at)
        if word in _ONE:
            return self.schemas(one, other, at)
        if word in _MANY and isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            pairs = (self.schemas(mine, theirs, at) for mine, theirs in zip(one, other, strict=True))
            return next((found for found in pairs if found is not None), None)
        if word in ("required", "enum") and isinstance(one, list) and isinstance(other, list):
            return None if sorted(map(str, one)) == sorted(map(str, other)) else ".".join(at)
        return None if one == other else ".".join(at)

    def _members(self, one: Mapping[str, Any], other: Mapping[str, Any], at: tuple[str, ...]) -> str | None:
        for name in [*one, *other]:
            if name not in one or name not in other:
                return ".".join((*at, name))
            found = self.schemas(one[name], other[name], (*at, name))
            if found is not None:
                return found
        return None
