"""Examples of replies that nothing answers: the contract's own, else made from its schema, always the same one.

What is made is held against the schema before it is given out; where none can be found there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from math import ceil, floor
from typing import Any

import jsonschema_rs

from adapters.contract import Json, JsonSchema
from gateway.mock.texts import matching

_DEEPEST = 12
"""Levels below which only what must be there is made."""
_SHALLOW = 3
_TRIES = 64
_MOST = 20_000
"""Parts that are made for one value: schemas that refer to themselves would make more and more."""
_FORMATS: Mapping[str, str] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "ann@example.com",
    "idn-email": "ann@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/a",
    "uri-reference": "/a",
    "iri": "https://example.com/a",
    "iri-reference": "/a",
    "uri-template": "/a/{id}",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/a",
    "relative-json-pointer": "1/a",
    "regex": "a",
    "decimal": "1.00",
}
_WORDS = ("text", "", "a", "1", "A", "0")


class CantMock(Exception):
    """No value that the schema takes was found."""


def taking(schema: JsonSchema) -> Callable[[Json], bool]:
    """Whether a whole schema takes a value, formats asserted."""
    return jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True).is_valid


def mocked(schema: JsonSchema | None, examples: Sequence[Json] = ()) -> Json:
    """A value that `schema` takes (None: no body): the first example that it takes, else one made from it. Raises
    `CantMock`."""
    if schema is None:
        return None
    takes = taking(schema)
    for value in chain(examples, _Maker(schema).values(schema, 0)):
        if takes(value):
            return value
    raise CantMock("no value that the schema takes was found")


class _Maker:
    """Makes values of one schema, with its own `$defs`."""

    def __init__(self, root: JsonSchema) -> None:
        self._root, self._left = root, _MOST

    def taking(self, schema: Any) -> Callable[[Json], bool]:
        """Whether a part of the whole schema takes a value."""
        if isinstance(schema, Mapping):
            schema = {**schema, "$defs": self._root.get("$defs", {})}
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid

    def values(self, schema: Any, depth: int) -> Iterator[Json]:
        """Values that the part takes, the likeliest first."""
        takes = self.taking(schema)
        return filter(takes, islice(self._candidates(schema, depth), _TRIES))

    def _candidates(self, schema: Any, depth: int) -> Iterator[Json]:
        self._left -= 1
        if depth > _DEEPEST or schema is False or self._left < 0:
            return
        if not isinstance(schema, Mapping):
            yield None
            return
        if "const" in schema:
            yield schema["const"]
            return
        yield from schema.get("examples", ())
        yield from (schema[name] for name in ("example", "default") if name in schema)
        if "enum" in schema:
            yield from schema["enum"]
            return
        for each in self._alternatives(schema, depth):
            yield from self._typed(each, depth)

    def _alternatives(self, schema: JsonSchema, depth: int) -> Iterator[dict[str, Any]]:
        """The schema with its references and branches merged into it, once for each branch that may be chosen."""
        if depth > _DEEPEST:
            return
        target = _resolved(schema.get("$ref"), self._root)
        bare = {key: part for key, part in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}
        wholes: list[dict[str, Any]] = [bare]
        parts = ([target] if isinstance(target, Mapping) else []) + list(schema.get("allOf", ()))
        for part in parts:
            inner = list(self._alternatives(part, depth + 1)) if isinstance(part, Mapping) else []
            wholes = [_merged(whole, each) for whole in wholes for each in inner][:_TRIES] or wholes
        for way in ("anyOf", "oneOf"):
            branches = [each for each in schema.get(way, ()) if isinstance(each, Mapping)]
            inner = [each for branch in branches for each in self._alternatives(branch, depth + 1)]
            wholes = [_merged(whole, each) for whole in wholes for each in inner][:_TRIES] or wholes
        yield from wholes

    def _typed(self, schema: JsonSchema, depth: int) -> Iterator[Json]:
        if "const" in schema:
            yield schema["const"]
        yield from schema.get("enum", ())
        kinds = schema.get("type") or _kind_of(schema)
        made: Mapping[str, Callable[[JsonSchema, int], Iterator[Json]]] = {
            "object": self._objects,
            "array": self._arrays,
            "string": lambda each, _: _texts(each),
            "integer": lambda each, _: _numbers(each, whole=True),
            "number": lambda each, _: _numbers(each, whole=False),
            "boolean": lambda *_: iter((True, False)),
            "null": lambda *_: iter((None,)),
        }
        named = [kinds] if isinstance(kinds, str) else list(kinds)
        for kind in sorted(named, key=lambda each: each == "null"):
            yield from made[kind](schema, depth)

    def _objects(self, schema: JsonSchema, depth: int) -> Iterator[Json]:
        properties, needed = schema.get("properties", {}), set(schema.get("required", ()))
        wanted = list(properties) if depth < _SHALLOW else []
        names = list(dict.fromkeys([*wanted, *sorted(needed)]))
        other = schema.get("additionalProperties", True)
        found = {name: list(islice(self.values(properties.get(name, other), depth + 1), 8)) for name in names}
        if any(not found[name] for name in needed):
            return
        found = {name: values for name, values in found.items() if values}
        for number in range(8):
            value = {name: values[min(number, len(values) - 1)] for name, values in found.items()}
            for extra in range(int(schema.get("minProperties", 0)) - len(value)):
                value[f"member_{extra + 1}"] = next(self.values(other, depth + 1), None)
            yield value
        yield {name: found[name][0] for name in sorted(needed)}

    def _arrays(self, schema: JsonSchema, depth: int) -> Iterator[Json]:
        first = list(schema.get("prefixItems", ()))
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        wanted = max(least, len(first) or (1 if depth < _DEEPEST - 1 else 0))
        wanted = wanted if most is None else min(wanted, int(most))
        for count in dict.fromkeys((wanted, least)):
            parts = [*first, *[schema.get("items", True)] * count][:count]
            choices = [list(islice(self.values(part, depth + 1), min(count + 8, 100))) for part in parts]
            if not all(choices):
                continue
            yield [each[0] for each in choices]
            yield [each[at % len(each)] for at, each in enumerate(choices)]


def _kind_of(schema: JsonSchema) -> Sequence[str]:
    """What a schema without a type speaks of."""
    signs = {
        "object": ("properties", "required", "additionalProperties", "minProperties"),
        "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
        "string": ("pattern", "format", "minLength", "maxLength"),
        "number": ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
    }
    return [kind for kind, words in signs.items() if any(word in schema for word in words)] or ["object"]


def _texts(schema: JsonSchema) -> Iterator[str]:
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 2**16))
    if "format" in schema and schema["format"] in _FORMATS:
        yield _FORMATS[schema["format"]]
    if schema.get("contentEncoding") == "base64":
        yield "AAAA" * ceil(least / 4)
    if "pattern" in schema:
        yield from matching(schema["pattern"], least, most)
    for word in _WORDS:
        padded = (word or "a") * ceil(least / len(word or "a")) if len(word) < least else word
        yield padded[:most]


def _numbers(schema: JsonSchema, *, whole: bool) -> Iterator[int | float]:
    low = max((schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema), default=None)
    high = min((schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema), default=None)
    step = schema.get("multipleOf", 1 if whole else None)
    starts = [1, 0, *(each for each in (low, high) if each is not None)]
    if low is not None and high is not None:
        starts.append((low + high) / 2)
    for start in starts:
        if step:
            lower, upper = floor(start / step), ceil(start / step)
            for times in (upper, upper + 1, lower, lower - 1):
                yield _plain(times * step, whole=whole)
        else:
            yield from (_plain(each, whole=whole) for each in (start, start + 0.5, start - 0.5))


def _plain(number: float, *, whole: bool) -> int | float:
    return int(number) if whole and number == int(number) else number


def _merged(one: JsonSchema, other: JsonSchema) -> dict[str, Any]:
    """Both at once, as far as that can be said in one schema; what can't is left to the validator."""
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        mine, yours = one["properties"], other["properties"]
        shared = {name: {"allOf": [mine[name], yours[name]]} for name in mine if name in yours}
        both["properties"] = {**mine, **yours, **shared}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *other["required"]]
    if "type" in one and "type" in other:
        kinds = [[each] if isinstance(each, str) else list(each) for each in (one["type"], other["type"])]
        same = [each for each in kinds[0] if each in kinds[1]]
        both["type"] = same or (["integer"] if {"integer", "number"} <= {*kinds[0], *kinds[1]} else kinds[0])
    if "enum" in one and "enum" in other:
        both["enum"] = [each for each in one["enum"] if each in other["enum"]]
    for name, tighter in (
        ("minimum", max),
        ("minLength", max),
        ("minItems", max),
        ("maximum", min),
        ("maxLength", min),
    ):
        if name in one and name in other:
            both[name] = tighter(one[name], other[name])
    return both


def _resolved(reference: object, root: JsonSchema) -> Any:
    """What a `#/…` reference names within `root`; None when it names nothing."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    value: Any = root
    for part in re.split("/", reference[1:])[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
