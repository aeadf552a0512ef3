"""Two bodies, walked together once: members by name, items by key or place, scalars by what they mean."""

from __future__ import annotations

import time
from typing import Any, Final

from adapters.contract import Json
from gateway.migration.compare.found import Drift, Found
from gateway.migration.compare.lists import compare_lists
from gateway.migration.compare.model import ABSENT, Difference, Kind
from gateway.migration.compare.nodes import Node
from gateway.migration.compare.scalars import explanation
from gateway.migration.compare.values import difference

MOST_VALUES: Final = 200_000
DEEPEST: Final = 64
LONGEST: Final = 5.0
"""How many values are looked at, how deep they may lie, and how many seconds it may take."""
_LOOK_AT_CLOCK = 4096

Path = tuple[Any, str] | None
"""Where one stands: the path before, and one segment more."""


class TooMuch(Exception):
    """A body that is too large or deep to compare."""


class Walk:
    """One comparison of two bodies."""

    __slots__ = ("_drift", "_left", "_until", "found")

    def __init__(self, drift: Drift) -> None:
        self.found = Found()
        self._drift = drift
        self._left = MOST_VALUES
        self._until = time.monotonic() + LONGEST

    def spend(self, depth: int) -> None:
        """Counts one value that is looked at."""
        self._left -= 1
        if self._left < 0:
            raise TooMuch(f"more than {MOST_VALUES:,} values")
        if depth > DEEPEST:
            raise TooMuch(f"deeper than {DEEPEST} levels")
        if not self._left % _LOOK_AT_CLOCK and time.monotonic() > self._until:
            raise TooMuch(f"longer than {LONGEST:g} s")

    def values(self, legacy: Json, replacement: Json, node: Node, path: Path, depth: int = 0) -> None:
        """Compares what stands at one place on both sides."""
        self.spend(depth)
        rule = node.ignore or (node.presence if legacy is not None and replacement is not None else None)
        if rule is not None:
            self.found.fields += 1
            if legacy != replacement:
                self.differ("value", legacy, replacement, node, path, rule)
            return
        kind = type(legacy)
        if kind is dict and type(replacement) is dict:
            self._members(legacy, replacement, node, path, depth)
        elif kind is list and type(replacement) is list:
            compare_lists(self, legacy, replacement, node, path, depth)
        else:
            self._scalars(legacy, replacement, node, path)

    def _members(
        self, legacy: dict[str, Json], replacement: dict[str, Json], node: Node, path: Path, depth: int
    ) -> None:
        if not legacy and not replacement:
            self.found.fields += 1
            self.found.covered += 1
        for name, value in legacy.items():
            at = node.member(name)
            if name in replacement:
                self.values(value, replacement[name], at, (path, name), depth + 1)
            else:
                self.one_sided(value, ABSENT, at, (path, name))
        for name, value in replacement.items():
            if name not in legacy:
                self.one_sided(ABSENT, value, node.member(name), (path, name))

    def one_sided(self, legacy: Json, replacement: Json, node: Node, path: Path) -> None:
        """Notes what only one side has; the other is `ABSENT`."""
        self.spend(0)
        value = replacement if legacy is ABSENT else legacy
        kind: Kind = "extra" if legacy is ABSENT else "missing"
        rule = node.ignore
        if value is None:
            kind, rule = "null", rule or node.null_is_absent
        elif value in ("", [], {}):
            kind = "empty"
        self._count(node, covered=node.ignore is None)
        self.differ(kind, legacy, replacement, node, path, rule)

    def _scalars(self, legacy: Json, replacement: Json, node: Node, path: Path) -> None:
        self._count(node, covered=True)
        if type(legacy) is type(replacement) and legacy == replacement:
            return
        kind: Kind | None
        if legacy is None or replacement is None:
            kind = "empty" if (replacement if legacy is None else legacy) in ("", [], {}) else "null"
        elif isinstance(legacy, dict | list) or isinstance(replacement, dict | list):
            kind = "type"
        else:
            kind = difference(legacy, replacement, node.form)
        if node.is_next and kind is not None:
            # What a cursor says is each side's own business; that there is one, or none, is their callers'.
            kind = "paging" if legacy is None or replacement is None else "type" if kind == "type" else None
        if kind is not None:
            self.differ(kind, legacy, replacement, node, path, explanation(kind, legacy, replacement, node))

    def _count(self, node: Node, *, covered: bool) -> None:
        self.found.fields += 1
        self.found.covered += covered

    def differ(
        self, kind: Kind, legacy: Json, replacement: Json, node: Node, path: Path,
        rule: str | None = None, by: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Notes a difference and what explains it."""
        where = pointer(path)
        if rule is not None:
            self.found.add(Difference(where, kind, legacy, replacement, rule, node.pattern, "tolerated", by))
        elif self._drift.explains(where, kind, legacy, replacement):
            self.found.add(Difference(where, kind, legacy, replacement, None, node.pattern, "noise", by))
        elif known := node.applies(kind):
            self.found.add(Difference(where, kind, legacy, replacement, known[0].name, node.pattern, "known", by))
        else:
            self.found.add(Difference(where, kind, legacy, replacement, None, node.pattern, "mismatch", by))


def pointer(path: Path) -> str:
    """The JSON Pointer of a path."""
    parts: list[str] = []
    while path is not None:
        path, segment = path
        parts.append(segment.replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in reversed(parts))
