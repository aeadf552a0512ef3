"""Insert, update and delete of one row: each one transaction, guarded to the row named and to what it must still be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.contract import Json, Rows
from adapters.errors import BadReply, DoNotRetry, FieldError, Invalid, Moved, NotFound, pointer
from adapters.odbc.describe import WAS
from adapters.odbc.expand import Relations
from adapters.odbc.plans import Job, Plan
from adapters.odbc.reads import ANYWHERE, TableReads, Within
from adapters.odbc.session import Session
from adapters.odbc.statements import TableSql
from adapters.odbc.tables import Column
from adapters.odbc.values import decode


class TableWrites(TableReads):
    """The plans of one table's writes."""

    def __init__(self, sql: TableSql, relations: Relations) -> None:
        super().__init__(sql, relations)
        hint, self._lock_end = sql.dialect.lock or ("", "")
        self._locked = sql.get(sql.table.columns, hint)

    def add(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        """A new row of a table without a key, of which nothing can be told afterwards."""
        if rows is not None:
            raise DoNotRetry("a row without a key can't be held to what the caller may see; nothing was written")
        columns = self._new(input)
        statement, values = self._sql.insert(columns), self._sql.values(columns, input)

        def job(session: Session) -> Json:
            session.execute(statement, values)
            session.affected += 1

        return Plan(job, self._object)

    def insert(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        """A new row, and what was stored."""
        columns = self._new(input)
        statement, values = self._sql.insert(columns), self._sql.values(columns, input)
        whole = all(name in input for name in self._sql.table.primary_key)
        within = self._within(rows)

        def job(session: Session) -> Json:
            given = self._key(input) if whole else None
            made = self._inserted(session, statement, values, given)
            session.affected += 1
            return self._kept(session, made, within)

        return Plan(job, self._object, self._named(input) if whole else None, one=True)

    def _new(self, input: Mapping[str, Json]) -> list[Column]:
        """The columns of a new row that `input` names; raises `Invalid` where some are missing."""
        self._known(input, {*self._column})
        columns = [column for column in self._sql.table.columns if column.name in input]
        missing = [
            FieldError(pointer(column.name), "is required")
            for column in self._sql.table.columns
            if column.name not in input and not (column.nullable or column.generated)
        ]
        if missing:
            raise Invalid("the row is incomplete", errors=missing)
        return columns

    def _inserted(
        self, session: Session, statement: str, values: Sequence[Any], given: Sequence[Any] | None
    ) -> Sequence[Any]:
        """Inserts, and answers the key of the new row to bind again."""
        keys = self._sql.keys
        if self._sql.dialect.tells_keys:
            made = session.one(statement, values)
        else:
            session.execute(statement, values)
            made = session.one(self._sql.dialect.last_id, ()) if given is None and self._sql.dialect.last_id else None
        if given is not None:
            return given
        if made is None or len(made) != len(keys):
            raise Invalid("this database doesn't tell the keys that it makes", errors=[FieldError("", "name the key")])
        decoded = {
            column.name: decode(column.type, raw, self._sql.zone) for column, raw in zip(keys, made, strict=True)
        }
        return self._key(decoded)

    def update(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        """Other values for one row, where it is still what the caller expects."""
        was, input = self._parted(input)
        self._known(input, {*self._column})
        table = self._sql.table
        version = self._column[table.version] if table.version and table.version in input else None
        fixed = {*table.primary_key, *([table.version] if table.version else [])}
        changed = [column for column in table.columns if column.name in input and column.name not in fixed]
        if not changed:
            raise Invalid("the input changes nothing", errors=[FieldError("", "must name a column besides the key")])
        key = self._key(input)
        expected = self._sql.values([version], input) if version else []
        within = self._within(rows)
        values = [*self._sql.values(changed, input), *key, *expected, *within.parameters]
        statement = self._sql.update(changed, version) + within.sql

        def job(session: Session) -> Json:
            self._unchanged(session, key, within, was)
            self._counted(session, session.execute(statement, values).rowcount, key, within)
            return self._kept(session, key, within)

        return Plan(job, self._object, self._named(input), self._peek(key, within), one=True)

    def delete(self, input: Mapping[str, Json], rows: Rows | None) -> Plan:
        """One row less, where it is still what the caller expects."""
        was, input = self._parted(input)
        table = self._sql.table
        self._known(input, {*table.primary_key, *([table.version] if table.version else [])})
        version = self._column[table.version] if table.version and table.version in input else None
        key = self._key(input)
        expected = self._sql.values([version], input) if version else []
        within = self._within(rows)
        statement, values = self._sql.delete(version) + within.sql, [*key, *expected, *within.parameters]

        def job(session: Session) -> Json:
            self._unchanged(session, key, within, was)
            self._counted(session, session.execute(statement, values).rowcount, key, within)

        return Plan(job, self._object, self._named(input), self._peek(key, within), one=True)

    def _peek(self, key: Sequence[Any], within: Within) -> Job | None:
        """What reads the row and holds it; None: this database is asked in standard SQL, which can't hold it."""
        if self._sql.dialect.lock is None:
            return None

        def peek(session: Session) -> Json:
            row = session.one(self._locked + within.sql + self._lock_end, [*key, *within.parameters])
            return None if row is None else self._sql.item(row)

        return peek

    def _parted(self, input: Mapping[str, Json]) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
        """What the row must still be, and the rest of the input."""
        if WAS in self._column or WAS not in input:
            return {}, input
        was = input[WAS]
        if not isinstance(was, dict):
            raise Invalid("what the row was is wrong", errors=[FieldError(pointer(WAS), "must be an object")])
        unknown = [FieldError(pointer(WAS, name), "is no column") for name in was if name not in self._column]
        if unknown:
            raise Invalid("what the row was is wrong", errors=unknown)
        if was and self._sql.dialect.lock is None:
            raise DoNotRetry("this database is asked in standard SQL, which can't hold a row while it is compared")
        return was, {name: value for name, value in input.items() if name != WAS}

    def _unchanged(self, session: Session, key: Sequence[Any], within: Within, was: Mapping[str, Json]) -> None:
        """Locks the row and holds it against what the caller read, value by value as they are spelt."""
        if not was:
            return
        row = session.one(self._locked + within.sql + self._lock_end, [*key, *within.parameters])
        if row is None:
            raise NotFound(f"there is no such row of {self._object}")
        found = self._sql.item(row)
        if any(_differs(found[name], value) for name, value in was.items()):
            raise Moved("the row was changed by someone else in the meantime")

    def _counted(self, session: Session, count: int, key: Sequence[Any], within: Within) -> None:
        """Exactly one row, or the transaction is rolled back by what this raises."""
        if count > 1:
            raise BadReply("the key names more than one row; nothing was changed")
        session.affected += count
        if count == 0:
            self.row(session, key, within)
            raise Moved("the row was changed by someone else in the meantime")

    def _kept(self, session: Session, key: Sequence[Any], within: Within) -> Json:
        """The row as it is after a write, which is taken back when it isn't one that the caller may see."""
        try:
            return self.row(session, key, within)
        except NotFound:
            if within is ANYWHERE:
                raise
            self.row(session, key, ANYWHERE)
            raise DoNotRetry("the row would be none that the caller may see; nothing was changed") from None


def _differs(found: Json, expected: Json) -> bool:
    return bool(found != expected) or isinstance(found, bool) != isinstance(expected, bool)
