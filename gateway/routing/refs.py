"""`$ref` within contracts: components are merged over all files, and a schema is made to stand on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.contract import JsonSchema
from gateway.routing.report import Document, Place, Report, place_of

_SCHEMA = re.compile(r"(?P<file>[^#/]*|\./[^#/]*)#/components/schemas/(?P<name>[A-Za-z0-9._-]+)")
_MAX_HOPS = 20

# JSON Schema keywords: what holds one schema, a list of them, and a mapping of names to them.
_ONE = ("items", "not", "if", "then", "else", "contains", "additionalProperties", "propertyNames")
_ONE_MORE = ("unevaluatedItems", "unevaluatedProperties", "contentSchema")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs")


def subschemas(schema: Any, place: Place = ()) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """`schema` and every schema within, with their places; data such as `example` and `enum` isn't entered."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for key, value in schema.items():
        if key in _ONE or key in _ONE_MORE:
            yield from subschemas(value, (*place, key))
        elif key in _MANY and isinstance(value, list):
            for position, each in enumerate(value):
                yield from subschemas(each, (*place, key, str(position)))
        elif key in _NAMED and isinstance(value, dict):
            for name, each in value.items():
                yield from subschemas(each, (*place, key, name))


def local(value: Any) -> Any:
    """A deep copy in which `FILE.yaml#/components/…` has become `#/components/…`, as in the merged document."""
    if isinstance(value, list):
        return [local(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _SCHEMA.sub(r"#/components/schemas/\g<name>", each)
        if key == "$ref" and isinstance(each, str)
        else local(each)
        for key, each in value.items()
    }


class Components:
    """The `components` of one contract, as its `$ref`s see them; schemas may be other contracts' too."""

    def __init__(self, document: Document, documents: Mapping[str, Document], report: Report) -> None:
        self._document, self._documents, self._report = document, documents, report

    def follow(self, value: Any, place: Place) -> tuple[Any, Place]:
        """`value`, or what its `$ref` leads to, and where that stands; None when it leads nowhere."""
        for _ in range(_MAX_HOPS):
            if not isinstance(value, dict) or "$ref" not in value:
                return value, place
            reference = value["$ref"]
            target = self._lookup(reference)
            if target is None:
                sentence = f"the $ref {reference!r} leads nowhere: name something within this file, '#/components/…'"
                self._report.add(self._document, (*place, "$ref"), sentence)
                return None, place
            value, place = target, place_of(reference)
        self._report.add(self._document, place, "the $refs lead around in a circle")
        return None, place

    def _lookup(self, reference: object) -> Any | None:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        value: Any = self._document.data
        for part in place_of(reference):
            if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            elif isinstance(value, dict) and part in value:
                value = value[part]
            else:
                return None
        return value

    def bundle(self, schema: Any, place: Place) -> JsonSchema | None:
        """A copy of `schema` whose `$ref`s all lead into its own `$defs`; None, with findings, when one can't."""
        definitions: dict[str, Any] = {}
        waiting, whole = [(schema, place, self._document)], True
        while waiting:
            part, at, document = waiting.pop()
            for inner, each in subschemas(part, at):
                if "$ref" not in each:
                    continue
                found = self._component(each["$ref"], (*inner, "$ref"), document)
                whole = whole and found is not None
                if found is not None and found[0] not in definitions:
                    name, home = found
                    definitions[name] = home.data["components"]["schemas"][name]
                    waiting.append((definitions[name], ("components", "schemas", name), home))
        if not whole:
            return None
        bundled = _rewritten(schema) if isinstance(schema, dict) else ({} if schema else {"not": {}})
        if definitions:
            bundled["$defs"] = {name: _rewritten(each) for name, each in sorted(definitions.items())}
        return bundled

    def _component(self, reference: object, place: Place, document: Document) -> tuple[str, Document] | None:
        """The name and the home of the schema that `reference` in `document` leads to."""
        match = _SCHEMA.fullmatch(reference) if isinstance(reference, str) else None
        if match is None:
            sentence = f"the $ref {reference!r} of a schema must lead to '#/components/schemas/NAME'"
            self._report.add(document, place, f"{sentence}, in this file or in another by 'FILE.yaml#/…'")
            return None
        file = f"openapi/{match['file'].removeprefix('./')}" if match["file"] else document.file
        home, name = self._documents.get(file), match["name"]
        components = home.data.get("components") if home is not None else None
        schemas = components.get("schemas") if isinstance(components, dict) else None
        if home is None or not isinstance(schemas, dict) or name not in schemas:
            missing = f"there is no contract {file}" if home is None else f"{file} has no components.schemas.{name}"
            self._report.add(document, place, f"the $ref leads nowhere: {missing}")
            return None
        return name, home


def _rewritten(schema: Any) -> Any:
    """A deep copy of a schema, its references leading to `$defs`."""
    if isinstance(schema, list):
        return [_rewritten(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {}
    for key, value in schema.items():
        if key == "$ref" and isinstance(value, str):
            copy[key] = _SCHEMA.sub(r"#/$defs/\g<name>", value)
        elif key in ("example", "examples", "default", "const", "enum"):
            copy[key] = value
        else:
            copy[key] = _rewritten(value)
    return copy
