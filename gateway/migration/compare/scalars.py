"""Which rule of a place explains that two scalars differ there."""

from __future__ import annotations

from decimal import Decimal

import orjson

from adapters.contract import Json
from gateway.migration.compare.model import Kind
from gateway.migration.compare.nodes import Node
from gateway.migration.compare.values import decimal, instant
from gateway.routing.parity_schema import Tolerance


def explanation(kind: Kind, legacy: Json, replacement: Json, node: Node) -> str | None:
    """The name of a rule under which the two mean the same; None: there is none."""
    for name, mapped in node.enum_map:
        if same(meaning(legacy, mapped.values), replacement):
            return name
    distance = gap(kind, legacy, replacement)
    if distance is not None:
        for name, tolerance in node.tolerance:
            if _within(kind, distance, legacy, replacement, tolerance):
                return name
    return None


def meaning(value: Json, values: dict[str, str | int | bool]) -> Json:
    """What the replacement says for a value of legacy's; `ABSENT`-free, and the value itself where no map names it."""
    if isinstance(value, str):
        return values.get(value, value)
    if isinstance(value, bool | int):
        return values.get(orjson.dumps(value).decode() if -(2**63) <= value < 2**64 else str(value), value)
    return value


def same(one: Json, other: Json) -> bool:
    """Equal, and of one type: 1 isn't true."""
    return type(one) is type(other) and bool(one == other)


def gap(kind: str, legacy: Json, replacement: Json) -> Decimal | None:
    """How far apart two numbers are, or two instants in seconds; None: they are neither."""
    if kind not in ("number", "instant"):
        return None
    read = decimal if kind == "number" else instant
    one, other = read(legacy), read(replacement)
    return None if one is None or other is None else abs(one - other)


def size(legacy: Json, replacement: Json) -> Decimal:
    """The larger of two numbers, without its sign."""
    return max(abs(decimal(legacy) or Decimal(0)), abs(decimal(replacement) or Decimal(0)))


def _within(kind: str, distance: Decimal, legacy: Json, replacement: Json, tolerance: Tolerance) -> bool:
    if kind == "instant":
        return tolerance.within is not None and distance <= Decimal(str(tolerance.within))
    if tolerance.abs is not None and distance <= tolerance.abs:
        return True
    return tolerance.rel is not None and distance <= tolerance.rel * size(legacy, replacement)
