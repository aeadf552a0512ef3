"""Many comparisons in small: what `figway route parity` shows, and what noise is learnt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from gateway.migration.compare.model import ABSENT, RANK, VERDICTS, Comparison, Difference
from gateway.migration.compare.redact import Redactor
from gateway.migration.compare.scalars import gap, size
from gateway.routing.parity_schema import Samples

INCONCLUSIVE: Final = Decimal("0.05")
"""With more than this share incomparable, nothing can be said of the rest."""
_MOST_PLACES = 500
_MOST_REASONS = 50
_MOST_NAMES = 1000
_EXAMPLES = 3
_ZERO = Decimal(0)


@dataclass(slots=True)
class Place:
    """In how many comparisons the sides differed at one pattern in one way, by verdict; gaps are the largest seen."""

    verdicts: Counter[str] = field(default_factory=Counter)
    drifted: int = 0
    """In how many legacy differed from itself there."""
    gap: Decimal = _ZERO
    share: Decimal = _ZERO
    """Of numbers: the gap's share of the larger one."""
    one_absent: bool = True
    """In each, one side had nothing there."""
    by: tuple[str, ...] = ()
    examples: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, difference: Difference) -> None:
        """Notes how far apart two values are."""
        apart = gap(difference.kind, difference.legacy, difference.replacement)
        if apart is not None:
            self.gap = max(self.gap, apart)
            whole = size(difference.legacy, difference.replacement) if difference.kind == "number" else _ZERO
            self.share = max(self.share, apart / whole) if whole else self.share
        self.one_absent &= difference.legacy is ABSENT or difference.replacement is ABSENT
        self.by = self.by or difference.by

    def merge(self, other: Place) -> None:
        """Adds what another worker saw."""
        self.verdicts += other.verdicts
        self.drifted += other.drifted
        self.gap, self.share = max(self.gap, other.gap), max(self.share, other.share)
        self.one_absent &= other.one_absent
        self.by = self.by or other.by
        self.examples += other.examples[: _EXAMPLES - len(self.examples)]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "verdicts": dict(self.verdicts),
            "drifted": self.drifted,
            "gap": str(self.gap),
            "share": str(self.share),
            "one_absent": self.one_absent,
            "by": list(self.by),
            "examples": self.examples,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Place:
        """A place from its JSON."""
        return cls(Counter(data["verdicts"]), data["drifted"], Decimal(data["gap"]), Decimal(data["share"]),
                   data["one_absent"], tuple(data["by"]), list(data["examples"]))  # fmt: skip


class Summary:
    """Counts of one group, mergeable between workers. At most 500 places are told apart; more are counted."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.fields = self.covered = self.sandwiched = self.untold = 0
        self.reasons: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.places: dict[tuple[str, str], Place] = {}

    def add(self, comparison: Comparison, redactor: Redactor | None = None) -> None:
        """Counts one comparison. Without a redactor, examples hold no more than types, lengths and shapes."""
        self.verdicts[comparison.verdict] += 1
        self.fields += comparison.fields
        self.covered += comparison.covered
        self.sandwiched += comparison.sandwiched
        if comparison.reason:
            _count(self.reasons, comparison.reason, _MOST_REASONS)
        for name in {each.rule for each in comparison.differences if each.rule}:
            _count(self.rules, name, _MOST_NAMES)
        self._add_differences(comparison.differences, redactor or _SILENT)
        self._add_drift(comparison.drift)

    def _add_differences(self, differences: tuple[Difference, ...], redactor: Redactor) -> None:
        seen: set[tuple[str, str, str]] = set()
        for each in differences:
            place = self._place(each)
            if place is None:
                continue
            place.measure(each)
            if (each.pattern, each.kind, each.verdict) not in seen:
                seen.add((each.pattern, each.kind, each.verdict))
                place.verdicts[each.verdict] += 1
                if len(place.examples) < _EXAMPLES:
                    place.examples.append(redactor.difference(each))

    def _add_drift(self, drift: tuple[Difference, ...]) -> None:
        seen: set[tuple[str, str]] = set()
        for each in drift:
            place = self._place(each)
            if place is not None:
                place.measure(each)
                place.drifted += (each.pattern, each.kind) not in seen
                seen.add((each.pattern, each.kind))

    def _place(self, difference: Difference) -> Place | None:
        key = (difference.pattern, difference.kind)
        place = self.places.get(key)
        if place is None:
            if len(self.places) >= _MOST_PLACES:
                self.untold += 1
                return None
            place = self.places[key] = Place()
        return place

    @property
    def total(self) -> int:
        """How many comparisons there were."""
        return sum(self.verdicts.values())

    @property
    def coverage(self) -> float:
        """The share of fields that were compared, 0 to 1; 0 where nothing was."""
        return self.covered / self.fields if self.fields else 0.0

    @property
    def inconclusive(self) -> bool:
        """Whether too little could be compared, or nothing was."""
        return not self.total or self.verdicts["incomparable"] > INCONCLUSIVE * self.total

    def worst(self, most: int = 10) -> list[tuple[str, str, Place]]:
        """(pattern, kind, place) of what differs, what nothing explains and what is most frequent first."""
        told = [(at, kind, place) for (at, kind), place in self.places.items() if place.verdicts]
        return sorted(told, key=_badness)[:most]

    def merge(self, other: Summary) -> None:
        """Adds another worker's counts."""
        self.verdicts += other.verdicts
        self.fields, self.covered = self.fields + other.fields, self.covered + other.covered
        self.sandwiched, self.untold = self.sandwiched + other.sandwiched, self.untold + other.untold
        for mine, its, most in ((self.reasons, other.reasons, _MOST_REASONS), (self.rules, other.rules, _MOST_NAMES)):
            for name, times in its.items():
                _count(mine, name, most, times)
        for key, place in other.places.items():
            if key in self.places:
                self.places[key].merge(place)
            elif len(self.places) < _MOST_PLACES:
                self.places[key] = Place.from_json(place.to_json())
            else:
                self.untold += place.verdicts.total() + place.drifted

    def to_json(self) -> dict[str, Any]:
        """The same as JSON: `from_json` reads it, and people are shown it."""
        return {
            "comparisons": self.total,
            "verdicts": {verdict: self.verdicts[verdict] for verdict in VERDICTS},
            "inconclusive": self.inconclusive,
            "fields": self.fields,
            "covered": self.covered,
            "coverage": round(self.coverage, 4),
            "sandwiched": self.sandwiched,
            "untold": self.untold,
            "reasons": dict(self.reasons),
            "rules": dict(self.rules),
            "places": [{"at": at, "kind": kind, **place.to_json()} for (at, kind), place in self.places.items()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Summary:
        """A summary from its JSON."""
        found = cls()
        found.verdicts = Counter({verdict: times for verdict, times in data["verdicts"].items() if times})
        found.fields, found.covered = data["fields"], data["covered"]
        found.sandwiched, found.untold = data["sandwiched"], data["untold"]
        found.reasons, found.rules = Counter(data["reasons"]), Counter(data["rules"])
        found.places = {(each["at"], each["kind"]): Place.from_json(each) for each in data["places"]}
        return found


_SILENT: Final = Redactor(Samples())


def _count(counts: Counter[str], name: str, most: int, times: int = 1) -> None:
    counts[name if name in counts or len(counts) < most else "others"] += times


def _badness(told: tuple[str, str, Place]) -> tuple[int, int, str, str]:
    at, kind, place = told
    worst = max((verdict for verdict in VERDICTS if place.verdicts[verdict]), key=RANK.__getitem__)
    return -RANK[worst], -place.verdicts[worst], at, kind
