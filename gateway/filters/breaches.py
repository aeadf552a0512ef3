"""What of a request breaks its contract, told so that a program can mend it: where, by which rule, and what it wants.

Each breach is `{pointer, detail, rule, expected}`. `rule` is the keyword of JSON Schema (2020-12) that is broken and
`expected` what the contract says there. A member that is missing or unknown is pointed at itself, not at the object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

import jsonschema_rs

from adapters.contract import Json, JsonSchema
from adapters.errors import pointer
from gateway.nearest import nearest, nearest_names

Breach: TypeAlias = dict[str, Any]

MOST = 20
_LONGEST = 300
# The validator names members that nobody declared, which may be as long as the body.
_MOST_VALUES = 50
_TOLD = (
    *("type", "enum", "const", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("multipleOf", "minLength", "maxLength", "minItems", "maxItems", "required", "description"),
)
_UNKNOWN = ("additionalProperties", "unevaluatedProperties")
_CHOICES = ("anyOf", "oneOf")


def breaches(validator: jsonschema_rs.Draft202012Validator, schema: JsonSchema, instance: Json) -> list[Breach]:
    """The first twenty breaches of an instance, of which there is one at least where it isn't valid."""
    found = (breach for error in validator.iter_errors(instance) for breach in _told(error, schema, instance))
    return list(islice(found, MOST))


def fix_of(found: Sequence[Breach], where: str) -> str:
    """What to change, in a sentence about the first breach; `where` says where the contract stands."""
    first = found[0]
    place, rule, wanted = first["pointer"] or "the root", first.get("rule", ""), first.get("expected")
    sentence = _FIXES.get(rule, "Mend what stands at {place}")
    if not wanted and wanted != 0:
        sentence = "Leave out {place}" if rule in _UNKNOWN else sentence.partition(":")[0]
    elif rule in _UNKNOWN and len(wanted) == 1:
        sentence = "Leave out {place}, or send it as {wanted}"
    told = sentence.format(place=place, wanted=_spelt(wanted))
    others = "other one" if len(found) == 2 else f"{len(found) - 1} others"
    more = f", and mend the {others} that errors names" if len(found) > 1 else ""
    return f"{told}{more}. {where}"


_FIXES: Mapping[str, str] = {
    "required": "Send {place}",
    "additionalProperties": "Leave out {place}, or send it as one of {wanted}",
    "unevaluatedProperties": "Leave out {place}, or send it as one of {wanted}",
    "falseSchema": "Leave out {place}",
    "enum": "Send at {place} one of {wanted}",
    "const": "Send at {place} exactly {wanted}",
    "anyOf": "Send at {place} one form that the contract allows: {wanted}",
    "oneOf": "Send at {place} one form that the contract allows: {wanted}",
    "type": "Send at {place} a value of type {wanted}",
    "format": "Send at {place} a text of format {wanted}",
    "pattern": "Send at {place} a text that matches {wanted}",
    "minimum": "Send at {place} a number from {wanted} on",
    "maximum": "Send at {place} a number up to {wanted}",
    "exclusiveMinimum": "Send at {place} a number above {wanted}",
    "exclusiveMaximum": "Send at {place} a number below {wanted}",
    "multipleOf": "Send at {place} a multiple of {wanted}",
    "minLength": "Send at {place} a text of at least {wanted} characters",
    "maxLength": "Send at {place} a text of at most {wanted} characters",
    "minItems": "Send at {place} at least {wanted} items",
    "maxItems": "Send at {place} at most {wanted} items",
    "uniqueItems": "Send each item at {place} once",
}


def _spelt(wanted: Any) -> str:
    texts = [str(each) for each in wanted] if isinstance(wanted, list | tuple) else [str(wanted)]
    text = ", ".join(texts[:_MOST_VALUES])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _told(error: jsonschema_rs.ValidationError, schema: JsonSchema, instance: Json) -> Iterator[Breach]:
    path, rule, value = list(error.instance_path), error.kind.name, error.kind.value
    if rule == "required":
        at, resource = _schema_at(schema, error.evaluation_path)
        known = _properties(at).get(value)
        if isinstance(known, Mapping) and "$ref" in known:
            known = _pointed(resource, str(known["$ref"]))
        yield _breach([*path, value], "is missing", rule, summary(known))
    elif rule in _UNKNOWN:
        names = _properties(_schema_at(schema, error.evaluation_path)[0])
        for name in value:
            within = _within(name, names)
            meant = f"; it belongs in {within[0].partition('.')[0]!r}" if within else nearest(name, names)
            alike = within or nearest_names(name, names) or sorted(names)[:MOST]
            yield _breach([*path, name], f"isn't known here{meant}", rule, alike)
    elif rule in _CHOICES and (branch := _meant(error)) is not None:
        for each in branch:
            yield from _told(each, schema, instance)
    else:
        detail = "fits none, or several, of the forms that the contract allows" if rule in _CHOICES else error.message
        yield _breach(path, detail, rule, _expected(rule, value))


def _breach(path: Sequence[str | int], detail: str, rule: str, expected: Any) -> Breach:
    where = pointer(*path)
    if len(where) > _LONGEST:
        while len(where) > _LONGEST:
            path = path[:-1]
            where = pointer(*path)
        return {"pointer": where, "detail": "holds something wrong under a name that is too long to be told"}
    breach: Breach = {"pointer": where, "detail": detail[:_LONGEST], "rule": rule}
    return breach if expected is None else {**breach, "expected": expected}


def _expected(rule: str, value: Any) -> Any:
    if rule in _CHOICES:
        kinds = [each[0].kind.value for each in value or () if each and each[0].kind.name == "type"]
        return sorted({str(kind) for told in kinds for kind in ([told] if isinstance(told, str) else told)}) or None
    if rule == "enum":
        return list(value)[:_MOST_VALUES]
    if rule == "type":
        kinds = [value] if isinstance(value, str) else [str(each) for each in value]
        return kinds[0] if len(kinds) == 1 else kinds
    return value if isinstance(value, str | int | float | bool) else None


def _meant(error: jsonschema_rs.ValidationError) -> Sequence[jsonschema_rs.ValidationError] | None:
    """The breaches by the one alternative whose type is right; None: it can't be told which is meant."""
    path = list(error.instance_path)
    right = [
        branch
        for branch in getattr(error.kind, "context", ())
        if branch and not any(list(each.instance_path) == path and each.kind.name == "type" for each in branch)
    ]
    return right[0] if len(right) == 1 else None


def _properties(schema: Any) -> Mapping[str, Any]:
    """The members that a schema declares, also in the parts that all must hold."""
    if not isinstance(schema, Mapping):
        return {}
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found |= _properties(part)
    return found


def _within(name: str, members: Mapping[str, Any]) -> list[str]:
    """Where a name that is none of `members` is a member of just one of them, as `OUTER.NAME`; else nothing."""
    found = [outer for outer, schema in members.items() if name in _properties(schema)]
    return [f"{found[0]}.{name}"] if len(found) == 1 else []


def _schema_at(schema: JsonSchema, path: Sequence[str | int]) -> tuple[Any, Any]:
    """The schema that the validator was in, its path's last part being the keyword, and the resource (`$id`) that it
    belongs to, within which its `$ref`s lead. None: it can't be followed."""
    at: Any = schema
    resource: Any = schema
    for part in path[:-1]:
        if part == "$ref" and isinstance(at, Mapping):
            at = _pointed(resource, str(at.get("$ref")))
        elif isinstance(at, Mapping):
            at = at.get(str(part))
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at = at[part]
        else:
            return None, resource
        if isinstance(at, Mapping) and "$id" in at:
            resource = at
    return at, resource


def _pointed(resource: Any, reference: str) -> Any:
    at = resource
    for part in reference.removeprefix("#").split("/")[1:]:
        at = at.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(at, Mapping) else None
    return at


def summary(schema: Any) -> dict[str, Any] | None:
    """What a schema asks for, in short: no deeper than one level, and no long text; None: anything."""
    if not isinstance(schema, Mapping):
        return None
    found = {name: schema[name] for name in _TOLD if name in schema}
    if "enum" in found:
        found["enum"] = found["enum"][:_MOST_VALUES]
    if "description" in found:
        found["description"] = str(found["description"])[:_LONGEST]
    if "properties" in schema:
        found["properties"] = sorted(schema["properties"])[:_MOST_VALUES]
    return found or None
