"""How a JSON Schema changed, for those who send what it describes (in) and for those who receive it (out)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from gateway.routing.paths import resolve

Told: TypeAlias = tuple[str, str, str]
"""Grade, place, sentence."""

_BREAKING, _POTENTIALLY, _ADDITIVE, _COSMETIC = "breaking", "potentially breaking", "additive", "cosmetic"
_UPPER = ("maxLength", "maximum", "maxItems", "maxProperties", "exclusiveMaximum")
_LOWER = ("minLength", "minimum", "minItems", "minProperties", "exclusiveMinimum")
_FORMS = ("format", "pattern", "contentEncoding", "contentMediaType", "multipleOf", "uniqueItems")
_WORDS = ("description", "title", "examples", "default")
_BRANCHES = ("oneOf", "anyOf", "allOf", "prefixItems")
_INFINITE = float("inf")


class Direction(StrEnum):
    """Who has to live with a change: those who send a value, or those who receive it."""

    IN = "in"
    OUT = "out"


class SchemaDrift:
    """Compares schemas of two documents; each pair of components once a direction."""

    def __init__(self, base: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._base, self._new = base, new
        self._seen: set[tuple[str, str, Direction]] = set()

    def compared(self, where: str, before: Any, after: Any, direction: Direction) -> Iterator[Told]:
        """Every change between two schemas."""
        names = _name(before), _name(after)
        if any(names):
            if (*names, direction) in self._seen:
                return
            self._seen.add((*names, direction))
            if all(names):
                where = f"schema {names[0]}"
            before, after = _target(before, self._base), _target(after, self._new)
        if not isinstance(before, Mapping) or not isinstance(after, Mapping):
            if before != after:
                yield _POTENTIALLY, where, "it is described otherwise"
            return
        found = False
        for told in self._parts(where, before, after, direction):
            found = True
            yield told
        if not found and any(before.get(word) != after.get(word) for word in _WORDS):
            yield _COSMETIC, where, "only its words differ"

    def _parts(
        self, where: str, before: Mapping[str, Any], after: Mapping[str, Any], direction: Direction
    ) -> Iterator[Told]:
        yield from _types(where, before, after, direction)
        yield from _values(where, before, after, direction)
        yield from _limits(where, before, after, direction)
        for form in _FORMS:
            if before.get(form) != after.get(form):
                yield _POTENTIALLY, where, f"its {form} was {before.get(form)!r} and is {after.get(form)!r}"
        yield from self._members(where, before, after, direction)
        for key in ("items", "additionalProperties"):
            old, now = before.get(key), after.get(key)
            if isinstance(old, Mapping) and isinstance(now, Mapping):
                yield from self.compared(f"{where}[]", old, now, direction)
            elif old != now:
                yield _open(where, old, now, direction)
        for way in _BRANCHES:
            yield from self._branches(where, before.get(way, ()), after.get(way, ()), direction)

    def _members(
        self, where: str, before: Mapping[str, Any], after: Mapping[str, Any], direction: Direction
    ) -> Iterator[Told]:
        old, now = before.get("properties", {}), after.get("properties", {})
        needed, needs = set(before.get("required", ())), set(after.get("required", ()))
        for name, each in old.items():
            at = f"{where}.{name}"
            if name not in now:
                yield _BREAKING, at, "it is gone"
                continue
            if name in needs - needed:
                yield (_BREAKING, at, "it must be given now") if direction is Direction.IN else (
                    _ADDITIVE, at, "it is always there now",
                )  # fmt: skip
            if name in needed - needs:
                yield (_ADDITIVE, at, "it may be left out now") if direction is Direction.IN else (
                    _POTENTIALLY, at, "it may be absent now",
                )  # fmt: skip
            yield from self.compared(at, each, now[name], direction)
        for name in now:
            if name not in old:
                must = direction is Direction.IN and name in needs
                yield _BREAKING if must else _ADDITIVE, f"{where}.{name}", "it is new" + (" and needed" if must else "")

    def _branches(self, where: str, before: Any, after: Any, direction: Direction) -> Iterator[Told]:
        if len(before) == len(after):
            for number, (old, now) in enumerate(zip(before, after, strict=True), 1):
                yield from self.compared(f"{where}({number})", old, now, direction)
        elif len(before) < len(after):
            yield _ADDITIVE if direction is Direction.IN else _POTENTIALLY, where, "it has more alternatives"
        else:
            yield _BREAKING if direction is Direction.IN else _ADDITIVE, where, "it has fewer alternatives"


def _types(where: str, before: Mapping[str, Any], after: Mapping[str, Any], direction: Direction) -> Iterator[Told]:
    old, now = _kinds(before), _kinds(after)
    if old == now:
        return
    told = f"its type was {_said(old)} and is {_said(now)}"
    if now >= old or (old == {"integer"} and now == {"number"}):
        # Null is what readers most often forget to expect.
        yield _ADDITIVE if direction is Direction.IN else _POTENTIALLY, where, told
    elif now < old:
        yield _BREAKING if direction is Direction.IN else _ADDITIVE, where, told
    else:
        yield _BREAKING, where, told


def _values(where: str, before: Mapping[str, Any], after: Mapping[str, Any], direction: Direction) -> Iterator[Told]:
    old, now = (each.get("enum", [each["const"]] if "const" in each else None) for each in (before, after))
    if old == now:
        return
    if old is None or now is None:
        narrower = old is None
        worse = narrower if direction is Direction.IN else not narrower
        yield (
            _POTENTIALLY if worse else _ADDITIVE,
            where,
            "its values are " + ("listed now" if narrower else "open now"),
        )
        return
    gone, added = [each for each in old if each not in now], [each for each in now if each not in old]
    if gone:
        yield _BREAKING if direction is Direction.IN else _ADDITIVE, where, f"it is never {_said(map(repr, gone))} now"
    if added:
        yield (
            _ADDITIVE if direction is Direction.IN else _POTENTIALLY,
            where,
            f"it may be {_said(map(repr, added))} now",
        )


def _limits(where: str, before: Mapping[str, Any], after: Mapping[str, Any], direction: Direction) -> Iterator[Told]:
    for names, none, sign in ((_UPPER, _INFINITE, 1), (_LOWER, -_INFINITE, -1)):
        for name in names:
            old, now = before.get(name, none), after.get(name, none)
            if old == now:
                continue
            tighter = (now - old) * sign < 0
            worse = _BREAKING if direction is Direction.IN else _POTENTIALLY
            grade = worse if tighter is (direction is Direction.IN) else _ADDITIVE
            yield grade, where, f"its {name} was {before.get(name, 'open')} and is {after.get(name, 'open')}"


def _open(where: str, old: Any, now: Any, direction: Direction) -> Told:
    if now is False:
        return _BREAKING if direction is Direction.IN else _ADDITIVE, where, "it has no other members now"
    return _ADDITIVE if direction is Direction.IN else _POTENTIALLY, where, "it may have other members now"


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds = schema.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _said(values: Any) -> str:
    return " or ".join(sorted(values)) or "open"


def _name(schema: Any) -> str:
    reference = schema.get("$ref", "") if isinstance(schema, Mapping) else ""
    return str(reference).rpartition("/")[2]


def _target(schema: Any, document: Mapping[str, Any]) -> Any:
    if isinstance(schema, Mapping) and "$ref" in schema:
        return resolve(schema["$ref"], document)
    return schema
