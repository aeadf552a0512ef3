"""One route as OpenAPI's operation: parameters, bodies, replies with examples, and its binding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.contract import Effect, Json, JsonSchema
from gateway.importing.bounds import bounded
from gateway.importing.components import Components
from gateway.importing.model import Found, Shape
from gateway.importing.named import Named, mappable
from gateway.importing.parameters import expand, filter_, parameter, sort, with_example
from gateway.importing.words import pascal, said, sentence, singular, words
from gateway.routing.own_answers import LIMIT, TAG, response_name
from gateway.routing.paths import declared

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JSON, _NDJSON, _CSV = "application/json", "application/x-ndjson", "text/csv"
_SUMMARIES = {
    Shape.LIST: "List {many}",
    Shape.GET: "Read one of {many}",
    Shape.CREATE: "Add to {many}",
    Shape.REPLACE: "Replace one of {many}",
    Shape.UPDATE: "Change one of {many}",
    Shape.DELETE: "Remove one of {many}",
    Shape.CALL: "",
}


class Operations:
    """Makes operations of one contract; their schemas gather in `components`."""

    def __init__(self, upstream: str, components: Components, parameters: Mapping[str, str]) -> None:
        self._upstream, self._components = upstream, components
        self._parameters = parameters
        """`limit` and `cursor` → what they are called among the components."""
        self._noun = ""

    def operation(self, named: Named, location: str | None = None) -> dict[str, Any]:
        """The operation of a route; `location` is where a write's reply says that the new entry is."""
        found = named.found
        summary = _SUMMARIES[named.shape].format(many=named.group.replace("-", " "))
        if named.shape is Shape.LIST and found.parent is not None:
            summary += f" of one of {said(words(found.parent.resource))}"
        if found.shape in (None, Shape.CALL):
            summary = said(words(found.operation)).capitalize()
        made: dict[str, Any] = {
            "operationId": named.operation_id,
            "tags": [named.group],
            "summary": sentence(summary, 120),
            "description": _described(named, summary),
        }
        parameters = self._given(named)
        if parameters:
            made["parameters"] = parameters
        if named.has_body and _has_members(self._body(named)):
            made["requestBody"] = self._request(named)
        made["responses"] = self._responses(named)
        made["x-gateway"] = self._extension(named, location)
        return made

    # What callers give

    def _given(self, named: Named) -> list[dict[str, Any]]:
        found = named.found
        made = [parameter(each, "path", self._root(named)) for each in named.key]
        made += [parameter(each, "query", found.input) for each in named.query]
        if named.shape is Shape.LIST:
            made += [filter_(name, schema, found.output or {}) for name, schema in found.filters.items()]
            if found.sorts:
                made.append(sort(found.sorts))
            made += [self._standing("limit"), self._standing("cursor")]
        if found.sparse:
            made.append(self._standing("fields"))
        if found.expands and found.parent is None and named.shape in (Shape.LIST, Shape.GET):
            made.append(expand(found.expands))
        if _guarded(named):
            made.append(self._standing("version"))
        return made

    def _standing(self, name: str) -> dict[str, Any]:
        return {"$ref": f"#/components/parameters/{self._parameters[name]}"}

    def _root(self, named: Named) -> JsonSchema:
        return (named.found.output or {}) if named.shape is Shape.LIST else named.found.input

    def _body(self, named: Named) -> dict[str, Any]:
        """The input without what stands in the path."""
        whole, keys = dict(named.found.input), {each.member for each in named.key}
        if keys:
            whole["properties"] = {name: each for name, each in whole.get("properties", {}).items() if name not in keys}
            whole["required"] = [name for name in whole.get("required", ()) if name not in keys]
            if not whole["required"]:
                del whole["required"]
        return whole

    def _request(self, named: Named) -> dict[str, Any]:
        body = self._body(named)
        media = with_example({"schema": self._components.hoisted(bounded(body), "Input")}, body)
        return {"required": True, "content": {_JSON: media}}

    # What they get

    def _responses(self, named: Named) -> dict[str, Any]:
        status, success = self._success(named)
        told = (LIMIT, TAG) if named.found.version and status == "200" else (LIMIT,)
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in told}
        made: dict[str, Any] = {status: {**success, "headers": headers}}
        for code in _statuses(named):
            made[code] = {"$ref": f"#/components/responses/{self._parameters[f'response {response_name(code)}']}"}
        return made

    def _success(self, named: Named) -> tuple[str, dict[str, Any]]:
        found = named.found
        if found.output is None or found.output.get("type") == "null":
            return "204", {"description": "It is done."}
        status = "201" if named.shape is Shape.CREATE and found.shape is Shape.CREATE else "200"
        shown = _unexpanded(found)
        whole = _page(named, found.output) if named.shape is Shape.LIST else found.output
        plain = _page(named, shown) if named.shape is Shape.LIST else shown
        media: dict[str, Any] = {"schema": self._reply(named, whole)}
        media = with_example(media, plain) if found.example is None else {**media, "example": found.example}
        return status, {"description": _replied(named), "content": {_JSON: media, **_wholly(named)}}

    def _reply(self, named: Named, whole: JsonSchema) -> dict[str, Any]:
        found = named.found
        if not found.resource or named.shape is Shape.CALL:
            return self._components.hoisted(bounded(whole), "Output")
        parts = words(found.resource)
        name = pascal((*parts[:-1], singular(parts[-1])))
        item = self._components.named(name, bounded(found.output or {}), "Row")
        if named.shape is not Shape.LIST:
            return item
        page: dict[str, Any] = bounded({key: value for key, value in whole.items() if key != "$defs"})
        page["properties"]["items"]["items"] = item
        return page

    # What serves it

    def _extension(self, named: Named, location: str | None) -> dict[str, Any]:
        found = named.found
        legacy: dict[str, Any] = {"upstream": self._upstream, "operation": found.operation}
        legacy |= found.binding or ({"input": given} if (given := self._input(named)) is not None else {})
        if found.version is not None:
            legacy["version"] = found.version
        made: dict[str, Any] = {"effect": found.effect.value, "group": named.group}
        if location is not None:
            made["location"] = location
        return {**made, "legacy": legacy}

    def _input(self, named: Named) -> dict[str, Json] | None:
        """The binding's input; None where parameters and body pass as they are."""
        if named.shape is Shape.LIST:
            return _page_request(named)
        if not mappable(named.found) and all(each.name == each.member for each in named.key):
            return None
        given: dict[str, Json] = {each.member: f"path.{each.name}" for each in named.key}
        given |= {each.member: f"query.{each.name}" for each in named.query}
        if named.has_body and not given:
            return None
        if named.has_body:
            given |= {name: f"body.{_quoted(name)}" for name in declared(self._body(named))}
        return given or None


def _page(named: Named, item: JsonSchema) -> JsonSchema:
    item = dict(item)
    definitions = item.pop("$defs", {})
    next_url = {
        "type": ["string", "null"],
        "description": "The URL of the next page; null on the last one.",
        "examples": [None],
    }
    listed = {"type": "array", "description": "This page's items.", "items": item}
    page: dict[str, Any] = {
        "type": "object",
        "required": ["items", "next"],
        "additionalProperties": False,
        "properties": {"items": listed, "next": next_url},
    }
    if named.found.both_ways:
        page["required"].append("previous")
        page["properties"]["previous"] = {**next_url, "description": "The URL of the page before; null on the first."}
    return {**page, "$defs": definitions} if definitions else page


def _unexpanded(found: Found) -> JsonSchema:
    """What it answers where nothing is expanded."""
    whole = found.output or {}
    if not found.expands:
        return whole
    return {
        **whole,
        "properties": {name: each for name, each in whole["properties"].items() if name not in found.expands},
    }


def _wholly(named: Named) -> dict[str, Any]:
    """The media types in which all of a list is told."""
    if named.shape is not Shape.LIST:
        return {}
    kinds = (_NDJSON, _CSV) if declared(named.found.output or {}) else (_NDJSON,)
    return {kind: {} for kind in kinds}


def _page_request(named: Named) -> dict[str, Json] | None:
    if not named.key:
        return None
    fixed = ", ".join(f"['{_raw(each.member)}', 'eq', path.{each.name}]" for each in named.key)
    found = named.found
    where = f"[list.where[?{_others(named)}], [{fixed}]][]" if found.filters else f"[{fixed}]"
    given: dict[str, Json] = {"limit": "list.limit", "after": "list.after", "where": where}
    return {**given, "sort": "list.sort"} if found.sorts else given


def _others(named: Named) -> str:
    """What a page request says of itself, without the path's parameters, which aren't fields."""
    return " && ".join(f"[0] != '{_raw(each.name)}'" for each in named.key)


def _raw(name: str) -> str:
    """A name within JMESPath's raw string."""
    return name.replace("\\", "\\\\").replace("'", "\\'")


def _quoted(name: str) -> str:
    """A member's name as a JMESPath identifier."""
    if _IDENTIFIER.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _guarded(named: Named) -> bool:
    """Whether it is a write that changes the version alone that its caller names."""
    return named.found.version is not None and named.found.effect is not Effect.READ


def _statuses(named: Named) -> list[str]:
    found = ["400", "401", "403"]
    if named.key or named.shape in (Shape.GET, Shape.CALL):
        found.append("404")
    if named.found.effect is not Effect.READ:
        found += ["409", *(["412"] if _guarded(named) else []), "422", *(["428"] if _guarded(named) else [])]
    return [*found, "429", "500", "default"]


def _described(named: Named, summary: str) -> str:
    told = sentence(named.found.description)
    return told or f"{summary}: {named.found.operation} of the system behind it."


def _replied(named: Named) -> str:
    return {
        Shape.LIST: "One page.",
        Shape.CREATE: "What was added.",
        Shape.UPDATE: "How it is after the change.",
        Shape.REPLACE: "How it is after the change.",
    }.get(named.shape, "The answer.")


def _has_members(body: JsonSchema) -> bool:
    return bool(declared(body)) or not body or "additionalProperties" not in body
