"""Rules that would explain what legacy differs from itself in. They are proposed, never applied."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from gateway.migration.compare.model import Comparison
from gateway.migration.compare.summary import Place, Summary

_ENOUGH: Final = 3
_WITHIN: Final = (1, 10, 60, 600, 3600)
_MARGIN = 4
# What is left of a binary fraction's last digits after a sum or two.
_ROUNDING: Final = Decimal("1e-9")

Basis = Literal["noise", "rounding", "null"]


class ProposedRule(NamedTuple):
    """A rule that somebody may accept: its key and entry in `parity`, and what speaks for it.

    `basis`: legacy differs from itself (`noise`), both sides show the same binary fraction (`rounding`), or one leaves
    out what the other calls null (`null`). It was seen in `seen` of `of` comparisons.
    """

    key: str
    entry: dict[str, Any]
    basis: Basis
    seen: int
    of: int
    kind: str


def propose(comparisons: Iterable[Comparison] | Summary) -> list[ProposedRule]:
    """Rules for what was seen often enough, the most frequent first; at most one for each place."""
    summary = comparisons if isinstance(comparisons, Summary) else _summed(comparisons)
    best: dict[str, ProposedRule] = {}
    for (at, kind), place in summary.places.items():
        rule = _rule(at, kind, place, summary)
        if rule is not None and (at not in best or _width(rule) > _width(best[at])):
            best[at] = rule
    return sorted(best.values(), key=lambda rule: (-rule.seen, rule.entry["at"]))


def _summed(comparisons: Iterable[Comparison]) -> Summary:
    summary = Summary()
    for each in comparisons:
        summary.add(each)
    return summary


def _width(rule: ProposedRule) -> int:
    """Where a place differs in several ways, one rule has to explain them all: the widest."""
    return ("null_is_absent", "tolerance", "unordered", "presence_only", "ignore").index(rule.key)


def _rule(at: str, kind: str, place: Place, summary: Summary) -> ProposedRule | None:
    if not at or kind in ("status", "fault", "paging"):
        return None
    if place.drifted >= _ENOUGH:
        key, arguments = _explaining(kind, place)
        seen, of = place.drifted, summary.sandwiched
        reason = f"learnt: legacy differed from itself in {seen} of {of} comparisons"
        return ProposedRule(key, {"at": at, **arguments, "reason": reason}, "noise", seen, of, kind)
    seen, of = place.verdicts["mismatch"], summary.total
    if seen < _ENOUGH:
        return None
    if kind == "number" and place.share <= _ROUNDING:
        reason = f"learnt: the sides differed by rounding only, in {seen} of {of} comparisons"
        entry = {"at": at, "rel": str(_ROUNDING), "reason": reason}
        return ProposedRule("tolerance", entry, "rounding", seen, of, kind)
    if kind == "null" and place.one_absent:
        reason = f"learnt: one side left out what the other called null, in {seen} of {of} comparisons"
        return ProposedRule("null_is_absent", {"at": at, "reason": reason}, "null", seen, of, kind)
    return None


def _explaining(kind: str, place: Place) -> tuple[str, dict[str, Any]]:
    """The narrowest rule that explains what a place's values do."""
    if kind == "instant":
        step = next((each for each in _WITHIN if place.gap * _MARGIN <= each), None)
        return ("tolerance", {"within": f"{step}s"}) if step is not None else ("presence_only", {})
    if kind == "number" and place.share <= _ROUNDING:
        return "tolerance", {"rel": str(_ROUNDING)}
    if kind == "order":
        return "unordered", {"by": list(place.by)} if place.by else {}
    if kind == "null" and place.one_absent:
        return "null_is_absent", {}
    return ("presence_only" if kind in ("number", "value", "case", "space", "encoding") else "ignore"), {}
