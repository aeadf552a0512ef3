"""What a live database says of its tables and procedures, in the form of `tables.yaml` and of named SQL files.

Asked through ODBC's own catalogue functions (`SQLTables`, `SQLColumns`, `SQLPrimaryKeys`, `SQLForeignKeys`), which
PostgreSQL, MariaDB and SQLite answer; what their drivers leave out (comments, unique indexes, what is no table of its
own) is asked by the dialect's own queries. A driver without keys gives tables that a person completes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyodbc
from pydantic import ValidationError

from adapters.odbc.column_types import column
from adapters.odbc.config import Config
from adapters.odbc.dialects import DIALECTS
from adapters.odbc.failures import DatabaseError, adapter_error
from adapters.odbc.procedures import Procedure, procedures
from adapters.odbc.session import Session
from adapters.odbc.tables import UNFIT, Column, ForeignKey, Table

_PLAIN = ("", 0, 0, 0)
_UNFIT = "its name can't be passed to a driver: 1 to 128 characters, no control characters, none of ? { }"
_Place: TypeAlias = tuple[str, str]
"""(schema, table); "" where the database has no schemas."""


@dataclass(frozen=True, slots=True)
class Introspection:
    """What a database says of itself. `left_out`: table, column or procedure → why."""

    dialect: str
    tables: Mapping[str, Table]
    """By their names in operations, sorted."""
    views: frozenset[str]
    """Those of them that are no tables."""
    unique: frozenset[str]
    """Those whose key isn't declared as one: a unique index over columns that are never null."""
    procedures: Mapping[str, Procedure]
    left_out: tuple[tuple[str, str], ...]


def _all(name: str) -> bool:
    return True


def _unseen(what: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


async def introspect(config: Config, schema: str | None = None) -> Mapping[str, Table]:
    """The tables and views of the data source, sorted by name; raises `AdapterError`. `schema` narrows; without it the
    database's own schemas are left out."""
    return (await asyncio.to_thread(introspection, config, schema)).tables


def introspection(
    config: Config,
    schema: str | None = None,
    chosen: Callable[[str], bool] = _all,
    progress: Callable[[str, int, int | None], None] = _unseen,
) -> Introspection:
    """All that `chosen` lets in by its name, on the caller's thread; raises `AdapterError`."""
    dialect = DIALECTS[config.dialect] if config.dialect else None
    try:
        session = Session(str.__str__(config.dsn), dialect)
    except DatabaseError as error:
        raise adapter_error(error) from error
    try:
        return _Asking(session, schema, chosen, progress).everything()
    except pyodbc.Error as error:
        raise adapter_error(session.failed(error)) from error
    finally:
        session.close()


class _Asking:
    """One look at a database."""

    def __init__(
        self,
        session: Session,
        schema: str | None,
        chosen: Callable[[str], bool],
        progress: Callable[[str, int, int | None], None],
    ) -> None:
        self._session, self._schema, self._chosen, self._progress = session, schema, chosen, progress
        self._dialect = session.dialect
        self._left_out: list[tuple[str, str]] = []
        self._unique: set[str] = set()
        rows = [row for row in session.catalogue("tables", tableType=self._dialect.table_types) if self._own(row)]
        current = session.catalog_name
        hidden = {_place(row) for row in self._maybe(self._dialect.hidden)}
        self._rows = [row for row in rows if row.table_cat in (None, "", current) and _place_of(row) not in hidden]
        names = Counter(row.table_name for row in self._rows)
        self._names = {_place_of(row): _name(row, names) for row in self._rows}
        self._by_place = {_place_of(row): row for row in self._rows}
        self._comments = {(*_place(row), row[2]): row[3] for row in self._maybe(self._dialect.comments)}
        self._indexes = _indexes(self._maybe(self._dialect.uniques))
        self._keys: dict[_Place, list[str]] = {}
        for found in session.asked(self._dialect.keys):
            self._keys.setdefault(_place(found), []).append(found[2])
        self._foreigns: dict[_Place, dict[str, tuple[_Place, list[tuple[str, Any]]]]] = {}
        for found in session.asked(self._dialect.foreigns):
            there = self._foreigns.setdefault(_place(found), {})
            there.setdefault(found[2], ((found[4], found[5]), []))[1].append((found[3], found[6]))

    def everything(self) -> Introspection:
        tables: dict[str, Table] = {}
        views: set[str] = set()
        wanted = [(self._names[_place_of(row)], row) for row in self._rows]
        wanted = [(name, row) for name, row in wanted if self._chosen(name)]
        for done, (name, row) in enumerate(wanted):
            self._progress("tables", done, len(wanted))
            table = self._table(name, row)
            if table is not None:
                tables[name] = table
                views |= {name} if "VIEW" in (row.table_type or "").upper() else set()
        self._progress("tables", len(wanted), len(wanted))
        called, unable = procedures(self._session, self._chosen, self._schema)
        left = (*self._left_out, *unable)
        unique = frozenset(self._unique & set(tables))
        return Introspection(self._dialect.name, dict(sorted(tables.items())), frozenset(views), unique, called, left)

    def _maybe(self, sql: str) -> list[Any]:
        """What a version of the database that is older than the query can't tell, it doesn't."""
        try:
            return self._session.asked(sql)
        except pyodbc.Error:
            return []

    def _own(self, row: Any) -> bool:
        place = row.table_schem or row.table_cat or ""
        if self._schema:
            return bool(place == self._schema)
        return place not in self._dialect.system_schemas and not row.table_name.startswith("sqlite_")

    def _table(self, name: str, row: Any) -> Table | None:
        """None: it can't be described, which is noted."""
        try:
            key = self._key(row)
            columns = self._columns(name, row, key)
            key = key or list(self._unique_key(name, row, columns))
            return Table.model_validate(
                {
                    "schema": row.table_schem or None,
                    "table": None if name == row.table_name else row.table_name,
                    "comment": self._comment(row),
                    "primary_key": tuple(key),
                    "columns": columns,
                    "foreign_keys": tuple(self._foreign(row, {each.name for each in columns})),
                }
            )
        except (ValidationError, ValueError) as error:
            faults = [each["msg"] for each in error.errors()] if isinstance(error, ValidationError) else [str(error)]
            self._left_out.append((name, faults[0].removeprefix("Value error, ")))
            return None

    def _comment(self, row: Any) -> str:
        # MariaDB says VIEW of a view, and why, where it can't be read.
        remarks = "" if (row.table_type or "").upper() == "VIEW" and self._dialect.name == "mariadb" else row.remarks
        return str(remarks or self._comments.get((*_place_of(row), "")) or "").strip()

    def _key(self, row: Any) -> list[str]:
        if self._dialect.keys:
            return self._keys.get(_place_of(row), [])
        keys = sorted(self._session.catalogue("primaryKeys", **_exact(row)), key=lambda key: int(key.key_seq))
        return [key.column_name for key in keys]

    def _columns(self, name: str, row: Any, key: Sequence[str]) -> tuple[Column, ...]:
        extras = {extra[0]: extra for extra in self._session.extras(row.table_schem or None, row.table_name)}
        found = []
        for each in self._session.catalogue("columns", **_literal(_exact(row))):
            comment = self._comments.get((*_place_of(row), each.column_name)) or ""
            try:
                made = column(self._dialect, each, key, extras.get(each.column_name, _PLAIN), comment)
            except (ValidationError, ValueError):
                self._unfit(name, each, key, _UNFIT)
                continue
            if self._dialect.ascii_only and not each.column_name.isascii():
                self._unfit(name, each, key, self._garbled())
                continue
            found.append(made)
        if not found:
            raise ValueError("it shows no column that can be read; a view may refer to what isn't there")
        if self._dialect.ascii_only and not row.table_name.isascii():
            raise ValueError(self._garbled())
        return tuple(found)

    def _garbled(self) -> str:
        return f"its name is outside ASCII, which {self._dialect.name}'s driver garbles; make a view of it"

    def _unfit(self, name: str, row: Any, key: Sequence[str], why: str) -> None:
        """Notes a column that can't be named; raises `ValueError` where rows can't do without it."""
        if row.column_name in key or not (row.nullable or row.column_def):
            raise ValueError(f"its column {_shown(row.column_name)} is needed, and {why}")
        self._left_out.append((f"{name}.{_shown(row.column_name)}", why))

    def _unique_key(self, name: str, row: Any, columns: Sequence[Column]) -> Sequence[str]:
        """The shortest unique index over columns that are never null."""
        filled = {each.name for each in columns if not each.nullable}
        found = [each for each in self._indexes.get(_place_of(row), ()) if set(each) <= filled]
        if found:
            self._unique.add(name)
        return min(found, key=len, default=())

    def _foreign(self, row: Any, known: set[str]) -> Iterator[ForeignKey]:
        for there, pairs in self._references(row):
            columns = tuple(column for column, _ in pairs)
            references = [other for _, other in pairs]
            if None in references:  # SQLite's way to say the other table's key
                other = self._by_place.get(there)
                references = list(self._key(other)) if other is not None else []
            if set(columns) <= known and len(references) == len(columns):
                yield ForeignKey(columns=columns, table=self._names.get(there, there[1]), references=tuple(references))

    def _references(self, row: Any) -> Iterator[tuple[_Place, list[tuple[str, Any]]]]:
        """What the table's foreign keys refer to: a table, and pairs of a column and the other table's."""
        if self._dialect.foreigns:
            yield from self._foreigns.get(_place_of(row), {}).values()
            return
        place = {f"foreign{part.capitalize()}": value for part, value in _exact(row).items()}
        groups: list[list[Any]] = []
        for key in self._session.catalogue("foreignKeys", **place):
            if int(key.key_seq) == 1 or not groups:
                groups.append([])
            groups[-1].append(key)
        for group in groups:
            there = (group[0].pktable_schem or "", group[0].pktable_name)
            yield there, [(key.fkcolumn_name, key.pkcolumn_name) for key in group]


def _name(row: Any, names: Mapping[str, int]) -> str:
    """A table's name in operations."""
    qualified = names[row.table_name] > 1 and row.table_schem
    return f"{row.table_schem}_{row.table_name}" if qualified else str(row.table_name)


def _place(row: Sequence[Any]) -> _Place:
    return row[0] or "", row[1]


def _place_of(row: Any) -> _Place:
    return row.table_schem or "", row.table_name


def _exact(row: Any) -> dict[str, str | None]:
    return {"table": row.table_name, "catalog": row.table_cat or None, "schema": row.table_schem or None}


def _literal(place: Mapping[str, str | None]) -> dict[str, str | None]:
    # SQLColumns takes the table's name as a pattern in which _ stands for any character.
    return {**place, "table": (place["table"] or "").replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")}


def _indexes(rows: Sequence[Sequence[Any]]) -> dict[_Place, list[tuple[str, ...]]]:
    """Unique indexes by table, each as its columns."""
    made: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        made.setdefault((*_place(row), row[2]), []).append(row[3])
    found: dict[_Place, list[tuple[str, ...]]] = {}
    for (schema, table, _), columns in made.items():
        found.setdefault((schema, table), []).append(tuple(columns))
    return found


def _shown(name: str) -> str:
    """A name that may hold anything, for a message."""
    return repr(UNFIT.sub("·", name[:60]))
