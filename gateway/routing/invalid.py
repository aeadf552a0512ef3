"""What pydantic finds wrong, told as findings: where, in the file's own terms, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.routing.paths import resolve
from gateway.routing.report import Document, Place, Report, texts


def note_invalid(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    where: tuple[Document, Place],
    report: Report,
    unset: frozenset[Place] = frozenset(),
) -> None:
    """Notes each error of `model` over `data`, which stands at `where`; not those caused by an `unset` reference."""
    document, prefix = where
    for each in error.errors(include_url=False, include_input=False):
        location = _within(data, texts(each["loc"]), each["type"])
        place = (*prefix, *location)
        if place in unset:
            continue
        report.add(document, place, _sentence(each, model, location))


def _within(data: Any, location: Place, kind: str) -> Place:
    """`location` without what pydantic adds to it: the names of union branches and of validators."""
    kept: list[str] = []
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping) and (part in data or (last and kind in ("missing", "extra_forbidden"))):
            data = data.get(part)
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            continue
        kept.append(part)
    return tuple(kept)


def _sentence(error: Any, model: type[BaseModel], location: Place) -> str:
    if error["type"] == "missing":
        return "this key is missing: add it"
    if error["type"] == "extra_forbidden":
        return _unknown_key(model, location)
    message: str = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].lower() + message[1:]


def _unknown_key(model: type[BaseModel], location: Place) -> str:
    known = sorted(set(_keys(model.model_json_schema(), location[:-1])))
    near = get_close_matches(location[-1], known, 1)
    if near:
        return f"unknown key: did you mean '{near[0]}'?"
    return f"unknown key: here may stand {', '.join(known)}" if known else "unknown key: remove it"


def _keys(schema: Mapping[str, Any], location: Place) -> Iterator[str]:
    """The keys that an object at `location` may have."""
    at = [schema]
    for part in (*location, None):
        branches = [branch for each in at for branch in _branches(each, schema)]
        if part is None:
            for branch in branches:
                yield from branch.get("properties", {})
            return
        at = [inner for branch in branches for inner in _members(branch, part)]


def _members(branch: Mapping[str, Any], part: str) -> Iterator[Mapping[str, Any]]:
    inner = branch.get("properties", {}).get(part)
    candidates = [inner] if inner else [branch.get("additionalProperties"), branch.get("items")]
    candidates += branch.get("patternProperties", {}).values()
    yield from (each for each in candidates if isinstance(each, Mapping))


def _branches(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    target = resolve(schema.get("$ref"), root)
    if target is not None:
        yield from _branches(target, root)
    for way in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(way, ()):
            yield from _branches(each, root)
    yield schema
