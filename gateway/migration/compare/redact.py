"""What may be kept of values that differ: by default their type, length, shape and a keyed hash, never themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

from adapters.contract import Json
from gateway.audit.arguments import canonical
from gateway.migration.compare.model import ABSENT, Comparison, Difference
from gateway.migration.compare.rules import ALL, ANY, segments
from gateway.migration.compare.scalars import gap
from gateway.migration.compare.values import decimal, instant
from gateway.routing.parity_schema import Samples

_LONGEST_KEPT: Final = 4096
_LONGEST_SHAPE: Final = 64
_MOST_KNOWN = 2000
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "list", dict: "object"}
_OPEN: Final = frozenset({"status", "fault"})


class Redactor:
    """One group's policy for samples. `hash` is a keyed one, such as the audit's; without it, no hash is kept."""

    def __init__(self, samples: Samples, hash: Callable[[Json], str] | None = None) -> None:
        self._keep = [segments(each) for each in samples.keep]
        self._redact = [segments(each) for each in samples.redact]
        self._hash = hash
        self._known: dict[str, Literal["keep", "hash", "redact"]] = {}

    def comparison(self, comparison: Comparison) -> dict[str, Any]:
        """A comparison as JSON, fit to be stored."""
        return {
            "verdict": comparison.verdict,
            "signature": comparison.signature,
            "reason": comparison.reason,
            "fields": comparison.fields,
            "covered": comparison.covered,
            "total": comparison.total,
            "sandwiched": comparison.sandwiched,
            "differences": [self.difference(each) for each in comparison.differences],
            "drift": [self.difference(each) for each in comparison.drift],
        }

    def difference(self, difference: Difference) -> dict[str, Any]:
        """A difference as JSON. It tells its pattern, as a pointer may hold names that are data."""
        told: dict[str, Any] = {
            "at": difference.pattern,
            "kind": difference.kind,
            "verdict": difference.verdict,
            "legacy": self._side(difference, difference.legacy),
            "replacement": self._side(difference, difference.replacement),
        }
        apart = _apart(difference)
        return told | ({"rule": difference.rule} if difference.rule else {}) | ({"apart": apart} if apart else {})

    def _side(self, difference: Difference, value: Json) -> Json:
        return value if difference.kind in _OPEN else self.value(difference.pattern, value)

    def value(self, at: str, value: Json) -> Json:
        """What is kept of one value at a pattern."""
        how = self.how(at)
        if how == "redact" or value is ABSENT or value is None:
            return {"type": _type(value)}
        if how != "keep":
            return self._hashed(value)
        if isinstance(value, dict | list) and len(canonical(value)) <= _LONGEST_KEPT:
            return self._inside(at, value)
        return value if len(canonical(value)) <= _LONGEST_KEPT else self._hashed(value)

    def _inside(self, at: str, value: Json) -> Json:
        """What is kept of an object or a list that is kept, some of whose members may not be."""
        if isinstance(value, list):
            return [self.value(f"{at}/*", each) for each in value]
        return {name: self.value(f"{at}/{name.replace('~', '~0').replace('/', '~1')}", each)
                for name, each in value.items()}  # fmt: skip

    def how(self, at: str) -> Literal["keep", "hash", "redact"]:
        """What is kept of values at a pattern."""
        known = self._known.get(at)
        if known is None:
            known = "redact" if covers(self._redact, at) else "keep" if covers(self._keep, at) else "hash"
            if len(self._known) < _MOST_KNOWN:
                self._known[at] = known
        return known

    def _hashed(self, value: Json) -> Json:
        told: dict[str, Any] = {"type": _type(value), **_measure(value)}
        return told if self._hash is None else told | {"hash": self._hash(value)}


def covers(patterns: Iterable[tuple[str, ...]], at: str) -> bool:
    """Whether a pattern speaks of `at`, of what is around it, or of that within an item of a page."""
    parts = segments(at)
    ways = [parts, parts[2:]] if parts[:2] == ("items", ANY) else [parts]
    return any(_leads(pattern, way) for pattern in patterns for way in ways)


def _leads(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not pattern:
        return True
    if pattern[0] == ALL:
        return any(_leads(pattern[1:], parts[at:]) for at in range(len(parts) + 1))
    return bool(parts) and pattern[0] in (ANY, parts[0]) and _leads(pattern[1:], parts[1:])


def _type(value: Json) -> str:
    if value is ABSENT:
        return "absent"
    if isinstance(value, str):
        return "instant" if instant(value) is not None else "decimal" if _is_decimal(value) else "string"
    return _TYPES.get(type(value), "null")


def _is_decimal(value: str) -> bool:
    return "." in value and decimal(value) is not None


def _measure(value: Json) -> Mapping[str, Json]:
    """How large a value is and of what sort, so that a difference can be understood without it."""
    if isinstance(value, str) and _is_decimal(value):
        whole, _, fraction = value.lstrip("-").partition(".")
        return {"digits": len(whole), "scale": len(fraction), "negative": value.startswith("-")}
    if isinstance(value, str):
        return {"length": len(value), **({"shape": shape(value)} if len(value) <= _LONGEST_SHAPE else {})}
    if isinstance(value, dict):
        return {"members": len(value)}
    if isinstance(value, list):
        return {"items": len(value)}
    return {}


def shape(text: str) -> str:
    """The text with every letter as `a` or `A` and every digit as `9`."""
    return "".join(
        "9" if each.isdigit() else "A" if each.isupper() else "a" if each.isalpha() else each for each in text
    )


def _apart(difference: Difference) -> str | None:
    """How far apart two numbers (or instants, seconds) are, to two digits; not where that would tell one of them."""
    found = gap(difference.kind, difference.legacy, difference.replacement)
    if found is None:
        return None
    if difference.kind == "number" and 0 in (decimal(difference.legacy), decimal(difference.replacement)):
        return None
    return f"{float(found):.2g}"
