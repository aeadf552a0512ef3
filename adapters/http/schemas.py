"""An OpenAPI document's schemas as JSON Schemas (Draft 2020-12) that stand on their own.

OpenAPI 3.0 has a dialect of its own (specification section 4.7.24): `nullable`, `exclusiveMinimum` as a switch, and
nothing beside `$ref`. What only describes XML or tools is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.errors import parts_of
from adapters.http.document import Broken, Document, target

_ONE = ("items", "not", "if", "then", "else", "contains", "additionalProperties", "propertyNames")
_ONE_MORE = ("unevaluatedItems", "unevaluatedProperties", "contentSchema", "additionalItems")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs")
_DROPPED = frozenset(
    {"discriminator", "xml", "externalDocs", "example", "nullable", "readOnly", "writeOnly", "$schema"}
)
_MOST = 100_000
"""Schemas within one message: an alias in an alias may stand for more than any memory holds."""

_DEEPEST = 100


class Bundle:
    """The schemas of one message. `definitions` are what its `$ref`s lead to, to be put under `$defs` at its root.

    `sent`: it is what we send, so that nobody must give what is read-only; else nobody is promised what is write-only.
    """

    def __init__(self, document: Document, *, sent: bool) -> None:
        self._document = document
        self._hidden = "readOnly" if sent else "writeOnly"
        self._names: dict[str, str] = {}
        self._count = self._depth = 0
        self.definitions: dict[str, Any] = {}

    def schema(self, given: Any) -> Any:
        """`given` as JSON Schema; raises `Broken`."""
        self._count += 1
        if self._count > _MOST or self._depth > _DEEPEST:
            raise Broken("schemas that are too large")
        if isinstance(given, bool):
            return given
        if not isinstance(given, dict):
            raise Broken("a schema that isn't an object")
        ref = given.get("$ref")
        self._depth += 1
        made = self._referring(ref, given) if isinstance(ref, str) else self._nullable(given, self._own(given))
        self._depth -= 1
        return made

    def standing(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """`schema` with the definitions that it needs."""
        return {**schema, "$defs": dict(self.definitions)} if self.definitions else dict(schema)

    def resolved(self, schema: Any) -> dict[str, Any]:
        """A schema of this bundle, or the definition that it is a reference to."""
        for _ in range(len(self.definitions)):
            ref = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(ref, str):
                break
            schema = self.definitions[ref.removeprefix("#/$defs/")]
        return schema if isinstance(schema, dict) else {}

    def _referring(self, ref: str, given: Mapping[str, Any]) -> dict[str, Any]:
        place = target(ref)
        name = self._names.get(place)
        if name is None:
            name = self._names[place] = self._free(parts_of(place)[-1] if place else "document")
            self.definitions[name] = True  # so that what contains itself ends here
            self.definitions[name] = self.schema(self._document.at(place))
        found = {"$ref": f"#/$defs/{name}"}
        others = {} if self._document.old else {key: value for key, value in given.items() if key != "$ref"}
        return {**self._own(others), **found}

    def _free(self, wanted: str) -> str:
        name = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in wanted) or "_"
        taken, number = set(self._names.values()), 1
        found = name
        while found in taken:
            number += 1
            found = f"{name}_{number}"
        return found

    def _own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in given.items():
            if key in _DROPPED or key.startswith("x-"):
                continue
            made[key] = self._keyword(key, value)
        _switches(made)
        if isinstance(made.get("required"), list) and isinstance(given.get("properties"), dict):
            properties = given["properties"]
            hidden = {name for name, each in properties.items() if self._is_hidden(each)}
            made["required"] = [name for name in made["required"] if not (isinstance(name, str) and name in hidden)]
        return made

    def _is_hidden(self, given: Any) -> bool:
        try:
            found, _ = self._document.follow(given, "")
        except Broken:
            return False
        return any(isinstance(each, dict) and each.get(self._hidden) is True for each in (given, found))

    def _keyword(self, key: str, value: Any) -> Any:
        if (key in _ONE or key in _ONE_MORE) and isinstance(value, dict | bool):
            return self.schema(value)
        if key in _MANY and isinstance(value, list):
            return [self.schema(each) for each in value]
        if key in _NAMED and isinstance(value, dict):
            return {name: self.schema(each) for name, each in value.items()}
        return value

    def _nullable(self, given: Mapping[str, Any], made: dict[str, Any]) -> dict[str, Any]:
        if not self._document.old or given.get("nullable") is not True:
            return made
        kind = made.get("type")
        if isinstance(kind, str):
            if isinstance(made.get("enum"), list) and None not in made["enum"]:
                return {"anyOf": [made, {"type": "null"}]}
            return {**made, "type": [kind, "null"]}
        # Without a type it means nothing by the letter; who writes it beside allOf means that null will do.
        return {"anyOf": [made, {"type": "null"}]}


def _switches(made: dict[str, Any]) -> None:
    for switch, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        on = made.get(switch)
        if isinstance(on, bool):
            del made[switch]
            if on and bound in made:
                made[switch] = made.pop(bound)


def unfolded(document: Document, given: Any, wanted: Callable[[Mapping[str, Any]], bool]) -> bool:
    """Whether the schema, or one that it is made of by `$ref` or `allOf`, is `wanted`."""
    waiting, seen = [given], 0
    while waiting and seen < 100:
        seen += 1
        found, _ = document.follow(waiting.pop(), "")
        if isinstance(found, dict):
            if wanted(found):
                return True
            parts = (found.get(key) for key in ("allOf", "anyOf", "oneOf"))
            waiting.extend(each for part in parts if isinstance(part, list) for each in part)
    return False
