"""SQL over one table: identifiers quoted from the validated description, values bound, nothing else.

Also the passage of a table's rows: what to select for each column, and how a row becomes an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from adapters.contract import Json
from adapters.errors import FieldError, Invalid, pointer
from adapters.odbc.dialect import PLAIN_INSERT
from adapters.odbc.dialects import Dialect
from adapters.odbc.moments import clock_of, far
from adapters.odbc.tables import Column, Table
from adapters.odbc.values import ColumnType, decode, encode

ALIAS = "r."
"""What lists qualify the table's columns with."""


_DATED = ("date", "timestamp", "timestamptz")


def marker(kind: ColumnType, dialect: Dialect) -> str:
    """The parameter for a value of a type."""
    return dialect.bind.get(kind.name, "?").format(type=f"({kind.size},{kind.scale})" if kind.size else "(65,30)")


def to_bind(kind: ColumnType, given: Json, dialect: Dialect, zone: tzinfo) -> Any:
    """What to bind for a JSON value that isn't null; raises ValueError with a sentence."""
    bound = encode(kind, given, zone)
    if kind.name == "interval" and dialect.clock_intervals:
        return clock_of(bound)
    if kind.name in _DATED and not dialect.eras and far(bound):
        raise ValueError("must be in the years 1 to 9999 in this database")
    if kind.name == "decimal" and dialect.digits is not None:
        significant = bound.replace(".", "").lstrip("-0").rstrip("0") if "." in bound else bound.lstrip("-0")
        if len(significant) > dialect.digits:
            raise ValueError(f"must have at most {dialect.digits} significant digits in this database")
    return bound


@dataclass(frozen=True, slots=True)
class TableSql:
    """One table in one dialect."""

    name: str
    table: Table
    dialect: Dialect
    zone: tzinfo

    def quoted(self, identifier: str) -> str:
        """An identifier between the dialect's quotes."""
        quote = self.dialect.quote
        return quote + identifier.replace(quote, quote * 2) + quote

    @property
    def source(self) -> str:
        """The table's quoted name."""
        own = self.quoted(self.table.table or self.name)
        return f"{self.quoted(self.table.schema_)}.{own}" if self.table.schema_ else own

    @property
    def keys(self) -> tuple[Column, ...]:
        """The primary key's columns."""
        return tuple(self.must(name) for name in self.table.primary_key)

    def must(self, name: str) -> Column:
        """A column that the validated description is known to have."""
        column = self.table.column(name)
        if column is None:
            raise KeyError(name)
        return column

    def read(self, column: Column, alias: str = "") -> str:
        """The expression that selects a column without loss."""
        template = self.dialect.read.get(column.type.name, "{c}")
        return template.format(c=alias + self.quoted(column.name))

    def named(self, column: Column) -> str:
        """A column as lists name it: a type that can't be compared is sorted by its text."""
        name = ALIAS + self.quoted(column.name)
        return name if column.type.comparable else self.dialect.read.get(column.type.name, "{c}").format(c=name)

    def textual(self, column: Column) -> bool:
        """The column is read as text, in the database's own spelling."""
        return column.type.name in self.dialect.read and column.type.name != "float"

    def stored(self, column: Column) -> str:
        """The expression that selects a column for a position, exact enough to compare with the column again."""
        template = self.dialect.read if self.textual(column) else self.dialect.stored
        return template.get(column.type.name, "{c}").format(c=ALIAS + self.quoted(column.name))

    def selected(self, columns: Sequence[Column]) -> str:
        """A select list."""
        return ", ".join(self.read(column) for column in columns)

    def bound(self, column: Column) -> str:
        """The parameter for a value of a column."""
        return marker(column.type, self.dialect)

    def equals(self, columns: Sequence[Column]) -> str:
        """A condition that all `columns` equal their parameters."""
        return " AND ".join(f"{self.quoted(column.name)} = {self.bound(column)}" for column in columns)

    def value(self, column: Column, given: Json) -> Any:
        """What to bind for a JSON value that isn't null; raises ValueError with a sentence."""
        return to_bind(column.type, given, self.dialect, self.zone)

    def values(self, columns: Sequence[Column], input: Mapping[str, Json]) -> list[Any]:
        """What to bind for `columns`; raises `Invalid` naming every fault."""
        errors: list[FieldError] = []
        bound = [self._checked(column, input.get(column.name), errors) for column in columns]
        if errors:
            raise Invalid("the input doesn't fit the table's columns", errors=errors)
        return bound

    def _checked(self, column: Column, given: Json, errors: list[FieldError]) -> Any:
        if given is None:
            if not column.nullable:
                errors.append(FieldError(pointer(column.name), "must not be null"))
            return None
        try:
            return self.value(column, given)
        except ValueError as error:
            errors.append(FieldError(pointer(column.name), str(error)))
            return None

    def item(self, row: Sequence[Any]) -> dict[str, Json]:
        """The object of a row that selected all columns."""
        return {
            column.name: decode(column.type, raw, self.zone)
            for column, raw in zip(self.table.columns, row, strict=False)
        }

    def chosen(self, fields: Sequence[str]) -> tuple[Column, ...]:
        """The columns that `fields` names, in the table's order, all of them where it is empty; raises `Invalid`."""
        wrong = [
            FieldError(pointer("fields", place), "must be a column, named once")
            for place, name in enumerate(fields)
            if not isinstance(name, str) or self.table.column(name) is None or name in fields[:place]
        ]
        if wrong:
            raise Invalid("the fields are wrong", errors=wrong)
        return tuple(column for column in self.table.columns if not fields or column.name in fields)

    def get(self, columns: Sequence[Column], hint: str = "") -> str:
        """SELECT of `columns` of one row by key."""
        return f"SELECT {self.selected(columns)} FROM {self.source}{hint} WHERE {self.equals(self.keys)}"  # noqa: S608 - quoted names, bound values

    def insert(self, columns: Sequence[Column]) -> str:
        """INSERT of `columns`, answering the key where the dialect can."""
        names = f"({', '.join(self.quoted(column.name) for column in columns)})" if columns else ""
        values = f"VALUES ({', '.join(map(self.bound, columns))})" if columns else self.dialect.empty_insert
        inserted = ", ".join(self.read(column, "INSERTED.") for column in self.keys)
        template = self.dialect.insert if self.keys else PLAIN_INSERT
        return template.format(
            table=self.source, names=names, values=values, keys=self.selected(self.keys), inserted=inserted
        )

    def update(self, changed: Sequence[Column], version: Column | None) -> str:
        """UPDATE of one row by key, and by the version that the caller read."""
        terms = [f"{self.quoted(column.name)} = {self.bound(column)}" for column in changed]
        kept = self.table.column(self.table.version) if self.table.version else None
        if kept is not None and kept.type.name == "integer":
            terms.append(f"{self.quoted(kept.name)} = {self.quoted(kept.name)} + 1")
        where = self.equals([*self.keys, *([version] if version else [])])
        return f"UPDATE {self.source} SET {', '.join(terms)} WHERE {where}"  # noqa: S608 - quoted names, bound values

    def delete(self, version: Column | None) -> str:
        """DELETE of one row by key, and by the version that the caller read."""
        where = self.equals([*self.keys, *([version] if version else [])])
        return f"DELETE FROM {self.source} WHERE {where}"  # noqa: S608 - quoted names, bound values
