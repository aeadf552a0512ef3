"""Legacy's reply against the replacement's, and against legacy's own next one where it was asked again."""

from __future__ import annotations

from datetime import date
from typing import Final

from adapters.contract import Json, JsonSchema
from gateway.migration.compare.found import Drift
from gateway.migration.compare.model import Comparison, Kind, Observed
from gateway.migration.compare.nodes import Node
from gateway.migration.compare.rules import Rule, begin, compile_rules
from gateway.migration.compare.walk import TooMuch, Walk
from gateway.routing.parity_schema import Outcome, ParityModel, SameFault
from gateway.routing.paths import at_member

UNASKED: Final = frozenset({
    "upstream-busy", "upstream-unavailable", "deadline-exceeded", "unknown-outcome", "overloaded", "draining", "closed",
    "rate-limited", "quota-exhausted", "budget-exhausted", "audit-unavailable", "state-unavailable",
    "identity-unavailable", "request-timeout",
})  # fmt: skip
"""Problems that say that a side gave no answer, not what it would have been."""
_FAILED = 500


def compile_parity(
    model: ParityModel, schema: JsonSchema | None, today: date, *, owner: str = "", expires: date | None = None
) -> Comparer:
    """What compares replies of one route. `schema` is its contract's reply; `owner` and `expires` are the group's.

    Cheap: places of the schema are looked at when a body first has them. The comparer may be used by several threads.
    """
    rules, expired = compile_rules(model, today, owner, expires)
    return Comparer(rules, schema, tuple(expired))


class Comparer:
    """Compares replies of one route under its group's rules."""

    def __init__(self, rules: list[Rule], schema: JsonSchema | None, expired: tuple[str, ...] = ()) -> None:
        self.expired = expired
        """The names of rules whose time is over: they no longer apply."""
        self.owners = {rule.name: rule.owner for rule in rules}
        """Who answers for each rule that applies, by its name, as differences tell it."""
        self._faults = [(rule.name, rule.said) for rule in rules if isinstance(rule.said, SameFault)]
        self._ruled = _Roots([rule for rule in rules if rule.kind != "faults"], schema)
        self._bare = _Roots([], schema)

    def compare(self, legacy: Observed, replacement: Observed, again: Observed | None = None) -> Comparison:
        """Compares two replies. `again` is what legacy answered to the same call after the replacement did.

        Never raises for what bodies hold. Big bodies take long (at most some 10 s): call it on a thread for them.
        """
        reason = _nothing_to_say(legacy, replacement)
        if reason:
            return Comparison("incomparable", reason=reason)
        if again is not None and again.status >= _FAILED:
            again = None
        try:
            return self._compared(legacy, replacement, again)
        except TooMuch as error:
            return Comparison("incomparable", reason=str(error), sandwiched=again is not None)
        except RecursionError:
            return Comparison("incomparable", reason="too deep", sandwiched=again is not None)

    def root(self, body: Json) -> Node:
        """Where one side's body begins: what holds at each of its places."""
        return self._ruled.of(body, body)

    def _compared(self, legacy: Observed, replacement: Observed, again: Observed | None) -> Comparison:
        drifted = () if again is None else self._walk(self._bare, legacy, again, Drift()).found.differences()
        found = self._walk(self._ruled, legacy, replacement, Drift(drifted)).found
        return Comparison(
            found.verdict, found.differences(), found.covered, found.fields, found.signature(), found.count,
            "", drifted, again is not None,
        )  # fmt: skip

    def _walk(self, roots: _Roots, legacy: Observed, other: Observed, drift: Drift) -> Walk:
        walk = Walk(drift)
        if (legacy.status, legacy.problem) != (other.status, other.problem):
            self._ends(walk, roots, legacy, other)
        if legacy.problem is None and other.problem is None:
            walk.values(legacy.body, other.body, roots.of(legacy.body, other.body), None)
        elif legacy.problem is not None and other.problem is not None:
            walk.values(_blamed(legacy.body), _blamed(other.body), roots.problem, None)
        return walk

    def _ends(self, walk: Walk, roots: _Roots, legacy: Observed, other: Observed) -> None:
        """Notes that two replies end otherwise: in another status, or another problem of the same one."""
        kind: Kind = "status" if legacy.status != other.status else "fault"
        rules = self._faults if roots is self._ruled else ()
        rule = next((name for name, said in rules if _is(said.legacy, legacy) and _is(said.replacement, other)), None)
        walk.found.fields += 1
        walk.found.covered += 1
        walk.differ(kind, _end(legacy), _end(other), roots.problem, None, rule)


class _Roots:
    """Where bodies begin: pages of a list have items of which the group's rules speak."""

    def __init__(self, rules: list[Rule], schema: JsonSchema | None) -> None:
        states, whole = begin(rules), schema or {}
        schemas = [] if schema is None else [schema]
        self._plain = Node("", schemas, whole, states)
        self._page = Node("", schemas, whole, states, entity=states)
        self.problem = Node("", [], {}, states)
        named = {name for branch in at_member(whole, (), whole) for name in branch.get("properties", {})}
        self._is_page = None if schema is None else {"items", "next"} <= named

    def of(self, legacy: Json, other: Json) -> Node:
        """The root for two bodies: a contract tells pages from other replies; without one, their looks do."""
        is_page = _looks_paged(legacy) and _looks_paged(other) if self._is_page is None else self._is_page
        return self._page if is_page else self._plain


def _looks_paged(body: Json) -> bool:
    return isinstance(body, dict) and isinstance(body.get("items"), list) and "next" in body


def _nothing_to_say(legacy: Observed, replacement: Observed) -> str:
    if legacy.status >= _FAILED or legacy.problem in UNASKED:
        return f"legacy gave no answer: {legacy.problem or legacy.status}"
    if replacement.problem in UNASKED:
        return f"the replacement gave no answer: {replacement.problem}"
    return ""


def _blamed(body: Json) -> Json:
    """What a problem blames: the members that its `errors` point at, in no order. Its sentences are for people."""
    errors = body.get("errors") if isinstance(body, dict) else None
    named = {str(each.get("pointer")) for each in errors if isinstance(each, dict)} if isinstance(errors, list) else ()
    return {"errors": sorted(named)}


def _is(outcome: Outcome, observed: Observed) -> bool:
    return outcome.status in (None, observed.status) and outcome.slug in (None, observed.problem)


def _end(observed: Observed) -> Json:
    return {"status": observed.status, "problem": observed.problem}
