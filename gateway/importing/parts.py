"""A contract in several files, where one would be too long to be read: whole groups of routes in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.routing.document import reached

_MOST = 60_000
"""Values in one file, as far as its groups are smaller; a contract has a bound on them."""


def part_path(upstream: str, number: int) -> str:
    """The file of a part; the first is 1."""
    return f"openapi/{upstream}.yaml" if number == 1 else f"openapi/{upstream}.{number}.yaml"


def allotted(document: Mapping[str, Any], before: Mapping[str, int]) -> dict[str, int]:
    """Group → part: groups stay where they were, new ones go where there is room."""
    sizes = _sizes(document)
    made = {group: before[group] for group in sizes if group in before}
    filled: dict[int, int] = {}
    for group, part in made.items():
        filled[part] = filled.get(part, 0) + sizes[group]
    last = max(filled, default=1)
    for group, size in sizes.items():
        if group in made:
            continue
        if filled.get(last, 0) and filled[last] + size > _MOST:
            last += 1
        made[group] = last
        filled[last] = filled.get(last, 0) + size
    return made


def split(document: Mapping[str, Any], parts: Mapping[str, int]) -> dict[int, dict[str, Any]]:
    """The contract by part; each has the components that it uses."""
    if not document:
        return {}
    numbers = sorted({*parts.values()} or {1})
    if len(numbers) == 1:
        return {numbers[0]: dict(document)}
    made = {}
    for number in numbers:
        paths: dict[str, Any] = {}
        for path, item in document["paths"].items():
            own = {method: each for method, each in item.items() if parts.get(each["tags"][0]) == number}
            if own:
                paths[path] = own
        tags = [tag for tag in document["tags"] if parts.get(tag["name"]) == number]
        components = used(document["components"], paths)
        made[number] = {**document, "tags": tags, "paths": paths, "components": components}
    return made


def used(components: Mapping[str, Mapping[str, Any]], paths: Any) -> dict[str, dict[str, Any]]:
    """The components that paths refer to, from near or far, and how callers are known."""
    found = reached(paths, components) | {("securitySchemes", name) for name in components.get("securitySchemes", ())}
    kept = {
        key: {name: each for name, each in inner.items() if (key, name) in found} for key, inner in components.items()
    }
    return {key: inner for key, inner in kept.items() if inner}


def _sizes(document: Mapping[str, Any]) -> dict[str, int]:
    """Group → how many values its routes are, and the schemas that none before them used."""
    sizes: dict[str, int] = {}
    seen: set[str] = set()
    schemas = document.get("components", {}).get("schemas", {})
    for item in document["paths"].values():
        for operation in item.values():
            group = operation["tags"][0]
            sizes[group] = sizes.get(group, 0) + _size(operation, schemas, seen)
    return sizes


def _size(value: Any, schemas: Mapping[str, Any], seen: set[str]) -> int:
    waiting, count = [value], 0
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, Mapping):
            waiting += each.values()
            name = str(each.get("$ref", "")).rpartition("/")[2]
            if name in schemas and name not in seen:
                seen.add(name)
                waiting.append(schemas[name])
        elif isinstance(each, list):
            waiting += each
    return count
