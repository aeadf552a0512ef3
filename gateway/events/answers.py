"""What a table's `get` and `list` answer from its replica, as the upstream itself would.

A row is looked at as the JSON that is kept; the order by key and the fields that routes filter by have indexes over
expressions, so that they are right with every row that is written. Whatever can't be told for certain is
`Unanswerable`: then the upstream is asked.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from adapters.changes import Form
from adapters.contract import Condition, Json, ListRequest
from gateway.events.bindable import BOUND, Unanswerable, text_of
from gateway.events.model import key_text

_TERMS, _VALUES = 20, 50
MOST = 1000
"""How many rows a page has at most."""
_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_LISTS = {"in": "IN", "out": "NOT IN"}
_PAGED = frozenset({"limit", "after", "sort", "where", "rows", "fields"})
KEPT = "kept"
"""The member by which a position is known that a replica gave."""


@dataclass(slots=True)
class Clause:
    """Conditions and their parameters, in the order written."""

    terms: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        """One more that must hold."""
        self.terms.append(sql)
        self.parameters.extend(parameters)


def expression(form: Form, name: str) -> str:
    """A field of a row in SQL, so that it compares as the field does; raises `Unanswerable`."""
    kind = form.fields.get(name)
    if kind is None or '"' in name or "'" in name or "\\" in name or "\x00" in name:
        raise Unanswerable(name)
    path = "".join(f'."{each}"' for each in (name.split(".") if form.nested else [name]))
    found = f"json_extract(CAST(row AS TEXT), '${path}')"
    if kind == "decimal":
        return f"CAST({found} AS REAL)"
    # Without its Z an instant stands before the same one with a fraction of a second.
    return f"rtrim({found}, 'Z')" if kind == "instant" else found


def indexes(form: Form, filtered: Iterable[str]) -> list[str]:
    """What of a replica is indexed: its order by key, and each field that routes filter by."""
    made = [", ".join(expression(form, name) for name in form.key)]
    key = made[0]
    for name in filtered:
        if name in form.fields and name not in form.key:
            made.append(f"{expression(form, name)}, {key}")
    return list(dict.fromkeys(made))


def index_name(number: int, indexed: str) -> str:
    """What the index of a capture's rows over these expressions is called."""
    return f"rows_{number:d}_{hashlib.sha256(indexed.encode()).hexdigest()[:16]}"


# ── one row ──────────────────────────────────────────────────────────────────────────────────────────────────────


def row_key(form: Form, input: Mapping[str, Json]) -> str:
    """The key, as rows are kept by it, that a `get` asks for; raises `Unanswerable`."""
    names = {name.rpartition(".")[2] if form.nested else name: form.fields.get(name) for name in form.key}
    if not names.keys() <= input.keys() or not input.keys() <= {*names, "fields"}:
        raise Unanswerable
    if not all(kind in ("integer", "text", "date", "uuid") for kind in names.values()):
        raise Unanswerable
    return key_text(tuple(BOUND[kind](input[name]) for name, kind in names.items() if kind is not None))


def chosen(form: Form, row: Mapping[str, Json], fields: Sequence[str]) -> Json:
    """The members asked for, all where none are; raises `Unanswerable`."""
    if not fields:
        return row
    if form.nested or not all(isinstance(name, str) and name in row for name in fields):
        raise Unanswerable
    return {name: value for name, value in row.items() if name in fields}


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────

Order: TypeAlias = list[tuple[str, str, bool]]
"""Fields, their expressions, and whether each descends."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page's statement, but for the number of its capture, and what its rows become."""

    form: Form
    request: ListRequest
    order: Order
    clause: Clause

    def sql(self, number: int, found_by: str = "") -> str:
        """The statement: the row, and what its position is made of. `found_by`: one of `ways`, or the planner's."""
        # Every key is greater; without a bound an index isn't walked.
        walked = found_by and self._by_key and self.request.after is None
        bound = [f"{self.order[0][1]} >= -9e999"] if walked else []
        index = f" INDEXED BY {index_name(number, found_by)}" if found_by else ""
        where = " AND ".join([f"capture = {number:d}", *bound, *self.clause.terms])
        terms = ", ".join(self._term(name, sql, down) for name, sql, down in self.order)
        found = ", ".join(["row", *(sql for _, sql, _ in self.order)])
        return (
            f"SELECT {found} FROM rows{index} WHERE {where} ORDER BY {terms} "  # noqa: S608 - described names, bound values
            f"LIMIT {self.request.limit + 1:d}"
        )

    @property
    def ways(self) -> list[str]:
        """Indexes, as `indexes` spells them, by which rows are found soon, the best first; each may be missing. The
        planner would go through all rows of the capture: first one that finds few, then that of the order."""
        equal = [each.field for each in self.request.where if each.op in ("eq", "in")]
        made = [indexes(self.form, equal[:1])[-1]] if equal else []
        return list(dict.fromkeys([*made, *(indexes(self.form, ())[:1] if self._by_key else [])]))

    @property
    def _by_key(self) -> bool:
        """Whether the order is that by key."""
        return [name for name, _, _ in self.order] == list(self.form.key)

    def _term(self, name: str, sql: str, down: bool) -> str:
        if name in self.form.key:  # which is never NULL
            return f"{sql} DESC" if down else sql
        return f"{sql} {'DESC' if down else 'ASC'} NULLS {'LAST' if self.form.nulls_last != down else 'FIRST'}"

    def answer(self, rows: Sequence[tuple[Any, ...]]) -> Json:
        """The items, and the position behind the last of them."""
        kept = rows[: self.request.limit]
        items = [chosen(self.form, orjson.loads(row[0]), self.request.fields) for row in kept]
        more = len(rows) > self.request.limit
        return {"items": items, "next": {KEPT: _spelled(self.order), "at": list(kept[-1][1:])} if more else None}


def page(form: Form, input: Mapping[str, Json]) -> Page:
    """A list's page; raises `Unanswerable`, also for what the upstream would refuse: it has the words for it."""
    try:
        request = ListRequest.of(input)
    except (TypeError, ValueError):
        raise Unanswerable from None
    limit = request.limit
    if not input.keys() <= _PAGED or isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST:
        raise Unanswerable
    order, clause = _order(form, request.sort), Clause()
    if len(request.where) > _TERMS:
        raise Unanswerable
    for condition in request.where:
        clause.add(*_condition(form, condition, asked=True))
    if request.rows is not None:
        _visible(form, request, clause)
    if request.after is not None:
        _behind(form, order, request.after, clause)
    return Page(form, request, order, clause)


def _order(form: Form, sort: Sequence[str]) -> Order:
    order: dict[str, tuple[str, str, bool]] = {}
    for written in sort:
        name, down = (written[1:], True) if written.startswith("-") else (written, False)
        if name in order:
            raise Unanswerable
        order[name] = (name, expression(form, name), down)
        if form.nested and name in form.key:
            return list(order.values())
    for name in form.key:
        order.setdefault(name, (name, expression(form, name), False))
    return list(order.values())


def _spelled(order: Order) -> list[str]:
    return [("-" if down else "") + name for name, _, down in order]


def _condition(form: Form, condition: Condition, *, asked: bool) -> tuple[str, list[Any]]:
    """One condition; `asked` by the caller, else one of the rows that it may see, whose text compares exactly."""
    sql, kind, op, value = (
        expression(form, condition.field),
        form.fields[condition.field],
        condition.op,
        condition.value,
    )
    if op == "null" and isinstance(value, bool):
        return f"{sql} IS {'' if value else 'NOT '}NULL", []
    if asked and kind == "text" and not form.exact:
        raise Unanswerable
    if op == "like" and asked and kind == "text":
        return f"{sql} GLOB ?", [_glob(form, value)]
    bind = BOUND[kind]
    if op in _LISTS and isinstance(value, list | tuple) and 1 <= len(value) <= _VALUES:
        return f"{sql} {_LISTS[op]} ({', '.join('?' * len(value))})", [bind(each) for each in value]
    if op not in _SIGNS:
        raise Unanswerable
    return f"{sql} {_SIGNS[op]} ?", [bind(value)]


def _glob(form: Form, pattern: Json) -> str:
    """A LIKE pattern as GLOB has it, which tells capitals from small letters."""
    if not isinstance(pattern, str) or not form.like or len(pattern) > MOST:
        raise Unanswerable
    made, characters = [], iter(text_of(pattern))
    for each in characters:
        literal = each == "\\" and form.like == "escaped"
        shown = next(characters, "\\") if literal else each
        wild = {"%": "*", "_": "?"}.get(shown) if not literal else None
        made.append(wild or (f"[{shown}]" if shown in "*?[" else shown))
    return "".join(made)


def _visible(form: Form, request: ListRequest, clause: Clause) -> None:
    ways, parameters = [], []
    for group in request.rows or ():
        terms = [_condition(form, condition, asked=False) for condition in group]
        ways.append("(" + (" AND ".join(sql for sql, _ in terms) or "1") + ")")
        parameters += [value for _, bound in terms for value in bound]
    clause.add("(" + (" OR ".join(ways) or "0") + ")", parameters)


def _behind(form: Form, order: Order, after: Json, clause: Clause) -> None:
    at = after.get("at") if isinstance(after, dict) and after.get(KEPT) == _spelled(order) else None
    if not isinstance(at, list) or len(at) != len(order):
        raise Unanswerable
    if not all(each is None or isinstance(each, str | int | float) for each in at):
        raise Unanswerable
    ways: list[str] = []
    parameters: list[Any] = []
    equal, equal_parameters = "1", list[Any]()
    for (name, sql, down), value in zip(order, at, strict=True):
        last = form.nulls_last != down and name not in form.key
        if value is None:
            step, bound = ("0" if last else f"{sql} IS NOT NULL"), []
        else:
            step, bound = f"({sql} {'<' if down else '>'} ?{f' OR {sql} IS NULL' if last else ''})", [value]
        ways.append(f"({equal} AND {step})")
        parameters += [*equal_parameters, *bound]
        equal += f" AND {sql} IS NULL" if value is None else f" AND {sql} = ?"
        equal_parameters += [] if value is None else [value]
    first, sql, down = order[0]
    if first in form.key:  # again, so that its index is used
        clause.add(f"{sql} {'<=' if down else '>='} ?", [at[0]])
    clause.add("(" + " OR ".join(ways) + ")", parameters)


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_in_time(db: sqlite3.Connection, sql: str, parameters: Sequence[Any], until: float) -> list[tuple[Any, ...]]:
    """A statement's rows; raises `Unanswerable` where it takes longer than `until` (`time.monotonic`)."""
    db.set_progress_handler(lambda: int(time.monotonic() > until), 20_000)
    try:
        return db.execute(sql, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        raise Unanswerable("it takes too long without an index") from None
    finally:
        db.set_progress_handler(None, 0)
