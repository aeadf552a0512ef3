"""MariaDB's binary log as a thread reads it: what happened to one table, into a queue that has a bound.

The log is sent over the replication protocol, which ODBC doesn't have: the package `mysql-replication` speaks it.
"""

from __future__ import annotations

import contextlib
import queue
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from adapters.errors import Unavailable
from adapters.odbc.source import attributes

_ROOM = 4_000
"""Rows that may lie unread: then the thread waits, and the database with it."""
_QUIET = 0.5
_COMMENT = re.compile(r"\s*(/\*.*?\*/|--[^\n]*\n|#[^\n]*\n)", re.DOTALL)
_DDL = re.compile(r"\s*(alter|create|drop|rename|truncate)\s", re.IGNORECASE)

Place: TypeAlias = tuple[str, int]
"""A log's file, and the bytes of it that are before."""


class Told(NamedTuple):
    """Something happened to the table, as the `number`-th in a transaction that begins at `start`."""

    start: Place
    number: int
    what: Literal["insert", "update", "delete", "truncate", "schema"]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    at: datetime


class Passed(NamedTuple):
    """A transaction ended at `place`, whatever it did."""

    place: Place


class Failed(NamedTuple):
    """The log can't be read on."""

    reason: str
    lost: bool


Item: TypeAlias = Told | Passed | Failed


class Stream:
    """The log from a place on, which must be between two transactions."""

    def __init__(
        self,
        dsn: str,
        schema: str,
        table: str,
        place: Place,
        spell: Callable[[Any], Any],
        news: Callable[[], None] = lambda: None,
    ) -> None:
        """`spell` makes of a value what the column's type can read; `news` is called by the thread for each change.
        Raises `Unavailable` where the package isn't there."""
        self._news = news
        self.queue: queue.Queue[Item] = queue.Queue(_ROOM)
        self._schema, self._table, self._spell = schema, table, spell
        self._start, self._number = place, 0
        self._over = threading.Event()
        self._reader = _reader(dsn, schema, place)
        self._thread = threading.Thread(target=self._run, name="figway-binlog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, as soon as the server sends something: it does so several times a second."""
        self._over.set()

    def _run(self) -> None:
        import pymysql
        from pymysqlreplication.exceptions import BinLogNotEnabled

        try:
            while not self._over.is_set():
                event = self._reader.fetchone()
                if event is None:
                    break
                self._event(event)
        except pymysql.MySQLError as error:
            # 1236: the server doesn't have that part of its log any more.
            self._put(Failed(str(error), lost=bool(error.args) and error.args[0] == 1236))
        except (BinLogNotEnabled, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            self._put(Failed(f"{type(error).__name__}: {error}", lost=False))
        finally:
            self._put(Failed("the reader of the log ended", lost=False))  # also where its package has a fault
            with contextlib.suppress(pymysql.MySQLError, OSError):
                self._reader.close()

    def _put(self, item: Item) -> None:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self.queue.put(item, timeout=_QUIET)
                if not isinstance(item, Passed):
                    self._news()
                return

    def _event(self, event: Any) -> None:
        kind = type(event).__name__
        if kind in ("WriteRowsEvent", "UpdateRowsEvent", "DeleteRowsEvent"):
            if (event.schema, event.table) == (self._schema, self._table):
                self._rows(kind, event)
        elif kind == "QueryEvent":
            self._query(event)
        elif kind == "HeartbeatLogEvent" and self._number:
            return
        else:  # the end of a transaction, or what stands between two
            self._end()

    def _rows(self, kind: str, event: Any) -> None:
        for row in event.rows:
            before = row.get("before_values", row.get("values") if kind == "DeleteRowsEvent" else None)
            after = row.get("after_values", row.get("values") if kind == "WriteRowsEvent" else None)
            what: Any = {"WriteRowsEvent": "insert", "UpdateRowsEvent": "update", "DeleteRowsEvent": "delete"}[kind]
            floats = {each.name for each in event.columns if each.type == 4}
            self._tell(event, what, self._values(before, floats), self._values(after, floats))

    def _values(self, values: Mapping[str, Any] | None, floats: set[str]) -> Mapping[str, Any] | None:
        if values is None:
            return None
        return {name: self._value(each, name in floats) for name, each in values.items()}

    def _value(self, value: Any, single: bool) -> Any:
        if single and isinstance(value, float):
            return float(f"{value:.6g}")  # the digits that the database itself shows
        return self._spell(value)

    def _query(self, event: Any) -> None:
        text = event.query
        while (comment := _COMMENT.match(text)) is not None:
            text = text[comment.end() :]
        if text.strip().upper() in ("BEGIN", "SAVEPOINT") or text.upper().startswith("SAVEPOINT"):
            return
        ddl = _DDL.match(text)
        if ddl is not None and re.search(rf"(?<![\w$]){re.escape(self._table)}(?![\w$])", text, re.IGNORECASE):
            self._tell(event, "truncate" if ddl[1].lower() == "truncate" else "schema", None, None)
        self._end()

    def _tell(self, event: Any, what: Any, before: Any, after: Any) -> None:
        self._number += 1
        at = datetime.fromtimestamp(event.timestamp, UTC)
        self._put(Told(self._start, self._number, what, before, after, at))

    def _end(self) -> None:
        self._start, self._number = (self._reader.log_file, int(self._reader.log_pos)), 0
        self._put(Passed(self._start))


def spelt(value: Any) -> Any:
    """A value of the log as a driver would give it."""
    if isinstance(value, timedelta):
        micros = int(value / timedelta(microseconds=1))
        seconds, rest = divmod(abs(micros), 1_000_000)
        clock = f"{'-' if micros < 0 else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{clock}.{rest:06d}" if rest else clock
    if isinstance(value, set | frozenset):
        return ",".join(sorted(value))
    return value


def _reader(dsn: str, schema: str, place: Place) -> Any:
    try:
        from pymysqlreplication import BinLogStreamReader
        from pymysqlreplication import event as events
        from pymysqlreplication import row_event as rows
    except ImportError:
        raise Unavailable("method binlog needs a package: pip install 'figway[binlog]'") from None
    wanted = (
        *(rows.WriteRowsEvent, rows.UpdateRowsEvent, rows.DeleteRowsEvent, events.QueryEvent, events.XidEvent),
        *(events.RotateEvent, events.HeartbeatLogEvent, events.FormatDescriptionEvent),
        *(events.MariadbGtidListEvent, events.MariadbBinLogCheckPointEvent),
    )
    return BinLogStreamReader(
        settings(dsn),
        # Two readers of one id would end each other.
        server_id=0x40000000 + secrets.randbelow(0x3FFFFFFF),
        blocking=True,
        resume_stream=True,
        log_file=place[0],
        log_pos=place[1],
        only_events=wanted,
        only_schemas=[schema],
        slave_heartbeat=_QUIET,
        enable_logging=False,
        pymysql_wrapper=_connect,
    )


def _connect(**given: Any) -> Any:
    """A connection; the log's package still calls the database by a name that is going away."""
    import pymysql

    if "db" in given:
        given["database"] = given.pop("db")
    return pymysql.connect(**given)


def settings(dsn: str) -> dict[str, Any]:
    """How the database is reached by its own protocol, as an ODBC connection string says it."""
    given = {key: value[1:-1].replace("}}", "}") if value.startswith("{") else value
             for key, value in attributes(dsn).items()}  # fmt: skip
    made: dict[str, Any] = {
        "host": given.get("server", given.get("servername", "localhost")),
        "port": int(given.get("port", 3306)),
        "user": given.get("uid", given.get("user", "")),
        "password": given.get("pwd", given.get("password", "")),
        "charset": "utf8mb4",
        "connect_timeout": 10,
        "read_timeout": 20,  # the server says twice a second that it is there
    }
    if "socket" in given:
        made["unix_socket"] = given["socket"]
    tls = {"ssl_ca": given.get("sslca"), "ssl_cert": given.get("sslcert"), "ssl_key": given.get("sslkey")}
    made |= {name: value for name, value in tls.items() if value}
    if given.get("sslverify") == "1" or given.get("forcetls") == "1":
        made |= {"ssl_verify_cert": given.get("sslverify") == "1", "ssl_verify_identity": given.get("sslverify") == "1"}
    return made
