"""What a sample says of records beyond their layout: alternatives, conditions, whether they can be written."""

from __future__ import annotations

from typing import Any

from adapters.contract import JsonSchema
from adapters.files.sniff.alternatives import Choice
from adapters.files.sniff.copybook import Records
from adapters.files.sniff.found import Said
from adapters.files.sniff.sample import at_path
from adapters.files.undecodable import Undecodable

_WRITTEN = 20
_UNTOLD = "the same bytes; no field of the sample tells which is meant, so all that decode are given"


def writable(found: Records) -> bool:
    """Whether records of the sample can be written and are then what they were."""
    options = found.dataset["options"]
    if found.dataset["record_format"] not in ("F", "text") or any(name.startswith("file_") for name in options):
        return False
    for value in found.sample.values[:_WRITTEN]:
        data, faults = found.format.encode(value)
        try:
            if faults or found.format.decode(data.rstrip(b"\n") if data.endswith(b"\n") else data) != value:
                return False
        except Undecodable:
            return False
    return True


def refined(schema: JsonSchema, found: Records) -> tuple[dict[str, Any], list[Said]]:
    """The record's schema with its alternatives as `oneOf`, and without conditions that don't name every value."""
    said: list[Said] = []
    made = _without_gaps(dict(schema), list(found.sample.values), "", said)
    for choice in found.choices:
        at = choice.path.split(".") if choice.path else []
        names = ", ".join(choice.names)
        if choice.field is None:
            said.append(Said(names, _UNTOLD, True))
            continue
        shown = "; ".join(f"{told}: {meant}" for told, meant in sorted(choice.meant.items()))
        said.append(Said(names, f"told by {choice.field}: {shown}, in every record of the sample"))
        made = _with_choice(made, at, choice)
    return made, said


def _with_choice(schema: dict[str, Any], at: list[str], choice: Choice) -> dict[str, Any]:
    if at:
        inner = _with_choice(dict(schema["properties"][at[0]]), at[1:], choice)
        return {**schema, "properties": {**schema["properties"], at[0]: inner}}
    ways: list[dict[str, Any]] = [_way(name, choice) for name in choice.names]
    return {
        **schema,
        "oneOf": [*ways, {"title": "none of them", "not": {"anyOf": [_has(name) for name in choice.names]}}],
    }


def _way(name: str, choice: Choice) -> dict[str, Any]:
    """One alternative, with the values of its field that tell it, where that stands beside it."""
    others = [_has(other) for other in choice.names if other != name]
    made: dict[str, Any] = {"title": name, "required": [name], "not": {"anyOf": others}}
    group, _, field = (choice.field or "").rpartition(".")
    if group == choice.path:
        told = [each for each, meant in choice.meant.items() if meant == name]
        made["properties"] = {field: {"enum": [int(each) for each in told] if choice.whole else told}}
    return made


def _has(name: str) -> dict[str, Any]:
    return {"required": [name]}


def _without_gaps(schema: dict[str, Any], values: list[Any], path: str, said: list[Said]) -> dict[str, Any]:
    """Without an `enum` that lacks values of the sample: conditions needn't name them all."""
    properties: dict[str, Any] = {}
    for name, each in schema.get("properties", {}).items():
        here = f"{path}{name}"
        if each.get("properties"):
            each = _without_gaps(dict(each), values, f"{here}.", said)
        elif "enum" in each:
            told = [at_path(value, here) for value in values]
            missing = sum(one is not None and one not in each["enum"] for one in told)
            if missing:
                each = {key: value for key, value in each.items() if key != "enum"}
                sentence = f"{missing:,} records hold what no level 88 names, so that it is any text"
                said.append(Said(here, sentence, True))
        properties[name] = each
    return {**schema, "properties": properties} if properties else schema
