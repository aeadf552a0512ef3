"""How deep a JSON value is: mappings, validators and writers take a stack, or time, for each level."""

from __future__ import annotations

from adapters.contract import Json


def deeper_than(raw: bytes, value: Json, most: int) -> bool:
    """Whether `value`, read from `raw`, has more than `most` levels of arrays and objects. It is looked at only where
    `raw` has so many brackets at all, which costs a tenth of a microsecond to learn."""
    return raw.count(b"{") + raw.count(b"[") > most and deep(value, most)


def deep(value: Json, most: int) -> bool:
    """Whether `value` has more than `most` levels of arrays and objects."""
    level: list[Json] = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _containers(outer)]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _containers(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return [each for each in value.values() if isinstance(each, dict | list)]
    return [each for each in value if isinstance(each, dict | list)] if isinstance(value, list) else []
