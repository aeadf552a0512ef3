"""A whole contract of what a reader found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.importing.components import Components
from gateway.importing.model import Reading, Shape
from gateway.importing.named import Named
from gateway.importing.operations import Operations
from gateway.importing.parts import used
from gateway.importing.standing import CURSOR, FIELDS, IF_MATCH, limit
from gateway.importing.words import pascal, sentence, words
from gateway.routing.own_answers import HEADERS, PROBLEM, SECURITY, SERVERS, problem_responses, response_name


@dataclass(frozen=True, slots=True)
class Around:
    """What else stands in the workspace: the components of its other contracts, and the sizes of its pages."""

    components: Mapping[str, Mapping[str, Any]]
    """Section → name → value."""
    page: int = 50
    max_page: int = 500


def contract(upstream: str, reading: Reading, routes: Sequence[Named], around: Around) -> dict[str, Any]:
    """The contract's document."""
    standing = _Standing(upstream, around)
    components = Components(around.components.get("schemas", {}))
    problem = components.named("Problem", PROBLEM, "Document")["$ref"]
    parameters = {name: standing.add("parameters", name.capitalize(), value) for name, value in _paging(around)}
    for status, response in problem_responses(problem).items():
        name = response_name(status)
        parameters[f"response {name}"] = standing.add("responses", name, response)
    for name, header in HEADERS.items():
        standing.add("headers", name, header)
    made = Operations(upstream, components, parameters)
    paths = _paths(made, routes)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": _info(upstream, reading),
        "servers": SERVERS,
        "security": [{"credential": []}],
        "tags": [_tag(upstream, group) for group in sorted({each.group for each in routes})],
        "paths": paths,
    }
    sections = {**standing.sections, "schemas": dict(sorted(components.schemas.items())), "securitySchemes": SECURITY}
    return {**document, "components": used(sections, paths)}


class _Standing:
    """Components beside schemas; one that another contract has otherwise takes the upstream's name along."""

    def __init__(self, upstream: str, around: Around) -> None:
        self._tail, self._around = "Of" + pascal(words(upstream)), around.components
        self.sections: dict[str, dict[str, Any]] = {"parameters": {}, "headers": {}, "responses": {}}

    def add(self, section: str, name: str, value: Mapping[str, Any]) -> str:
        taken = self._around.get(section, {}).get(name, value)
        name = name if taken == value else name + self._tail
        self.sections[section][name] = value
        return name


def _paging(around: Around) -> Iterable[tuple[str, Mapping[str, Any]]]:
    yield "limit", limit(around.page, around.max_page)
    yield "cursor", CURSOR
    yield "fields", FIELDS
    yield "version", IF_MATCH


def _info(upstream: str, reading: Reading) -> dict[str, Any]:
    title = sentence(reading.title, 200) or pascal(words(upstream))
    told = sentence(reading.description) or f"What the upstream {upstream} offers, as it describes itself."
    made = {"title": title, "version": "1.0", "description": told, "contact": {"name": "The team behind this gateway"}}
    return {**made, "license": {"name": "Proprietary", "identifier": "LicenseRef-Proprietary"}}


def _tag(upstream: str, group: str) -> dict[str, Any]:
    return {"name": group, "description": f"{group.replace('-', ' ').capitalize()}, from {upstream}."}


def _paths(made: Operations, routes: Sequence[Named]) -> dict[str, dict[str, Any]]:
    places = {each.group: each for each in routes if each.shape is Shape.GET and each.found.shape is Shape.GET}
    paths: dict[str, dict[str, Any]] = {}
    for each in routes:
        paths.setdefault(each.path, {})[each.method] = made.operation(each, _location(each, places.get(each.group)))
    return paths


def _location(each: Named, place: Named | None) -> str | None:
    """Where what was added is read, if the reply has what stands in that path."""
    if place is None or each.shape is not Shape.CREATE or each.found.shape is not Shape.CREATE or not each.found.output:
        return None
    members = each.found.output.get("properties", {})
    if not place.key or any(key.member not in members for key in place.key):
        return None
    head = place.path.split("/{", 1)[0]
    return head + "".join(f"/{{{key.member}}}" for key in place.key)
