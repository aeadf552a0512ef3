"""What a comparison has found so far, bounded, and what of it legacy itself is the cause of."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Final

from adapters.contract import Json
from gateway.migration.compare.model import RANK, Difference, Verdict
from gateway.migration.compare.scalars import gap

MOST_KEPT: Final = 100
_MOST_MARKS = 1000
# These are noise only where legacy differs from itself in the same way: that a value varies doesn't excuse its absence.
_STRICT = frozenset({"status", "fault", "paging", "missing", "extra", "null", "empty", "type"})
# A clock that ticks between two calls doesn't excuse a wrong year.
_AS_MUCH = 10


class Found:
    """Differences, counted; a hundred of those without an explanation are kept, and as many of the others."""

    __slots__ = ("_kept", "_marks", "_rest", "count", "covered", "fields", "verdict")

    def __init__(self) -> None:
        self.count = self.fields = self.covered = 0
        self.verdict: Verdict = "match"
        self._kept: list[Difference] = []
        self._rest: list[Difference] = []
        self._marks: dict[Verdict, set[str]] = {}

    def add(self, difference: Difference) -> None:
        """Notes a difference."""
        self.count += 1
        if RANK[difference.verdict] > RANK[self.verdict]:
            self.verdict = difference.verdict
        kept = self._kept if difference.verdict == "mismatch" else self._rest
        if len(kept) < MOST_KEPT:
            kept.append(difference)
        self._mark(difference.verdict, (f"{difference.pattern} {difference.kind}",))

    def _mark(self, verdict: Verdict, marks: Iterable[str]) -> None:
        known = self._marks.setdefault(verdict, set())
        known.update(mark for mark in marks if len(known) < _MOST_MARKS)

    def take(self, other: Found) -> None:
        """Adds what was found apart."""
        self.count, self.fields = self.count + other.count, self.fields + other.fields
        self.covered += other.covered
        if RANK[other.verdict] > RANK[self.verdict]:
            self.verdict = other.verdict
        self._kept += other._kept[: MOST_KEPT - len(self._kept)]
        self._rest += other._rest[: MOST_KEPT - len(self._rest)]
        for verdict, marks in other._marks.items():
            self._mark(verdict, sorted(marks))

    def badness(self) -> tuple[int, int]:
        """Orders several accounts of the same difference: the least bad explanation, then the shortest, holds."""
        return RANK[self.verdict], self.count

    def differences(self) -> tuple[Difference, ...]:
        """What is kept, without an explanation first."""
        return tuple((self._kept + self._rest)[:MOST_KEPT])

    def signature(self) -> str:
        """16 hex digits over the places and kinds of the differences that decided the verdict; empty for a match."""
        marks = self._marks.get(self.verdict)
        return sha256("\n".join(sorted(marks)).encode("utf-8", "backslashreplace")).hexdigest()[:16] if marks else ""


class Drift:
    """In what legacy differed from itself, between a call before the replacement's and one behind it."""

    __slots__ = ("_at",)

    def __init__(self, differences: Iterable[Difference] = ()) -> None:
        self._at: dict[str, dict[str, Decimal | None]] = {}
        for each in differences:
            apart = gap(each.kind, each.legacy, each.replacement)
            self._at.setdefault(each.pointer, {}).setdefault(each.kind, apart)

    def explains(self, pointer: str, kind: str, legacy: Json, replacement: Json) -> bool:
        """Whether a difference there is legacy's own doing: it differs from itself likewise, and as much."""
        if not self._at:
            return False
        drifted = self._at.get(pointer, {})
        if kind in drifted:
            own = drifted[kind]
            apart = None if own is None else gap(kind, legacy, replacement)
            return own is None or apart is None or apart <= own * _AS_MUCH
        if kind in _STRICT:
            return False
        return any(each not in _STRICT for each in drifted) or self._is_reordered(pointer)

    def _is_reordered(self, pointer: str) -> bool:
        while pointer:
            pointer = pointer.rpartition("/")[0]
            if "order" in self._at.get(pointer, {}):
                return True
        return False
