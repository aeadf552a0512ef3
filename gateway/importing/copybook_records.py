"""What a sample says of records beyond their layout: alternatives, conditions, whether they can be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.contract import JsonSchema
from adapters.files.copybook_format import CopybookFormat
from adapters.files.formats import Format
from adapters.files.sniff.alternatives import Choice
from adapters.files.sniff.copybook import Records
from adapters.files.sniff.found import Said
from adapters.files.sniff.sample import at_path, sample, size_of
from adapters.files.undecodable import Undecodable

_LOOKED = 200
_UNTOLD = "the same bytes; no field of the sample tells which is meant, so all that decode are given"


def writable(format: Format, path: Path, dataset: Mapping[str, Any]) -> bool:
    """Whether the first records of a file can be written and are then what they were."""
    options = dataset.get("options", {})
    if dataset["record_format"] not in ("F", "text") or any(name.startswith("file_") for name in options):
        return False
    assert isinstance(format, CopybookFormat)
    for value in _first(format, path):
        data, faults = format.encode(value)
        try:
            if faults or format.decode(data.rstrip(b"\n") if dataset["record_format"] == "text" else data) != value:
                return False
        except Undecodable:
            return False
    return True


def discriminated(found: Records) -> Sequence[Choice]:
    """The choices that one field tells; there can be only one such field."""
    told = [each for each in found.choices if each.field is not None]
    return [each for each in told if each.field == told[0].field]


def parted(format: Format, path: Path, told: Sequence[Choice]) -> bool:
    """Whether the first records have one alternative of each choice: the layout may not let them be told apart."""
    for value in _first(format, path):
        for choice in told:
            group = at_path(value, choice.path) if choice.path else value
            if sum(name in (group or {}) for name in choice.names) > 1:
                return False
    return True


def _first(format: Format, path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return sample(format, file, size_of(file), _LOOKED).values


def refined(schema: JsonSchema, found: Records, told: Sequence[Choice]) -> tuple[dict[str, Any], list[Said]]:
    """The record's schema with the alternatives that are `told` apart as `oneOf`, and without conditions that don't
    name every value of the sample."""
    said: list[Said] = []
    made = _without_gaps(dict(schema), list(found.sample.values), "", said)
    for choice in found.choices:
        names = ", ".join(choice.names)
        if choice not in told:
            said.append(Said(names, _UNTOLD, True))
            continue
        shown = "; ".join(f"{value}: {meant}" for value, meant in sorted(choice.meant.items()))
        said.append(Said(names, f"told by {choice.field}: {shown}, as far as the sample shows", True))
        made = _with_choice(made, choice.path.split(".") if choice.path else [], choice)
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
