"""Examples of what routes take and answer, made from their schemas, always the same ones.

`gateway.mock` looks for a value long and well. Here a likely one is put together from parts first, and held against the
schema once: a thousand routes need a thousand examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from adapters.contract import Json, JsonSchema
from gateway.mock.mock import CantMock, mocked
from gateway.routing.paths import resolve

_WHOLE, _DEEPEST, _MOST = 3, 12, 2000


class NoExample(Exception):
    """No value that the schema takes was found."""


def example(schema: JsonSchema) -> Json:
    """A value that `schema` takes; raises `NoExample`."""
    try:
        value = _Maker(schema).value(schema, 0)
        if jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True).is_valid(value):
            return value
    except (NoExample, ValueError):
        pass  # ValueError: what the validator can't compile, which `figway check` tells.
    try:
        return mocked(schema)
    except (CantMock, ValueError) as error:
        raise NoExample from error


class _Maker:
    def __init__(self, root: JsonSchema) -> None:
        self._root, self._left = root, _MOST

    def value(self, schema: Any, depth: int) -> Json:
        """A likely value of a part."""
        self._left -= 1
        if not isinstance(schema, Mapping) or depth > _DEEPEST or self._left < 0:
            raise NoExample
        if "$ref" in schema:
            return self.value(resolve(schema["$ref"], self._root), depth + 1)
        if "const" in schema:
            return schema["const"]
        for given in (schema.get("examples"), schema.get("enum")):
            if given:
                return given[0]
        for way in ("oneOf", "anyOf"):
            if way in schema and "properties" not in schema:
                return self._first(schema[way], depth)
        if "properties" in schema:
            return self._object(schema, depth)
        if schema.get("type") == "array" and "prefixItems" not in schema:
            return [self.value(schema.get("items", {}), depth + 1)] if depth < _DEEPEST - 2 else []
        return _leaf(orjson.dumps({key: each for key, each in schema.items() if key != "$defs"}))

    def _first(self, branches: Any, depth: int) -> Json:
        for branch in branches:
            try:
                if branch != {"type": "null"}:
                    return self.value(branch, depth + 1)
            except NoExample:
                continue
        raise NoExample

    def _object(self, schema: JsonSchema, depth: int) -> dict[str, Json]:
        needed, made = frozenset(schema.get("required", ())), dict[str, Json]()
        for name, inner in schema["properties"].items():
            if name not in needed and depth >= _WHOLE:
                continue
            try:
                made[name] = self.value(inner, depth + 1)
            except NoExample:
                if name in needed:
                    raise
        return made


@lru_cache(maxsize=4096)
def _leaf(schema: bytes) -> Json:
    try:
        return mocked(orjson.loads(schema))
    except CantMock as error:
        raise NoExample from error
