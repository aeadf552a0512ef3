"""One connection as its own thread sees it: set up once, statements prepared once, transactions ended every time."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import pyodbc

from adapters.odbc.dialects import DIALECTS, Dialect, dialect_of, recognise
from adapters.odbc.failures import Codes, DatabaseError, Failure, classify
from adapters.odbc.source import attributes, spelt_out

T = TypeVar("T")

Found: TypeAlias = tuple[list[str], list[Any]]
"""A result set: its columns' names, and its rows."""

# unixODBC's own pooling hands a session's state to the next user.
pyodbc.pooling = False

# A GUID as itself: the driver's text of one is in upper case, the database's in lower.
pyodbc.native_uuid = True

_PREPARED = 64
"""Statements kept prepared per connection."""
_ONCE = ""
"""Stands among them for the last one that isn't to be kept."""


def connection_string(dsn: str, dialect: Dialect | None, *, bulk: bool = False) -> str:
    """The full connection string: the dialect's options wherever it doesn't set them."""
    text = spelt_out(dsn)
    given = attributes(dsn)
    options = {**dialect.options, **(dialect.bulk if bulk else {})} if dialect is not None else {}
    more = [f"{key}={value}" for key, value in options.items() if key.lower() not in given]
    return ";".join([text.rstrip(";"), *more])


def _connect(dsn: str, dialect: Dialect | None, bulk: bool) -> Any:
    try:
        return pyodbc.connect(connection_string(dsn, dialect, bulk=bulk), autocommit=True, timeout=10)
    except pyodbc.Error as error:
        failure = classify((dialect or DIALECTS["generic"]).codes, error)
        kept = failure if failure in (Failure.REFUSED, Failure.BUSY) else Failure.UNREACHABLE
        raise DatabaseError(kept, str(error)) from error


class _Told:
    """Gives a driver's errors their meaning. A class, as a generator's context costs a lookup more than its result."""

    __slots__ = ("_codes",)

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pyodbc.Error):
            raise DatabaseError(classify(self._codes, error), str(error)) from error


class Session:
    """A connection. Only its own thread calls it, `cancel` excepted."""

    def __init__(self, dsn: str, dialect: Dialect | None, *, bulk: bool = False) -> None:
        """Connects; raises `DatabaseError`. Without a dialect the driver's name and then the product's tells it. With
        `bulk` the driver hands results on as they come, to one reader (`start`, `more`)."""
        dialect = dialect or dialect_of(dsn)
        self._cursors: OrderedDict[str, tuple[str, Any]] = OrderedDict()
        self._bound_ms = 0
        self.running: Any = None
        self.affected = 0
        """How many rows the transaction has changed, as far as its statements tell."""
        self.broken = False
        self.comment = ""
        """Stands behind each statement while it is set; such a statement won't come again, so it isn't kept."""
        self._connection = _connect(dsn, dialect, bulk)
        if dialect is None:
            dialect = self._detected()
            if dialect.options:  # which only a new connection takes
                self.close()
                self._connection = _connect(dsn, dialect, bulk)
        self.dialect = dialect
        self._beside = self._connection.cursor() if dialect.cancels_beside else None
        self._telling = _Told(dialect.codes)
        self._set_up(bulk)

    def _detected(self) -> Dialect:
        names = [str(self._connection.getinfo(kind)) for kind in (pyodbc.SQL_DBMS_NAME, pyodbc.SQL_DRIVER_NAME)]
        return recognise(*names) or DIALECTS["generic"]

    def _set_up(self, bulk: bool) -> None:
        # Sent in pieces (SQLPutData), MariaDB's driver mangles long text.
        self._connection.maxwrite = 1 << 30
        if self.dialect.encoding is not None:
            for kind in (pyodbc.SQL_CHAR, pyodbc.SQL_WCHAR):
                self._connection.setdecoding(kind, encoding=self.dialect.encoding)
            self._connection.setencoding(encoding=self.dialect.encoding)
        try:
            for statement in self.dialect.session + (self.dialect.bulk_session if bulk else ()):
                self.statement(statement)
        except DatabaseError:
            self.close()
            raise

    def bound(self, seconds: float) -> None:
        """Has the server end a statement after `seconds`; rounded up, so that it is seldom told anew."""
        milliseconds = 1 << max(8, int(seconds * 1000).bit_length())
        if milliseconds == self._bound_ms or not self.dialect.deadline:
            return
        for template in self.dialect.deadline:
            half = milliseconds // 2
            times = {"ms": milliseconds, "s": milliseconds / 1000, "half": half, "quarter": half // 2}
            self.statement(template.format(**times, lock_s=max(1, half // 1000)))
        self._bound_ms = milliseconds

    def statement(self, sql: str) -> None:
        """Runs a statement of the dialect's own, unprepared."""
        with self._told(), contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)

    def _told(self) -> _Told:
        return self._telling

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Runs a prepared statement and answers its cursor, to be read before the next call; raises `DatabaseError`."""
        if self.comment:
            return self._once(sql, parameters)
        # With the very text that was prepared: pyodbc tells texts apart by identity, and prepares an equal one anew.
        kept = self._cursors.pop(sql, None)
        with self._told():
            sql, cursor = (sql, self._connection.cursor()) if kept is None else kept
            self.running = cursor
            cursor.execute(sql, *parameters)
        # One that failed is not kept: its plan may be what is wrong.
        self._cursors[sql] = (sql, cursor)
        if len(self._cursors) > _PREPARED:
            self._cursors.popitem(last=False)[1][1].close()
        return cursor

    def _once(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Runs a statement whose text won't come again, in place of the one before it of that sort."""
        self._drop(_ONCE)
        with self._told():
            self.running = cursor = self._connection.cursor()
            self._cursors[_ONCE] = (_ONCE, cursor)
            return cursor.execute(sql + self.comment, *parameters)

    def rows(self, sql: str, parameters: Sequence[Any], limit: int) -> list[Any]:
        """At most `limit` rows of a query."""
        cursor = self.execute(sql, parameters)
        with self._told():
            # What is read to its end holds no lock; only a dialect without LIMIT leaves rows behind.
            if self.dialect.limit:
                return list(cursor.fetchall())
            found: list[Any] = cursor.fetchmany(limit)
        self._drop(sql)
        return found

    def start(self, sql: str, parameters: Sequence[Any]) -> None:
        """Runs the query whose rows `more` answers."""
        with self._told():
            self.running = self._connection.cursor()
            self.running.execute(sql + self.comment, *parameters)

    def more(self, count: int) -> list[Any]:
        """The next rows, at most `count`; none: there are no more."""
        with self._told():
            return list(self.running.fetchmany(count))

    def _drop(self, sql: str) -> None:
        kept = self._cursors.pop(_ONCE if self.comment else sql, None)
        if kept is not None:
            with contextlib.suppress(pyodbc.Error):
                kept[1].close()

    def one(self, sql: str, parameters: Sequence[Any]) -> Any:
        """The only row of a query by key, or None."""
        cursor = self.execute(sql, parameters)
        with self._told():
            found = cursor.fetchall()
        return found[0] if found else None

    def results(self, sql: str, parameters: Sequence[Any], limit: int) -> tuple[int, list[Found]]:
        """Rows affected, and the result sets, at most `limit` rows of all together; drains what is beyond.

        A procedure's undrained results would break the transaction's end.
        """
        sets: list[Found] = []
        left = limit
        cursor = self.execute(sql, parameters)
        with self._told():
            count = int(cursor.rowcount)
            while True:
                if cursor.description is not None:
                    rows = cursor.fetchmany(left) if left else []
                    sets.append(([str(column[0]) for column in cursor.description], rows))
                    left -= len(rows)
                if not cursor.nextset():
                    break
        if not left:
            self._drop(sql)
        return count, sets

    def transaction(self, job: Callable[[Session], T], *, keep: bool = True) -> T:
        """Runs `job` in one read-write transaction: committed before it answers, or (`keep` False) rolled back.

        A `DatabaseError` raised before anything was sent has `sent` False; else `undone` says what is certain.
        """
        self._begin()
        committing, self.affected = False, 0
        try:
            answer = job(self)
            if keep:
                committing = True
                with self._told():
                    self._connection.commit()
        except DatabaseError as error:
            error.sent, error.undone = True, self._undone(error.failure, committing)
            raise
        finally:
            self._end()
        return answer

    def _begin(self) -> None:
        with self._told():
            self._connection.autocommit = False
        for statement in self.dialect.begin_write:
            self.statement(statement)

    def _undone(self, failure: Failure, committing: bool) -> bool:
        # A driver may report success when it rolls back over a connection that is gone.
        if failure is not Failure.LOST:
            with contextlib.suppress(pyodbc.Error):
                self._connection.rollback()
                return True
        return self.dialect.rolls_back and not committing

    def _end(self) -> None:
        """Back to autocommit and read-only; after a commit the rollback has nothing to do."""
        try:
            self._connection.rollback()
            self._connection.autocommit = True
            for statement in self.dialect.end_write:
                self.statement(statement)
        except (pyodbc.Error, DatabaseError):
            self.broken = True

    def catalogue(self, function: str, **place: str | None) -> list[Any]:
        """The rows of one of ODBC's catalogue functions; raises pyodbc's errors."""
        with contextlib.closing(self._connection.cursor()) as cursor:
            rows: list[Any] = getattr(cursor, function)(**place).fetchall()
        return rows

    def extras(self, schema: str | None, table: str) -> list[Any]:
        """What the catalogue functions leave out of a table's columns: see `Dialect.extras`."""
        if not self.dialect.extras:
            return []
        with contextlib.closing(self._connection.cursor()) as cursor:
            rows: list[Any] = cursor.execute(self.dialect.extras, schema or "", table).fetchall()
        return rows

    def asked(self, sql: str) -> list[Any]:
        """The rows of one of the dialect's own queries of the catalogue; "" asks nothing. Raises pyodbc's errors."""
        if not sql:
            return []
        with contextlib.closing(self._connection.cursor()) as cursor:
            rows: list[Any] = cursor.execute(sql).fetchall()
        return rows

    @property
    def catalog_name(self) -> str:
        """The database that unqualified names are looked up in."""
        return str(self._connection.getinfo(pyodbc.SQL_DATABASE_NAME))

    def failed(self, error: pyodbc.Error) -> DatabaseError:
        """A driver's error with its meaning."""
        return DatabaseError(classify(self.dialect.codes, error), str(error))

    def ping(self) -> float:
        """Seconds that the smallest statement takes."""
        started = time.monotonic()
        self.statement(self.dialect.ping)
        return time.monotonic() - started

    def cancel(self) -> None:
        """Asks the server to end the running statement; from another thread, may hang as long as the server does."""
        if self.running is not None:
            with contextlib.suppress(pyodbc.Error):
                (self._beside or self.running).cancel()

    def close(self) -> None:
        """Ends the connection; what was open is rolled back."""
        with contextlib.suppress(pyodbc.Error):
            self._connection.close()
