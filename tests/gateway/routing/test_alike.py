"""Descriptions of the same values, and of others, however they refer to each other."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.routing.alike import alike


def _with(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "minProperties": 0, "properties": {name: {"type": "string"} for name in members}}


@pytest.mark.parametrize("number", range(2, 12))
def test_one_part_that_differs_is_found_among_many_that_are_alike(number: int) -> None:
    parts = {f"P{each}": _with({"x": 1}) for each in range(number - 1)} | {f"P{number - 1}": _with({"y": 1})}
    one: dict[str, Any] = {"type": "object", "$defs": parts}
    one["properties"] = {name: {"$ref": f"#/$defs/{name}", "minProperties": 0} for name in parts}
    other: dict[str, Any] = {"type": "object", "$defs": {"P": _with({"x": 1})}}
    other["properties"] = {name: {"$ref": "#/$defs/P"} for name in parts}
    assert alike(one, one, other, other) in (f"P{number - 1}.x", f"P{number - 1}.y")
    parts[f"P{number - 1}"] = _with({"x": 1})
    assert alike(one, one, other, other) is None


def test_lists_of_themselves_are_alike() -> None:
    made = [{"$defs": {"L": {"type": "array", "items": {"$ref": "#/$defs/L", "minItems": 0}}}} for _ in range(2)]
    one, other = ({"$ref": "#/$defs/L"} for _ in made)
    assert alike(one, made[0], other, made[1]) is None
