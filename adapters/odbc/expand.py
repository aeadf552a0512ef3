"""What `expand` joins to rows along foreign keys: the row referred to, or those that refer, without a query a row.

One statement asks for up to fifty rows' worth, a part each (UNION ALL), so that the database itself says what is equal
by its own collations, uses its index, and reads no more children than are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.contract import Json
from adapters.errors import BadReply, DoNotRetry, FieldError, Invalid, pointer
from adapters.odbc import batches
from adapters.odbc.filters import Clause
from adapters.odbc.keyset import order_of, ordered, position
from adapters.odbc.session import Session
from adapters.odbc.statements import ALIAS, TableSql
from adapters.odbc.tables import Column, ForeignKey

MOST = 5
"""Names in one `expand`."""
CHILDREN, _FEWER, _MANY = 100, 10, 100
"""Children of a row at most, and of each row where there are more rows than `_MANY`."""
_PARTS = (50, 10, 1)
"""How many rows one statement asks for: few sizes, so that few statements are prepared."""


@dataclass(frozen=True, slots=True)
class Relation:
    """`columns` of a table's rows equal `others` of `table`; `many`: of any number of its rows."""

    columns: tuple[str, ...]
    table: TableSql
    others: tuple[Column, ...]
    many: bool


Relations = Mapping[str, Relation]


def relations(tables: Mapping[str, TableSql]) -> Mapping[str, Relations]:
    """By table, what `expand` may name. A name that two foreign keys would have says its columns too:
    `employees_by_manager` is the row referred to, `employees_of_manager` are those that refer."""
    called: dict[str, list[TableSql]] = {}
    for table in tables.values():
        called.setdefault(table.table.table or table.name, []).append(table)
    found = [
        (*ends, child, parent, key)
        for child in tables.values()
        for key in child.table.foreign_keys
        if (parent := _referred(tables, called, key)) is not None
        for ends in ((child, parent, False), (parent, child, True))
    ]
    plain = Counter((here.name, there.name) for here, there, *_ in found)
    made: dict[str, dict[str, Relation]] = {name: {} for name in tables}
    for here, there, many, child, _, key in found:
        name = key.children if many else key.parent
        if name is None:
            columns = "_".join(key.columns)
            alone = plain[here.name, there.name] == 1 and here.table.column(there.name) is None
            name = there.name if alone else f"{there.name}_{'of' if many else 'by'}_{columns}"
        own, others = (key.references, key.columns) if many else (key.columns, key.references)
        if here.table.column(name) is None and not (many and not child.keys):
            made[here.name][name] = Relation(own, there, tuple(map(there.must, others)), many)
    return made


def _referred(
    tables: Mapping[str, TableSql], own: Mapping[str, Sequence[TableSql]], key: ForeignKey
) -> TableSql | None:
    """The table that a foreign key names, by its name in operations or else by its own; None: it isn't described."""
    named = own.get(key.table, ())
    found = tables.get(key.table) or (named[0] if len(named) == 1 else None)
    whole = found is not None and len(key.columns) == len(key.references)
    return found if found is not None and whole and all(map(found.table.column, key.references)) else None


def chosen(known: Relations, names: Sequence[str]) -> dict[str, Relation]:
    """The relations that `expand` names; raises `Invalid`."""
    wrong = [
        FieldError(pointer("expand", place), f"must be one of {', '.join(sorted(known)) or 'none'}, named once")
        for place, name in enumerate(names)
        if name not in known or name in names[:place]
    ]
    if wrong or len(names) > MOST:
        raise Invalid("what is to be expanded is wrong", errors=wrong or [FieldError("/expand", f"at most {MOST}")])
    for name in names:
        if known[name].many and not known[name].table.dialect.limit:
            raise DoNotRetry(f"{name} can't be expanded: this database is asked in standard SQL, which has no limit")
    return {name: known[name] for name in names}


def needed(table: TableSql, wanted: Relations) -> tuple[Column, ...]:
    """The columns that rows must have to be joined to."""
    return tuple({name: table.must(name) for relation in wanted.values() for name in relation.columns}.values())


def joined(session: Session, wanted: Relations, items: Sequence[dict[str, Json]], kept: Sequence[Column]) -> None:
    """Adds each relation's member to the items, which keep of their own columns `kept`; on the connection's thread."""
    names = {column.name for column in kept}
    values = {name: _values(session, relation, items) for name, relation in wanted.items()}
    dropped = {name for relation in wanted.values() for name in relation.columns} - names
    for place, item in enumerate(items):
        for name in dropped:
            del item[name]
        for name, each in values.items():
            item[name] = each[place]


def _values(session: Session, relation: Relation, items: Sequence[Mapping[str, Json]]) -> list[Json]:
    """The relation's value for each item."""
    keys = [_bound(relation, item) for item in items]
    distinct = list(dict.fromkeys(key for key in keys if key is not None))
    bound = CHILDREN if len(items) <= _MANY else _FEWER
    found: dict[tuple[Any, ...], Json] = {}
    for chunk in _chunks(distinct):
        found |= _asked(session, relation, chunk, bound)
    if relation.many:
        return [found.get(key, {"items": [], "next": None}) if key else {"items": [], "next": None} for key in keys]
    return [found.get(key) if key else None for key in keys]


def _bound(relation: Relation, item: Mapping[str, Json]) -> tuple[Any, ...] | None:
    """What to bind for an item; None: nothing can be equal to it."""
    given = [item[name] for name in relation.columns]
    try:
        if None in given:
            return None
        return tuple(relation.table.value(column, value) for column, value in zip(relation.others, given, strict=True))
    except ValueError:
        return None


def _chunks(keys: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    start = 0
    for size in _PARTS:
        while len(keys) - start >= size:
            yield keys[start : start + size]
            start += size


def _asked(
    session: Session, relation: Relation, keys: Sequence[tuple[Any, ...]], bound: int
) -> dict[tuple[Any, ...], Json]:
    table = relation.table
    limit = bound + 1 if relation.many else 2
    sql = " UNION ALL ".join(_part(relation, number, limit) for number in range(len(keys)))
    if relation.many:
        sql += " ORDER BY n, o"
    rows = session.rows(sql, [value for key in keys for value in key], limit * len(keys))
    groups: dict[int, list[Sequence[Any]]] = {}
    for tag, _, *row in rows:
        groups.setdefault(int(tag), []).append(row)  # SQLite may give it as text
    columns = table.table.columns
    made: dict[tuple[Any, ...], Json] = {}
    for tag, group in groups.items():
        read = batches.items(columns, group[:bound], table.zone)
        if relation.many:
            last = (
                position(table, order_of(table, ()), group[bound - 1][len(columns) :]) if len(group) > bound else None
            )
            made[keys[tag]] = {"items": read, "next": last}
        elif len(read) > 1:
            raise BadReply(f"a foreign key names more than one row of {table.name}")
        else:
            made[keys[tag]] = read[0]
    return made


def _part(relation: Relation, number: int, limit: int) -> str:
    """The rows for one key: its number, the columns and (of children) what positions are made of."""
    table = relation.table
    order = order_of(table, ())
    clause = Clause([f"{table.named(column)} = {table.bound(column)}" for column in relation.others])
    stored = [table.stored(column) for column, _ in order] if relation.many else []
    read = [*(table.read(column, ALIAS) for column in table.table.columns), *stored]
    terms = ", ".join(f"{each} AS c{place}" for place, each in enumerate(read))
    place = f"ROW_NUMBER() OVER (ORDER BY {ordered(table, order)})" if relation.many else "0"
    sql = f"SELECT {number} AS n, {place} AS o, {terms} FROM {table.source} {ALIAS[:-1]}{clause}"  # noqa: S608 - quoted names, bound values
    if table.dialect.limit:
        sql += f" ORDER BY {ordered(table, order)} " + table.dialect.limit.format(skip=0).replace("?", str(limit))
    return f"SELECT * FROM ({sql}) p{number}"  # noqa: S608 - as above
