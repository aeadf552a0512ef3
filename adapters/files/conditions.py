"""The conditions of a list or an aggregate: checked against the dataset's fields once, asked of every record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from adapters.contract import COMPARISONS, Condition, Json, Rows
from adapters.errors import FieldError
from adapters.files.formats import FieldType, at
from adapters.files.values import comparable, given, stored

MAX_CONDITIONS = 20
MAX_VALUES = 1000

_Test: TypeAlias = Callable[[Json], bool]
_Fields: TypeAlias = Mapping[str, FieldType]


class Conditions:
    """`where`, all of which must hold, and the `rows` that may be seen; what is wrong is added to `faults`."""

    def __init__(
        self, where: tuple[Condition, ...], rows: Rows | None, fields: _Fields, faults: list[FieldError]
    ) -> None:
        if len(where) > MAX_CONDITIONS:
            faults.append(FieldError("/where", f"must have at most {MAX_CONDITIONS} conditions"))
        self.where = tuple(
            condition
            for number, condition in enumerate(where[:MAX_CONDITIONS])
            if _fits(condition, fields, f"/where/{number}", faults)
        )
        self.groups = None if rows is None else _groups(rows, fields, faults)
        """None: every row is visible; else one of the groups must hold."""
        every = [*self.where, *(condition for group in self.groups or () for condition in group)]
        self.fields = {condition.field: fields[condition.field] for condition in every}
        self._tests = _tests(self.where, fields)
        self._visible = None if self.groups is None else [_tests(group, fields) for group in self.groups]

    def __bool__(self) -> bool:
        """Is there any record that they leave out?"""
        return bool(self._tests) or self.groups is not None

    def equal(self) -> dict[str, bytes]:
        """What an index may find the records by, as it has it; they still have to be looked at."""
        return {
            each.field: stored(self.fields[each.field])(given(each.value, self.fields[each.field]))
            for each in self.where
            if each.op == "eq"
        }

    def hold(self, row: Mapping[str, Json]) -> bool:
        """Do they hold for a record?"""
        if self._visible is not None and not any(all(test(at(row, p)) for p, test in group) for group in self._visible):
            return False
        return all(test(at(row, path)) for path, test in self._tests)


def _tests(conditions: tuple[Condition, ...], fields: _Fields) -> list[tuple[str, _Test]]:
    return [(each.field, value_test(each, fields[each.field])) for each in conditions]


def _groups(rows: Rows, fields: _Fields, faults: list[FieldError]) -> list[tuple[Condition, ...]]:
    """What a field can't hold it isn't equal to, so such a group shows nothing."""
    made = []
    for number, group in enumerate(rows):
        unfit: list[FieldError] = []
        fits = [_fits(condition, fields, f"/rows/{number}", unfit) for condition in group]
        if all(fits):
            made.append(tuple(group))
        elif any(condition.op not in ("eq", "in") for condition in group):
            faults += unfit
    return made


def _fits(condition: Condition, fields: _Fields, pointer: str, faults: list[FieldError]) -> bool:
    kind = fields.get(condition.field)
    if kind is None:
        faults.append(FieldError(pointer, f"'{condition.field}' isn't a field to filter by"))
        return False
    try:
        value_test(condition, kind)
    except ValueError as error:
        faults.append(FieldError(pointer, f"{condition.field} {error}"))
        return False
    return True


def value_test(condition: Condition, kind: FieldType) -> _Test:
    """A condition as a test of its field's value. NULL passes no comparison, as in SQL; only `null` asks for it."""
    value = condition.value
    if condition.op == "null":
        if not isinstance(value, bool):
            raise ValueError("null must be true or false")
        return lambda found: (found is None) is value
    if condition.op == "like":
        if kind != "text" or not isinstance(value, str):
            raise ValueError("like needs a text field and a pattern")
        matches = like(value)
        return lambda found: isinstance(found, str) and matches(found)
    compare = COMPARISONS.get(condition.op)
    if compare is None:
        raise ValueError(f"has no operator '{condition.op}'")
    convert = comparable(kind)
    if condition.op in ("in", "out"):
        if not isinstance(value, list | tuple) or len(value) > MAX_VALUES:
            raise ValueError(f"in needs a list of at most {MAX_VALUES} values")
        wanted = frozenset(convert(given(each, kind)) for each in value)
    else:
        wanted = convert(given(value, kind))
    return lambda found: found is not None and compare(convert(found), wanted)


def like(pattern: str) -> Callable[[str], bool]:
    """SQL's LIKE: % any characters, _ one. Pieces between % are found from left to right: no backtracking."""
    pieces = pattern.split("%")
    compiled = ["".join("." if c == "_" else re.escape(c) for c in piece) for piece in pieces]
    head, *middle, tail = [
        re.compile(piece, re.DOTALL) for piece in (compiled if len(compiled) > 1 else [*compiled, ""])
    ]
    whole, tail_length = len(pieces) == 1, len(pieces[-1])

    def matches(text: str) -> bool:
        if whole:
            return head.fullmatch(text) is not None
        found = head.match(text)
        for piece in middle:
            found = piece.search(text, found.end()) if found else None
        start = len(text) - tail_length
        return found is not None and start >= found.end() and tail.match(text, start) is not None

    return matches
