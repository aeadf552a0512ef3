"""What a route is asked when it is probed: the examples that its contract gives, and nothing invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Json, JsonSchema
from gateway.routing.model import Route
from gateway.routing.paths import resolve

_ABSENT: Any = object()
_DEEPEST = 8


class NoSample(Exception):
    """The contract gives no example of something that the route needs; the message names it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Parameters by place and name, as they are written, and the body."""

    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=dict)
    body: Json = None


def sample(route: Route, document: Mapping[str, Any]) -> Sample:
    """The examples of what the route requires; `document` is the contracts as one. Raises `NoSample`."""
    made = Sample(body=_body(route, document))
    places = {"path": made.path, "query": made.query, "header": made.header}
    for each in route.parameters:
        if each.required:
            value = _of_parameter(route, each.where, each.name, document)
            value = _example(each.schema, each.schema) if value is _ABSENT else value
            if value is _ABSENT:
                raise NoSample(f"the {each.where} parameter '{each.name}'")
            places[each.where][each.name] = _written(value)
    return made


def _of_parameter(route: Route, where: str, name: str, document: Mapping[str, Any]) -> Any:
    item = document.get("paths", {}).get(route.path, {})
    for each in (*item.get(route.method.lower(), {}).get("parameters", ()), *item.get("parameters", ())):
        found = _followed(each, document)
        if found.get("in") == where and found.get("name") == name:
            return _named(found)
    return _ABSENT


def _body(route: Route, document: Mapping[str, Any]) -> Json:
    if route.body is None or not route.body.required:
        return None
    operation = document.get("paths", {}).get(route.path, {}).get(route.method.lower(), {})
    content = _followed(operation.get("requestBody", {}), document).get("content", {})
    found = next((value for media in content.values() if (value := _named(media)) is not _ABSENT), _ABSENT)
    schema = next(iter(route.body.media.values()), {})
    found = _example(schema, schema) if found is _ABSENT else found
    if found is _ABSENT:
        raise NoSample("the body")
    return found


def _named(holder: Mapping[str, Any]) -> Any:
    """The example of a parameter or a media type (OpenAPI 3.1 §4.8.12, §4.8.14)."""
    if "example" in holder:
        return holder["example"]
    named = holder.get("examples")
    several = named.values() if isinstance(named, Mapping) else ()
    return next((each["value"] for each in several if isinstance(each, Mapping) and "value" in each), _ABSENT)


def _example(schema: JsonSchema, root: JsonSchema) -> Any:
    """The first example or default that a schema, or what it refers to, gives."""
    for each in _chain(schema, root):
        if each.get("examples"):
            return each["examples"][0]
        for name in ("example", "default", "const"):
            if name in each:
                return each[name]
    return _ABSENT


def _chain(schema: JsonSchema, root: JsonSchema) -> Iterator[JsonSchema]:
    for _ in range(_DEEPEST):
        yield schema
        target = resolve(schema.get("$ref"), root)
        if not isinstance(target, Mapping):
            return
        schema = target


def _followed(value: Any, document: Mapping[str, Any]) -> Mapping[str, Any]:
    target = resolve(value.get("$ref"), document) if isinstance(value, Mapping) else None
    found = target if target is not None else value
    return found if isinstance(found, Mapping) else {}


def _written(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(_written(each) for each in value) if isinstance(value, list) else str(value)
