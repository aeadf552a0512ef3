"""Row predicates bound to a caller: as a test of one row, and as conditions that an adapter can take over.

Both mean the same, by `routing.predicates`: NULL, an absent member and an attribute that the principal doesn't have
match nothing; text is compared as it is written, decimals and instants by what they are worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from adapters.contract import COMPARISONS, Json
from gateway.call import Principal
from gateway.routing.predicates import OfPrincipal, TypedPredicate, TypedTerm

Test: TypeAlias = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class BoundTerm:
    """A term whose operand is a JSON value, or a list of them behind in and out."""

    field: tuple[str, ...]
    kind: str
    op: str
    value: Json


@dataclass(frozen=True, slots=True, eq=False)
class BoundRows:
    """A predicate for one caller."""

    groups: tuple[tuple[BoundTerm, ...], ...]
    tests: tuple[tuple[Test, ...], ...]

    def match(self, row: Json) -> bool:
        """Whether the row is shown."""
        for group in self.tests:
            for test in group:
                if not test(row):
                    break
            else:
                return True
        return False

    def conditions(self, names: Mapping[str, str] | None) -> list[list[list[Json]]] | None:
        """As `ListRequest.of` takes rows, by the names of `names`; None where something can't be said so."""
        made = []
        for group in self.groups:
            found = [_condition(term, names) for term in group]
            if None in found:
                return None
            made.append([each for each in found if each is not None])
        return made


def bind(predicate: TypedPredicate, principal: Principal) -> BoundRows:
    """The predicate for a caller; what can't match for it, whatever the row, is left out."""
    groups = []
    for group in predicate:
        terms = [_bound(term, principal) for term in group]
        if None not in terms:
            groups.append(tuple(term for term in terms if term is not None))
    return BoundRows(tuple(groups), tuple(tuple(_test(term) for term in group) for group in groups))


def _bound(term: TypedTerm, principal: Principal) -> BoundTerm | None:
    value: Any = term.operand
    if isinstance(value, OfPrincipal):
        value = getattr(principal, value.name)
    if term.op in ("in", "out"):
        found = [getattr(principal, each.name) if isinstance(each, OfPrincipal) else each for each in value]
        # As in SQL: something is in a list that holds a NULL, but nothing is certain to be out of it.
        if None in found:
            if term.op == "out":
                return None
            found = [each for each in found if each is not None]
        value = list(dict.fromkeys(found))
        if not value and term.op == "in":
            return None
    elif value is None:
        return None
    return BoundTerm(term.field, term.kind, term.op, value)


def _condition(term: BoundTerm, names: Mapping[str, str] | None) -> list[Json] | None:
    # Binary floating point compares differently from system to system.
    if len(term.field) != 1 or term.kind == "number":
        return None
    name = term.field[0] if names is None else names.get(term.field[0])
    if name is None:
        return None
    if term.op == "out" and not term.value:
        return [name, "null", False]
    return [name, term.op, term.value]


def _test(term: BoundTerm) -> Test:
    convert, field = _WORTH[term.kind], term.field
    if term.op in ("in", "out"):
        wanted: Any = frozenset(convert(each) for each in term.value)
    else:
        wanted = convert(term.value)
    compare = COMPARISONS[term.op]

    def test(value: Json) -> bool:
        for name in field:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            return False
        try:
            return compare(convert(value), wanted)
        except (TypeError, ValueError, InvalidOperation):
            # A value of another type is none that the contract allows for: it matches nothing.
            return False

    if term.kind == "text" and term.op == "eq" and len(field) == 1:
        return _plain_text(field[0], wanted)
    return test


def _plain_text(name: str, wanted: str) -> Test:
    """The commonest test of all, without what the others need."""
    return lambda row: isinstance(row, dict) and row.get(name) == wanted


def _of_type(*kinds: type) -> Callable[[Json], Any]:
    def convert(value: Json) -> Any:
        if type(value) not in kinds:
            raise TypeError
        return value

    return convert


def _decimal(value: Json) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError
    return number


def _instant(value: Json) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment


_WORTH: Mapping[str, Callable[[Json], Any]] = {
    "text": _of_type(str),
    "integer": _of_type(int),
    "boolean": _of_type(bool),
    "number": _of_type(int, float),
    "decimal": _decimal,
    "date": date.fromisoformat,
    "instant": _instant,
}
