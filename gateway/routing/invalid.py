"""What pydantic finds wrong, told as findings: where, in the file's own terms, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.routing.paths import resolve
from gateway.routing.report import Document, Place, Report, texts

_Model = TypeVar("_Model", bound=BaseModel)
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Where:
    """Where a value stands, the references in it that are unset, and keys beside the model's own."""

    document: Document
    place: Place
    unset: frozenset[Place] = frozenset()
    others: frozenset[str] = frozenset()


def validated(model: type[_Model], data: Any, where: Where, report: Report) -> _Model | None:
    """`data` as a `model`; what is wrong is noted and left out, so that the rest can be judged in the same run.

    What an unset reference makes wrong is left out in silence. None when too much is wrong.
    """
    left_out: set[Place] = set()
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            located = [(each, _within(data, texts(each["loc"]), each["type"])) for each in _errors(error)]
        for each, location in located:
            # What follows from something left out isn't told again.
            follows = any(place[: len(location)] == location for place in left_out)
            unset = (*where.place, *location) in where.unset and each["type"] != "extra_forbidden"
            if not follows and not unset:
                sentence = _sentence(each, model, location, where.others)
                report.add(where.document, (*where.place, *location), sentence)
        left_out |= {location for _, location in located}
        culprits = [_culprit(each, location) for each, location in located]
        if () in culprits:
            break
        data = _without(data, culprits)
    return None


def _errors(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False))


def _culprit(error: Any, location: Place) -> Place:
    return location[:-1] if error["type"] == "missing" else location


def _without(data: Any, places: list[Place]) -> Any:
    """A copy of `data` in which nothing stands at `places`; a list's item takes the list with it."""
    if not isinstance(data, Mapping):
        return None
    kept = {}
    for key, value in data.items():
        inner = [place[1:] for place in places if place[0] == key]
        if () not in inner:
            kept[key] = _without(value, inner) if inner else value
    return {key: value for key, value in kept.items() if value is not None}


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


def _sentence(error: Any, model: type[BaseModel], location: Place, others: frozenset[str]) -> str:
    if error["type"] == "missing":
        return "this key is missing: add it"
    if error["type"] == "extra_forbidden":
        return _unknown_key(model, location, others)
    message: str = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].lower() + message[1:]


def _unknown_key(model: type[BaseModel], location: Place, others: frozenset[str]) -> str:
    found = set(_keys(model.model_json_schema(), location[:-1]))
    known = sorted(found if len(location) > 1 else found | others)
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
